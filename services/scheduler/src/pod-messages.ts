// The objects that the scheduler writes about a pod: its binding, its PodScheduled condition, Event objects.
import type { ApiRequest } from '@shiplog/api/api-client'
import type { JsonObject } from '@shiplog/api/kube-object'
import type { FeedObject } from '@shiplog/events/object-feed'
import type { PodInfo } from '@shiplog/scheduling/snapshot/pod-info'
import { rfc3339, rfc3339Micro } from '@shiplog/runtime/clock'

const pods = { group: '', resource: 'pods' } as const

export const bindingRequest = (pod: PodInfo, node: string, basis: number, decision: JsonObject): ApiRequest => ({
  verb: 'create',
  ...pods,
  subresource: 'binding',
  namespace: pod.namespace,
  name: pod.name,
  body: {
    apiVersion: 'v1',
    kind: 'Binding',
    metadata: { namespace: pod.namespace, name: pod.name, uid: pod.uid },
    target: { kind: 'Node', name: node },
  },
  basis,
  decision: JSON.stringify(decision),
})

/** The PodScheduled condition of a pod object. */
export const scheduledCondition = (object: FeedObject): JsonObject | undefined =>
  ((object['status'] as JsonObject | undefined)?.['conditions'] as JsonObject[] | undefined)?.find(
    (condition) => condition['type'] === 'PodScheduled',
  )

/** Sets PodScheduled to False, or undefined when it says so already. */
export function unschedulableRequest(object: FeedObject, message: string, nowMs: number): ApiRequest | undefined {
  const present = scheduledCondition(object)
  const same = present?.['status'] === 'False'
  if (same && present['reason'] === 'Unschedulable' && present['message'] === message) return undefined
  const { name, namespace = '', uid, generation } = object.metadata
  return {
    verb: 'patch',
    ...pods,
    subresource: 'status',
    namespace,
    name,
    patchType: 'application/strategic-merge-patch+json',
    body: {
      // Naming the uid makes the write fail for a pod of the same name that came later.
      metadata: { uid },
      status: {
        conditions: [
          {
            type: 'PodScheduled',
            status: 'False',
            reason: 'Unschedulable',
            message,
            lastTransitionTime: same ? present['lastTransitionTime'] : rfc3339(nowMs),
            ...(generation === undefined ? {} : { observedGeneration: generation as number }),
          },
        ],
      },
    },
  }
}

export interface PodNote {
  readonly type: 'Normal' | 'Warning'
  readonly reason: 'Scheduled' | 'FailedScheduling'
  readonly action: 'Binding' | 'Scheduling'
  readonly message: string
}

/** Longest message of an Event object (upstream: NoteLengthLimit). */
const messageBytesMax = 1024

/** An Event object about a pod. `unique` tells apart those of the same instant. */
export const eventRequest = (
  object: FeedObject,
  note: PodNote,
  reporter: { readonly controller: string; readonly instance: string; readonly nowMs: number; readonly unique: number },
): ApiRequest => {
  const { name, namespace = 'default', uid, resourceVersion } = object.metadata
  return {
    verb: 'create',
    group: '',
    resource: 'events',
    namespace,
    body: {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: eventName(name, reporter.nowMs, reporter.unique), namespace },
      involvedObject: { apiVersion: 'v1', kind: 'Pod', namespace, name, uid, resourceVersion },
      type: note.type,
      reason: note.reason,
      action: note.action,
      message: shorten(note.message),
      eventTime: rfc3339Micro(reporter.nowMs),
      reportingComponent: reporter.controller,
      reportingInstance: reporter.instance,
      source: {},
    },
  }
}

/** Upstream's form: the object's name, then nanoseconds in hexadecimal. */
const eventName = (name: string, nowMs: number, unique: number): string =>
  `${name}.${(BigInt(nowMs) * 1_000_000n + BigInt(unique % 1_000_000)).toString(16)}`

const shorten = (message: string): string =>
  Buffer.byteLength(message) <= messageBytesMax ? message : `${message.slice(0, messageBytesMax - 4)} ...`
