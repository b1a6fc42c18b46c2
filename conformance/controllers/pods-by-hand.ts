// What scheduler and kubelet would do, as requests: each is a pure function of the pods as they are.
import type { ApiRequest } from '@shiplog/api/api-client'
import type { Pod } from '@shiplog/api/generated/types/core-v1'
import type { JsonObject } from '@shiplog/api/kube-object'
import { nodeNames, type Outcome, type PodChoice } from './scenario.ts'

const indexAnnotation = 'batch.kubernetes.io/job-completion-index'
const indexOf = ({ metadata }: Pod): number => Number(metadata.annotations?.[indexAnnotation] ?? -1)

export function choose(pods: readonly Pod[], choice: PodChoice): readonly Pod[] {
  const { labels = {}, name, index, phase, take } = choice
  const found = pods.filter(
    (pod) =>
      (name === undefined || pod.metadata.name === name) &&
      (index === undefined || indexOf(pod) === index) &&
      (phase === undefined || pod.status.phase === phase) &&
      Object.entries(labels).every(([key, value]) => pod.metadata.labels?.[key] === value),
  )
  const order = (pod: Pod): string => `${nodeFor(pod, 0)} ${pod.metadata.name}`
  found.sort((a, b) => indexOf(a) - indexOf(b) || (order(a) < order(b) ? -1 : 1))
  return found.slice(0, take)
}

const address = ({ metadata }: Pod) => ({
  ...{ group: '', resource: 'pods', namespace: metadata.namespace ?? '', name: metadata.name },
})

/** The node that a DaemonSet's pod is meant for; one after the other for others. */
function nodeFor({ spec }: Pod, turn: number): string {
  const terms = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? []
  const named = terms.flatMap(({ matchFields }) => matchFields ?? []).find(({ key }) => key === 'metadata.name')
  return named?.values?.[0] ?? nodeNames[turn % nodeNames.length]!
}

/** Binds a pod that has no node. */
export function bindRequest(pod: Pod, turn: number): ApiRequest | undefined {
  if (pod.spec.nodeName) return undefined
  const target = { apiVersion: 'v1', kind: 'Node', name: nodeFor(pod, turn) }
  const metadata = { name: pod.metadata.name, namespace: pod.metadata.namespace }
  const body = { apiVersion: 'v1', kind: 'Binding', metadata, target }
  return { verb: 'create', ...address(pod), subresource: 'binding', body: body as unknown as JsonObject }
}

/** Its kubelet says what became of it. `now`: RFC 3339. */
export function outcomeRequest(pod: Pod, outcome: Outcome, now: string): ApiRequest {
  if (outcome === 'gone') {
    return { verb: 'delete', ...address(pod), body: { apiVersion: 'v1', kind: 'DeleteOptions', gracePeriodSeconds: 0 } }
  }
  return { verb: 'update', ...address(pod), subresource: 'status', body: { ...pod, status: statusOf(pod, outcome, now) } }
}

function statusOf(pod: Pod, outcome: Exclude<Outcome, 'gone'>, now: string): JsonObject {
  const exitCode = outcome === 'succeeded' ? 0 : typeof outcome === 'object' ? outcome.exitCode : undefined
  const isReady = outcome === 'ready'
  const startedAt = pod.status.startTime ?? now
  const state =
    exitCode === undefined
      ? { running: { startedAt } }
      : { terminated: { exitCode, reason: exitCode === 0 ? 'Completed' : 'Error', startedAt, finishedAt: now } }
  const condition = (type: string, status: boolean): JsonObject => {
    const before = pod.status.conditions?.find((one) => one.type === type)
    const value = status ? 'True' : 'False'
    return { type, status: value, lastTransitionTime: before?.status === value ? before.lastTransitionTime! : now }
  }
  const kept = (pod.status.conditions ?? []).filter(({ type }) => type === 'DisruptionTarget')
  const suffix = [...pod.metadata.uid].reduce((sum, one) => (sum * 31 + one.charCodeAt(0)) % 60_000, 7)
  const podIP = pod.status.podIP ?? `10.77.${Math.floor(suffix / 250)}.${(suffix % 250) + 1}`
  return {
    phase: exitCode === undefined ? 'Running' : exitCode === 0 ? 'Succeeded' : 'Failed',
    startTime: startedAt,
    podIP,
    podIPs: [{ ip: podIP }],
    conditions: [
      ...(kept as unknown as JsonObject[]),
      condition('Initialized', true),
      condition('Ready', isReady),
      condition('ContainersReady', isReady),
      condition('PodScheduled', true),
    ],
    containerStatuses: (pod.spec.containers ?? []).map(({ name, image = '' }) => ({
      ...{ name, image, imageID: '', ready: isReady, restartCount: 0, state },
    })),
  } as JsonObject
}
