// The unmodified kube-scheduler decides on a gateway of ours, one pod at a time.
import type { ApiRequest } from '@shiplog/api/api-client'
import type { Pod } from '@shiplog/api/generated/types/core-v1'
import { builtInRegistry } from '@shiplog/api/schema/registry'
import { wireTarget } from '@shiplog/api-client/request-path'
import { pause } from '../src/context.ts'
import type { HttpClient } from '../src/http.ts'
import { nodeOf, type Outcome, type Situation } from './life.ts'
import { watchPods, type PodWatch } from './pod-watch.ts'

export interface UpstreamJudge {
  prepare(requests: readonly ApiRequest[]): Promise<void>
  decide(situation: Situation): Promise<Outcome>
  close(): void
}

/** Upstream's scheduler sees nodes, claims and pods by watches that know nothing of each other: they are given time. */
const seenMs = 120
/** A preemption tells the pod's condition and its nominated node in one write; all the same it is looked at twice. */
const secondLookMs = 30

/** A pod is brought back as soon as its victims go, or after its back-off of a second, or not for minutes. */
const arrivalTimeoutMs = 5_000

const registry = builtInRegistry()

export async function send(http: HttpClient, request: ApiRequest): Promise<void> {
  const headers = { 'content-type': request.patchType ?? 'application/json' }
  const answer = await http.send({ ...wireTarget(request, registry)!, headers, ...(request.body ? { body: request.body } : {}) })
  // What upstream's own victims took along is gone already.
  if (answer.code < 300 || (request.verb === 'delete' && answer.code === 404)) return
  throw new Error(`${request.verb} ${request.resource} ${request.name ?? ''}: ${answer.text}`)
}

const keyOf = ({ namespace, name }: { readonly namespace?: string; readonly name?: string }): string => `${namespace}/${name}`

export function createUpstreamJudge(http: HttpClient): UpstreamJudge {
  const watch = watchPods(http)
  /** Pods that have a node. */
  const placed = new Set<string>()
  let isSeen = false

  async function prepare(requests: readonly ApiRequest[]): Promise<void> {
    for (const request of requests) {
      await send(http, request)
      if (request.verb === 'delete' && request.resource === 'pods') placed.delete(keyOf(request))
      isSeen = false
    }
  }

  return {
    prepare,
    async decide({ changes, pod }) {
      await prepare(changes)
      if (!isSeen) await pause(seenMs)
      isSeen = true
      const { namespace } = pod.metadata
      const key = keyOf(pod.metadata)
      await send(http, { verb: 'create', group: '', resource: 'pods', namespace, body: pod })
      const outcome = await outcomeOf(watch, key, placed)
      if (nodeOf(outcome) !== undefined) placed.add(key)
      if ('victims' in outcome) for (const victim of outcome.victims) placed.delete(victim)
      return outcome
    },
    close: () => watch.close(),
  }
}

const unschedulable = ({ status }: Pod): string | undefined => {
  const condition = status.conditions?.find(({ type }) => type === 'PodScheduled')
  if (condition?.status !== 'False') return undefined
  if (condition.reason !== 'Unschedulable') throw new Error(`${condition.reason}: ${condition.message}`)
  return condition.message
}

async function outcomeOf(watch: PodWatch, key: string, placed: ReadonlySet<string>): Promise<Outcome> {
  const isDecided = (pod: Pod): boolean => Boolean(pod.spec.nodeName) || unschedulable(pod) !== undefined
  const first = await watch.until(`a decision about ${key}`, () => watch.versions(key).find(isDecided))
  const message = unschedulable(first)
  if (message === undefined) return { node: first.spec.nodeName! }
  await pause(secondLookMs)
  const nominated = watch.versions(key).find(({ status }) => status.nominatedNodeName)?.status.nominatedNodeName
  if (nominated === undefined) return { message }
  const isLeft = await watch
    .until(`${key} in the place of its victims`, () => watch.versions(key).find(({ spec }) => spec.nodeName), arrivalTimeoutMs)
    .then(() => false, () => true)
  await pause(secondLookMs)
  return { message, nominated, victims: [...placed].filter((one) => watch.isGone(one)).sort(), isLeft }
}
