// `GET pods/<name>/log`: what a container prints lies on its node, so the gateway asks the node's agent and passes on what
// it answers. Which container, and whether the question makes sense at all, is decided here, with upstream's sentences.
import { ApiError, badRequest, isApiError, type Status } from '@shiplog/api/status'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import type { Channel } from '@shiplog/events/bus/channel'
import type { GatewayRequest } from '../request/gateway-request.ts'
import type { Reader } from '../read/reader.ts'
import { containerOf, parsePodLogOptions } from './pod-log-options.ts'
import type { Tunnels } from './tunnels.ts'

export interface PodLogSource {
  /**
   * A channel that carries the log to the client; undefined when the pod has no node yet, and so nothing to show. Throws
   * ApiError.
   */
  open(request: GatewayRequest, signal: AbortSignal): Promise<Channel | undefined>
}

export const createPodLogSource = (deps: { readonly reader: Reader; readonly tunnels: Tunnels }): PodLogSource => ({
  open: (request, signal) => openPodLogs(deps, request, signal),
})

/** Containers print into no log that could be read as of a moment. */
export const noPodLogsOfThePast = (moment: string): PodLogSource => ({
  open: () =>
    Promise.reject(
      new ApiError(
        badRequest(`what containers print is not part of the cluster's log: there is none below /at/${moment}`),
      ),
    ),
})

async function openPodLogs(
  deps: { readonly reader: Reader; readonly tunnels: Tunnels },
  request: GatewayRequest,
  signal: AbortSignal,
): Promise<Channel | undefined> {
  const options = parsePodLogOptions(request.query, request.name)
  const pod = (await deps.reader.get(request.resource, request.namespace, request.name, undefined)).parse()
  const container = containerOf(pod, request.query.get('container') ?? '')
  const nodeName = String((pod['spec'] as JsonObject | undefined)?.['nodeName'] ?? '')
  if (nodeName === '') return undefined
  const { namespace, name } = request
  const uid = pod.metadata.uid ?? ''
  try {
    return await deps.tunnels.open(nodeName, { kind: 'logs', namespace, pod: name, uid, container, options }, signal)
  } catch (error) {
    if (isApiError(error) && error.status.reason === 'NotFound') {
      const why = whyUnknownToItsAgent(pod, container)
      if (why) throw new ApiError(why)
    }
    throw error
  }
}

/** The agent does not know a pod that exists: it has not heard of it yet, or it is not the agent's to run. */
function whyUnknownToItsAgent(pod: KubeObject, container: string): Status | undefined {
  const { name, annotations } = pod.metadata
  if (annotations?.['kubernetes.io/config.mirror'] !== undefined) {
    return badRequest(
      `pod "${name}" stands for a part of the control plane, which its node's agent does not run: what it prints is where that part was started`,
    )
  }
  const status = (pod['status'] ?? {}) as JsonObject
  if (status['phase'] !== 'Pending') return undefined
  return badRequest(`container "${container}" in pod "${name}" is waiting to start: ContainerCreating`)
}
