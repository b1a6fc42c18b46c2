// The table of pods. Its STATUS column is the most read cell of Kubernetes: it tells, in one word, the most telling
// thing about a pod's phase, its init containers, its containers and its deletion, in upstream's order of precedence.
import type { JsonObject, KubeObject } from '../kube-object.ts'
import { age, ageColumn, column, conditionStatus, nameColumn, wide } from './columns.ts'
import { ageOf } from './human-duration.ts'
import type { Cell, Printer, RowCondition } from './printer.ts'

interface Summary {
  ready: number
  total: number
  restarts: number
  /** When a container last ended before it was started again, milliseconds; 0 for never. */
  lastRestartMs: number
  status: string
}

const completed: Readonly<Record<string, readonly RowCondition[]>> = {
  Succeeded: [
    { type: 'Completed', status: 'True', reason: 'Succeeded', message: 'The pod has completed successfully.' },
  ],
  Failed: [{ type: 'Completed', status: 'True', reason: 'Failed', message: 'The pod failed.' }],
}

/** `OOMKilled`, or `Signal:9`, or `ExitCode:1`. */
const terminationReason = (terminated: JsonObject): string =>
  terminated['reason'] ||
  (terminated['signal'] ? `Signal:${terminated['signal']}` : `ExitCode:${terminated['exitCode'] ?? 0}`)

const lastEndMs = (container: JsonObject): number => {
  const finishedAt = container['lastState']?.terminated?.finishedAt
  return finishedAt ? Date.parse(finishedAt) : 0
}

/** Sidecars: init containers that keep running and count among the containers. */
const isSidecar = (container: JsonObject | undefined): boolean => container?.['restartPolicy'] === 'Always'

function summarize(pod: KubeObject): Summary {
  const spec: JsonObject = pod['spec'] ?? {}
  const podStatus: JsonObject = pod['status'] ?? {}
  const initContainers: readonly JsonObject[] = spec['initContainers'] ?? []
  const sidecars = new Set(initContainers.filter(isSidecar).map((container) => container['name'] as string))
  const summary: Summary = {
    ready: 0,
    total: (spec['containers']?.length ?? 0) + sidecars.size,
    restarts: 0,
    lastRestartMs: 0,
    status: podStatus['reason'] || podStatus['phase'] || '',
  }
  const conditions: readonly JsonObject[] = podStatus['conditions'] ?? []
  if (conditions.some(({ type, reason }) => type === 'PodScheduled' && reason === 'SchedulingGated')) {
    summary.status = 'SchedulingGated'
  }

  const sidecarRestarts = { restarts: 0, lastRestartMs: 0 }
  const initializing = summarizeInit(summary, podStatus, initContainers.length, sidecars, sidecarRestarts)
  if (!initializing || conditionStatus(pod, 'Initialized') === 'True') {
    Object.assign(summary, sidecarRestarts)
    summarizeContainers(summary, podStatus, conditionStatus(pod, 'Ready') === 'True')
  }

  if (pod.metadata.deletionTimestamp) {
    if (podStatus['reason'] === 'NodeLost') summary.status = 'Unknown'
    else if (podStatus['phase'] !== 'Succeeded' && podStatus['phase'] !== 'Failed') summary.status = 'Terminating'
  }
  return summary
}

/** Looks for the first init container that has not done its work; true when there is one. */
function summarizeInit(
  summary: Summary,
  podStatus: JsonObject,
  count: number,
  sidecars: ReadonlySet<string>,
  sidecarRestarts: { restarts: number; lastRestartMs: number },
): boolean {
  const statuses: readonly JsonObject[] = podStatus['initContainerStatuses'] ?? []
  for (const [index, container] of statuses.entries()) {
    const sidecar = sidecars.has(container['name'])
    for (const tally of sidecar ? [summary, sidecarRestarts] : [summary]) {
      tally.restarts += container['restartCount'] ?? 0
      tally.lastRestartMs = Math.max(tally.lastRestartMs, lastEndMs(container))
    }
    const { terminated, waiting } = (container['state'] ?? {}) as JsonObject
    if (terminated && (terminated.exitCode ?? 0) === 0) continue
    if (sidecar && container['started'] === true) {
      if (container['ready']) summary.ready++
      continue
    }
    if (terminated) summary.status = `Init:${terminationReason(terminated)}`
    else if (waiting?.reason && waiting.reason !== 'PodInitializing') summary.status = `Init:${waiting.reason}`
    else summary.status = `Init:${index}/${count}`
    return true
  }
  return false
}

/** The first container that waits or has ended gives the status, so the list is read from its end. */
function summarizeContainers(summary: Summary, podStatus: JsonObject, podIsReady: boolean): void {
  let running = false
  const statuses: readonly JsonObject[] = podStatus['containerStatuses'] ?? []
  for (const container of statuses.toReversed()) {
    summary.restarts += container['restartCount'] ?? 0
    summary.lastRestartMs = Math.max(summary.lastRestartMs, lastEndMs(container))
    const state: JsonObject = container['state'] ?? {}
    if (state['waiting']?.reason) summary.status = state['waiting'].reason
    else if (state['terminated']) summary.status = terminationReason(state['terminated'])
    else if (container['ready'] && state['running']) {
      running = true
      summary.ready++
    }
  }
  if (summary.status === 'Completed' && running) summary.status = podIsReady ? 'Running' : 'NotReady'
}

function readinessGates(pod: KubeObject): string {
  const gates: readonly JsonObject[] = pod['spec']?.readinessGates ?? []
  if (gates.length === 0) return '<none>'
  return `${gates.filter((gate) => conditionStatus(pod, gate['conditionType']) === 'True').length}/${gates.length}`
}

function cells(pod: KubeObject, nowMs: number): readonly Cell[] {
  const { ready, total, status, restarts, lastRestartMs } = summarize(pod)
  return [
    pod.metadata.name,
    `${ready}/${total}`,
    status,
    restarts !== 0 && lastRestartMs !== 0
      ? `${restarts} (${ageOf(new Date(lastRestartMs).toISOString(), nowMs)} ago)`
      : String(restarts),
    age(pod, nowMs),
    pod['status']?.podIPs?.[0]?.ip || '<none>',
    pod['spec']?.nodeName || '<none>',
    pod['status']?.nominatedNodeName || '<none>',
    readinessGates(pod),
  ]
}

export const podPrinter: Printer = {
  columns: [
    nameColumn,
    column('Ready', 'How many of the containers of the pod are ready.'),
    column('Status', 'What the pod does, or why it does not, in one word.'),
    column('Restarts', 'How often containers of the pod were started again, and when that last happened.'),
    ageColumn,
    wide('IP', 'The address of the pod.'),
    wide('Node', 'The node that the pod is bound to.'),
    wide('Nominated Node', 'The node on which room is being made for the pod.'),
    wide('Readiness Gates', 'How many of the further conditions that readiness asks for are true.'),
  ],
  cells,
  conditions: (pod) => completed[pod['status']?.phase],
}
