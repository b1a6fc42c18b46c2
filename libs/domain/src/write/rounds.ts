// Decisions about one matter by several who do not ask each other: the guard of the matter holds the round that decided last,
// and what was claimed. A decision is refused when another round's came in between that it could not see, unless both made
// claims and these fit together. Pure.
import type { Claim, Once } from '@shiplog/api/api-client'

/** Claims of a matter that are remembered; who has not seen the one before them must decide anew. */
export const claimsRemembered = 32

/** One record of a guard. */
export interface GuardRecord {
  readonly sequence: number
  /** The record before it of the same guard; 0 when there is none. */
  readonly previous: number
  /** As stored. */
  readonly holder: string
}

/** What a guard's payload says: `<round> <sequence at which others held it last> [<claim>]`. */
interface Held {
  readonly round: string
  readonly othersAt: number
  readonly claim: Pick<Claim, 'order' | 'take'> | undefined
}

function readHeld(holder = ''): Held {
  const [round = '', othersAt, claim] = holder.split(' ')
  return { round, othersAt: Number(othersAt) || 0, claim: claim ? (JSON.parse(claim) as Claim) : undefined }
}

/** Whether a guard's payload carries a claim, and is worth remembering. */
export const carriesClaim = (holder: string): boolean => holder.endsWith('}')

/** What the guard should hold after this decision, or the sequence that the decision has to see before it is made again. */
export function decideOnce(
  once: Once,
  basis: number,
  guard: (GuardRecord & { readonly recent: readonly GuardRecord[] }) | undefined,
): { readonly holder: string } | { readonly seeFirst: number } {
  const last = readHeld(guard?.holder)
  // What others stored last: before this round took the guard, or with the guard itself.
  const othersAt = !guard || last.round === once.round ? last.othersAt : guard.sequence
  if (othersAt > basis && !fits(once, basis, guard!.recent)) return { seeFirst: othersAt }
  const claim = once.claim ? ` ${JSON.stringify({ order: once.claim.order, take: once.claim.take })}` : ''
  return { holder: `${once.round} ${othersAt}${claim}` }
}

/** Whether what was claimed after the basis, and was not reckoned with, leaves enough. */
function fits({ round, claim }: Once, basis: number, recent: readonly GuardRecord[]): boolean {
  const [oldest] = recent
  // Something may have been claimed after the basis that is not remembered.
  if (claim === undefined || oldest === undefined || (oldest.sequence > basis && oldest.previous > basis)) return false
  const taken: Record<string, number> = {}
  for (const { sequence, holder } of recent) {
    if (sequence <= basis) continue
    const held = readHeld(holder)
    if (held.claim === undefined) return false
    if (held.round === round && held.claim.order < claim.order) continue
    for (const [name, amount] of Object.entries(held.claim.take)) taken[name] = (taken[name] ?? 0) + amount
  }
  return Object.keys(claim.take).every((name) => (taken[name] ?? 0) <= (claim.room[name] ?? 0))
}

/** A request's matters one by one. */
export const mattersOf = ({ also = [], ...once }: Once): readonly Once[] => [
  once,
  ...also.map((matter) => ({ matter, round: once.round })),
]

/** Reads the headers of a request; undefined when they say nothing that can be used. */
export function readOnce(text: string, others = ''): Once | undefined {
  const [round, matter, json] = text.split(' ')
  if (!round || !matter) return undefined
  const matters = others.split(' ').filter(Boolean).sort()
  const also = matters.length > 0 ? { also: matters } : {}
  if (!json) return { round, matter, ...also }
  const claim = readClaim(json)
  return claim && { round, matter, claim, ...also }
}

const isAmounts = (value: unknown): value is Readonly<Record<string, number>> =>
  typeof value === 'object' && value !== null && Object.values(value).every((amount) => Number.isFinite(amount))

function readClaim(json: string): Claim | undefined {
  try {
    const { order, take, room } = JSON.parse(json) as Claim
    return Number.isFinite(order) && isAmounts(take) && isAmounts(room) ? { order, take, room } : undefined
  } catch {
    return undefined
  }
}
