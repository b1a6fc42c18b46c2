// What simulated containers use: what the pod's annotations say at the moment, or else half of what each container requests.
import type { Container } from '@shiplog/api/generated/types/core-v1'
import { bytesOf, parseQuantity } from '@shiplog/api/quantity'
import type { ContainerUsage, PodUsage } from '@shiplog/api-client/wire/node-usage'
import { annotationPrefix } from '@shiplog/node/simulated-runtime'
import { containersOf } from '../pod-work.ts'
import { containerSpecOf } from './pod-facts.ts'
import type { HostedPod } from './pod-host.ts'

/** What is said to be used is used at once: nobody has to wait for a window to pass. */
const simulatedWindowMs = 1_000
/** Of containers that request nothing. */
const idleNanoCores = 1_000_000
const idleBytes = 16 * 1024 * 1024

/** The use of a pod's running containers; undefined when none runs. */
export function simulatedUsage({ uid, pod, work }: HostedPod, nowMs: number): PodUsage | undefined {
  const containers = containersOf(work).flatMap((container): ContainerUsage[] => {
    if (container.state.at !== 'running') return []
    const { name } = container
    const said = (key: string): string | undefined => {
      const annotations = pod.metadata.annotations ?? {}
      return annotations[`${annotationPrefix}${key}.${name}`] ?? annotations[`${annotationPrefix}${key}`]
    }
    const spec = containerSpecOf({ pod }, container)
    return [
      {
        name,
        cpuNanoCores: amount(said('cpu-usage'), nanoOf) ?? half(spec, 'cpu', nanoOf) ?? idleNanoCores,
        memoryWorkingSetBytes: amount(said('memory-usage'), bytesOf) ?? half(spec, 'memory', bytesOf) ?? idleBytes,
      },
    ]
  })
  return containers.length === 0 ? undefined : { uid, containers, atMs: nowMs, windowMs: simulatedWindowMs }
}

const nanoOf = (text: string): number => Number(parseQuantity(text).nano)

/** What is no quantity says nothing. */
function amount(text: string | undefined, read: (text: string) => number): number | undefined {
  if (text === undefined) return undefined
  try {
    return Math.max(0, read(text))
  } catch {
    return undefined
  }
}

function half(spec: Pick<Container, 'resources'>, resource: string, read: (text: string) => number): number | undefined {
  const requested = amount(spec.resources?.requests?.[resource], read)
  return requested === undefined ? undefined : requested / 2
}
