// StatefulSets, DaemonSets, CronJobs, disruption budgets and claims, as people drive them.
import assert from 'node:assert/strict'
import { type Any, type Case, has, topic } from '../src/case.ts'
import { deployment, pod } from '../src/manifests.ts'

const docs = 'kubernetes.io/docs'
const workloads = `${docs}/concepts/workloads/controllers`

const labelled = (app: string): Any => {
  const { selector, template } = deployment(app, 1).spec
  return { selector, template }
}
const statefulSet = (name: string, replicas: number, spec: Any = {}): Any => ({
  apiVersion: 'apps/v1',
  kind: 'StatefulSet',
  metadata: { name },
  spec: { serviceName: name, replicas, ...labelled(name), ...spec },
})
const daemonSet = (name: string, spec: Any = {}): Any => ({
  apiVersion: 'apps/v1',
  kind: 'DaemonSet',
  metadata: { name },
  spec: { ...labelled(name), ...spec },
})
const cronJob = (name: string, schedule: string): Any => ({
  apiVersion: 'batch/v1',
  kind: 'CronJob',
  metadata: { name },
  spec: {
    schedule,
    jobTemplate: {
      spec: { template: { spec: { restartPolicy: 'Never', containers: [{ name: 'main', image: 'busybox' }] } } },
    },
  },
})
const podNames = (list: Any): string[] => list.items.map((item: Any) => item.metadata.name).sort()
const images = (list: Any): string[] => list.items.map((item: Any) => item.spec.containers[0].image)

