// Jobs, ReplicationControllers and what else controllers do with pods, on simulated nodes whose containers end as their
// annotations say (docs/simulated-nodes.md).
import assert from 'node:assert/strict'
import { type Any, type Case, type CaseContext, has, topic } from '../src/case.ts'

const docs = 'kubernetes.io/docs'
const jobDocs = `${docs}/concepts/workloads/controllers/job`

const job = (name: string, spec: Any, simulated: Record<string, string> = {}): Any => ({
  apiVersion: 'batch/v1',
  kind: 'Job',
  metadata: { name },
  spec: {
    ...spec,
    template: {
      metadata: {
        annotations: Object.fromEntries(
          Object.entries(simulated).map(([key, value]) => [`simulated.shiplog.dev/${key}`, value]),
        ),
      },
      spec: { restartPolicy: 'Never', containers: [{ name: 'main', image: 'none' }] },
    },
  },
})
const indexed = (completions: number): Any => ({ completions, parallelism: completions, completionMode: 'Indexed' })
const ends = async (t: CaseContext, name: string, condition: string): Promise<Any> => {
  await t.k(`wait --for=condition=${condition} job/${name} --timeout=60s`)
  return (await t.get(`job ${name}`)).status
}
const conditionOf = (status: Any, type: string): Any => status.conditions.find((one: Any) => one.type === type)

