// Deployments as people drive them: rollouts, their history and undoing, pauses, restarts; and `kubectl wait`.
import assert from 'node:assert/strict'
import { type Any, type Case, has, topic } from '../src/case.ts'
import { configMap, deployment, held, pod } from '../src/manifests.ts'

const deployments = 'kubernetes.io/docs/concepts/workloads/controllers/deployment'
const waiting = 'kubernetes.io/docs/reference/kubectl/generated/kubectl_wait'

export const rolloutCases: readonly Case[] = topic('rollout', {
  'status-of-a-new-deployment': {
    rows: ['B7', 'B13'],
    source: `${deployments}#creating-a-deployment`,
    bothVersions: true,
    async run(t) {
      await t.feed('apply -f -', deployment('web', 3))
      has(await t.k('rollout status deployment/web --timeout=60s'), 'deployment "web" successfully rolled out')
      const { status } = await t.get('deployment web')
      assert.deepEqual([status.replicas, status.readyReplicas, status.updatedReplicas], [3, 3, 3])
      has(await t.k('get deployment web --no-headers'), /^web +3\/3 +3 +3 /)
    },
  },
  'a-new-image-makes-a-new-replica-set': {
    rows: ['B7'],
    source: `${deployments}#updating-a-deployment`,
    async run(t) {
      await t.feed('apply -f -', deployment('web', 2))
      await t.k('rollout status deployment/web --timeout=60s')
      has(await t.k('set image deployment/web web=nginx:1.28'), 'deployment.apps/web image updated')
      await t.k('rollout status deployment/web --timeout=60s')
      const sets: Any[] = (await t.get('rs')).items
      assert.deepEqual(sets.map((set) => set.spec.replicas).sort(), [0, 2])
      await t.eventually(async () => {
        const images = (await t.get('pods')).items.map((item: Any) => item.spec.containers[0].image)
        assert.deepEqual(images, ['nginx:1.28', 'nginx:1.28'])
      })
    },
  },
  'history-names-revisions': {
    rows: ['B7'],
    source: `${deployments}#checking-rollout-history-of-a-deployment`,
    async run(t) {
      await t.feed('apply -f -', deployment('web', 1))
      await t.k('rollout status deployment/web --timeout=60s')
      await t.k(['annotate', 'deployment', 'web', 'kubernetes.io/change-cause=first'])
      await t.k('set image deployment/web web=nginx:1.28')
      await t.k('rollout status deployment/web --timeout=60s')
      await t.eventually(async () => has(await t.k('rollout history deployment/web'), /^1 +/m, /^2 +/m))
      has(await t.k('rollout history deployment/web --revision=2'), 'nginx:1.28')
      has(await t.k('rollout history deployment/web --revision=1'), 'nginx:1.27')
    },
  },
  undo: {
    rows: ['B7'],
    source: `${deployments}#rolling-back-a-deployment`,
    bothVersions: true,
    async run(t) {
      await t.feed('apply -f -', deployment('web', 2))
      await t.k('rollout status deployment/web --timeout=60s')
      await t.k('set image deployment/web web=nginx:broken')
      await t.k('rollout status deployment/web --timeout=60s')
      has(await t.k('rollout undo deployment/web'), 'deployment.apps/web rolled back')
      await t.k('rollout status deployment/web --timeout=60s')
      const { metadata, spec } = await t.get('deployment web')
      assert.equal(spec.template.spec.containers[0].image, 'nginx:1.27')
      assert.equal(metadata.annotations['deployment.kubernetes.io/revision'], '3')
    },
  },
  'undo-to-a-revision': {
    rows: ['B7'],
    source: `${deployments}#rolling-back-to-a-previous-revision`,
    async run(t) {
      await t.feed('apply -f -', deployment('web', 1))
      for (const image of ['nginx:1.28', 'nginx:1.29']) {
        await t.k('rollout status deployment/web --timeout=60s')
        await t.k(`set image deployment/web web=${image}`)
      }
      await t.k('rollout status deployment/web --timeout=60s')
      await t.k('rollout undo deployment/web --to-revision=1')
      assert.equal((await t.get('deployment web')).spec.template.spec.containers[0].image, 'nginx:1.27')
      has(
        await t.kFails('rollout undo deployment/web --to-revision=99'),
        'unable to find specified revision 99 in history',
      )
    },
  },
  restart: {
    rows: ['C8', 'B7'],
    source: 'kubernetes.io/docs/reference/kubectl/generated/kubectl_rollout_restart',
    bothVersions: true,
    async run(t) {
      await t.feed('apply -f -', deployment('web', 2))
      await t.k('rollout status deployment/web --timeout=60s')
      const before = (await t.k('get pods -o name')).split('\n')
      has(await t.k('rollout restart deployment/web'), 'deployment.apps/web restarted')
      await t.k('rollout status deployment/web --timeout=60s')
      const { metadata } = (await t.get('deployment web')).spec.template
      assert.ok(metadata.annotations['kubectl.kubernetes.io/restartedAt'])
      await t.eventually(async () => {
        const after = (await t.k('get pods -o name')).split('\n').filter(Boolean)
        assert.equal(after.length, 2)
        assert.ok(
          after.every((name) => !before.includes(name)),
          'no pod of before is left',
        )
      })
    },
  },
  'pause-and-resume': {
    rows: ['C8', 'B7'],
    source: `${deployments}#pausing-and-resuming-a-deployment`,
    async run(t) {
      await t.feed('apply -f -', deployment('web', 1))
      await t.k('rollout status deployment/web --timeout=60s')
      has(await t.k('rollout pause deployment/web'), 'deployment.apps/web paused')
      has(await t.kFails('rollout pause deployment/web'), 'is already paused')
      await t.k('set image deployment/web web=nginx:1.28')
      await t.eventually(async () => {
        const { metadata, status } = await t.get('deployment web')
        assert.equal(status.observedGeneration, metadata.generation)
      })
      assert.equal((await t.get('rs')).items.length, 1)
      has(await t.k('rollout resume deployment/web'), 'deployment.apps/web resumed')
      await t.k('rollout status deployment/web --timeout=60s')
      assert.equal((await t.get('rs')).items.length, 2)
    },
  },
  'status-of-a-stuck-rollout-times-out': {
    rows: ['B7', 'B9'],
    source: 'observed: kubectl rollout status --timeout ends with an error when pods cannot be placed',
    async run(t) {
      const stuck = deployment('web', 1)
      stuck.spec.template.spec.nodeSelector = { nowhere: 'x' }
      await t.feed('apply -f -', stuck)
      const result = await t.kAll('rollout status deployment/web --timeout=2s')
      assert.notEqual(result.code, 0)
      has(result.stdout, 'Waiting for deployment "web" rollout to finish: 0 of 1 updated replicas are available')
      has(result.stderr, 'timed out waiting for the condition')
    },
  },
  'recreate-deletes-first': {
    rows: ['B7'],
    source: `${deployments}#recreate-deployment`,
    async run(t) {
      await t.feed('apply -f -', deployment('web', 2, { strategy: { type: 'Recreate' } }))
      await t.k('rollout status deployment/web --timeout=60s')
      await t.k('set image deployment/web web=nginx:1.28')
      await t.k('rollout status deployment/web --timeout=60s')
      const live = (await t.get('pods')).items.filter((item: Any) => !item.metadata.deletionTimestamp)
      assert.deepEqual(
        live.map((item: Any) => item.spec.containers[0].image),
        ['nginx:1.28', 'nginx:1.28'],
      )
    },
  },
  'a-deleted-pod-comes-back': {
    rows: ['B7', 'C17'],
    source: 'kubernetes.io/docs/concepts/workloads/controllers/replicaset#how-a-replicaset-works',
    async run(t) {
      await t.feed('apply -f -', deployment('web', 1))
      await t.k('rollout status deployment/web --timeout=60s')
      const name = (await t.k('get pods -o name')).trim()
      await t.k(`delete ${name}`)
      await t.eventually(async () => {
        const pods = (await t.get('pods')).items
        assert.equal(pods.length, 1)
        assert.notEqual(`pod/${pods[0].metadata.name}`, name)
        assert.equal(pods[0].status.phase, 'Running')
      })
    },
  },
  'conditions-of-a-deployment': {
    rows: ['C15'],
    source: `${deployments}#complete-deployment`,
    async run(t) {
      await t.feed('apply -f -', deployment('web', 1))
      await t.k('rollout status deployment/web --timeout=60s')
      const conditions = (await t.get('deployment web')).status.conditions
      const told = Object.fromEntries(conditions.map((one: Any) => [one.type, [one.status, one.reason]]))
      assert.deepEqual(told, {
        Available: ['True', 'MinimumReplicasAvailable'],
        Progressing: ['True', 'NewReplicaSetAvailable'],
      })
    },
  },
  'revision-history-limit': {
    rows: ['B7'],
    source: `${deployments}#clean-up-policy`,
    async run(t) {
      await t.feed('apply -f -', deployment('web', 1, { revisionHistoryLimit: 1 }))
      for (const image of ['nginx:a', 'nginx:b', 'nginx:c']) {
        await t.k(`set image deployment/web web=${image}`)
        await t.k('rollout status deployment/web --timeout=60s')
      }
      await t.eventually(async () => assert.equal((await t.get('rs')).items.length, 2))
    },
  },
})

