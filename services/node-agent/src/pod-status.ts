// What a node agent says about a pod, told from its work: pure, and in the words of the kubelet. Times of transition are
// carried over from the status before, so that telling the same again gives the same bytes and needs no write.
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import { rfc3339 } from '@shiplog/runtime/clock'
import { type ContainerState, type ContainerWork, type PodWork, restartPolicyOf, specOf, statusOf } from './pod-work.ts'

export interface StatusInput {
  readonly work: PodWork
  readonly pod: KubeObject
  readonly nodeIP: string
  readonly nowMs: number
  /** When a running container is ready; see ContainerRuntime. */
  readonly readyAtMs: (container: ContainerWork, startedAtMs: number) => number
  /** Whether a running container's startup probe has succeeded; default: it has none. */
  readonly hasStarted?: (container: ContainerWork) => boolean
}

export interface PodReport {
  /** The fields of the status that the agent owns. */
  readonly status: JsonObject
  /** When readiness will change by itself; Infinity: never. */
  readonly changesAtMs: number
}

type Phase = 'Pending' | 'Running' | 'Succeeded' | 'Failed'

const neverLocated = {
  exitCode: 137,
  reason: 'ContainerStatusUnknown',
  message: 'The container could not be located when the pod was terminated',
}

/** The phase, as upstream's getPhase tells it. */
export function phaseOf(work: PodWork, pod: KubeObject): Phase {
  if (work.deadlineExceeded && work.finished) return 'Failed'
  const policy = restartPolicyOf(pod)
  if (!work.initialized) {
    const broken = work.init.some(
      ({ role, state }) =>
        role === 'init' && state.at === 'terminated' && state.exitCode !== 0 && (policy === 'Never' || work.finished),
    )
    return broken || work.finished ? 'Failed' : 'Pending'
  }
  let waiting = 0
  let running = 0
  let stopped = 0
  let wentWell = 0
  for (const { state, lastState } of work.main) {
    if (state.at === 'running') running++
    else if (state.at === 'terminated') {
      stopped++
      if (state.exitCode === 0) wentWell++
    } else if (lastState) stopped++
    else waiting++
  }
  if (work.finished) return waiting === 0 && stopped === wentWell ? 'Succeeded' : 'Failed'
  if (waiting > 0) return 'Pending'
  if (running > 0 || policy === 'Always') return 'Running'
  // Sidecars still stop: the pod is over only when they are.
  if (work.init.some(({ role, state }) => role === 'sidecar' && state.at === 'running')) return 'Running'
  if (stopped === wentWell) return 'Succeeded'
  return policy === 'Never' ? 'Failed' : 'Running'
}

const stateJson = (state: ContainerState, podFinished: boolean): JsonObject => {
  switch (state.at) {
    case 'waiting':
      if (podFinished) return { terminated: neverLocated }
      return { waiting: { reason: state.reason, ...(state.message ? { message: state.message } : {}) } }
    case 'running':
      return { running: { startedAt: rfc3339(state.startedAtMs) } }
    case 'terminated':
      return {
        terminated: {
          exitCode: state.exitCode,
          ...(state.reason ? { reason: state.reason } : {}),
          ...(state.message ? { message: state.message } : {}),
          ...(state.startedAtMs === undefined ? {} : { startedAt: rfc3339(state.startedAtMs) }),
          ...(state.finishedAtMs === undefined ? {} : { finishedAt: rfc3339(state.finishedAtMs) }),
          ...(state.containerID ? { containerID: state.containerID } : {}),
        },
      }
  }
}

function containerStatus(
  container: ContainerWork,
  spec: JsonObject | undefined,
  ready: boolean,
  started: boolean,
  podFinished: boolean,
): JsonObject {
  const resources = spec?.['resources'] as JsonObject | undefined
  const sized = resources?.['requests'] !== undefined || resources?.['limits'] !== undefined
  return {
    ...(sized && resources?.['requests'] ? { allocatedResources: resources['requests'] } : {}),
    ...(container.containerID ? { containerID: container.containerID } : {}),
    image: container.image,
    imageID: container.imageID,
    lastState: container.lastState ? stateJson(container.lastState, false) : {},
    name: container.name,
    ready,
    ...(sized ? { resources } : {}),
    restartCount: container.restartCount,
    started,
    state: stateJson(container.state, podFinished),
  }
}

