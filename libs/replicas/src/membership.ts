// The protocol by which replicas of a component divide its keys, as a pure state machine: lists of Leases and answers to
// writes go in, what to write next and which views to heed come out. Time is an argument.
//
// Each replica has a Lease, and in it the *view* (member ids) by which it divides the keys, numbered by a *turn*. The rule:
// a replica works on a key only if all these views give it the key: its own as it means it to be, its own as a list showed
// it, those that it sent and of which nobody knows whether they were stored, and that of every other member that lives.
//
// Why no key ever has two workers. Say A and B both work on K, and the list that B's work rests on was made after A's.
// From A's list on, every view that A's Lease can hold gives K to A (else A would not work on it), so B's list shows a view
// of A by which K is not B's; B heeds it unless it holds A for dead. It does so only when a list that was *asked* a lease's
// length after A's last change was seen here shows no change: that change was sent before it was seen, and A stops by
// itself `fenceMarginMs` earlier, counted from when it sent it. A renewal that was answered only after that point does not
// count: A holds nothing then, and joins anew, with an empty view and a new turn. Clocks need not agree, only run alike.
//
// A view that takes keys away from its owner is written only after the owner has let go of them.
import { distinctViews, type MemberView, sameView } from './shares.ts'

export const leaseDurationMs = 4_000
/** A member stops this long before others may hold it for dead: what it sent last has arrived by then. */
export const fenceMarginMs = 500
export const renewEveryMs = 1_000
/** How often one that joins shows that it lives. */
export const renewJoiningEveryMs = 250
/** How often the others are looked at, and how often while something moves. */
export const lookEveryMs = 500
export const lookMovingEveryMs = 100
/** How long the Leases of those who ended are kept for people to see. */
export const releasedKeptMs = 10_000
export const deadKeptMs = 300_000

/** A member's Lease, as a list shows it. */
export interface MemberLease {
  readonly id: string
  /** The resourceVersion. */
  readonly version: string
  /** Given up in order. */
  readonly released: boolean
  readonly turn: number
  readonly view: MemberView
}

/** What the own Lease should say. */
export interface LeaseDraft {
  /** The version that it replaces; undefined makes it. */
  readonly version: string | undefined
  readonly turn: number
  readonly view: MemberView
}

interface Peer {
  /** '' when what is known is from before this replica joined anew. */
  version: string
  view: MemberView
  released: boolean
  /** When its last change was seen here. */
  seenMs: number
  /** It was seen to change since this replica joined: it surely lived then. */
  moved: boolean
  dead: boolean
}

/** What may be deleted: Leases of members that ended long ago. */
export interface Remains {
  readonly id: string
  readonly version: string
}

export interface Membership {
  /** Takes in a list that was asked at `askedMs`. */
  listed(leases: readonly MemberLease[], askedMs: number, nowMs: number): void
  /** The view that should be adopted next; undefined while the present one is right, or nothing is known yet. */
  wanted(nowMs: number): MemberView | undefined
  /** From now on the keys that another view takes away are not worked on any more; undefined: they are kept after all. */
  beginToLetGo(view: MemberView | undefined): void
  /** They have been let go: the view goes into the next draft. */
  adopt(view: MemberView): void
  /** What to write now; undefined when nothing is due. Whoever asks writes it. */
  draft(nowMs: number): LeaseDraft | undefined
  /** A write of the last draft, sent at `sentMs`, was stored as this version. */
  written(version: string, sentMs: number, nowMs: number): void
  /** A write was refused: somebody else has touched the Lease, or deleted it. */
  refused(): void
  /** The views that all have to name this replica; none when it may work on nothing. Time is not looked at. */
  views(): readonly MemberView[]
  /** Nothing is sent from then on, unless a renewal moves it. */
  readonly validUntilMs: number
  /** Grows when the replica joins anew: what was decided before is not to be sent any more. */
  readonly joinTurn: number
  /** When to look next. */
  nextLookMs(nowMs: number): number
  /** In the view of all, with nothing that moves. */
  settled(nowMs: number): boolean
  /** The members by the present view. */
  readonly members: MemberView
  remains(nowMs: number): readonly Remains[]
}

const nobody: MemberView = []

