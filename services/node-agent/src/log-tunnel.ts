// Logs through a tunnel: which attempt of a container is meant, with the kubelet's sentences when there is none, and its
// lines sent no faster than the client takes them.
import { badRequest, notFound, type Status } from '@shiplog/api/status'
import { type LogOptions, type LogTunnelRequest, tunnelChunkBytesMax } from '@shiplog/api-client/wire/tunnel-request'
import type { Channel, ChannelVerdict } from '@shiplog/events/bus/channel'
import { type ContainerLogQuery, readContainerLog } from '@shiplog/node/container-log-reader'
import type { Clock } from '@shiplog/runtime/clock'
import type { PodHost } from './hosts/pod-host.ts'
import { containersOf, type ContainerWork, type PodWork } from './pod-work.ts'
import { refuse, type TunnelHandlers } from './tunnels.ts'

/** A pod as the agent knows it. */
export interface KnownPod {
  readonly namespace: string
  readonly name: string
  readonly uid: string
  readonly nodeName: string
  readonly work: PodWork
}

export interface LogTunnelDeps {
  readonly host: Pick<PodHost, 'logs' | 'version'>
  readonly clock: Clock
  /** Undefined for a pod that the agent does not look after. */
  readonly find: (uid: string) => KnownPod | undefined
}

/** Answers requests for logs. */
export function createLogTunnel({ host, clock, find }: LogTunnelDeps): TunnelHandlers['logs'] {
  return (request, nodeName): ChannelVerdict => {
    const { namespace, pod: name, uid, container: containerName, options } = request
    const pod = find(uid)
    if (pod?.nodeName !== nodeName || pod.namespace !== namespace || pod.name !== name) {
      return refuse(notFound({ group: '', resource: 'pods' }, name))
    }
    const container = containersOf(pod.work).find((candidate) => candidate.name === containerName)
    const attempt = container ? attemptToShow(container, name, options.previous) : notAvailable(request)
    if (typeof attempt !== 'number') return refuse(attempt)
    if (!host.logs) {
      return refuse(
        badRequest(
          `container "${containerName}" in pod "${name}" is simulated (${host.version.split(':')[0]}): it prints nothing, so it has no logs`,
        ),
      )
    }
    const log = {
      directory: host.logs.logDirectory({ namespace, name, uid: pod.uid }, containerName),
      restartCount: attempt,
      isRunning: () => find(uid)?.work === pod.work && runs(container!, attempt),
    }
    const query = queryOf(options, clock.nowMs())
    return {
      serve: async (channel) => {
        for await (const bytes of readContainerLog(log, query, { clock, signal: channel.closed })) {
          await sendWhole(channel, bytes)
        }
      },
    }
  }
}

async function sendWhole(channel: Channel, bytes: Uint8Array): Promise<void> {
  const step = Math.min(tunnelChunkBytesMax, channel.messageBytesMax)
  for (let at = 0; at < bytes.length; at += step) await channel.send(bytes.subarray(at, at + step))
}

const runs = (container: ContainerWork, attempt: number): boolean =>
  container.restartCount === attempt && container.state.at === 'running'

const notAvailable = ({ container, pod }: LogTunnelRequest): Status =>
  badRequest(`container "${container}" in pod "${pod}" is not available`)

/** The attempt whose output is meant, or why there is none: the kubelet's validateContainerLogStatus. */
export function attemptToShow(container: ContainerWork, podName: string, previous: boolean): number | Status {
  const { state, lastState, restartCount } = container
  const what = `container "${container.name}" in pod "${podName}"`
  if (previous) {
    if (!lastState) {
      return badRequest(`previous terminated container "${container.name}" in pod "${podName}" not found`)
    }
    // Between two attempts the last one is the previous one already.
    return state.at === 'waiting' ? restartCount : Math.max(0, restartCount - 1)
  }
  if (state.at !== 'waiting' || lastState) return restartCount
  switch (state.reason) {
    case 'ErrImagePull':
      return badRequest(`${what} is waiting to start: image can't be pulled`)
    case 'ImagePullBackOff':
      return badRequest(`${what} is waiting to start: trying and failing to pull image`)
    default:
      return badRequest(`${what} is waiting to start: ${state.reason}`)
  }
}

function queryOf(options: LogOptions, nowMs: number): ContainerLogQuery {
  const { follow, timestamps, tailLines, limitBytes, sinceSeconds, sinceTimeMs, stream } = options
  const sinceMs = sinceSeconds === undefined ? sinceTimeMs : nowMs - sinceSeconds * 1_000
  return {
    follow,
    timestamps,
    ...(tailLines === undefined ? {} : { tailLines }),
    ...(limitBytes === undefined ? {} : { limitBytes }),
    ...(sinceMs === undefined ? {} : { sinceMs }),
    ...(stream === 'All' ? {} : { stream: stream === 'Stdout' ? 'stdout' : 'stderr' }),
  }
}
