// When a node is short of something: thresholds as a kubelet's configuration writes them. Pure.
import { parseQuantity, quantityValue } from '@shiplog/api/quantity'

export const signals = [
  'memory.available',
  'nodefs.available',
  'nodefs.inodesFree',
  'imagefs.available',
  'imagefs.inodesFree',
  'pid.available',
] as const
export type Signal = (typeof signals)[number]

/** An amount, or a part of what there is. */
export type Amount = { readonly quantity: number } | { readonly fraction: number }

export interface Threshold {
  readonly signal: Signal
  readonly value: Amount
  /** How long it has to be met before it counts; 0: a hard one, which also ends pods at once. */
  readonly graceMs: number
  /** How much more than the threshold is to be had back. */
  readonly minimumReclaim?: Amount
}

export interface EvictionConfig {
  readonly thresholds: readonly Threshold[]
  /** A condition stays so long after it was last seen. */
  readonly transitionMs: number
  /** Grace of pods at soft thresholds at most. */
  readonly podGraceSecondsMax: number
}

/** By the names of the kubelet's flags: `memory.available<100Mi,nodefs.available<10%`. */
export interface EvictionFlags {
  readonly hard?: string
  readonly soft?: string
  readonly softGracePeriod?: string
  readonly minimumReclaim?: string
  readonly pressureTransitionPeriod?: string
  readonly maxPodGracePeriod?: string
}

/** A kubelet's. */
export const defaultHard = 'memory.available<100Mi,nodefs.available<10%,nodefs.inodesFree<5%,imagefs.available<15%,imagefs.inodesFree<5%'
const defaultTransition = '5m'

/** Throws with a sentence about what is wrong. */
export function evictionConfig(flags: EvictionFlags): EvictionConfig {
  const reclaims = new Map(statements(flags.minimumReclaim, '=').map(([signal, text]) => [signal, amountOf(signal, text)]))
  const periods = new Map(statements(flags.softGracePeriod, '=').map(([signal, text]) => [signal, durationMs(text)]))
  const soft = statements(flags.soft, '<').map(([signal, text]): Threshold => {
    const graceMs = periods.get(signal)
    if (graceMs === undefined) throw new Error(`grace period must be specified for the soft eviction threshold ${signal}`)
    return { signal, value: amountOf(signal, text), graceMs }
  })
  const hard = statements(flags.hard ?? defaultHard, '<').map(([signal, text]): Threshold => ({ signal, value: amountOf(signal, text), graceMs: 0 }))
  return {
    thresholds: [...hard, ...soft].map((threshold) => {
      const minimumReclaim = reclaims.get(threshold.signal)
      return minimumReclaim === undefined ? threshold : { ...threshold, minimumReclaim }
    }),
    transitionMs: durationMs(flags.pressureTransitionPeriod ?? defaultTransition),
    podGraceSecondsMax: wholeNumber(flags.maxPodGracePeriod ?? '0'),
  }
}

function statements(text: string | undefined, operator: '<' | '='): [Signal, string][] {
  const found = new Map<Signal, string>()
  for (const statement of (text ?? '').split(',').filter((part) => part.trim() !== '')) {
    const [name = '', value, ...rest] = statement.split(operator).map((part) => part.trim())
    if (!(signals as readonly string[]).includes(name)) throw new Error(`unsupported eviction signal ${name}`)
    if (value === undefined || rest.length > 0) throw new Error(`invalid eviction statement "${statement}": <signal>${operator}<value>, please`)
    if (found.has(name as Signal)) throw new Error(`duplicate eviction signal ${name}`)
    found.set(name as Signal, value)
  }
  return [...found]
}

function amountOf(signal: Signal, text: string): Amount {
  const [, percent] = /^(\d+(?:\.\d+)?)%$/.exec(text) ?? []
  if (percent !== undefined) {
    const fraction = Number(percent) / 100
    if (fraction > 1) throw new Error(`eviction percentage threshold ${signal} must be <= 100%: ${text}`)
    return { fraction }
  }
  try {
    const quantity = Number(quantityValue(parseQuantity(text)))
    if (quantity >= 0) return { quantity }
  } catch {
    // Told below.
  }
  throw new Error(`eviction threshold ${signal} must be a quantity or a percentage: ${text}`)
}

const wholeNumber = (text: string): number => {
  if (!/^\d{1,9}$/.test(text)) throw new Error(`a whole number, please: not ${text}`)
  return Number(text)
}

const units = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 } as const

/** `1m30s`, `500ms`: Go's form. Throws. */
export function durationMs(text: string): number {
  if (text === '0') return 0
  if (!/^(\d+(\.\d+)?(ms|s|m|h))+$/.test(text)) throw new Error(`a duration such as 5m or 1m30s, please: not ${text}`)
  return [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)].reduce((sum, [, count, unit]) => sum + Number(count) * units[unit as keyof typeof units], 0)
}

/** What a threshold is of a capacity. */
export const amountIn = (amount: Amount, capacity: number): number => ('quantity' in amount ? amount.quantity : Math.floor(amount.fraction * capacity))
