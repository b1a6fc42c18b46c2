// All that is wanted of one node's packet filter, put together from what each owner (a Service, a policy) wants, and which
// of it changed since it was last taken. Where two want the same element (two Services with one external address), the older
// one has it, and the other takes over when that one is gone. No I/O.
import { type Chain, type Element, type NamedSet, type Ruleset, type RulesetParts, rulesetOf, type Table } from './ruleset.ts'

export interface DesiredRules {
  /** Replaces what an owner wants. Of two that want the same, the one with the lower rank has it. */
  set(owner: string, rank: string, parts: RulesetParts): void
  remove(owner: string): void
  readonly all: Ruleset
  /** Identifiers of what changed, since the last call. */
  takeDirty(): DirtyIds
  /** Everything counts as changed. */
  markAll(): void
  /** Elements that an owner wants and another one has. */
  conflictsOf(owner: string): readonly { readonly element: Element; readonly holder: string }[]
}

export interface DirtyIds {
  readonly chains: ReadonlySet<string>
  readonly sets: ReadonlySet<string>
  readonly elements: ReadonlySet<string>
}

interface Owned {
  readonly rank: string
  readonly ruleset: Ruleset
}

export function createDesiredRules(): DesiredRules {
  const owners = new Map<string, Owned>()
  const chains = new Map<string, Chain>()
  const sets = new Map<string, NamedSet>()
  const elements = new Map<string, Element>()
  /** Who wants an element. */
  const claims = new Map<string, Set<string>>()
  let dirty = newDirty()

  /** Names are their owner's alone. */
  function replace<T extends Table>(all: Map<string, T>, ids: Set<string>, before: ReadonlyMap<string, T>, after: ReadonlyMap<string, T>) {
    for (const id of before.keys()) {
      if (after.has(id)) continue
      all.delete(id)
      ids.add(id)
    }
    for (const [id, item] of after) {
      all.set(id, item)
      ids.add(id)
    }
  }

  function holderOf(id: string): string | undefined {
    const wanting = claims.get(id)
    if (wanting === undefined) return undefined
    if (wanting.size === 1) return wanting.values().next().value
    return [...wanting].sort((one, other) => (rankOf(one) < rankOf(other) ? -1 : 1))[0]
  }
  const rankOf = (owner: string): string => `${owners.get(owner)?.rank ?? ''} ${owner}`

  function claim(owner: string, before: Ruleset['elements'], after: Ruleset['elements']): void {
    for (const id of before.keys()) {
      if (after.has(id)) continue
      const wanting = claims.get(id)!
      wanting.delete(owner)
      if (wanting.size === 0) claims.delete(id)
    }
    for (const id of after.keys()) {
      const wanting = claims.get(id)
      if (wanting) wanting.add(owner)
      else claims.set(id, new Set([owner]))
    }
    for (const id of new Set([...before.keys(), ...after.keys()])) {
      const holder = holderOf(id)
      if (holder === undefined) elements.delete(id)
      else elements.set(id, owners.get(holder)!.ruleset.elements.get(id)!)
      dirty.elements.add(id)
    }
  }

  function put(owner: string, next: Owned | undefined): void {
    const before = owners.get(owner)?.ruleset ?? rulesetOf({})
    const after = next?.ruleset ?? rulesetOf({})
    if (next) owners.set(owner, next)
    replace(chains, dirty.chains, before.chains, after.chains)
    replace(sets, dirty.sets, before.sets, after.sets)
    claim(owner, before.elements, after.elements)
    if (next === undefined) owners.delete(owner)
  }

  return {
    set: (owner, rank, parts) => put(owner, { rank, ruleset: rulesetOf(parts) }),
    remove: (owner) => put(owner, undefined),
    all: { chains, sets, elements },
    takeDirty() {
      const taken = dirty
      dirty = newDirty()
      return taken
    },
    markAll() {
      dirty = { chains: new Set(chains.keys()), sets: new Set(sets.keys()), elements: new Set(elements.keys()) }
    },
    conflictsOf(owner) {
      const wanted = owners.get(owner)?.ruleset.elements ?? new Map<string, Element>()
      return [...wanted].flatMap(([id, element]) => {
        const holder = holderOf(id)
        return holder === undefined || holder === owner ? [] : [{ element, holder }]
      })
    },
  }
}

const newDirty = () => ({ chains: new Set<string>(), sets: new Set<string>(), elements: new Set<string>() })

/** The part of a ruleset that these identifiers name. */
export function partOf(ruleset: Ruleset, ids: DirtyIds): Ruleset {
  const pick = <T>(all: ReadonlyMap<string, T>, wanted: ReadonlySet<string>): Map<string, T> =>
    new Map([...wanted].flatMap((id) => (all.has(id) ? [[id, all.get(id)!] as const] : [])))
  return { chains: pick(ruleset.chains, ids.chains), sets: pick(ruleset.sets, ids.sets), elements: pick(ruleset.elements, ids.elements) }
}

