// What `nft -j list table` prints, read as a ruleset. Pure.
import { type Chain, type Element, type Hook, type NamedSet, type Ruleset, rulesetOf } from './ruleset.ts'
import type { Family, Json, Rule, Statement } from './statements.ts'

interface Listed {
  readonly chain?: { family: Family; table: string; name: string; type?: string; hook?: string; prio?: number }
  readonly rule?: { family: Family; table: string; chain: string; expr: readonly Statement[] }
  readonly set?: ListedSet
  readonly map?: ListedSet
}

interface ListedSet {
  readonly family: Family
  readonly table: string
  readonly name: string
  readonly type: Json
  readonly map?: string
  readonly flags?: readonly string[]
  readonly timeout?: number
  readonly elem?: readonly Json[]
}

/** Several outputs make one ruleset. Counters and handles are left out: they are no part of what a rule means. */
export function readListing(...texts: readonly string[]): Ruleset {
  const items = texts.flatMap((text) => (JSON.parse(text) as { nftables: readonly Listed[] }).nftables)
  const rules = new Map<string, Rule[]>()
  for (const { rule } of items) {
    if (rule === undefined) continue
    const id = `${rule.family} ${rule.table} ${rule.chain}`
    const known = rules.get(id)
    if (known) known.push(rule.expr)
    else rules.set(id, [rule.expr])
  }
  const chains = items.flatMap(({ chain }): Chain[] =>
    chain === undefined
      ? []
      : [
          {
            ...{ family: chain.family, table: chain.table, name: chain.name },
            rules: rules.get(`${chain.family} ${chain.table} ${chain.name}`) ?? [],
            ...(chain.hook === undefined ? {} : { hook: { type: chain.type, hook: chain.hook, prio: chain.prio } as Hook }),
          },
        ],
  )
  const listedSets = items.flatMap(({ set, map }) => set ?? map ?? [])
  return rulesetOf({ chains, sets: listedSets.map(setOf), elements: listedSets.flatMap(elementsOf) })
}

const isFilledByPackets = ({ flags = [] }: ListedSet): boolean => flags.includes('timeout')

const setOf = (listed: ListedSet): NamedSet => ({
  ...{ family: listed.family, table: listed.table, name: listed.name, type: listed.type },
  isMap: listed.map !== undefined,
  ...(isFilledByPackets(listed) ? { timeout: listed.timeout ?? 0 } : {}),
})

function elementsOf(listed: ListedSet): Element[] {
  if (isFilledByPackets(listed)) return []
  const { family, table, name, map, elem = [] } = listed
  return elem.map((one) => {
    const [key, verdict] = map === undefined ? [one] : (one as readonly [Json, Statement])
    return { family, table, set: name, key: key!, ...(verdict ? { verdict } : {}) }
  })
}