interface Verdict {
  readonly type: string
  readonly status: 'True' | 'False'
  readonly reason?: string
  readonly message?: string
}

function readyVerdicts(phase: Phase, unready: readonly string[], pod: KubeObject): [Verdict, Verdict] {
  const both = (status: 'True' | 'False', reason?: string, message?: string): [Verdict, Verdict] => {
    const more = { ...(reason ? { reason } : {}), ...(message ? { message } : {}) }
    return [
      { type: 'Ready', status, ...more },
      { type: 'ContainersReady', status, ...more },
    ]
  }
  if (phase === 'Succeeded') return both('False', 'PodCompleted')
  if (phase === 'Failed') return both('False', 'PodFailed')
  if (unready.length > 0) {
    return both('False', 'ContainersNotReady', `containers with unready status: [${unready.join(' ')}]`)
  }
  const [ready, containersReady] = both('True')
  const gates = (specOf(pod)['readinessGates'] ?? []) as JsonObject[]
  const complaints: string[] = []
  for (const { conditionType } of gates) {
    const condition = conditionsOf(pod).find((candidate) => candidate['type'] === conditionType)
    if (condition === undefined) {
      complaints.push(`corresponding condition of pod readiness gate "${conditionType}" does not exist.`)
    } else if (condition['status'] !== 'True') {
      complaints.push(`the status of pod readiness gate "${conditionType}" is not "True", but ${condition['status']}`)
    }
  }
  if (complaints.length === 0) return [ready, containersReady]
  return [
    { type: 'Ready', status: 'False', reason: 'ReadinessGatesNotReady', message: complaints.join(', ') },
    containersReady,
  ]
}

const conditionsOf = (pod: KubeObject): readonly JsonObject[] => statusOf(pod)['conditions'] ?? []

