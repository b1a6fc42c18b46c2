// Carries out what the scheduler decided about making room: the pod is nominated for the node, then its victims are told and
// deleted.
//
// The nomination goes to the log first, and the scheduler decides nothing until the feed has shown it: so it is part of what
// later decisions are based on, and they can be computed again from the log alone.
import type { ApiClient, ApiRequest, ApiResult } from '@shiplog/api/api-client'
import type { Pod } from '@shiplog/api/generated/types/core-v1'
import type { Clock } from '@shiplog/runtime/clock'
import type { Logger } from '@shiplog/runtime/logger'
import type { Preemption } from '@shiplog/scheduling/framework/post-filter'
import type { PodInfo } from '@shiplog/scheduling/snapshot/pod-info'
import { clearNominationRequest, disruptionRequest, evictionRequest, unschedulableRequest } from './pod-messages.ts'

/** How often a request about a preemption is sent at most when its outcome is unknown, after doubling pauses. */
const triesMax = 4
const retryMs = 100

export interface PreemptionDeps {
  readonly client: ApiClient
  readonly clock: Clock
  readonly log: Logger
  readonly schedulerName: string
  readonly signal: AbortSignal
}

/** A pod that fits nowhere, and what makes room for it. */
export interface Preemptor {
  readonly pod: PodInfo
  readonly object: Pod
  readonly message: string
  /** What the decision was based on. */
  readonly basis: number
  readonly preemption: Preemption
}

/** Stores the nomination with the condition. Returns the sequence that shows it (0: it is there already), or undefined. */
export async function nominate(deps: PreemptionDeps, preemptor: Preemptor): Promise<number | undefined> {
  const { object, message, preemption, basis } = preemptor
  const request = unschedulableRequest(object, message, deps.clock.nowMs(), preemption.node)
  if (request === undefined) return 0
  const result = await send(deps, { ...request, basis })
  if (result?.ok) return result.sequence
  deps.log.warn({ pod: reference(preemptor.pod), node: preemption.node }, 'nomination was refused')
  return undefined
}

/** Deletes the victims. False when not all could be deleted: then the pod has to be decided anew. */
export async function evictVictims(
  deps: PreemptionDeps,
  { pod, preemption }: Preemptor,
  cause: number,
  onEvicted: (victim: PodInfo) => void,
): Promise<boolean> {
  const evicted = preemption.victims.map(async (victim) => {
    if (victim.isTerminating) return true
    const marked = await send(deps, { ...disruptionRequest(victim, deps.schedulerName, deps.clock.nowMs()), cause })
    if (isGone(marked)) return true
    if (!marked?.ok) return false
    const deleted = await send(deps, { ...evictionRequest(victim), cause })
    if (deleted?.ok) onEvicted(victim)
    return isGone(deleted) || deleted?.ok === true
  })
  const isDone = (await Promise.all(evicted)).every(Boolean)
  if (!isDone) deps.log.warn({ pod: reference(pod), node: preemption.node }, 'not all victims could be deleted')
  return isDone
}

/** Less important pods that were to come to the node find another place sooner when they are not nominated any more. */
export async function clearNominations(deps: PreemptionDeps, pods: readonly PodInfo[]): Promise<void> {
  await Promise.all(pods.map((pod) => send(deps, clearNominationRequest(pod))))
}

const isGone = (result: ApiResult | undefined): boolean => result?.ok === false && result.code === 404

/** The answer, or undefined when there was none that settles it. */
async function send({ client, clock, signal, log }: PreemptionDeps, request: ApiRequest): Promise<ApiResult | undefined> {
  for (let tries = 1; tries <= triesMax && !signal.aborted; tries++) {
    if (tries > 1) await clock.sleep(retryMs * 2 ** (tries - 2), signal).catch(() => undefined)
    try {
      const result = await client.request(request)
      if (result.ok || (result.code !== 429 && result.code < 500)) return result
    } catch (err) {
      if (!signal.aborted) log.warn({ err }, 'preemption request failed')
    }
  }
  return undefined
}

const reference = ({ namespace, name }: PodInfo): { namespace: string; name: string } => ({ namespace, name })
