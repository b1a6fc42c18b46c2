// Records Event objects about what controllers do, as client-go's recorder does: the same event again raises `count`,
// many similar ones become "(combined from similar events)", and one object cannot flood the log. Fire and forget: an
// Event object that cannot be written is dropped, never waited for.
import type { ApiClient, ApiResult } from '@shiplog/api/api-client'
import type { KubeObject } from '@shiplog/api/kube-object'
import { rfc3339, type Clock } from '@shiplog/runtime/clock'
import type { Logger } from '@shiplog/runtime/logger'
import type { EventRecord } from './reconciler.ts'

/** Event objects that wait to be written; more are dropped. */
export const pendingEventsMax = 1_000
const inFlightMax = 8
const rememberedMax = 4_096
/** More than so many different messages of one reason about one object within the window are combined. */
const similarEventsMax = 10
const similarWindowMs = 600_000
/** Per source and object: so many at once, then one in five minutes. */
const burstPerObject = 25
const refillMs = 300_000
const messageBytesMax = 1_024

export interface EventRecorder {
  record(component: string, event: EventRecord): void
  /** Resolves when all that was accepted has been written or dropped. */
  flush(): Promise<void>
  /** How many were dropped because the queue was full or the object had too many. */
  readonly dropped: number
}

interface Known {
  readonly name: string
  readonly namespace: string
  readonly firstMs: number
  count: number
  /** The write that made it; later ones wait for it. */
  created: Promise<boolean>
}

/** A Map that forgets what was used longest ago. */
function createRecent<V>(limit: number): { get(key: string): V | undefined; set(key: string, value: V): void } {
  const map = new Map<string, V>()
  return {
    get: (key) => {
      const value = map.get(key)
      if (value !== undefined) {
        map.delete(key)
        map.set(key, value)
      }
      return value
    },
    set: (key, value) => {
      map.delete(key)
      map.set(key, value)
      if (map.size > limit) map.delete(map.keys().next().value!)
    },
  }
}

const referenceTo = (object: KubeObject): Record<string, string> => ({
  kind: object.kind,
  ...(object.metadata.namespace ? { namespace: object.metadata.namespace } : {}),
  name: object.metadata.name,
  uid: object.metadata.uid,
  apiVersion: object.apiVersion,
  ...(object.metadata.resourceVersion ? { resourceVersion: object.metadata.resourceVersion } : {}),
})

/** Creates a recorder that writes through the API client. */
export function createEventRecorder(deps: {
  readonly client: ApiClient
  readonly clock: Clock
  readonly log: Logger
}): EventRecorder {
  const { client, clock, log } = deps
  const known = createRecent<Known>(rememberedMax)
  const similar = createRecent<{ readonly messages: Set<string>; lastMs: number }>(rememberedMax)
  const budgets = createRecent<{ tokens: number; atMs: number }>(rememberedMax)
  const pending: (() => Promise<void>)[] = []
  let inFlight = 0
  let dropped = 0
  let serial = 0
  let idle: (() => void)[] = []

  const pump = (): void => {
    while (inFlight < inFlightMax && pending.length > 0) {
      inFlight++
      void pending.shift()!()
        .catch((err: unknown) => {
          log.debug({ err }, 'event object not written')
        })
        .finally(() => {
          inFlight--
          pump()
        })
    }
    if (inFlight === 0 && pending.length === 0) {
      for (const resolve of idle) resolve()
      idle = []
    }
  }

  const spend = (key: string, nowMs: number): boolean => {
    const budget = budgets.get(key) ?? { tokens: burstPerObject, atMs: nowMs }
    const refilled = Math.floor((nowMs - budget.atMs) / refillMs)
    if (refilled > 0) {
      budget.tokens = Math.min(burstPerObject, budget.tokens + refilled)
      budget.atMs += refilled * refillMs
    }
    budgets.set(key, budget)
    if (budget.tokens <= 0) return false
    budget.tokens--
    return true
  }

  const write = async (request: Parameters<ApiClient['request']>[0]): Promise<ApiResult> =>
    client.request({ ...request, query: { fieldManager: 'kube-controller-manager' } })

  return {
    get dropped() {
      return dropped
    },
    record: (component, event) => {
      const nowMs = clock.nowMs()
      const { object, type, reason } = event
      const sourceKey = `${component} ${object.kind} ${object.metadata.uid}`
      const similarKey = `${sourceKey} ${type} ${reason}`
      const group = similar.get(similarKey)
      const messages = group && nowMs - group.lastMs < similarWindowMs ? group.messages : new Set<string>()
      messages.add(event.message)
      similar.set(similarKey, { messages, lastMs: nowMs })
      const combined = messages.size >= similarEventsMax
      if (messages.size > similarEventsMax) messages.delete(messages.values().next().value!)
      const full = combined ? `(combined from similar events): ${event.message}` : event.message
      const message = full.slice(0, messageBytesMax)
      const sameKey = combined ? `${similarKey} *` : `${similarKey} ${message}`
      if (pending.length >= pendingEventsMax || !spend(sourceKey, nowMs)) {
        dropped++
        return
      }
      const before = known.get(sameKey)
      if (before) {
        before.count++
        const { count } = before
        pending.push(async () => {
          if (!(await before.created)) return
          await write({
            verb: 'patch',
            group: '',
            resource: 'events',
            namespace: before.namespace,
            name: before.name,
            patchType: 'application/merge-patch+json',
            body: { count, message, lastTimestamp: rfc3339(nowMs) },
          })
        })
        return pump()
      }
      const namespace = object.metadata.namespace || 'default'
      // Upstream's suffix is the time in nanoseconds, hexadecimal; the serial stands for what a millisecond cannot tell.
      const suffix = (BigInt(nowMs) * 1_000_000n + BigInt(serial++ % 1_000_000)).toString(16)
      const name = `${object.metadata.name}.${suffix}`
      let settle: (created: boolean) => void = () => undefined
      const created = new Promise<boolean>((resolve) => {
        settle = resolve
      })
      known.set(sameKey, { name, namespace, firstMs: nowMs, count: 1, created })
      pending.push(async () => {
        let done = false
        try {
          const result = await write({
            verb: 'create',
            group: '',
            version: 'v1',
            resource: 'events',
            namespace,
            body: {
              apiVersion: 'v1',
              kind: 'Event',
              metadata: { name, namespace },
              involvedObject: referenceTo(object),
              reason,
              message,
              source: { component },
              firstTimestamp: rfc3339(nowMs),
              lastTimestamp: rfc3339(nowMs),
              count: 1,
              type,
              eventTime: null,
              reportingComponent: component,
              reportingInstance: '',
            },
          })
          done = result.ok
          if (!result.ok) log.debug({ status: result.status }, 'event object refused')
        } finally {
          settle(done)
        }
      })
      pump()
    },
    flush: () =>
      inFlight === 0 && pending.length === 0
        ? Promise.resolve()
        : new Promise((resolve) => {
            idle.push(resolve)
          }),
  }
}
