// Every field of the API that is a duration, with values that no timer of the platform can wait: whoever waits for one
// waits, instead of finding at once, and again and again, that it is not yet time.
import type { JsonObject } from '@shiplog/api/kube-object'
import { builtInRegistry } from '@shiplog/api/schema/registry'
import { createClock, systemClock } from '@shiplog/runtime/clock'
import { systemIds } from '@shiplog/runtime/ids'
import { type Logger, silentLogger } from '@shiplog/runtime/logger'
import { createFakeCluster } from '@shiplog/testing/fake-cluster'
import { expect, test } from 'vitest'
import { createControllerManager } from './controller-manager.ts'
import {
  deploymentManifest,
  podTemplate,
  replicaSetManifest,
  replicationControllerManifest,
} from './testing/manifests.ts'

const watchedMs = 150
/** Timers that starting up, a handful of rounds and their retries take; spinning takes hundreds. */
const timersMax = 60

/** Who waits for the field: this test, that of the node agent, the gateway (its watches, its deletions) or nobody yet. */
const waitsFor: Readonly<Record<string, 'here' | 'node agent' | 'gateway' | 'nobody'>> = {
  'JobSpec.ttlSecondsAfterFinished': 'here',
  'JobSpec.activeDeadlineSeconds': 'here',
  'DeploymentSpec.progressDeadlineSeconds': 'here',
  'DeploymentSpec.minReadySeconds': 'here',
  'ReplicaSetSpec.minReadySeconds': 'here',
  'ReplicationControllerSpec.minReadySeconds': 'here',
  'StatefulSetSpec.minReadySeconds': 'nobody',
  'DaemonSetSpec.minReadySeconds': 'nobody',
  'CronJobSpec.startingDeadlineSeconds': 'nobody',
  'Toleration.tolerationSeconds': 'here',
  'DeviceToleration.tolerationSeconds': 'nobody',
  'PodSpec.activeDeadlineSeconds': 'node agent',
  'PodSpec.terminationGracePeriodSeconds': 'node agent',
  'Probe.terminationGracePeriodSeconds': 'node agent',
  'Probe.initialDelaySeconds': 'node agent',
  'Probe.periodSeconds': 'node agent',
  'Probe.timeoutSeconds': 'node agent',
  'SleepAction.seconds': 'node agent',
  'ObjectMeta.deletionGracePeriodSeconds': 'node agent',
  'DeleteOptions.gracePeriodSeconds': 'gateway',
  // Leases of others are shown; ours have durations of our own.
  'LeaseSpec.leaseDurationSeconds': 'nobody',
  'ClientIPConfig.timeoutSeconds': 'nobody',
  'MutatingWebhook.timeoutSeconds': 'nobody',
  'ValidatingWebhook.timeoutSeconds': 'nobody',
  'HPAScalingPolicy.periodSeconds': 'nobody',
  'HPAScalingRules.stabilizationWindowSeconds': 'nobody',
  'CertificateSigningRequestSpec.expirationSeconds': 'nobody',
  'ServiceAccountTokenProjection.expirationSeconds': 'nobody',
  'PodCertificateProjection.maxExpirationSeconds': 'nobody',
  'TokenRequest.expirationSeconds': 'nobody',
  'TokenRequestSpec.expirationSeconds': 'nobody',
  'CSIDriverSpec.nodeAllocatableUpdatePeriodSeconds': 'nobody',
  'StatusDetails.retryAfterSeconds': 'nobody',
}

test('every duration of the API is in the list of those who wait for it', () => {
  const found = new Set<string>()
  for (const definition of builtInRegistry().definitions.values()) {
    const kind = definition.name.split('.').at(-1)!
    for (const [field, type] of Object.entries(definition.fields ?? {})) {
      if (type.type === 'integer' && /seconds/i.test(field)) found.add(`${kind}.${field}`)
    }
  }
  expect([...found].sort()).toEqual(Object.keys(waitsFor).sort())
})

