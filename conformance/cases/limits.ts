// What a namespace lets in: ResourceQuotas, LimitRanges, and Pod Security by the labels of the namespace.
import assert from 'node:assert/strict'
import { type Any, type Case, has, lacks, topic } from '../src/case.ts'

const policy = 'kubernetes.io/docs/concepts/policy'
const security = 'kubernetes.io/docs/concepts/security/pod-security-admission'

const podSpec = (resources: Any = {}): Any => ({ containers: [{ name: 'main', image: 'none', resources }] })
const pod = (name: string, resources: Any = {}): Any => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name },
  spec: podSpec(resources),
})
const replicaSet = (name: string, replicas: number): Any => ({
  apiVersion: 'apps/v1',
  kind: 'ReplicaSet',
  metadata: { name },
  spec: {
    replicas,
    selector: { matchLabels: { app: name } },
    template: { metadata: { labels: { app: name } }, spec: podSpec() },
  },
})

export const limitsCases: readonly Case[] = topic('limits', {
  'a-quota-counts-and-refuses': {
    rows: ['E30'],
    source: `${policy}/resource-quotas`,
    async run(t) {
      has(await t.k('create quota few --hard=secrets=2,count/deployments.apps=1,pods=1'), 'resourcequota/few created')
      await t.k('create secret generic one')
      await t.k('create secret generic two')
      has(
        await t.kFails('create secret generic three'),
        'secrets "three" is forbidden: exceeded quota: few, requested: secrets=1, used: secrets=2, limited: secrets=2',
      )
      await t.k('delete secret one')
      // What was given back can be had again.
      await t.eventually(() => t.k('create secret generic three'))
      await t.feed('create -f -', replicaSet('web', 3))
      await t.eventually(async () => {
        const { status } = await t.get('quota few')
        assert.deepEqual(status.used, { secrets: '2', 'count/deployments.apps': '0', pods: '1' })
        has(
          await t.k('describe replicaset web'),
          'FailedCreate',
          'exceeded quota: few, requested: pods=1, used: pods=1, limited: pods=1',
          /ReplicaFailure\s+True\s+FailedCreate/,
        )
      })
      has(await t.k('describe quota few'), /pods\s+1\s+1/, /secrets\s+2\s+2/, /count\/deployments\.apps\s+0\s+1/)
      has(await t.k('get quota'), /few\s.*pods: 1\/1/)
    },
  },
  'a-quota-of-compute': {
    rows: ['E30'],
    source: `${policy}/resource-quotas/#compute-resource-quota`,
    async run(t) {
      await t.k('create quota room --hard=requests.cpu=1,limits.memory=1Gi')
      await t.k('create quota idle --hard=pods=1 --scopes=BestEffort')
      has(
        await t.kFails('run bare --image=none'),
        'pods "bare" is forbidden: failed quota: room: must specify limits.memory for: bare; requests.cpu for: bare',
      )
      const half = { requests: { cpu: '600m' }, limits: { memory: '500Mi' } }
      await t.feed('create -f -', pod('first', half))
      const second = t.file('second.yaml', pod('second', half))
      has(
        await t.kFails(`create -f ${second}`),
        'exceeded quota: room, requested: requests.cpu=600m, used: requests.cpu=600m, limited: requests.cpu=1',
      )
      // A pod that requests something is none of the idle ones.
      const { status } = await t.get('quota idle')
      assert.deepEqual(status.used, { pods: '0' })
      has(await t.k('describe quota idle'), 'Scopes:', 'BestEffort')
      await t.k('delete pod first --wait=true')
      await t.eventually(() => t.k(`create -f ${second}`))
    },
  },
  'a-limit-range-fills-in-and-bounds': {
    rows: ['E31'],
    source: `${policy}/limit-range`,
    async run(t) {
      await t.feed('create -f -', {
        apiVersion: 'v1',
        kind: 'LimitRange',
        metadata: { name: 'bounds' },
        spec: {
          limits: [
            {
              type: 'Container',
              default: { cpu: '500m', memory: '256Mi' },
              defaultRequest: { cpu: '100m' },
              max: { cpu: '1' },
              min: { memory: '64Mi' },
            },
            { type: 'PersistentVolumeClaim', max: { storage: '1Gi' } },
          ],
        },
      })
      has(await t.k('describe limitrange bounds'), /Container\s+cpu\s+-\s+1\s+100m\s+500m\s+-/)
      await t.feed('create -f -', pod('plain'))
      const { spec, metadata } = await t.get('pod plain')
      assert.deepEqual(spec.containers[0].resources, {
        limits: { cpu: '500m', memory: '256Mi' },
        requests: { cpu: '100m', memory: '256Mi' },
      })
      has(metadata.annotations['kubernetes.io/limit-ranger'], /LimitRanger plugin set: cpu, memory request for container main/)
      const greedy = t.file('greedy.yaml', pod('greedy', { limits: { cpu: '2', memory: '32Mi' } }))
      has(
        await t.kFails(`create -f ${greedy}`),
        'pods "greedy" is forbidden',
        'minimum memory usage per Container is 64Mi, but request is 32Mi',
        'maximum cpu usage per Container is 1, but limit is 2',
      )
      const spacious = t.file('spacious.yaml', {
        apiVersion: 'v1',
        kind: 'PersistentVolumeClaim',
        metadata: { name: 'spacious' },
        spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '2Gi' } } },
      })
      has(await t.kFails(`create -f ${spacious}`), 'maximum storage usage per PersistentVolumeClaim is 1Gi, but request is 2Gi')
    },
  },
  'pod-security-by-labels-of-the-namespace': {
    rows: ['E10', 'A11'],
    source: `${security}/#pod-security-admission-labels-for-namespaces`,
    async run(t) {
      await t.feed('create -f -', pod('before'))
      const label = `label namespace ${t.namespace} --overwrite`
      const asked = await t.kAll(`${label} --dry-run=server pod-security.kubernetes.io/enforce=restricted`)
      has(
        asked.stderr,
        `existing pods in namespace "${t.namespace}" violate the new PodSecurity enforce level "restricted:latest"`,
        'before: ',
      )
      await t.k(`${label} pod-security.kubernetes.io/enforce=baseline pod-security.kubernetes.io/warn=restricted`)
      const run = 'run free --image=none --overrides'
      has(
        await t.kFails([...run.split(' '), '{"spec":{"hostNetwork":true}}']),
        'pods "free" is forbidden: violates PodSecurity "baseline:latest": host namespaces (hostNetwork=true)',
      )
      const warned = await t.kAll('create deployment web --image=none')
      has(
        warned.stderr,
        'Warning: would violate PodSecurity "restricted:latest": allowPrivilegeEscalation != false (container "none" must set securityContext.allowPrivilegeEscalation=false)',
        'runAsNonRoot != true',
      )
      has(warned.stdout, 'deployment.apps/web created')
      await t.eventually(async () => has(await t.k('get pods -l app=web'), /Running/))
      lacks((await t.kAll('create configmap quiet')).stderr, 'Warning')
      has(await t.kFails(`${label} pod-security.kubernetes.io/enforce=tight`), 'must be one of privileged, baseline, restricted')
    },
  },
})
