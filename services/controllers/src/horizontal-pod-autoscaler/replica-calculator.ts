// How many replicas one metric asks for: the ratio of what is used to what is wanted, with a tolerance, and with pods that
// are starting, missing or on their way out reckoned so that they can only weaken a decision. The cases are those of
// upstream's replica_calculator.go. All amounts are thousandths.
import type { Pod } from '@shiplog/api/generated/types/core-v1'
import { milliOf } from '@shiplog/api/quantity'
import { isBeingDeleted } from '../shared/ownership.ts'
import { isReady, podCondition } from '../shared/pods.ts'
import type { PodReading } from './readings.ts'

/** How long after its start a pod's use of CPU says nothing unless it is ready. */
export const cpuInitializationMs = 5 * 60_000
/** A pod that became unready within this time after its start was never ready. */
export const initialReadinessDelayMs = 30_000
const int32Max = 2 ** 31 - 1
export const int64Max = Number(2n ** 63n - 1n)

/** How far use may be from the target, as a part of it, before anything is done. */
export interface Tolerances {
  readonly scaleDown: number
  readonly scaleUp: number
}

/** What a metric asks for, and what it is. */
export interface Proposal {
  readonly replicas: number
  /** What is used, by pod on average or as a whole. */
  readonly usage: number
  /** Percentage of what the pods request. */
  readonly utilization?: number
}

/** Why a metric says nothing. */
export interface NoProposal {
  readonly fault: string
}

/** What the calculation of one metric knows besides its readings. */
export interface Replicas {
  readonly pods: readonly Pod[]
  readonly current: number
  readonly tolerances: Tolerances
  readonly nowMs: number
}

type Usage = Map<string, number>

const isWithin = ({ scaleDown, scaleUp }: Tolerances, ratio: number): boolean =>
  1 - scaleDown <= ratio && ratio <= 1 + scaleUp

const noPods: NoProposal = { fault: 'no pods returned by selector while calculating replica count' }
const noMetrics: NoProposal = { fault: 'did not receive metrics for targeted pods (pods might be unready)' }

interface PodGroups {
  /** Readings that count. */
  readonly usage: Usage
  readonly unready: readonly string[]
  readonly missing: readonly string[]
}

/** Sorts pods by what their readings are worth. */
function groupPods(
  { pods, nowMs }: Pick<Replicas, 'pods' | 'nowMs'>,
  readings: Readonly<Record<string, PodReading>>,
  resource: string,
): PodGroups & { readonly readyCount: number } {
  const usage: Usage = new Map(Object.entries(readings).map(([name, [milli]]) => [name, milli]))
  const unready: string[] = []
  const missing: string[] = []
  let readyCount = 0
  for (const pod of pods) {
    const { name } = pod.metadata
    const reading = Object.hasOwn(readings, name) ? readings[name] : undefined
    if (isBeingDeleted(pod) || pod.status.phase === 'Failed') usage.delete(name)
    else if (pod.status.phase === 'Pending') unready.push(name)
    else if (!reading) missing.push(name)
    else if (resource === 'cpu' && isStarting(pod, reading, nowMs)) unready.push(name)
    else readyCount++
  }
  for (const name of unready) usage.delete(name)
  return { usage, unready, missing, readyCount }
}

/** Whether a pod's use of CPU may be that of its start. */
function isStarting(pod: Pod, [, atMs, windowMs]: PodReading, nowMs: number): boolean {
  const ready = podCondition(pod, 'Ready')
  const { startTime } = pod.status
  if (!ready || !startTime) return true
  const startMs = Date.parse(startTime)
  const changedMs = ready.lastTransitionTime ? Date.parse(ready.lastTransitionTime) : 0
  const isUnready = ready.status === 'False'
  if (startMs + cpuInitializationMs > nowMs) return isUnready || atMs < changedMs + windowMs
  return isUnready && startMs + initialReadinessDelayMs > changedMs
}

/** What pods request of a resource, or one container of each. Pod-level requests go before those of containers. */
function requestsOf(pods: readonly Pod[], resource: string, container: string): Map<string, number> | NoProposal {
  const requests = new Map<string, number>()
  for (const pod of pods) {
    const request = requestOf(pod, resource, container)
    if (typeof request === 'string') return { fault: request }
    requests.set(pod.metadata.name, request)
  }
  return requests
}

/** One pod's request, or why there is none. */
function requestOf({ metadata: { name }, spec }: Pod, resource: string, container: string): number | string {
  const sidecars = (spec.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === 'Always')
  const containers = [...(spec.containers ?? []), ...sidecars]
  const ofPod = spec.resources?.requests
  if (container === '' && ofPod && Object.keys(ofPod).length > 0) {
    const parts = ofPod[resource] === undefined ? containers.map((one) => one.resources?.requests?.[resource]) : [ofPod[resource]]
    const amounts = [...parts, spec.overhead?.[resource]].filter((amount) => amount !== undefined)
    return amounts.length > 0
      ? sumOf(amounts.map((amount) => milliOf(amount)))
      : `missing pod-level request for ${resource} in Pod ${name}`
  }
  let sum = 0
  for (const one of containers) {
    if (container !== '' && container !== one.name) continue
    const amount = one.resources?.requests?.[resource]
    if (amount === undefined) return `missing request for ${resource} in container ${one.name} of Pod ${name}`
    sum += milliOf(amount)
    if (container !== '') return sum
  }
  return container === '' ? sum : `container ${container} not found in Pod ${name}`
}

