// What a node agent says about a pod, told from its work: pure, and in the words of the kubelet. Times of transition are
// carried over from the status before, so that telling the same again gives the same bytes and needs no write.
import type {
  Container,
  ContainerState as ContainerStateJson,
  ContainerStatus,
  EphemeralContainer,
  Pod,
  PodCondition,
  PodStatus,
} from '@shiplog/api/generated/types/core-v1'
import type { JsonObject } from '@shiplog/api/kube-object'
import type { PodRejection } from './pod-admission.ts'
import { rfc3339 } from '@shiplog/runtime/clock'
import { type ContainerState, type ContainerWork, type PodWork, restartPolicyOf, statusOf } from './pod-work.ts'

export interface StatusInput {
  readonly work: PodWork
  readonly pod: Pod
  readonly nodeIPs: readonly string[]
  readonly nowMs: number
  /** When a running container is ready; see ContainerRuntime. */
  readonly readyAtMs: (container: ContainerWork, startedAtMs: number) => number
  /** Whether a running container's startup probe has succeeded; default: it has none. */
  readonly hasStarted?: (container: ContainerWork) => boolean
}

export interface PodReport {
  /** The fields of the status that the agent owns. */
  readonly status: PodStatus
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
export function phaseOf(work: PodWork, pod: Pod): Phase {
  if ((work.deadlineExceeded || work.eviction) && work.finished) return 'Failed'
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

const stateJson = (state: ContainerState, podFinished: boolean): ContainerStateJson => {
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
  spec: Container | EphemeralContainer | undefined,
  ready: boolean,
  started: boolean,
  podFinished: boolean,
): ContainerStatus {
  const resources = spec?.resources
  const sized = resources?.requests !== undefined || resources?.limits !== undefined
  return {
    ...(sized && resources?.requests ? { allocatedResources: resources.requests } : {}),
    ...(container.containerID ? { containerID: container.containerID } : {}),
    image: container.image,
    imageID: container.imageID,
    lastState: container.lastState ? stateJson(container.lastState, false) : {},
    name: container.name,
    ready,
    ...(sized && resources ? { resources } : {}),
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

function readyVerdicts(phase: Phase, unready: readonly string[], pod: Pod): [Verdict, Verdict] {
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
  const gates = pod.spec.readinessGates ?? []
  const complaints: string[] = []
  for (const { conditionType } of gates) {
    const condition = conditionsOf(pod).find((candidate) => candidate.type === conditionType)
    if (condition === undefined) {
      complaints.push(`corresponding condition of pod readiness gate "${conditionType}" does not exist.`)
    } else if (condition.status !== 'True') {
      complaints.push(`the status of pod readiness gate "${conditionType}" is not "True", but ${condition.status}`)
    }
  }
  if (complaints.length === 0) return [ready, containersReady]
  return [
    { type: 'Ready', status: 'False', reason: 'ReadinessGatesNotReady', message: complaints.join(', ') },
    containersReady,
  ]
}

const conditionsOf = (pod: Pod): readonly PodCondition[] => statusOf(pod).conditions ?? []

/** The complete report of a pod's status as of now. */
export function podReport(input: StatusInput): PodReport {
  const { work, pod, nodeIPs } = input
  if (work.rejection) return rejectionReport(work.rejection, work.startTimeMs)
  const phase = phaseOf(work, pod)
  const { generation } = pod.metadata
  const containers = reportContainers(input, phase)
  return {
    changesAtMs: containers.changesAtMs,
    status: {
      conditions: conditionsNow(input, phase, containers.unready),
      containerStatuses: containers.main,
      hostIP: nodeIPs[0]!,
      hostIPs: nodeIPs.map((ip) => ({ ip })),
      ...(containers.ephemeral.length > 0 ? { ephemeralContainerStatuses: containers.ephemeral } : {}),
      ...(containers.init.length > 0 ? { initContainerStatuses: containers.init } : {}),
      ...(work.eviction && work.finished ? { message: work.eviction.message, reason: 'Evicted' } : {}),
      ...(work.deadlineExceeded
        ? { message: 'Pod was active on the node longer than the specified deadline', reason: 'DeadlineExceeded' }
        : {}),
      ...(generation === undefined ? {} : { observedGeneration: generation }),
      phase,
      ...(work.podIPs.length > 0 ? { podIP: work.podIPs[0]!, podIPs: work.podIPs.map((ip) => ({ ip })) } : {}),
      startTime: rfc3339(work.startTimeMs),
    },
  }
}

/** Of a pod that its node did not take nothing else is told. */
const rejectionReport = ({ reason, message }: PodRejection, startTimeMs: number): PodReport => ({
  changesAtMs: Number.POSITIVE_INFINITY,
  status: {
    phase: 'Failed',
    reason,
    message: `Pod was rejected: ${message}`,
    startTime: rfc3339(startTimeMs),
  },
})

interface ContainerReports {
  readonly init: ContainerStatus[]
  readonly main: ContainerStatus[]
  readonly ephemeral: ContainerStatus[]
  /** Names of containers that are not ready. */
  readonly unready: readonly string[]
  readonly changesAtMs: number
}

function reportContainers(input: StatusInput, phase: Phase): ContainerReports {
  const { work, pod, nowMs } = input
  const { initContainers = [], containers, ephemeralContainers = [] } = pod.spec
  const specs = new Map([...(containers ?? []), ...initContainers, ...ephemeralContainers].map((spec) => [spec.name, spec]))
  const isOver = work.finished && (phase === 'Succeeded' || phase === 'Failed')
  const unready: string[] = []
  let changesAtMs = Number.POSITIVE_INFINITY
  const report = (container: ContainerWork, isLost: boolean): ContainerStatus => {
    let ready = false
    if (container.role === 'init') ready = hasSucceeded(container)
    else if (container.state.at === 'running') {
      const readyAtMs = input.readyAtMs(container, container.state.startedAtMs)
      ready = readyAtMs <= nowMs
      if (!ready) changesAtMs = Math.min(changesAtMs, readyAtMs)
    }
    if (!ready && container.role !== 'init') unready.push(container.name)
    const started = container.state.at === 'running' && (input.hasStarted?.(container) ?? true)
    return containerStatus(container, specs.get(container.name), ready, started, isLost)
  }
  // What never began is not lost: init containers behind the last one that did, and the others before all of those are done.
  const lastBegun = Math.max(0, work.init.findLastIndex(hasBegun))
  const init = work.init.map((container, index) => report(container, isOver && index <= lastBegun))
  const main = work.main.map((container) => report(container, isOver && work.initialized))
  // Ephemeral containers have neither probes nor a part in the pod's readiness.
  const ephemeral = work.ephemeral.map((container) => {
    const { started: _started, ...rest } = containerStatus(container, specs.get(container.name), false, false, isOver)
    return rest
  })
  return { init, main, ephemeral, unready, changesAtMs }
}

const hasBegun = ({ state, lastState }: ContainerWork): boolean => state.at !== 'waiting' || lastState !== undefined

const hasSucceeded = ({ state }: ContainerWork): boolean => state.at === 'terminated' && state.exitCode === 0

function initializedVerdict(work: PodWork, phase: Phase): Verdict {
  const type = 'Initialized'
  if (phase === 'Succeeded') return { type, status: 'True', reason: 'PodCompleted' }
  if (work.initialized) return { type, status: 'True' }
  const incomplete = work.init.filter((container) =>
    container.role === 'init' ? !hasSucceeded(container) : container.state.at !== 'running',
  )
  const message = `containers with incomplete status: [${incomplete.map(({ name }) => name).join(' ')}]`
  return { type, status: 'False', reason: 'ContainersNotInitialized', message }
}

/** The agent's conditions; a time of transition stays while the status does. */
function conditionsNow({ work, pod, nowMs }: StatusInput, phase: Phase, unready: readonly string[]): PodCondition[] {
  const { generation } = pod.metadata
  const before = conditionsOf(pod)
  const verdicts: Verdict[] = [
    { type: 'PodReadyToStartContainers', status: work.sandbox === 'ready' ? 'True' : 'False' },
    initializedVerdict(work, phase),
    ...readyVerdicts(phase, unready, pod),
    { type: 'PodScheduled', status: 'True' },
    ...(work.eviction?.isDisruption && work.finished
      ? [{ type: 'DisruptionTarget', status: 'True', reason: 'TerminationByKubelet', message: work.eviction.message } as const]
      : []),
  ]
  return verdicts.map((verdict) => {
    const old = before.find(({ type }) => type === verdict.type)
    const since = old?.status === verdict.status ? old.lastTransitionTime : rfc3339(nowMs)
    return {
      ...(since === undefined ? {} : { lastTransitionTime: since }),
      ...(verdict.message ? { message: verdict.message } : {}),
      ...(generation === undefined ? {} : { observedGeneration: generation }),
      ...(verdict.reason ? { reason: verdict.reason } : {}),
      status: verdict.status,
      type: verdict.type,
    }
  })
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
export function statusPatch(pod: Pod, status: PodStatus): JsonObject | undefined {
  const { conditions = [], ...rest } = status
  const now: JsonObject = statusOf(pod)
  const changed = Object.entries(rest).filter(([field, value]) => !same(now[field], value))
  const patch: JsonObject = { ...conditionsPatch(conditionsOf(pod), conditions), ...Object.fromEntries(changed) }
  if (Object.keys(patch).length === 0) return undefined
  return { metadata: { uid: pod.metadata.uid }, status: patch }
}

function conditionsPatch(before: readonly PodCondition[], own: readonly PodCondition[]): JsonObject {
  const changed = own.filter((condition) => !same(before.find(({ type }) => type === condition.type) ?? {}, condition))
  if (changed.length === 0) return {}
  const others = before.filter(({ type }) => !own.some((condition) => condition.type === type))
  return {
    '$setElementOrder/conditions': [...own, ...others].map(({ type }) => ({ type })),
    conditions: changed,
  }
}
