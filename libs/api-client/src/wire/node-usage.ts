// What the agent of a node says of its use, for all gateways: one message a period on `use.<node>`, which nobody answers and
// nothing keeps. The subject says whose it is. Any kind of node can fill it: a simulated one from annotations, a real one
// from its runtime's measurements.
import { decodeToken, encodeToken } from '@shiplog/events/subjects'

/** From report to report. */
export const usagePeriodMs = 15_000
/** Reports older than this say nothing any more: the agent is gone, or cannot be heard. */
export const usageExpiresMs = 4 * usagePeriodMs

/** What one container used. */
export interface ContainerUsage {
  readonly name: string
  /** Billionths of a core, on average over the window. */
  readonly cpuNanoCores: number
  readonly memoryWorkingSetBytes: number
}

export interface PodUsage {
  readonly uid: string
  readonly containers: readonly ContainerUsage[]
  /** The end of the window. */
  readonly atMs: number
  readonly windowMs: number
}

/** One report. `node`: all that the machine uses; the sum of its pods when absent. */
export interface NodeUsage {
  readonly node?: Omit<ContainerUsage, 'name'>
  readonly pods: readonly PodUsage[]
  readonly atMs: number
  readonly windowMs: number
}

export const usageSubject = (node: string): string => `use.${encodeToken(node)}`
export const usageFilter = 'use.*'

/** The node whose report it is; undefined for what is no such subject. */
export function nodeOfUsage(subject: string): string | undefined {
  const token = /^use\.([^.]+)$/.exec(subject)?.[1]
  if (token === undefined) return undefined
  try {
    const node = decodeToken(token)
    return node !== '' && encodeToken(node) === token ? node : undefined
  } catch {
    return undefined
  }
}

export const encodeUsage = (usage: NodeUsage): Uint8Array => Buffer.from(JSON.stringify(usage))

/** Reads what came over the bus; undefined when it is no report. */
export function decodeUsage(payload: Uint8Array): NodeUsage | undefined {
  let value: unknown
  try {
    value = JSON.parse(Buffer.from(payload.buffer, payload.byteOffset, payload.length).toString())
  } catch {
    return undefined
  }
  if (!isRecord(value) || !hasTimes(value)) return undefined
  const { node, pods, atMs, windowMs } = value as typeof value & { readonly pods?: unknown; readonly node?: unknown }
  if (node !== undefined && !isUsage(node)) return undefined
  if (!Array.isArray(pods) || !pods.every(isPodUsage)) return undefined
  return { pods, atMs, windowMs, ...(node === undefined ? {} : { node }) }
}

type Fields = Readonly<Record<string, unknown>>

const isRecord = (value: unknown): value is Fields => typeof value === 'object' && value !== null && !Array.isArray(value)
const isAmount = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value) && value >= 0
const hasTimes = (value: Fields): value is Fields & { readonly atMs: number; readonly windowMs: number } => {
  const { atMs, windowMs } = value
  return isAmount(atMs) && isAmount(windowMs)
}
const isUsage = (value: unknown): value is Omit<ContainerUsage, 'name'> => {
  if (!isRecord(value)) return false
  const { cpuNanoCores, memoryWorkingSetBytes } = value
  return isAmount(cpuNanoCores) && isAmount(memoryWorkingSetBytes)
}
const isPodUsage = (value: unknown): value is PodUsage => {
  if (!isRecord(value) || !hasTimes(value)) return false
  const { uid, containers } = value as Fields
  return typeof uid === 'string' && Array.isArray(containers) && containers.every(isContainerUsage)
}
const isContainerUsage = (value: unknown): value is ContainerUsage =>
  isUsage(value) && typeof (value as { name?: unknown }).name === 'string'
