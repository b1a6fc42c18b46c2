// Keeps a node from running out of memory, disk or process ids: every ten seconds it looks at what is left, says what the node
// is short of, frees what nobody uses, and ends one pod at most. Pods that take more storage than they may go whatever is left.
import type { Pod } from '@shiplog/api/generated/types/core-v1'
import type { Clock } from '@shiplog/runtime/clock'
import type { Logger } from '@shiplog/runtime/logger'
import { isTerminal, type PodEntry } from '../pod-entry.ts'
import type { PodRejection } from '../pod-admission.ts'
import { qosOf } from '../hosts/cri/container-resources.ts'
import type { PodEviction } from '../pod-work.ts'
import type { NodeReserves, NodeUse } from '../hosts/pod-host.ts'
import { noPressure, type Pressure, pressureStep, type PressureState, resourceOf, thresholdsMet } from './pressure.ts'
import { type Candidate, evictionMessage, isCritical, rank, storageExcess } from './ranking.ts'
import type { EvictionConfig, Threshold } from './thresholds.ts'

const periodMs = 10_000
/** Pods that were ended get so long before the node is looked at again. */
const cleanUpMsMax = 30_000
const cleanUpLookMs = 1_000
/** Of pods that are ended at once. */
const immediateGraceMs = 1_000

export interface EvictionManagerDeps {
  readonly config: EvictionConfig
  /** Rejects when nothing can be measured now. */
  readonly reserves: NodeReserves
  readonly pods: () => Iterable<PodEntry>
  readonly evict: (entry: PodEntry, eviction: PodEviction) => void
  /** An Event object about the node. */
  readonly tell: (type: 'Normal' | 'Warning', reason: string, message: string) => void
  /** The conditions of the node have changed. */
  readonly changed: () => void
  readonly clock: Clock
  readonly log: Logger
}

export interface EvictionManager extends Disposable {
  pressures(): ReadonlySet<Pressure>
  /** Why a pod is not taken while the node is short of something. */
  refusal(pod: Pod): PodRejection | undefined
}

interface State extends EvictionManagerDeps {
  state: PressureState
  pressures: ReadonlySet<Pressure>
  readonly ending: AbortController
}

export function createEvictionManager(deps: EvictionManagerDeps): EvictionManager {
  const self: State = { ...deps, state: noPressure, pressures: new Set(), ending: new AbortController() }
  void run(self)
  return {
    pressures: () => self.pressures,
    refusal: (pod) => refusal(self.pressures, pod),
    [Symbol.dispose]: () => self.ending.abort(),
  }
}

async function run(self: State): Promise<void> {
  const { clock, log, ending } = self
  const sleep = (ms: number): Promise<unknown> => clock.sleep(ms, ending.signal).catch(() => undefined)
  while (!ending.signal.aborted) {
    const ended = await synchronize(self).catch((err: unknown) => {
      log.debug({ err }, 'the node cannot be measured')
      return []
    })
    const deadlineMs = clock.nowMs() + cleanUpMsMax
    const isLeft = (): boolean => ended.some(({ work, gone }) => !work.finished && !gone)
    if (ended.length === 0) await sleep(periodMs)
    else while (isLeft() && clock.nowMs() < deadlineMs && !ending.signal.aborted) await sleep(cleanUpLookMs)
    // Rates and sizes of what is gone are measured anew.
    if (ended.length > 0) await sleep(cleanUpLookMs)
  }
}

/** One look; gives the pods that were ended. */
async function synchronize(self: State): Promise<readonly PodEntry[]> {
  const { config, reserves, clock, pods, changed } = self
  const use = await reserves.observe(pods())
  const step = pressureStep(self.state, use.observed, config, clock.nowMs())
  self.state = step.state
  const before = self.pressures
  self.pressures = step.pressures
  if (before.size !== step.pressures.size || [...before].some((one) => !step.pressures.has(one))) changed()
  const active = [...pods()].filter((entry) => !entry.work.finished && !isTerminal(entry.pod) && entry.work.eviction === undefined && entry.work.sandbox === 'ready')
  const candidates = active.map((entry) => ({ entry, pod: entry.pod, use: use.of(entry.uid) }))
  const greedy = candidates.flatMap((one) => {
    const message = storageExcess(one)
    return message !== undefined && !isCritical(one.pod) ? [{ entry: one.entry, message }] : []
  })
  for (const { entry, message } of greedy) self.evict(entry, { message, graceMs: immediateGraceMs, isDisruption: false })
  if (greedy.length > 0) return greedy.map(({ entry }) => entry)
  const [threshold] = step.starved
  return threshold === undefined ? [] : await reclaim(self, threshold, step.starved, use, candidates)
}

async function reclaim(
  self: State,
  threshold: Threshold,
  starved: readonly Threshold[],
  use: NodeUse,
  candidates: readonly (Candidate & { readonly entry: PodEntry })[],
): Promise<readonly PodEntry[]> {
  const { config, tell, evict, log, reserves, pods } = self
  const resource = resourceOf(threshold.signal)
  tell('Warning', 'EvictionThresholdMet', `Attempting to reclaim ${resource}`)
  if (resource === 'ephemeral-storage' || resource === 'inodes') {
    await reserves.freeDisk().catch((err: unknown) => log.warn({ err }, 'nothing could be freed on the disk'))
    const { observed } = await reserves.observe(pods())
    if (thresholdsMet(config.thresholds, observed, true).length === 0) return []
  }
  for (const candidate of rank(candidates, resource)) {
    const { entry, pod } = candidate
    if (isCritical(pod)) continue
    const seconds = threshold.graceMs === 0 ? immediateGraceMs / 1_000 : Math.min(config.podGraceSecondsMax, pod.spec.terminationGracePeriodSeconds ?? 30)
    const message = evictionMessage(resource, candidate, starved, use.observed)
    evict(entry, { message, graceMs: seconds * 1_000, isDisruption: true })
    return [entry]
  }
  log.warn({ resource }, 'unable to evict any pods from the node')
  return []
}

const memoryPressureTaint = 'node.kubernetes.io/memory-pressure'

function refusal(pressures: ReadonlySet<Pressure>, pod: Pod): PodRejection | undefined {
  if (pressures.size === 0 || isCritical(pod)) return undefined
  if (pressures.size === 1 && pressures.has('MemoryPressure')) {
    const tolerates = (pod.spec.tolerations ?? []).some(
      ({ key, operator, effect }) => (key === memoryPressureTaint || (!key && operator === 'Exists')) && (!effect || effect === 'NoSchedule'),
    )
    if (qosOf(pod) !== 'BestEffort' || tolerates) return undefined
  }
  return { reason: 'Evicted', message: `The node had condition: [${[...pressures].join(' ')}]. ` }
}