/** A member that has not joined yet. */
export function createMembership(id: string): Membership {
  const peers = new Map<string, Peer>()
  /** What this replica means its Lease to say. */
  let view: MemberView = nobody
  let turn = 1
  /** Lists that show an older turn are from before this replica joined (anew). */
  let joinTurn = 1
  /** The Lease's version as last known, and whether it is up to date. */
  let version: string | undefined
  let stale = true
  /** The own view in the last list. */
  let shown: MemberView | undefined
  /** Views that were sent since the Lease's version last moved. */
  let sent: MemberView[] = []
  let lettingGo: MemberView | undefined
  let validUntilMs = 0
  let lastSentMs = Number.NEGATIVE_INFINITY
  let changed = true
  let listedMs: number | undefined

  /** Something was overslept: whatever was held may be another's by now. */
  function joinAnew(nowMs: number): void {
    view = nobody
    joinTurn = ++turn
    shown = undefined
    lettingGo = undefined
    changed = true
    validUntilMs = 0
    for (const peer of peers.values()) {
      peer.version = ''
      peer.dead = false
      peer.seenMs = nowMs
    }
  }

  const lapsed = (nowMs: number): boolean => view.length > 0 && nowMs >= validUntilMs

  const isLive = (peer: Peer): boolean => !peer.dead && !peer.released
  const others = (): [string, Peer][] => [...peers].filter(([, peer]) => isLive(peer))

  const heeded = (): readonly MemberView[] => {
    if (view.length === 0 || shown === undefined || listedMs === undefined) return []
    const own = [view, shown, ...sent, ...(lettingGo ? [lettingGo] : [])]
    // A member without a view works on nothing and has no opinion.
    const theirs = others().flatMap(([, peer]) => (peer.view.length > 0 ? [peer.view] : []))
    return distinctViews([...own, ...theirs])
  }

  const target = (): MemberView =>
    [id, ...others().flatMap(([other, peer]) => (peer.view.length > 0 ? [other] : []))].sort()

  function settled(nowMs: number): boolean {
    const views = heeded()
    return views.length === 1 && !changed && nowMs < validUntilMs && sameView(views[0]!, target())
  }

  return {
    listed(leases, askedMs, nowMs) {
      if (lapsed(nowMs)) {
        joinAnew(nowMs)
        // Asked before the pause, perhaps: the next one tells.
        return
      }
      const found = new Map(leases.map((lease) => [lease.id, lease]))
      const own = found.get(id)
      found.delete(id)
      if (own) {
        if (version !== own.version) sent = []
        version = own.version
        if (own.turn >= joinTurn) shown = own.view
      } else {
        version = undefined
        sent = []
        // It was deleted by somebody: the others may think what they like.
        if (view.length > 0) joinAnew(nowMs)
      }
      stale = false
      listedMs = askedMs
      for (const [other, lease] of found) {
        const known = peers.get(other)
        if (known?.version === lease.version) {
          if (askedMs - known.seenMs > leaseDurationMs) known.dead = true
          continue
        }
        peers.set(other, {
          version: lease.version,
          view: lease.view,
          released: lease.released,
          seenMs: nowMs,
          moved: known !== undefined && known.version !== '',
          dead: false,
        })
      }
      // One whose Lease is gone without having been given up may still be at work.
      for (const [other, peer] of peers) {
        if (found.has(other)) continue
        if (peer.released || peer.dead || askedMs - peer.seenMs > leaseDurationMs) peers.delete(other)
      }
    },

    wanted(nowMs) {
      if (listedMs === undefined || stale || lapsed(nowMs)) return undefined
      if (view.length === 0) {
        // Joins when it knows of everyone whether they live, so that nobody waits for the dead together with it; and when
        // its Lease is there, so that it is held from then on.
        if (shown === undefined || nowMs >= validUntilMs) return undefined
        if (others().some(([, peer]) => !peer.moved)) return undefined
      }
      const next = target()
      return sameView(next, view) ? undefined : next
    },

    beginToLetGo(next) {
      lettingGo = next
    },

    adopt(next) {
      if (lettingGo && sameView(lettingGo, next)) lettingGo = undefined
      view = next
      turn++
      changed = true
    },

    draft(nowMs) {
      if (stale) return undefined
      const everyMs = view.length === 0 ? renewJoiningEveryMs : renewEveryMs
      if (!changed && nowMs - lastSentMs < everyMs) return undefined
      lastSentMs = nowMs
      if (!sent.some((one) => sameView(one, view))) sent.push(view)
      return { version, turn, view }
    },

    written(stored, sentMs, nowMs) {
      version = stored
      sent = []
      // What is in the Lease now is what was drafted last, and heeded until a list shows it.
      if (lapsed(nowMs)) {
        joinAnew(nowMs)
        return
      }
      changed = false
      validUntilMs = Math.max(validUntilMs, sentMs + leaseDurationMs - fenceMarginMs)
    },

    refused() {
      stale = true
    },

    views: heeded,

    get validUntilMs() {
      return validUntilMs
    },

    get joinTurn() {
      return joinTurn
    },

    nextLookMs(nowMs) {
      if (!settled(nowMs)) return nowMs + lookMovingEveryMs
      const ends = others().map(([, peer]) => peer.seenMs + leaseDurationMs + 1)
      return Math.max(nowMs + 1, Math.min(nowMs + lookEveryMs, ...ends))
    },

    settled,

    get members() {
      return view
    },

    remains(nowMs) {
      if (!settled(nowMs)) return []
      return [...peers].flatMap(([other, peer]) => {
        const keptMs = peer.released ? releasedKeptMs : peer.dead ? deadKeptMs : Number.POSITIVE_INFINITY
        return nowMs - peer.seenMs > keptMs ? [{ id: other, version: peer.version }] : []
      })
    },
  }
}
