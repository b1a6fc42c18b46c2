// Event objects about pods (`kubectl describe pod` shows them): Pulled, Created, Started, Killing, BackOff. They are for
// people, so they are dropped rather than queued when more happens than a person could read.
import type { ApiClient } from '@shiplog/api/api-client'
import type { JsonObject } from '@shiplog/api/kube-object'
import type { FeedObject } from '@shiplog/events/object-feed'
import { type Clock, rfc3339 } from '@shiplog/runtime/clock'

export interface EventRecorder {
  pod(
    pod: FeedObject,
    nodeName: string,
    type: 'Normal' | 'Warning',
    reason: string,
    message: string,
    field?: string,
  ): void
}

export const silentRecorder: EventRecorder = { pod: () => undefined }

/** As many at once; after that this many a second. */
const burstMax = 60
const perSecond = 5
const inFlightMax = 32

export function createEventRecorder(deps: { readonly client: ApiClient; readonly clock: Clock }): EventRecorder {
  const { client, clock } = deps
  let tokens = burstMax
  let filledAtMs = clock.nowMs()
  let inFlight = 0

  const allowed = (): boolean => {
    const nowMs = clock.nowMs()
    tokens = Math.min(burstMax, tokens + ((nowMs - filledAtMs) / 1_000) * perSecond)
    filledAtMs = nowMs
    if (tokens < 1 || inFlight >= inFlightMax) return false
    tokens--
    return true
  }

  return {
    pod(pod, nodeName, type, reason, message, field) {
      if (!allowed()) return
      const nowMs = clock.nowMs()
      const { name, namespace = 'default', uid, resourceVersion } = pod.metadata
      const body: JsonObject = {
        apiVersion: 'v1',
        kind: 'Event',
        // Upstream's form: the object's name and a time in hexadecimal nanoseconds; the counter keeps them apart.
        metadata: { name: `${name}.${(nowMs * 1_000 + (serial++ % 1_000)).toString(16)}`, namespace },
        involvedObject: {
          apiVersion: 'v1',
          kind: 'Pod',
          name,
          namespace,
          uid,
          resourceVersion,
          ...(field ? { fieldPath: field } : {}),
        },
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
      inFlight++
      // An Event object that is refused (its namespace is going) or lost is no loss to the cluster.
      client
        .request({ verb: 'create', group: '', resource: 'events', namespace, body })
        .catch(() => undefined)
        .finally(() => inFlight--)
    },
  }
}

let serial = 0
