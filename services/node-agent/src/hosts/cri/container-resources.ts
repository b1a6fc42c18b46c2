// From requests and limits of containers to what the kernel is told, with upstream's numbers. Pure.
import type { Container, Pod, ResourceRequirements } from '@shiplog/api/generated/types/core-v1'
import { bytesOf, milliOf } from '@shiplog/api/quantity'
import type { LinuxResourcesMessage } from '@shiplog/node/cri/cri-messages'

const sharesPerCore = 1_024
const sharesMin = 2
const periodMicroseconds = 100_000
const quotaMicrosecondsMin = 1_000
const oomGuaranteed = -997
const oomBestEffort = 1_000
const oomRange = { min: 3, max: 999 }

type Qos = 'Guaranteed' | 'Burstable' | 'BestEffort'

const quantity = (list: Readonly<Record<string, unknown>> | undefined, name: string): string | undefined => {
  const value = list?.[name]
  return value === undefined ? undefined : String(value)
}

const sharesOf = (milli: number): number => Math.max(sharesMin, Math.floor((milli * sharesPerCore) / 1_000))

const quotaOf = (milli: number): number => Math.max(quotaMicrosecondsMin, Math.floor((milli * periodMicroseconds) / 1_000))

/** The class that the API has worked out, else what the spec says of itself. */
export const qosOf = ({ status, spec }: Pod): Qos => (status?.qosClass as Qos | undefined) ?? qosOfSpec(spec)

function qosOfSpec({ containers, initContainers = [] }: Pod['spec']): Qos {
  const all = [...(containers ?? []), ...initContainers]
  const set = all.some(({ resources }) => Object.keys({ ...resources?.requests, ...resources?.limits }).length > 0)
  if (!set) return 'BestEffort'
  const exact = all.every(({ resources }) =>
    ['cpu', 'memory'].every((name) => {
      const limit = quantity(resources?.limits, name)
      const request = quantity(resources?.requests, name) ?? limit
      return limit !== undefined && request === limit
    }),
  )
  return exact ? 'Guaranteed' : 'Burstable'
}

export function oomScoreOf(pod: Pod, container: Pick<Container, 'resources'>, memoryCapacityBytes: number): number {
  const qos = qosOf(pod)
  if (qos === 'Guaranteed') return oomGuaranteed
  if (qos === 'BestEffort') return oomBestEffort
  const request = bytesOf(quantity(container.resources?.requests, 'memory') ?? '0')
  const score = 1_000 - Math.floor((1_000 * request) / memoryCapacityBytes)
  return Math.min(oomRange.max, Math.max(oomRange.min, score))
}

/** Of one container; a limit that is absent is no limit. */
export function linuxResources(resources: ResourceRequirements | undefined): LinuxResourcesMessage {
  const requestedCpu = quantity(resources?.requests, 'cpu')
  const limitedCpu = quantity(resources?.limits, 'cpu')
  const memory = bytesOf(quantity(resources?.limits, 'memory') ?? '0')
  const shares = requestedCpu ?? limitedCpu
  const limitMilli = milliOf(limitedCpu ?? '0')
  return {
    cpuShares: sharesOf(shares === undefined ? 0 : milliOf(shares)),
    cpuPeriod: periodMicroseconds,
    ...(limitMilli > 0 ? { cpuQuota: quotaOf(limitMilli) } : {}),
    ...(memory > 0 ? { memoryLimitInBytes: memory } : {}),
  }
}

/** Of the pod as a whole: its containers beside each other. */
export function podResources({ spec }: Pod): LinuxResourcesMessage {
  const containers = spec.containers ?? []
  const sidecars = (spec.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === 'Always')
  const all = [...containers, ...sidecars]
  const sum = (list: 'requests' | 'limits', name: string, unit: (text: string) => number): number | undefined => {
    const values = all.map(({ resources }) => quantity(resources?.[list], name))
    if (list === 'limits' && values.some((value) => value === undefined)) return undefined
    return values.reduce((total, value) => total + unit(value ?? '0'), 0)
  }
  const limitMilli = sum('limits', 'cpu', milliOf)
  const memory = sum('limits', 'memory', bytesOf)
  return {
    cpuShares: sharesOf(sum('requests', 'cpu', milliOf) ?? 0),
    cpuPeriod: periodMicroseconds,
    ...(limitMilli ? { cpuQuota: quotaOf(limitMilli) } : {}),
    ...(memory ? { memoryLimitInBytes: memory } : {}),
  }
}
