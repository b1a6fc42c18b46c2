// A ruleset as data: chains, sets and maps, and what is in them. The difference of two rulesets is one transaction for
// `nft -j -f -`. The kernel's own listing reads as a ruleset, too, so that a start, a change and a repair are the same thing. Pure.
import { canonicalText, type Family, type Json, type Rule, type Statement } from './statements.ts'

export interface Table {
  readonly family: Family
  readonly table: string
}

export interface Hook {
  readonly type: 'filter' | 'nat'
  readonly hook: 'prerouting' | 'input' | 'forward' | 'output' | 'postrouting'
  readonly prio: number
}

export interface Chain extends Table {
  readonly name: string
  readonly hook?: Hook
  readonly rules: readonly Rule[]
}

export interface NamedSet extends Table {
  readonly name: string
  readonly type: Json
  /** Leads to verdicts. */
  readonly isMap: boolean
  /** Filled by packets; what is in it is no part of the ruleset. In seconds. */
  readonly timeout?: number
}

export interface Element extends Table {
  readonly set: string
  readonly key: Json
  readonly verdict?: Statement
}

export interface Ruleset {
  readonly chains: ReadonlyMap<string, Chain>
  readonly sets: ReadonlyMap<string, NamedSet>
  readonly elements: ReadonlyMap<string, Element>
}

export interface RulesetParts {
  readonly chains?: readonly Chain[]
  readonly sets?: readonly NamedSet[]
  readonly elements?: readonly Element[]
}

/** A command of libnftables' JSON. */
export type Command = { readonly [verb: string]: Json }

export const emptyRuleset: Ruleset = { chains: new Map(), sets: new Map(), elements: new Map() }

const idOf = ({ family, table }: Table, name: string): string => `${family} ${table} ${name}`
export const elementId = (element: Element): string => `${idOf(element, element.set)} ${canonicalText(element.key)}`

export function rulesetOf({ chains = [], sets = [], elements = [] }: RulesetParts): Ruleset {
  return {
    chains: new Map(chains.map((chain) => [idOf(chain, chain.name), chain])),
    sets: new Map(sets.map((set) => [idOf(set, set.name), set])),
    elements: new Map(elements.map((element) => [elementId(element), element])),
  }
}

/** What a chain and a set are, apart from what is in them: it cannot be changed. */
const formOfChain = ({ hook }: Chain): string => (hook ? `${hook.type} ${hook.hook} ${hook.prio}` : '')
const formOfSet = ({ type, isMap, timeout }: NamedSet): string => `${canonicalText(type)} ${isMap} ${timeout ?? ''}`
const textOfElement = ({ verdict }: Element): string => (verdict ? canonicalText(verdict) : '')

const rulesTexts = new WeakMap<Chain, string>()
/** Chains are shared between rulesets, so most are written out once. */
function rulesText(chain: Chain): string {
  let text = rulesTexts.get(chain)
  if (text === undefined) rulesTexts.set(chain, (text = canonicalText(chain.rules as readonly Json[])))
  return text
}

export const sameChain = (one: Chain, other: Chain): boolean =>
  one === other || (formOfChain(one) === formOfChain(other) && rulesText(one) === rulesText(other))

const place = ({ family, table }: Table): { family: Family; table: string } => ({ family, table })

const addChain = (chain: Chain): Command => ({
  add: { chain: { ...place(chain), name: chain.name, ...(chain.hook ? { ...chain.hook, policy: 'accept' } : {}) } },
})
const addRules = (chain: Chain): Command[] =>
  chain.rules.map((expr) => ({ add: { rule: { ...place(chain), chain: chain.name, expr: expr as Json } } }))
const flushChain = (chain: Chain): Command => ({ flush: { chain: { ...place(chain), name: chain.name } } })
const deleteChain = (chain: Chain): Command => ({ delete: { chain: { ...place(chain), name: chain.name } } })
const setKind = ({ isMap }: NamedSet): 'map' | 'set' => (isMap ? 'map' : 'set')

const addSet = (set: NamedSet): Command => ({
  add: {
    [setKind(set)]: {
      ...place(set),
      name: set.name,
      type: set.type,
      ...(set.isMap ? { map: 'verdict' } : {}),
      ...(set.timeout === undefined ? {} : { flags: ['dynamic', 'timeout'], timeout: set.timeout, size: affinityClientsMax }),
    },
  },
})
const deleteSet = (set: NamedSet): Command => ({ delete: { [setKind(set)]: { ...place(set), name: set.name } } })

