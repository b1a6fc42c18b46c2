// Which pod goes first when something is short, and what it is told: upstream's order and sentences. Pure.
import type { Container, Pod } from '@shiplog/api/generated/types/core-v1'
import { bytesOf, formatQuantity, quantityOf } from '@shiplog/api/quantity'
import { type Observations, type Resource, resourceOf } from './pressure.ts'
import { amountIn, type Threshold } from './thresholds.ts'

/** What a pod uses; by container where containers can be told apart. */
export interface PodUse {
  readonly memoryBytes: number
  /** Of the node's storage: what containers wrote, output, volumes on disk. */
  readonly diskBytes: number
  readonly inodes: number
  readonly processes: number
  readonly containers: readonly { readonly name: string; readonly memoryBytes: number; readonly diskBytes: number; readonly inodes: number }[]
  readonly volumes: readonly { readonly name: string; readonly usedBytes: number }[]
}

export interface Candidate {
  readonly pod: Pod
  readonly use: PodUse | undefined
}

const systemCriticalPriority = 2_000_000_000

/** Nobody ends these: the node's own, and what the cluster cannot do without. */
export const isCritical = ({ metadata, spec }: Pod): boolean =>
  (spec.priority ?? 0) >= systemCriticalPriority || ['kubernetes.io/config.source', 'kubernetes.io/config.mirror'].some((name) => (metadata.annotations?.[name] ?? 'api') !== 'api')

const requestOf = ({ spec }: Pod, resource: string): number => {
  const whole = spec.resources?.requests?.[resource]
  if (whole !== undefined) return bytesOf(String(whole))
  const of = ({ resources }: Container): number => bytesOf(String(resources?.requests?.[resource] ?? '0'))
  const inits = spec.initContainers ?? []
  const beside = inits.filter(({ restartPolicy }) => restartPolicy === 'Always')
  const sum = [...(spec.containers ?? []), ...beside].reduce((total, container) => total + of(container), 0)
  return Math.max(sum, ...inits.map(of)) + bytesOf(String(spec.overhead?.[resource] ?? '0'))
}

const usageOf = (use: PodUse, resource: Resource): number =>
  ({ memory: use.memoryBytes, 'ephemeral-storage': use.diskBytes, inodes: use.inodes, pids: use.processes })[resource]

/** The first one goes first: of those that use more than they asked for, by priority, by how much more. */
export function rank<One extends Candidate>(candidates: readonly One[], resource: Resource): One[] {
  const over = ({ pod, use }: One): number => (use === undefined ? Number.POSITIVE_INFINITY : usageOf(use, resource) - requestOf(pod, resource))
  const priority = ({ pod }: One): number => pod.spec.priority ?? 0
  const compare = (a: number, b: number): number => (a === b ? 0 : a < b ? -1 : 1)
  return [...candidates].sort((a, b) => {
    // How many processes a pod may have is not asked for.
    const exceeds = resource === 'pids' ? 0 : compare(Number(over(b) > 0), Number(over(a) > 0))
    return exceeds || compare(priority(a), priority(b)) || compare(over(b), over(a))
  })
}

const text = (amount: number): string => formatQuantity(quantityOf(BigInt(Math.floor(amount)), 'BinarySI'))

/** What is said of the eviction, on the pod and in its event. */
export function evictionMessage(resource: Resource, { pod, use }: Candidate, thresholds: readonly Threshold[], observed: Observations): string {
  const threshold = thresholds.find(({ signal }) => resourceOf(signal) === resource)
  const found = threshold && observed.get(threshold.signal)
  const parts = [`The node was low on resource: ${resource}. `]
  if (threshold && found) parts.push(`Threshold quantity: ${text(amountIn(threshold.value, found.capacity))}, available: ${text(found.available)}. `)
  const specs = [...(pod.spec.containers ?? []), ...(pod.spec.initContainers ?? [])]
  for (const container of use?.containers ?? []) {
    const spec = specs.find(({ name }) => name === container.name)
    if (spec === undefined || (resource !== 'memory' && resource !== 'ephemeral-storage')) continue
    const used = resource === 'memory' ? container.memoryBytes : container.diskBytes
    const request = String(spec.resources?.requests?.[resource] ?? '0')
    if (used > bytesOf(request)) parts.push(`Container ${container.name} was using ${text(used)}, request is ${request}, has larger consumption of ${resource}. `)
  }
  return parts.join('')
}

/** Why a pod that takes more of the node's storage than it may has to go; undefined: it does not. */
export function storageExcess({ pod, use }: Candidate): string | undefined {
  if (use === undefined) return undefined
  for (const { name, emptyDir } of pod.spec.volumes ?? []) {
    const limit = emptyDir?.sizeLimit === undefined ? 0 : bytesOf(String(emptyDir.sizeLimit))
    const used = use.volumes.find((volume) => volume.name === name)?.usedBytes
    if (limit > 0 && used !== undefined && used > limit) return `Usage of EmptyDir volume "${name}" exceeds the limit "${String(emptyDir!.sizeLimit)}". `
  }
  const limits = (pod.spec.containers ?? []).flatMap(({ name, resources }) => {
    const limit = resources?.limits?.['ephemeral-storage']
    return limit === undefined ? [] : [{ name, limit: String(limit), bytes: bytesOf(String(limit)) }]
  })
  const total = limits.reduce((sum, { bytes }) => sum + bytes, 0)
  if (limits.length > 0 && use.diskBytes > total) {
    const whole = limits.length === 1 ? limits[0]!.limit : text(total)
    return `Pod ephemeral local storage usage exceeds the total limit of containers ${whole}. `
  }
  for (const { name, limit, bytes } of limits) {
    const used = use.containers.find((container) => container.name === name)?.diskBytes ?? 0
    if (bytes > 0 && used > bytes) return `Container ${name} exceeded its local ephemeral storage limit "${limit}". `
  }
  return undefined
}
