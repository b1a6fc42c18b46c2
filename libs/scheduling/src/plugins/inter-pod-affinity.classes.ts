// InterPodAffinity over many decisions about pods that are alike: nodes for which the terms mean the same form a class. Of keys
// with few values (zones) the value tells classes apart, and what it means is looked up when a decision is made; of keys with
// many (hosts) it is what the terms mean for the node.
import type { Domains } from '../counts/domains.ts'
import { createNodeDomains, distinctValues, valuesMax } from '../counts/node-domains.ts'
import type { NodeClassifier } from '../framework/framework.ts'
import type { NodeInfo } from '../snapshot/node-info.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'
import type { AffinityView, Weighted } from './inter-pod-affinity.view.ts'

/** What the terms over keys with many values mean for a node. */
interface Narrow {
  /** A pod that must not be near is. */
  readonly isForbidden: boolean
  readonly isLabelled: boolean
  /** The pods that must be near are. */
  readonly isNear: boolean
  readonly score: number
}

interface AffinityClass extends Narrow {
  /** Of the keys with few values, in their order; undefined without the label. */
  readonly values: readonly (string | undefined)[]
}

/** The domains of one topology key. */
interface Parts {
  readonly required: readonly Domains[]
  readonly forbidding: readonly Domains[]
  readonly weighted: readonly Weighted[]
}

/** Places of equal domains of keys with few values. */
interface WidePart extends Parts {
  readonly topologyKey: string
}

export class AffinityClasses implements NodeClassifier {
  readonly #view: AffinityView
  readonly #wide: readonly WidePart[]
  readonly #narrow: Parts
  readonly #ids = new Map<string, number>()
  readonly #classes: AffinityClass[] = []
  readonly #changed: () => ReadonlySet<NodeInfo> | undefined

  constructor(view: AffinityView, snapshot: Snapshot) {
    this.#view = view
    const keys = new Set([...view.required, ...view.forbidding, ...view.weighted.map(({ domains }) => domains)].map(({ topologyKey }) => topologyKey))
    const wide = [...keys].filter((key) => distinctValues(snapshot, key) <= valuesMax)
    this.#wide = wide.map((topologyKey) => ({ topologyKey, ...partsOf(view, (key) => key === topologyKey) }))
    this.#narrow = partsOf(view, (key) => !wide.includes(key))
    this.#changed = follow(this.#narrow, snapshot)
  }

  get isCurrent(): boolean {
    return this.#view.isCurrent
  }

  get scores(): boolean {
    return this.#view.scores
  }

  classOf(node: NodeInfo): number {
    const narrow = this.#narrowOf(node)
    const values = this.#wide.map(({ topologyKey }) => node.labels[topologyKey])
    const { isForbidden, isLabelled, isNear, score } = narrow
    // Nodes that will not do need not be told apart.
    const key = isForbidden || !isLabelled ? '' : JSON.stringify([isNear, score, ...values.map((value) => value ?? null)])
    let id = this.#ids.get(key)
    if (id === undefined) {
      this.#ids.set(key, (id = this.#classes.length))
      this.#classes.push({ ...narrow, values })
    }
    return id
  }

  moved(): Iterable<NodeInfo> | undefined {
    return this.#changed()
  }

  judge(): (id: number) => boolean {
    const { required, selectsItself } = this.#view
    // The first pod of a group that wants to be together may go anywhere.
    const isFirst = selectsItself && required.every(({ total }) => total === 0)
    return (id) => {
      const { values, isForbidden, isLabelled, isNear } = this.#classes[id]!
      if (isForbidden || !isLabelled) return false
      let isNearAll = isNear
      for (const [index, part] of this.#wide.entries()) {
        const value = values[index]
        if (value === undefined) {
          if (part.required.length > 0) return false
          continue
        }
        if (part.forbidding.some((domains) => domains.of(value) > 0)) return false
        if (part.required.some((domains) => domains.of(value) === 0)) isNearAll = false
      }
      return isNearAll || isFirst
    }
  }

  score(): (id: number) => number {
    return (id) => {
      const { values, score } = this.#classes[id]!
      let sum = score
      for (const [index, { weighted }] of this.#wide.entries()) {
        const value = values[index]
        if (value !== undefined) for (const { domains, weight } of weighted) sum += domains.of(value) * weight
      }
      return sum
    }
  }

  #narrowOf(node: NodeInfo): Narrow {
    const { required, forbidding, weighted } = this.#narrow
    let score = 0
    for (const { domains, weight } of weighted) score += domains.at(node) * weight
    return {
      isForbidden: forbidding.some((domains) => domains.at(node) > 0),
      isLabelled: required.every(({ topologyKey }) => Object.hasOwn(node.labels, topologyKey)),
      isNear: required.every((domains) => domains.at(node) > 0),
      score,
    }
  }
}

const partsOf = ({ required, forbidding, weighted }: Parts, isOne: (topologyKey: string) => boolean): Parts => ({
  required: required.filter(({ topologyKey }) => isOne(topologyKey)),
  forbidding: forbidding.filter(({ topologyKey }) => isOne(topologyKey)),
  weighted: weighted.filter(({ domains }) => isOne(domains.topologyKey)),
})

/** Follows the counters: nodes for which the terms mean something else than at the last call; undefined: all may be. */
function follow({ required, forbidding, weighted }: Parts, snapshot: Snapshot): () => ReadonlySet<NodeInfo> | undefined {
  const logs = [
    ...[...required, ...forbidding].map((domains) => ({ domains, log: domains.transitions })),
    ...weighted.map(({ domains }) => ({ domains, log: domains.changes })),
  ].map((one) => ({ ...one, seen: one.log.count }))
  const nodesOf = snapshot.stateOf(createNodeDomains)
  return () => {
    const nodes = new Set<NodeInfo>()
    let areAll = false
    for (const one of logs) {
      if (one.log.count === one.seen) continue
      const values = one.log.since(one.seen)
      one.seen = one.log.count
      if (values === undefined) areAll = true
      else for (const value of values) for (const node of nodesOf.in(one.domains.topologyKey, value)) nodes.add(node)
    }
    return areAll ? undefined : nodes
  }
}