/** The kernel's own default for sets that packets fill. */
export const affinityClientsMax = 65_535

const elementCommand = (verb: 'add' | 'delete', elements: readonly Element[]): Command => ({
  [verb]: {
    element: {
      ...place(elements[0]!),
      name: elements[0]!.set,
      elem: elements.map(({ key, verdict }) => (verdict && verb === 'add' ? [key, verdict] : key)),
    },
  },
})

/** One command for all elements of one set. */
function elementCommands(verb: 'add' | 'delete', elements: readonly Element[]): Command[] {
  const bySet = Map.groupBy(elements, (element) => idOf(element, element.set))
  return [...bySet.values()].map((some) => elementCommand(verb, some))
}

const goneFrom = <T>(before: ReadonlyMap<string, T>, after: ReadonlyMap<string, T>): T[] =>
  [...before].flatMap(([id, item]) => (after.has(id) ? [] : [item]))

/** Commands that make `after` of `before`, to be run as one transaction; none when they are the same. */
export function changesBetween(before: Ruleset, after: Ruleset): Command[] {
  const tables = tablesToReplace(before, after)
  const kept = tables.length === 0 ? before : without(before, new Set(tables.map((table) => idOf(table, ''))))
  const newSets = goneFrom(after.sets, kept.sets)
  const newChains = goneFrom(after.chains, kept.chains)
  const changedChains = [...after.chains].filter(([id, chain]) => {
    const known = kept.chains.get(id)
    return known !== undefined && !sameChain(known, chain)
  })
  const changed = [...after.elements].filter(([id, element]) => {
    const known = kept.elements.get(id)
    return known !== undefined && textOfElement(known) !== textOfElement(element)
  })
  const goneChains = goneFrom(kept.chains, after.chains)
  const goneSets = goneFrom(kept.sets, after.sets)
  const ofGoneSets = new Set(goneSets.map((set) => idOf(set, set.name)))
  const goneElements = goneFrom(kept.elements, after.elements).filter((element) => !ofGoneSets.has(idOf(element, element.set)))
  const wantedTables = new Map([...newSets, ...newChains].map((one) => [idOf(one, ''), place(one)]))
  return [
    ...tables.map((table): Command => ({ delete: { table: { family: table.family, name: table.table } } })),
    ...[...wantedTables.values()].map(({ family, table }): Command => ({ add: { table: { family, name: table } } })),
    ...newSets.map(addSet),
    ...newChains.map(addChain),
    ...changedChains.map(([, chain]) => flushChain(chain)),
    ...[...newChains, ...changedChains.map(([, chain]) => chain)].flatMap(addRules),
    ...elementCommands('delete', [...goneElements, ...changed.map(([id]) => kept.elements.get(id)!)]),
    ...elementCommands('add', [...goneFrom(after.elements, kept.elements), ...changed.map(([, element]) => element)]),
    // What refers to a chain or a set has to go before it.
    ...goneChains.map(flushChain),
    ...goneSets.filter(({ isMap }) => isMap).map(deleteSet),
    ...goneChains.map(deleteChain),
    ...goneSets.filter(({ isMap }) => !isMap).map(deleteSet),
  ]
}

/** Tables that hold a chain or a set of another form under a name of ours: they are made anew, in the same transaction. */
function tablesToReplace(before: Ruleset, after: Ruleset): Table[] {
  const chains = [...after.chains].filter(([id, chain]) => {
    const known = before.chains.get(id)
    return known !== undefined && formOfChain(known) !== formOfChain(chain)
  })
  const sets = [...after.sets].filter(([id, set]) => {
    const known = before.sets.get(id)
    return known !== undefined && formOfSet(known) !== formOfSet(set)
  })
  return [...new Map([...chains, ...sets].map(([, one]) => [idOf(one, ''), place(one)])).values()]
}

function without(ruleset: Ruleset, tables: ReadonlySet<string>): Ruleset {
  const rest = <T extends Table>(items: ReadonlyMap<string, T>): Map<string, T> =>
    new Map([...items].filter(([, item]) => !tables.has(idOf(item, ''))))
  return { chains: rest(ruleset.chains), sets: rest(ruleset.sets), elements: rest(ruleset.elements) }
}
