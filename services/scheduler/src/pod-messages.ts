// The objects that the scheduler writes about a pod: its binding, its PodScheduled condition, Event objects.
import type { ApiRequest } from '@shiplog/api/api-client'
import type { Pod, PodCondition } from '@shiplog/api/generated/types/core-v1'
import type { JsonObject } from '@shiplog/api/kube-object'
import type { PodInfo } from '@shiplog/scheduling/snapshot/pod-info'
import { rfc3339, rfc3339Micro } from '@shiplog/runtime/clock'

const pods = { group: '', resource: 'pods' } as const

export const bindingRequest = (pod: PodInfo, node: string, basis: number, decision: JsonObject): ApiRequest => ({
  verb: 'create',
  ...pods,
  subresource: 'binding',
  namespace: pod.namespace,
  name: pod.name,
  body: bindingOf(pod, node),
  basis,
  decision: JSON.stringify(decision),
})

/** Binds pods of one namespace together, all or none: see bindings.ts of the gateway. */
export const placementsRequest = (
  placements: readonly { readonly pod: PodInfo; readonly node: string; readonly record: JsonObject }[],
  basis: number,
): ApiRequest => ({
  verb: 'create',
  group: '',
  resource: 'bindings',
  namespace: placements[0]!.pod.namespace,
  body: {
    kind: 'List',
    apiVersion: 'v1',
    items: placements.map(({ pod, node }) => bindingOf(pod, node)),
    decisions: placements.map(({ record }) => JSON.stringify(record)),
  },
  basis,
})

const bindingOf = ({ namespace, name, uid }: PodInfo, node: string): JsonObject => ({
  apiVersion: 'v1',
  kind: 'Binding',
  metadata: { namespace, name, uid },
  target: { kind: 'Node', name: node },
})

/** The PodScheduled condition of a pod object. */
export const scheduledCondition = ({ status }: Pod): PodCondition | undefined =>
  status.conditions?.find((condition) => condition.type === 'PodScheduled')

/**
 * Sets PodScheduled to False, or undefined when it says so already. With it the nominated node: a name, '' for none any more,
 * undefined for whatever it is.
 */
export function unschedulableRequest(
  object: Pod,
  message: string,
  nowMs: number,
  nominatedNode?: string,
): ApiRequest | undefined {
  const present = scheduledCondition(object)
  const same = present?.status === 'False'
  const isNominated = nominatedNode === undefined || nominatedNode === (object.status.nominatedNodeName ?? '')
  if (same && present.reason === 'Unschedulable' && present.message === message && isNominated) return undefined
  const { generation } = object.metadata
  return statusPatch(object.metadata, {
    ...(isNominated ? {} : { nominatedNodeName: nominatedNode || null }),
    conditions: [
      {
        type: 'PodScheduled',
        status: 'False',
        reason: 'Unschedulable',
        message,
        lastTransitionTime: same ? present.lastTransitionTime : rfc3339(nowMs),
        ...(generation === undefined ? {} : { observedGeneration: generation }),
      },
    ],
  })
}

/** What tells a pod from others: naming the uid makes a write fail for a pod of the same name that came later. */
interface PodReference {
  readonly name: string
  readonly namespace?: string
  readonly uid: string
}

const statusPatch = ({ name, namespace = '', uid }: PodReference, status: JsonObject): ApiRequest => ({
  verb: 'patch',
  ...pods,
  subresource: 'status',
  namespace,
  name,
  patchType: 'application/strategic-merge-patch+json',
  body: { metadata: { uid }, status },
})

/** Says of a victim why it goes. */
export const disruptionRequest = (victim: PodInfo, schedulerName: string, nowMs: number): ApiRequest =>
  statusPatch(victim, {
    conditions: [
      {
        type: 'DisruptionTarget',
        status: 'True',
        reason: 'PreemptionByScheduler',
        message: `${schedulerName}: preempting to accommodate a higher priority pod`,
        lastTransitionTime: rfc3339(nowMs),
        ...(victim.generation === undefined ? {} : { observedGeneration: victim.generation }),
      },
    ],
  })

export const evictionRequest = ({ namespace, name, uid }: PodInfo): ApiRequest => ({
  verb: 'delete',
  ...pods,
  namespace,
  name,
  body: { apiVersion: 'v1', kind: 'DeleteOptions', preconditions: { uid } },
})

export const clearNominationRequest = (pod: PodInfo): ApiRequest => statusPatch(pod, { nominatedNodeName: null })

export interface PodNote {
  readonly type: 'Normal' | 'Warning'
  readonly reason: 'Scheduled' | 'FailedScheduling' | 'Preempted'
  readonly action: 'Binding' | 'Scheduling' | 'Preempting'
  readonly message: string
  /** The other pod that it is about. */
  readonly related?: PodReference
}

/** Longest message of an Event object (upstream: NoteLengthLimit). */
const messageBytesMax = 1024

/** An Event object about a pod. `unique` tells apart those of the same instant. */
export const eventRequest = (
  { name, namespace = 'default', uid, resourceVersion }: PodReference & { readonly resourceVersion?: string },
  note: PodNote,
  reporter: { readonly controller: string; readonly instance: string; readonly nowMs: number; readonly unique: number },
): ApiRequest => {
  return {
    verb: 'create',
    group: '',
    resource: 'events',
    namespace,
    body: {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: eventName(name, reporter.nowMs, reporter.unique), namespace },
      involvedObject: {
        apiVersion: 'v1',
        kind: 'Pod',
        namespace,
        name,
        uid,
        ...(resourceVersion === undefined ? {} : { resourceVersion }),
      },
      ...(note.related
        ? {
            related: {
              apiVersion: 'v1',
              kind: 'Pod',
              namespace: note.related.namespace ?? 'default',
              name: note.related.name,
              uid: note.related.uid,
            },
          }
        : {}),
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