const sumOf = (values: Iterable<number>): number => {
  let sum = 0
  for (const value of values) sum += value
  return sum
}

/** Use as a percentage of requests, and by pod; undefined when no reading is of a known pod. */
function utilizationOf(usage: Usage, requests: ReadonlyMap<string, number>) {
  const known = [...usage.keys()].filter((name) => requests.has(name))
  const used = sumOf(known.map((name) => usage.get(name)!))
  const requested = sumOf(known.map((name) => requests.get(name)!))
  if (requested === 0) return undefined
  return { percentage: Math.trunc((used * 100) / requested), average: Math.trunc(used / known.length) }
}

/** Replicas by the utilization of a resource: what pods use as a percentage of what they request. */
export function byUtilization(
  replicas: Replicas,
  readings: Readonly<Record<string, PodReading>>,
  { resource, container, target }: { readonly resource: string; readonly container: string; readonly target: number },
): Proposal | NoProposal {
  if (replicas.pods.length === 0) return noPods
  const groups = groupPods(replicas, readings, resource)
  if (groups.usage.size === 0) return noMetrics
  const requests = requestsOf(replicas.pods, resource, container)
  if (!(requests instanceof Map)) return requests
  const now = utilizationOf(groups.usage, requests)
  if (!now) return { fault: 'no metrics returned matched known pods' }
  const proposal = weigh(replicas, groups, {
    ratioOf: (usage) => utilizationOf(usage, requests)!.percentage / target,
    // On the way down what is missing counts as using all that it requests, or the target when that is more.
    missing: (name) => Math.trunc((requests.get(name)! * Math.max(100, target)) / 100),
  })
  return { replicas: proposal, usage: now.average, utilization: now.percentage }
}

/** Replicas by an average per pod. `resource` is '' for metrics that are none. */
export function byAverage(
  replicas: Replicas,
  readings: Readonly<Record<string, PodReading>>,
  { resource, target }: { readonly resource: string; readonly target: number },
): Proposal | NoProposal {
  if (replicas.pods.length === 0) return noPods
  const groups = groupPods(replicas, readings, resource)
  if (groups.usage.size === 0) return noMetrics
  const averageOf = (usage: Usage): number => Math.trunc(sumOf(usage.values()) / usage.size)
  const usage = averageOf(groups.usage)
  const proposal = weigh(replicas, groups, { ratioOf: (of) => averageOf(of) / target, missing: () => target })
  return { replicas: proposal, usage }
}

interface Weights {
  ratioOf(usage: Usage): number
  /** What a pod without a reading counts as using on the way down. */
  missing(name: string): number
}

/** From use to replicas; pods that are starting or missing may keep the count as it is, never turn it round. */
function weigh(
  { current, tolerances }: Replicas,
  { usage, unready, missing, readyCount }: PodGroups & { readonly readyCount: number },
  weights: Weights,
): number {
  const ratio = weights.ratioOf(usage)
  const countsUnready = unready.length > 0 && ratio > 1
  if (!countsUnready && missing.length === 0) {
    return isWithin(tolerances, ratio) ? current : Math.ceil(ratio * readyCount)
  }
  const filled: Usage = new Map(usage)
  if (ratio < 1) for (const name of missing) filled.set(name, weights.missing(name))
  else if (ratio > 1) for (const name of missing) filled.set(name, 0)
  if (countsUnready) for (const name of unready) filled.set(name, 0)
  const newRatio = weights.ratioOf(filled)
  if (isWithin(tolerances, newRatio) || (ratio < 1 && newRatio > 1) || (ratio > 1 && newRatio < 1)) return current
  const wanted = Math.ceil(newRatio * filled.size)
  if ((newRatio < 1 && wanted > current) || (newRatio > 1 && wanted < current)) return current
  return wanted
}

/** Replicas by one value that all of them answer for: of an object, or the sum of an external metric's series. */
export function byValue(replicas: Replicas, usage: number, target: number): Proposal | NoProposal {
  const { current, tolerances, pods } = replicas
  const ratio = usage / target
  if (current === 0) return { replicas: Math.ceil(ratio), usage }
  if (isWithin(tolerances, ratio)) return { replicas: current, usage }
  if (pods.length === 0) return { fault: `unable to calculate ready pods: ${noPods.fault}` }
  const ready = pods.filter((pod) => pod.status.phase === 'Running' && isReady(pod)).length
  return { replicas: Math.min(Math.ceil(ratio * ready), int32Max), usage }
}

/** Replicas by one value that is divided among them. `current` are those that the target's status counts. */
export function byValuePerPod({ current, tolerances }: Pick<Replicas, 'current' | 'tolerances'>, usage: number, target: number): Proposal {
  const ratio = usage / (target * current)
  const replicas = isWithin(tolerances, ratio) ? current : Math.min(Math.ceil(usage / target), int32Max)
  return { replicas, usage: usage >= int64Max ? int64Max : Math.ceil(usage / current) }
}

/** The sum of all series, which does not pass 64 bits. */
export const sumOfSeries = (values: readonly number[]): number => Math.min(sumOf(values), int64Max)