/** The whole of what the agent has to say about a pod now. */
export function podReport(input: StatusInput): PodReport {
  const { work, pod, nodeIP, nowMs } = input
  const spec = specOf(pod)
  const phase = phaseOf(work, pod)
  const over = phase === 'Succeeded' || phase === 'Failed'
  const generation = pod.metadata['generation'] as number | undefined
  let changesAtMs = Number.POSITIVE_INFINITY
  const unready: string[] = []
  const specs = (field: string): Map<string, JsonObject> =>
    new Map(((spec[field] ?? []) as JsonObject[]).map((container) => [container['name'] as string, container]))

  const tell = (container: ContainerWork, from: Map<string, JsonObject>): JsonObject => {
    let ready = false
    if (container.role === 'init') ready = container.state.at === 'terminated' && container.state.exitCode === 0
    else if (container.state.at === 'running') {
      const readyAtMs = input.readyAtMs(container, container.state.startedAtMs)
      ready = readyAtMs <= nowMs
      if (!ready) changesAtMs = Math.min(changesAtMs, readyAtMs)
    }
    if (!ready && container.role !== 'init') unready.push(container.name)
    const started = container.state.at === 'running' && (input.hasStarted?.(container) ?? true)
    return containerStatus(container, from.get(container.name), ready, started, work.finished && over)
  }

  const initSpecs = specs('initContainers')
  const initStatuses = work.init.map((container) => tell(container, initSpecs))
  const mainSpecs = specs('containers')
  const statuses = work.main.map((container) => tell(container, mainSpecs))
  const incomplete = work.init.filter(({ role, state }) =>
    role === 'init' ? !(state.at === 'terminated' && state.exitCode === 0) : state.at !== 'running',
  )
  const initialized: Verdict =
    phase === 'Succeeded'
      ? { type: 'Initialized', status: 'True', reason: 'PodCompleted' }
      : work.initialized
        ? { type: 'Initialized', status: 'True' }
        : {
            type: 'Initialized',
            status: 'False',
            reason: 'ContainersNotInitialized',
            message: `containers with incomplete status: [${incomplete.map(({ name }) => name).join(' ')}]`,
          }
  const verdicts: Verdict[] = [
    { type: 'PodReadyToStartContainers', status: work.sandbox === 'ready' ? 'True' : 'False' },
    initialized,
    ...readyVerdicts(phase, unready, pod),
    { type: 'PodScheduled', status: 'True' },
  ]
  const before = conditionsOf(pod)
  const conditions = verdicts.map((verdict) => {
    const old = before.find((condition) => condition['type'] === verdict.type)
    return {
      lastTransitionTime: old?.['status'] === verdict.status ? old['lastTransitionTime'] : rfc3339(nowMs),
      ...(verdict.message ? { message: verdict.message } : {}),
      ...(generation === undefined ? {} : { observedGeneration: generation }),
      ...(verdict.reason ? { reason: verdict.reason } : {}),
      status: verdict.status,
      type: verdict.type,
    }
  })
  return {
    changesAtMs,
    status: {
      conditions,
      containerStatuses: statuses,
      hostIP: nodeIP,
      hostIPs: [{ ip: nodeIP }],
      ...(initStatuses.length > 0 ? { initContainerStatuses: initStatuses } : {}),
      ...(work.deadlineExceeded
        ? {
            message: 'Pod was active on the node longer than the specified deadline',
            reason: 'DeadlineExceeded',
          }
        : {}),
      ...(generation === undefined ? {} : { observedGeneration: generation }),
      phase,
      ...(work.podIPs.length > 0 ? { podIP: work.podIPs[0], podIPs: work.podIPs.map((ip) => ({ ip })) } : {}),
      startTime: rfc3339(work.startTimeMs),
    },
  }
}

/** Equal for the API, to which an absent field and null are the same: an omitted optional field. */
const same = (left: unknown, right: unknown): boolean => {
  if (Object.is(left, right)) return true
  if (typeof left !== 'object' || typeof right !== 'object' || left === null || right === null) return false
  if (Array.isArray(left) || Array.isArray(right)) {
    if (!Array.isArray(left) || !Array.isArray(right) || left.length !== right.length) return false
    return left.every((item, index) => same(item, right[index]))
  }
  const [a, b] = [left as JsonObject, right as JsonObject]
  for (const key in a) if (!same(a[key] ?? undefined, b[key] ?? undefined)) return false
  for (const key in b) if ((b[key] ?? undefined) !== undefined && (a[key] ?? undefined) === undefined) return false
  return true
}

/**
 * The strategic merge patch that turns the status of `pod` into `status`, or undefined when nothing differs. Conditions of
 * others (readiness gates, disruption) stay: only those that differ are named.
 */
export function statusPatch(pod: KubeObject, status: JsonObject): JsonObject | undefined {
  const now = statusOf(pod)
  const patch: JsonObject = {}
  for (const [field, value] of Object.entries(status)) {
    if (field === 'conditions') {
      const before = conditionsOf(pod)
      const changed = (value as JsonObject[]).filter(
        (condition) => !same(before.find(({ type }) => type === condition['type']) ?? {}, condition),
      )
      if (changed.length === 0) continue
      patch['$setElementOrder/conditions'] = [
        ...(value as JsonObject[]).map(({ type }) => ({ type })),
        ...before
          .filter(({ type }) => !status['conditions'].some((own: JsonObject) => own['type'] === type))
          .map(({ type }) => ({ type })),
      ]
      patch['conditions'] = changed
    } else if (!same(now[field], value)) {
      patch[field] = value
    }
  }
  if (Object.keys(patch).length === 0) return undefined
  return { metadata: { uid: pod.metadata.uid }, status: patch }
}