export const setCases: readonly Case[] = topic('sets', {
  'a-stateful-set-numbers-its-pods': {
    rows: ['B7'],
    source: `${workloads}/statefulset`,
    bothVersions: true,
    async run(t) {
      await t.feed('apply -f -', statefulSet('db', 3))
      has(await t.k('rollout status statefulset/db --timeout=60s'), '3 new pods have been updated')
      assert.deepEqual(podNames(await t.get('pods')), ['db-0', 'db-1', 'db-2'])
      has(await t.k('get statefulset db --no-headers'), /^db +3\/3 /)
      await t.k('scale statefulset/db --replicas=1')
      await t.eventually(async () => assert.deepEqual(podNames(await t.get('pods')), ['db-0']))
    },
  },
  'a-stateful-set-is-updated-and-undone': {
    rows: ['B7'],
    source: `${workloads}/statefulset#rolling-updates`,
    async run(t) {
      await t.feed('apply -f -', statefulSet('db', 2))
      await t.k('rollout status statefulset/db --timeout=60s')
      await t.k('set image statefulset/db web=nginx:1.28')
      await t.k('rollout status statefulset/db --timeout=60s')
      assert.deepEqual(images(await t.get('pods')), ['nginx:1.28', 'nginx:1.28'])
      has(await t.k('rollout history statefulset/db'), /^1 +/m, /^2 +/m)
      has(await t.k('rollout undo statefulset/db'), 'statefulset.apps/db rolled back')
      await t.k('rollout status statefulset/db --timeout=60s')
      assert.deepEqual(images(await t.get('pods')), ['nginx:1.27', 'nginx:1.27'])
      has(await t.k('rollout history statefulset/db'), /^2 +/m, /^3 +/m)
    },
  },
  'a-partition-holds-an-update-back': {
    rows: ['B7'],
    source: `${workloads}/statefulset#partitions`,
    async run(t) {
      const updateStrategy = { type: 'RollingUpdate', rollingUpdate: { partition: 1 } }
      await t.feed('apply -f -', statefulSet('db', 2, { updateStrategy }))
      await t.k('rollout status statefulset/db --timeout=60s')
      await t.k('set image statefulset/db web=nginx:1.28')
      has(await t.k('rollout status statefulset/db --timeout=60s'), 'partitioned roll out complete: 1 new pods')
      assert.deepEqual(images(await t.get('pods')), ['nginx:1.27', 'nginx:1.28'])
    },
  },
  'a-daemon-set-runs-on-every-node': {
    rows: ['B7'],
    source: `${workloads}/daemonset`,
    bothVersions: true,
    async run(t) {
      await t.feed('apply -f -', daemonSet('agent'))
      has(await t.k('rollout status daemonset/agent --timeout=60s'), 'daemon set "agent" successfully rolled out')
      const pods: Any[] = (await t.get('pods')).items
      const wanted = (await t.get('daemonset agent')).status.desiredNumberScheduled
      assert.ok(wanted >= 1)
      assert.equal(new Set(pods.map((item) => item.spec.nodeName)).size, wanted)
      assert.equal(pods.length, wanted)
    },
  },
  'a-daemon-set-is-updated-and-undone': {
    rows: ['B7'],
    source: `${docs}/tasks/manage-daemon/rollback-daemon-set`,
    async run(t) {
      const updateStrategy = { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } }
      await t.feed('apply -f -', daemonSet('agent', { updateStrategy }))
      await t.k('rollout status daemonset/agent --timeout=60s')
      await t.k('set image daemonset/agent web=nginx:1.28')
      await t.k('rollout status daemonset/agent --timeout=60s')
      await t.eventually(async () => assert.deepEqual([...new Set(images(await t.get('pods')))], ['nginx:1.28']))
      has(await t.k('rollout undo daemonset/agent --to-revision=1'), 'daemonset.apps/agent rolled back')
      await t.k('rollout status daemonset/agent --timeout=60s')
      await t.eventually(async () => assert.deepEqual([...new Set(images(await t.get('pods')))], ['nginx:1.27']))
    },
  },
  'a-cron-job-starts-jobs': {
    rows: ['B7'],
    source: `${workloads.replace('/controllers', '')}/controllers/cron-jobs`,
    async run(t) {
      await t.feed('apply -f -', cronJob('tick', '@every 1s'))
      await t.eventually(async () => {
        const jobs: Any[] = (await t.get('jobs')).items
        assert.ok(jobs.some((job) => job.status.succeeded === 1))
        assert.equal(jobs[0].metadata.ownerReferences[0].name, 'tick')
      })
      assert.ok((await t.get('cronjob tick')).status.lastScheduleTime)
      await t.k(['patch', 'cronjob', 'tick', '-p', '{"spec":{"suspend":true}}'])
      has(await t.k('create job by-hand --from=cronjob/tick'), 'job.batch/by-hand created')
      await t.k('wait --for=condition=complete job/by-hand --timeout=60s')
    },
  },
  'a-budget-says-what-may-be-disrupted': {
    rows: ['B7', 'C12'],
    source: `${docs}/tasks/run-application/configure-pdb`,
    async run(t) {
      await t.feed('apply -f -', deployment('web', 3))
      await t.k('create poddisruptionbudget web --selector=app=web --max-unavailable=1')
      await t.k('rollout status deployment/web --timeout=60s')
      await t.eventually(async () => {
        const { status } = await t.get('pdb web')
        assert.deepEqual(
          [status.disruptionsAllowed, status.currentHealthy, status.desiredHealthy, status.expectedPods],
          [1, 3, 2, 3],
        )
      })
      has(await t.k('get pdb web --no-headers'), /^web +N\/A +1 +1 /)
    },
  },
  'a-claim-gets-a-volume-and-its-pod-waits-for-it': {
    rows: ['B7', 'B9'],
    source: `${docs}/concepts/storage/persistent-volumes#binding`,
    async run(t) {
      const volumes = [{ name: 'data', persistentVolumeClaim: { claimName: 'data' } }]
      await t.feed('apply -f -', pod('user', { volumes }))
      const why = async (text: string): Promise<void> =>
        t.eventually(async () => has(await t.k('describe pod user'), text))
      await why('persistentvolumeclaim "data" not found')
      const storageClassName = `of-${t.namespace}`
      const accessModes = ['ReadWriteOnce']
      const resources = { requests: { storage: '1Gi' } }
      const spec = { storageClassName, accessModes, resources }
      await t.feed('apply -f -', { apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: { name: 'data' }, spec })
      await why('pod has unbound immediate PersistentVolumeClaims')
      const volume = {
        apiVersion: 'v1',
        kind: 'PersistentVolume',
        metadata: { name: `of-${t.namespace}` },
        spec: { storageClassName, accessModes, capacity: { storage: '2Gi' }, hostPath: { path: '/data' } },
      }
      await t.feed('apply -f -', volume)
      await t.k('wait --for=condition=Ready pod/user --timeout=60s')
      has(await t.k('get pvc data --no-headers'), /^data +Bound +of-\S+ +2Gi +RWO /)
      await t.k('delete pod user --grace-period=1')
      await t.k('delete pvc data')
      await t.eventually(async () => assert.equal((await t.get(`pv of-${t.namespace}`)).status.phase, 'Released'))
      await t.k(`delete pv of-${t.namespace}`)
    },
  },
})