/** Runs all controllers on these objects for a while; how many timers they took, and what they complained of. */
async function watched(objects: readonly { readonly resource: string; readonly body: JsonObject }[]) {
  const cluster = createFakeCluster(systemClock)
  let timers = 0
  const clock = createClock({
    monotonicMs: () => performance.now(),
    start: (ms, callback) => {
      timers++
      const timer = setTimeout(callback, ms)
      return () => clearTimeout(timer)
    },
  })
  const complaints: unknown[] = []
  const log: Logger = {
    ...silentLogger,
    child: () => log,
    warn: (...line: unknown[]) => complaints.push(line),
    error: (...line: unknown[]) => complaints.push(line),
  } as Logger
  const make = (resource: string, body: JsonObject): void => {
    const [name, ...group] = resource.split('.')
    const { namespace } = body['metadata'] as { namespace?: string }
    const at = { group: group.join('.'), resource: name!, ...(namespace ? { namespace } : {}) }
    const created = cluster.must({ verb: 'create', ...at, body })
    if (body['status']) cluster.put(resource, { ...created, status: body['status'] })
  }
  make('namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'default' } })
  for (const { resource, body } of objects) make(resource, body)
  const manager = createControllerManager({
    feed: cluster.feed,
    client: cluster.client(),
    clock,
    ids: systemIds,
    log,
    rootCa: 'CA',
  })
  await manager.start()
  await systemClock.sleep(watchedMs)
  await manager.stop()
  return { cluster, timers, complaints }
}

const now = `${new Date().toISOString().slice(0, 19)}Z`
const running = {
  phase: 'Running',
  conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: now }],
}
const job = (spec: JsonObject, status?: JsonObject) => ({
  resource: 'jobs.batch',
  body: {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name: 'work', namespace: 'default' },
    spec: {
      completions: 1,
      parallelism: 1,
      backoffLimit: 6,
      template: { spec: { ...podTemplate('work', 'app:1')['spec'], restartPolicy: 'Never' } },
      ...spec,
    },
    ...(status ? { status } : {}),
  },
})
const readyPod = (labels: JsonObject) => ({
  resource: 'pods',
  body: {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'one', namespace: 'default', labels },
    spec: { nodeName: 'n', containers: [{ name: 'main', image: 'app:1' }] },
    status: running,
  },
})
const taintedNode = {
  resource: 'nodes',
  body: {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: 'n' },
    spec: { taints: [{ key: 'k', effect: 'NoExecute', timeAdded: now }] },
    status: { conditions: [{ type: 'Ready', status: 'True', lastHeartbeatTime: now, lastTransitionTime: now }] },
  },
}
const tolerantPod = (tolerationSeconds: number) => ({
  resource: 'pods',
  body: {
    ...readyPod({}).body,
    spec: { ...readyPod({}).body.spec, tolerations: [{ key: 'k', operator: 'Exists', effect: 'NoExecute', tolerationSeconds }] },
  },
})
const completed = { conditions: [{ type: 'Complete', status: 'True', lastTransitionTime: now }] }

const cases: Readonly<Record<string, (seconds: number) => Parameters<typeof watched>[0]>> = {
  'JobSpec.ttlSecondsAfterFinished': (seconds) => [job({ ttlSecondsAfterFinished: seconds }, completed)],
  'JobSpec.activeDeadlineSeconds': (seconds) => [job({ activeDeadlineSeconds: seconds })],
  'DeploymentSpec.progressDeadlineSeconds': (seconds) => [
    { resource: 'deployments.apps', body: deploymentManifest({ spec: { progressDeadlineSeconds: seconds } }) },
  ],
  'DeploymentSpec.minReadySeconds': (seconds) => [
    {
      resource: 'deployments.apps',
      body: deploymentManifest({
        replicas: 1,
        spec: { minReadySeconds: seconds, progressDeadlineSeconds: 2 ** 31 - 1 },
      }),
    },
  ],
  'ReplicaSetSpec.minReadySeconds': (seconds) => [
    { resource: 'replicasets.apps', body: replicaSetManifest('web', 1, { minReadySeconds: seconds }) },
    readyPod({ app: 'web' }),
  ],
  'ReplicationControllerSpec.minReadySeconds': (seconds) => [
    { resource: 'replicationcontrollers', body: replicationControllerManifest('web', 1, { minReadySeconds: seconds }) },
    readyPod({ app: 'web' }),
  ],
  'Toleration.tolerationSeconds': (seconds) => [taintedNode, tolerantPod(seconds)],
}

test('every duration that is waited for here is tried', () => {
  const here = Object.keys(waitsFor).filter((field) => waitsFor[field] === 'here')
  expect(Object.keys(cases).sort()).toEqual(here.sort())
})

/** Just beyond what a timer can wait, about the largest int32, and for the fields that hold it the largest safe integer. */
const int32Lengths = [2_147_484, 5_000_000, 2 ** 31 - 2]
const int64Fields = new Set(['JobSpec.activeDeadlineSeconds', 'Toleration.tolerationSeconds'])
const lengthsOf = (field: string): readonly number[] =>
  int64Fields.has(field) ? [...int32Lengths, Number.MAX_SAFE_INTEGER] : int32Lengths

// At the same time: each has a clock and a cluster of its own, and does nothing but wait.
test.concurrent.each(Object.keys(cases).flatMap((field) => lengthsOf(field).map((seconds) => [field, seconds] as const)))(
  '%s of %d is waited for in peace',
  async (field, seconds) => {
    const objects = cases[field]!(seconds)
    const { cluster, timers, complaints } = await watched(objects)
    expect(complaints).toEqual([])
    expect(timers).toBeLessThan(timersMax)
    // Nothing went early.
    for (const { resource, body } of objects) {
      const { namespace = '', name } = body['metadata'] as { namespace?: string; name: string }
      const after = cluster.get(resource, `${namespace}/${name}`)
      expect(after?.metadata.deletionTimestamp).toBeUndefined()
      const conditions = (after?.['status']?.conditions ?? []) as JsonObject[]
      expect(conditions.map((one) => one['reason'])).not.toContain('DeadlineExceeded')
      expect(conditions.map((one) => one['reason'])).not.toContain('ProgressDeadlineExceeded')
    }
  },
)
