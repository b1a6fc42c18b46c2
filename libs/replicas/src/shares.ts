// Which replica works on which key. Every key has one owner among the members of a view: the one with the highest hash of
// member and key (rendezvous hashing), so that a member that comes or goes moves its own share and nothing else. A replica
// works on a key only when *every* view that it must heed says so; membership.ts says which those are, and why that is safe.

/** Ids of the members, sorted. An empty view names nobody. */
export type MemberView = readonly string[]

/** Key assignment of a replica. */
export interface Shares {
  /** True while the key is assigned to this replica. That may change at any moment: check again before each command. */
  owns(key: string): boolean
}

/** FNV-1a with a finalizer that spreads its bits. */
function hash(text: string): number {
  let value = 0x811c9dc5
  for (let index = 0; index < text.length; index++) value = Math.imul(value ^ text.charCodeAt(index), 0x01000193)
  return spread(value)
}

function spread(value: number): number {
  let mixed = Math.imul(value ^ (value >>> 16), 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return (mixed ^ (mixed >>> 16)) >>> 0
}

/** The owner of a key among the members; undefined when there are none. */
export function ownerOf(key: string, members: MemberView): string | undefined {
  if (members.length < 2) return members[0]
  return createOwnership(members).ownerOf(key)
}

/** As `ownerOf` for many keys: members are hashed once. */
export function createOwnership(members: MemberView): { ownerOf(key: string): string | undefined } {
  const hashed = members.map((member) => ({ member, seed: hash(member) }))
  return {
    ownerOf: (key) => {
      const point = hash(key)
      let best: string | undefined
      let highest = -1
      for (const { member, seed } of hashed) {
        // Members are sorted, so that of equal weights the first wins everywhere.
        const weight = spread(point ^ seed)
        if (weight > highest) {
          highest = weight
          best = member
        }
      }
      return best
    },
  }
}

export const sameView = (a: MemberView, b: MemberView): boolean =>
  a === b || (a.length === b.length && a.every((member, index) => member === b[index]))

/** The views without repetitions. */
export const distinctViews = (views: readonly MemberView[]): readonly MemberView[] =>
  views.filter((view, index) => views.findIndex((other) => sameView(view, other)) === index)

/** Says of a key whether all views name the member as its owner. No views at all name nobody. */
export function ownedInAll(member: string, views: readonly MemberView[]): (key: string) => boolean {
  if (views.length === 0 || views.some((view) => !view.includes(member))) return () => false
  const others = views.filter((view) => view.length > 1).map(createOwnership)
  return (key) => others.every((view) => view.ownerOf(key) === member)
}
