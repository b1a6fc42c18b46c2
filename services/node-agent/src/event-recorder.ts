// Event objects about pods (`kubectl describe pod` shows them): Pulled, Created, Started, Killing, BackOff. They are for
// people, so they are dropped rather than queued when more happens than a person could read.
import type { ApiClient, ApiRequest } from '@shiplog/api/api-client'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import { type Clock, rfc3339 } from '@shiplog/runtime/clock'

export interface EventRecorder {
  pod(
    pod: KubeObject,
    nodeName: string,
    type: 'Normal' | 'Warning',
    reason: string,
    message: string,
    field?: string,
  ): void
  /** About the node itself; upstream calls it by its name where its uid should be. */
  node(nodeName: string, type: 'Normal' | 'Warning', reason: string, message: string): void
}

export const silentRecorder: EventRecorder = { pod: () => undefined, node: () => undefined }

/** As many at once; after that this many a second. */
const burstMax = 60
const perSecond = 5
const inFlightMax = 32

/** The same thing said again is the same Event object with a higher count, for as long as it is among the last so many. */
const rememberedMax = 2_000

interface InvolvedObject {
  readonly apiVersion?: string
  readonly kind: string
  readonly name: string
  readonly namespace?: string
  readonly uid: string
  readonly resourceVersion?: string
  readonly fieldPath?: string
}

interface Remembered {
  readonly name: string
  readonly namespace: string
  count: number
}

export function createEventRecorder(deps: { readonly client: ApiClient; readonly clock: Clock }): EventRecorder {
  const { client, clock } = deps
  const remembered = new Map<string, Remembered>()
  let tokens = burstMax
  let filledAtMs = clock.nowMs()
  let inFlight = 0
  let serial = 0

  const allowed = (): boolean => {
    const nowMs = clock.nowMs()
    tokens = Math.min(burstMax, tokens + ((nowMs - filledAtMs) / 1_000) * perSecond)
    filledAtMs = nowMs
    if (tokens < 1 || inFlight >= inFlightMax) return false
    tokens--
    return true
  }

  const send = (request: ApiRequest, key: string): void => {
    inFlight++
    // An Event object that is refused (its namespace is going) or lost is no loss to the cluster.
    client
      .request({ ...request, group: '', resource: 'events', query: { fieldManager: 'kubelet' } })
      .then(
        (result) => {
          if (!result.ok) remembered.delete(key)
        },
        () => remembered.delete(key),
      )
      .finally(() => inFlight--)
  }

  const record = (involved: InvolvedObject, namespace: string, nodeName: string, type: 'Normal' | 'Warning', reason: string, message: string): void => {
      if (!allowed()) return
      const nowMs = clock.nowMs()
      const { name, uid, fieldPath: field } = involved
      const key = `${uid} ${reason} ${field ?? ''} ${message}`
      const known = remembered.get(key)
      if (known) {
        known.count++
        send(
          {
            verb: 'patch',
            group: '',
            resource: 'events',
            namespace,
            name: known.name,
            patchType: 'application/merge-patch+json',
            body: { count: known.count, lastTimestamp: rfc3339(nowMs) },
          },
          key,
        )
        return
      }
      // Upstream's form: the object's name and a time in hexadecimal nanoseconds; the counter keeps them apart.
      const eventName = `${name}.${(nowMs * 1_000 + (serial++ % 1_000)).toString(16)}`
      remembered.set(key, { name: eventName, namespace, count: 1 })
      if (remembered.size > rememberedMax) remembered.delete(remembered.keys().next().value!)
      const body: JsonObject = {
        apiVersion: 'v1',
        kind: 'Event',
        metadata: { name: eventName, namespace },
        involvedObject: { ...involved },
        type,
        reason,
        message,
        source: { component: 'kubelet', host: nodeName },
        reportingComponent: 'kubelet',
        reportingInstance: nodeName,
        firstTimestamp: rfc3339(nowMs),
        lastTimestamp: rfc3339(nowMs),
        count: 1,
      }
      send({ verb: 'create', group: '', resource: 'events', namespace, body }, key)
  }

  return {
    pod(pod, nodeName, type, reason, message, field) {
      const { name, namespace = 'default', uid, resourceVersion } = pod.metadata
      const more = { ...(resourceVersion === undefined ? {} : { resourceVersion }), ...(field ? { fieldPath: field } : {}) }
      record({ apiVersion: 'v1', kind: 'Pod', name, namespace, uid: uid ?? '', ...more }, namespace, nodeName, type, reason, message)
    },
    node(name, type, reason, message) {
      record({ kind: 'Node', name, uid: name }, 'default', name, type, reason, message)
    },
  }
}
