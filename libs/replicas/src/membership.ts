// The membership protocol by which replicas of a component partition its keys, as a pure state machine: lists of Leases and
// answers to writes go in, the next write and the effective views come out. Time is an argument.
//
// Each replica has a Lease, and in it the *view* (member ids) by which it partitions the keys, numbered by a *turn*. The
// rule: a replica works on a key only if all these views assign the key to it: its own as it intends it, its own as last
// listed, those it has sent without knowing whether they were stored, and that of every other live member.
//
// Why no key ever has two workers. Suppose A and B both work on K, and B's list was made after A's. From A's list on, every
// view that A's Lease can hold assigns K to A (else A would not work on it), so B's list shows a view of A that does not
// assign K to B; B obeys it unless it considers A dead. It does so only when a list that was *requested* a full lease
// duration after B saw A's last change shows no further change: that change was sent before it was seen, and A stops on its
// own `fenceMarginMs` earlier, counted from when it sent it. A renewal that is answered only after that point does not
// count: A then holds nothing and rejoins with an empty view and a new turn. Clocks need not agree, only run at the same rate.
//
// A view that revokes keys from its owner is written only after the owner has stopped working on them.
import { distinctViews, type MemberView, sameView } from './shares.ts'

export const leaseDurationMs = 4_000
/** A member stops this long before others may consider it dead, so that its last request has arrived by then. */
export const fenceMarginMs = 500
export const renewEveryMs = 1_000
/** Renewal interval of a joining member. */
export const renewJoiningEveryMs = 250
/** Poll interval of the member Leases, and the one used during a rebalance. */
export const lookEveryMs = 500
export const lookMovingEveryMs = 100
/** How long Leases of former members are kept for inspection. */
export const releasedKeptMs = 10_000
export const deadKeptMs = 300_000

/** A member's Lease, as listed. */
export interface MemberLease {
  readonly id: string
  /** The resourceVersion. */
  readonly version: string
  /** Released by a graceful stop. */
  readonly released: boolean
  readonly turn: number
  readonly view: MemberView
}

/** The desired content of this replica's Lease. */
export interface LeaseDraft {
  /** The resourceVersion that it replaces; undefined creates the Lease. */
  readonly version: string | undefined
  readonly turn: number
  readonly view: MemberView
}

interface Peer {
  /** '' when the last known version is from before this replica rejoined. */
  version: string
  view: MemberView
  released: boolean
  /** When this replica saw its last change. */
  seenMs: number
  /** It has changed since this replica joined, so it was alive then. */
  moved: boolean
  dead: boolean
}

/** Leases of members that ended long ago, which may be deleted. */
export interface Remains {
  readonly id: string
  readonly version: string
}

export interface Membership {
  /** Applies a list that was requested at `askedMs`. */
  listed(leases: readonly MemberLease[], askedMs: number, nowMs: number): void
  /** The view to adopt next; undefined while the current one is right, or before the first list. */
  wanted(nowMs: number): MemberView | undefined
  /** Revokes the keys that this view takes away; undefined: they are kept after all. */
  beginToLetGo(view: MemberView | undefined): void
  /** The revocation is complete: the view goes into the next draft. */
  adopt(view: MemberView): void
  /** The write that is due now, if any. The caller writes it. */
  draft(nowMs: number): LeaseDraft | undefined
  /** The last draft, sent at `sentMs`, was stored as this version. */
  written(version: string, sentMs: number, nowMs: number): void
  /** A write was refused: the Lease was changed or deleted by someone else. */
  refused(): void
  /** The views that must all assign a key to this replica; none when it may work on nothing. Ignores time. */
  views(): readonly MemberView[]
  /** Fencing deadline: nothing is sent after it, unless a renewal moves it. */
  readonly validUntilMs: number
  /** Epoch: grows when the replica rejoins; decisions of earlier epochs must not be sent. */
  readonly joinTurn: number
  /** When to poll next. */
  nextLookMs(nowMs: number): number
  /** All members agree on the view and no rebalance is in progress. */
  settled(nowMs: number): boolean
  /** Members of the current view. */
  readonly members: MemberView
  remains(nowMs: number): readonly Remains[]
}

const nobody: MemberView = []

/** A member that has not joined yet. */
export function createMembership(id: string): Membership {
  const peers = new Map<string, Peer>()
  /** The intended content of this replica's Lease. */
  let view: MemberView = nobody
  let turn = 1
  /** Lists that show an older turn are from before this replica (re)joined. */
  let joinTurn = 1
  /** The Lease's version as last known, and whether it is up to date. */
  let version: string | undefined
  let stale = true
  /** This replica's view in the last list. */
  let shown: MemberView | undefined
  /** Views that were sent since the Lease's version last moved. */
  let sent: MemberView[] = []
  let lettingGo: MemberView | undefined
  let validUntilMs = 0
  let lastSentMs = Number.NEGATIVE_INFINITY
  let changed = true
  let listedMs: number | undefined

  /** The fencing deadline has passed: another replica may own what this one held. */
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
        // Possibly requested before the pause: wait for the next list.
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
        // Someone deleted the Lease: the others may have repartitioned already.
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
      // A member whose Lease vanished without being released may still be working.
      for (const [other, peer] of peers) {
        if (found.has(other)) continue
        if (peer.released || peer.dead || askedMs - peer.seenMs > leaseDurationMs) peers.delete(other)
      }
    },

    wanted(nowMs) {
      if (listedMs === undefined || stale || lapsed(nowMs)) return undefined
      if (view.length === 0) {
        // Joins once it knows which members are alive, so that the others need not wait for the dead on its account, and
        // once its own Lease exists, so that it is held from then on.
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
      // The Lease now holds the last draft, which stays in force until a list shows it.
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