export const waitCases: readonly Case[] = topic('wait', {
  'for-a-condition': {
    rows: ['B7', 'B13'],
    source: `${waiting}: --for=condition=Ready`,
    bothVersions: true,
    async run(t) {
      await t.feed('apply -f -', pod('p'))
      has(await t.k('wait --for=condition=Ready pod/p --timeout=60s'), 'pod/p condition met')
    },
  },
  'for-availability': {
    rows: ['B7'],
    source: `${waiting}: --for=condition=Available deployment`,
    async run(t) {
      await t.feed('apply -f -', deployment('web', 2))
      has(await t.k('wait --for=condition=available deployment/web --timeout=60s'), 'deployment.apps/web condition met')
    },
  },
  'for-a-json-path': {
    rows: ['B7'],
    source: `${waiting}: --for=jsonpath={.status.phase}=Running`,
    async run(t) {
      await t.feed('apply -f -', pod('p'))
      has(await t.k(['wait', '--for=jsonpath={.status.phase}=Running', 'pod/p', '--timeout=60s']), 'condition met')
    },
  },
  'for-deletion': {
    rows: ['B7', 'C17'],
    source: `${waiting}: --for=delete`,
    bothVersions: true,
    async run(t) {
      await t.feed('apply -f -', pod('p'))
      await t.k('wait --for=condition=Ready pod/p --timeout=60s')
      await t.k('delete pod p --wait=false')
      await t.k('wait --for=delete pod/p --timeout=60s')
      has(await t.kFails('get pod p'), 'Error from server (NotFound): pods "p" not found')
    },
  },
  'for-creation': {
    rows: ['B7'],
    source: `${waiting}: --for=create waits for what does not exist yet`,
    async run(t) {
      const waited = t.k('wait --for=create configmap/late --timeout=60s')
      await t.feed('create -f -', configMap('late', {}))
      has(await waited, 'configmap/late condition met')
    },
  },
  'for-all-of-a-selector': {
    rows: ['B5', 'B7'],
    source: `${waiting}: -l selects, each is reported`,
    async run(t) {
      const labels = { group: 'x' }
      await t.feed('apply -f -', pod('a', {}, { labels }), pod('b', {}, { labels }))
      has(
        await t.k('wait --for=condition=Ready pod -l group=x --timeout=60s'),
        'pod/a condition met',
        'pod/b condition met',
      )
    },
  },
  'times-out': {
    rows: ['B9'],
    source: `${waiting}: an error when the time is up`,
    async run(t) {
      await t.feed('create -f -', configMap('c', {}))
      has(
        await t.kFails('wait --for=delete configmap/c --timeout=1s'),
        'timed out waiting for the condition on configmaps/c',
      )
    },
  },
  'for-what-does-not-exist': {
    rows: ['A7'],
    source: `${waiting}: nothing to wait for is an error`,
    async run(t) {
      has(await t.kFails('wait --for=condition=Ready pod/none --timeout=1s'), 'pods "none" not found')
    },
  },
  'for-a-held-deletion': {
    rows: ['C18', 'B7'],
    source: 'kubernetes.io/docs/concepts/overview/working-with-objects/finalizers',
    async run(t) {
      await t.feed('create -f -', held('h'))
      await t.k('delete cm h --wait=false')
      has(await t.kFails('wait --for=delete cm/h --timeout=1s'), 'timed out')
      await t.k(['patch', 'cm', 'h', '--type=merge', '-p', '{"metadata":{"finalizers":null}}'])
      await t.k('wait --for=delete cm/h --timeout=30s')
    },
  },
})