export const workloadCases: readonly Case[] = topic('workloads', {
  'a-job-fails-by-its-failure-policy': {
    rows: ['B7'],
    source: `${jobDocs}#pod-failure-policy`,
    async run(t) {
      const podFailurePolicy = { rules: [{ action: 'FailJob', onExitCodes: { operator: 'In', values: [42] } }] }
      await t.feed('apply -f -', job('policy', { podFailurePolicy }, { 'exit-code': '42' }))
      const status = await ends(t, 'policy', 'Failed')
      assert.equal(status.failed, 1)
      const { reason, message } = conditionOf(status, 'Failed')
      assert.equal(reason, 'PodFailurePolicy')
      const pods: Any[] = (await t.get('pods')).items
      assert.equal(pods.length, 1)
      const name = `${t.namespace}/${pods[0].metadata.name}`
      has(message, `Container main for pod ${name} failed with exit code 42 matching FailJob rule at index 0`)
      await t.eventually(async () => has(await t.k('describe job policy'), /Warning +PodFailurePolicy/))
    },
  },
  'a-job-ignores-evictions': {
    rows: ['B7'],
    source: `${jobDocs}#pod-failure-policy`,
    async run(t) {
      const onPodConditions = [{ type: 'DisruptionTarget', status: 'True' }]
      const podFailurePolicy = { rules: [{ action: 'Ignore', onPodConditions }] }
      await t.feed('apply -f -', job('calm', { backoffLimit: 0, podFailurePolicy }, { 'run-seconds': '5' }))
      const pod = await t.eventually(async () => {
        const [one] = (await t.get('pods')).items
        assert.equal(one?.status.phase, 'Running')
        return one.metadata.name as string
      })
      const eviction = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name: pod, namespace: t.namespace } }
      const path = `/api/v1/namespaces/${t.namespace}/pods/${pod}/eviction`
      await t.k(['create', '--raw', path, '-f', t.file('eviction.json', eviction)])
      const status = await ends(t, 'calm', 'Complete')
      assert.deepEqual([status.succeeded, status.failed], [1, undefined])
    },
  },
  'a-job-succeeds-by-its-success-policy': {
    rows: ['B7'],
    source: `${jobDocs}#success-policy`,
    async run(t) {
      const successPolicy = { rules: [{ succeededIndexes: '0' }] }
      const simulated = { 'run-seconds': '600', 'index-0.run-seconds': '0' }
      await t.feed('apply -f -', job('leader', { ...indexed(3), successPolicy }, simulated))
      const status = await ends(t, 'leader', 'Complete')
      assert.deepEqual([status.succeeded, status.completedIndexes, status.failed], [1, '0', undefined])
      for (const type of ['SuccessCriteriaMet', 'Complete']) {
        const { reason, message } = conditionOf(status, type)
        assert.deepEqual([reason, message], ['SuccessPolicy', 'Matched rules at index 0'])
      }
    },
  },
  'a-job-gives-up-an-index-by-itself': {
    rows: ['B7'],
    source: `${jobDocs}#backoff-limit-per-index`,
    async run(t) {
      await t.feed(
        'apply -f -',
        job('indexes', { ...indexed(3), backoffLimitPerIndex: 0 }, { 'index-1.exit-code': '1' }),
      )
      const status = await ends(t, 'indexes', 'Failed')
      assert.deepEqual([status.failedIndexes, status.completedIndexes, status.failed], ['1', '0,2', 1])
      assert.equal(conditionOf(status, 'Failed').reason, 'FailedIndexes')
    },
  },
  'a-job-adopts-its-orphans': {
    rows: ['B7'],
    source: 'upstream: the Job controller claims pods that match its selector and have no controller',
    async run(t) {
      await t.feed('apply -f -', job('parent', {}, { 'run-seconds': '600' }))
      const owner = (one: Any): string | undefined => one?.metadata.ownerReferences?.[0].name
      const name = await t.eventually(async () => {
        const [one] = (await t.get('pods')).items
        assert.equal(owner(one), 'parent')
        return one.metadata.name as string
      })
      await t.k(['patch', 'pod', name, '--type=merge', '-p', '{"metadata":{"ownerReferences":null}}'])
      await t.eventually(async () => assert.equal(owner(await t.get(`pod ${name}`)), 'parent'))
      assert.equal((await t.get('pods')).items.length, 1)
    },
  },
  'a-stuck-rollout-that-is-scaled-keeps-its-minimum': {
    rows: ['B7'],
    source: `${docs}/concepts/workloads/controllers/deployment#proportional-scaling`,
    async run(t) {
      await t.feed('apply -f -', {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: 'web' },
        spec: {
          replicas: 10,
          strategy: { rollingUpdate: { maxSurge: 3, maxUnavailable: 2 } },
          selector: { matchLabels: { app: 'web' } },
          template: {
            metadata: { labels: { app: 'web' } },
            spec: { containers: [{ name: 'main', image: 'none' }] },
          },
        },
      })
      await t.k('rollout status deployment/web --timeout=60s')
      const annotations = { 'simulated.shiplog.dev/ready': 'false' }
      const stuck = JSON.stringify({ spec: { template: { metadata: { annotations } } } })
      await t.k(['patch', 'deployment', 'web', '--type=merge', '-p', stuck])
      const sizes = async (): Promise<number[]> =>
        ((await t.get('rs')).items as Any[]).map((one) => one.spec.replicas).sort((a, b) => a - b)
      await t.eventually(async () => assert.deepEqual(await sizes(), [5, 8]))
      await t.k('scale deployment/web --replicas=6')
      await t.eventually(async () => {
        assert.deepEqual(await sizes(), [4, 5])
        const { status, metadata } = await t.get('deployment web')
        assert.deepEqual([status.observedGeneration, status.availableReplicas], [metadata.generation, 4])
      })
    },
  },
  'a-replication-controller-keeps-its-pods': {
    rows: ['B7'],
    source: `${docs}/concepts/workloads/controllers/replicationcontroller`,
    async run(t) {
      await t.feed('apply -f -', {
        apiVersion: 'v1',
        kind: 'ReplicationController',
        metadata: { name: 'old' },
        spec: {
          replicas: 2,
          selector: { app: 'old' },
          template: {
            metadata: { labels: { app: 'old' } },
            spec: { containers: [{ name: 'main', image: 'none' }] },
          },
        },
      })
      const ready = (count: number): Promise<void> =>
        t.eventually(async () => assert.equal((await t.get('rc old')).status.readyReplicas, count))
      await ready(2)
      await t.k('scale rc old --replicas=3')
      await ready(3)
      await t.k('delete rc old --cascade=foreground --timeout=60s')
      assert.equal((await t.get('pods')).items.length, 0)
    },
  },
  'debug-gets-a-container-that-runs': {
    rows: ['C21'],
    source: `${docs}/tasks/debug/debug-application/debug-running-pod/#ephemeral-container`,
    async run(t) {
      await t.k('run web --image=none')
      await t.k('wait --for=condition=Ready pod/web --timeout=60s')
      await t.k('debug web --image=busybox -c look --profile=general')
      await t.eventually(async () => {
        const [status] = (await t.get('pod web')).status.ephemeralContainerStatuses
        assert.equal(status.name, 'look')
        assert.ok(status.state.running)
      })
    },
  },
})
