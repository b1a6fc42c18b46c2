// PodTopologySpread over many decisions about pods that are alike: nodes that the constraints cannot tell apart form a class,
// so that a decision costs a look at the classes (zones × pods of the kind per node) and not at every node. What it says equals
// pod-topology-spread.view.ts, which judges one decision; a property test holds the two against each other.
import { createNodeDomains, distinctValues, valuesMax } from '../counts/node-domains.ts'
import type { PodGroup } from '../counts/pod-counts.ts'
import type { NodeClassifier } from '../framework/framework.ts'
import type { NodeInfo } from '../snapshot/node-info.ts'
import type { PodInfo } from '../snapshot/pod-info.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'
import { type BoundConstraint, groupOf, hasAllKeys, hostname, includes, unjudged } from './pod-topology-spread.view.ts'

/** Where scores need the values and there are more of them, pods are decided one by one. */
const scoredValuesMax = 1_024

/** Undefined when the topology has too many domains to tell apart. */
export function createSpreadClasses(
  pod: PodInfo,
  snapshot: Snapshot,
  constraints: readonly BoundConstraint[],
  requiresAll: boolean,
): NodeClassifier | undefined {
  const hard = constraints.filter(({ isHard }) => isHard)
  const soft = constraints.filter(({ isHard }) => !isHard)
  const aspects: Aspect[] = []
  for (const constraint of [...hard, ...soft]) {
    const group = groupOf(snapshot, pod.namespace, constraint.selector)
    const asked = { pod, snapshot, constraint, group, peers: constraint.isHard ? hard : soft }
    if (!constraint.isHard && constraint.topologyKey === hostname) {
      aspects.push(new NodeAspect(asked))
      continue
    }
    const values = distinctValues(snapshot, constraint.topologyKey)
    if (!constraint.isHard && values > scoredValuesMax) return undefined
    const countsAll = !constraint.isHard && !requiresAll
    aspects.push(new DomainAspect(asked, { byCount: constraint.isHard && values > valuesMax, countsAll }))
  }
  return new SpreadClasses(aspects, requiresAll)
}


interface Asked {
  readonly pod: PodInfo
  readonly snapshot: Snapshot
  readonly constraint: BoundConstraint
  readonly group: PodGroup
  /** The constraints of the same sort: a node counts only if it has the keys of all. */
  readonly peers: readonly BoundConstraint[]
}

/** What one constraint sees of a node: -1 without the label, and otherwise a number that nodes which look alike share. */
interface Aspect {
  readonly constraint: BoundConstraint
  readonly group: PodGroup
  /** Takes in what changed about the node. */
  look(node: NodeInfo): number
}

/** How many of the pods are on the node itself. */
class NodeAspect implements Aspect {
  readonly constraint: BoundConstraint
  readonly group: PodGroup

  constructor({ constraint, group }: Asked) {
    this.constraint = constraint
    this.group = group
  }

  look(node: NodeInfo): number {
    return Object.hasOwn(node.labels, hostname) ? this.group.on(node) : -1
  }
}

/** A domain: pods on the nodes that count, and how many nodes those are. */
interface Domain {
  readonly value: string
  pods: number
  nodes: number
}

const noDomain = -1

/** How many of the pods are in the node's domain. */
class DomainAspect implements Aspect {
  readonly constraint: BoundConstraint
  readonly group: PodGroup
  /** 1 when the pod counts itself. */
  readonly itself: 0 | 1
  readonly #asked: Asked
  readonly #byCount: boolean
  readonly #countsAll: boolean
  /** The domain that each node counts in, by slot, and with how many pods. */
  readonly #domainOf: Int32Array
  readonly #pods: Int32Array
  readonly #ids = new Map<string, number>()
  readonly #domains: Domain[] = []
  /** Number of pods → how many domains have it. */
  readonly #histogram = new Map<number, number>()
  /** Domains whose nodes are in another class by now. */
  readonly #moved = new Set<string>()

  constructor(asked: Asked, { byCount, countsAll }: { readonly byCount: boolean; readonly countsAll: boolean }) {
    this.#asked = asked
    this.constraint = asked.constraint
    this.group = asked.group
    this.itself = asked.constraint.selector.matches(asked.pod.labels) ? 1 : 0
    this.#byCount = byCount
    this.#countsAll = countsAll
    this.#domainOf = new Int32Array(asked.snapshot.slotCount).fill(noDomain)
    this.#pods = new Int32Array(asked.snapshot.slotCount)
  }

  look(node: NodeInfo): number {
    const { topologyKey } = this.constraint
    const isLabelled = Object.hasOwn(node.labels, topologyKey)
    const id = this.#idOf(isLabelled ? node.labels[topologyKey]! : '')
    this.#count(node, isLabelled && this.#counts(node) ? id : noDomain)
    if (!isLabelled) return -1
    return this.#byCount ? this.podsIn(id) : id
  }

  /** Pods in the domain of nodes that look like this. */
  podsSeen(seen: number): number {
    return this.#byCount ? seen : this.podsIn(seen)
  }

  /** The domain of nodes that look like this; without the label they are in the domain ''. */
  domainSeen(seen: number): number {
    return seen === -1 ? this.#idOf('') : seen
  }

  podsIn(id: number): number {
    const { pods, nodes } = this.#domains[id]!
    return nodes > 0 ? pods : 0
  }

  /** The fewest pods of any domain. Too few domains count as if there was an empty one. */
  least(): number {
    let domains = 0
    let least = Number.POSITIVE_INFINITY
    for (const [pods, count] of this.#histogram) {
      domains += count
      if (pods < least) least = pods
    }
    return domains === 0 || domains < this.constraint.minDomains ? 0 : least
  }

  /** The other nodes of domains that changed since the last call. */
  *moved(): Iterable<NodeInfo> {
    if (this.#moved.size === 0) return
    const domains = this.#asked.snapshot.stateOf(createNodeDomains)
    const values = [...this.#moved]
    this.#moved.clear()
    for (const value of values) yield* domains.in(this.constraint.topologyKey, value)
  }

  #counts(node: NodeInfo): boolean {
    const { pod, peers } = this.#asked
    return (this.#countsAll || hasAllKeys(node, peers)) && includes(this.constraint, pod, node)
  }

  #idOf(value: string): number {
    let id = this.#ids.get(value)
    if (id === undefined) {
      this.#ids.set(value, (id = this.#domains.length))
      this.#domains.push({ value, pods: 0, nodes: 0 })
    }
    return id
  }

  #count(node: NodeInfo, id: number): void {
    const { slot } = node
    const before = this.#domainOf[slot]!
    const pods = id === noDomain ? 0 : this.group.on(node)
    if (before === id && this.#pods[slot] === pods) return
    if (before !== noDomain) this.#change(before, -this.#pods[slot]!, -1)
    if (id !== noDomain) this.#change(id, pods, 1)
    this.#domainOf[slot] = id
    this.#pods[slot] = pods
  }

  #change(id: number, pods: number, nodes: 1 | -1): void {
    const domain = this.#domains[id]!
    if (domain.nodes > 0) this.#tally(domain.pods, -1)
    domain.pods += pods
    domain.nodes += nodes
    if (domain.nodes > 0) this.#tally(domain.pods, 1)
    if (this.#byCount && pods !== 0) this.#moved.add(domain.value)
  }

  #tally(pods: number, by: 1 | -1): void {
    const next = (this.#histogram.get(pods) ?? 0) + by
    if (next === 0) this.#histogram.delete(pods)
    else this.#histogram.set(pods, next)
  }
}

class SpreadClasses implements NodeClassifier {
  readonly #aspects: readonly Aspect[]
  readonly #hard: readonly (readonly [index: number, aspect: DomainAspect])[]
  readonly #soft: readonly (readonly [index: number, aspect: Aspect])[]
  readonly #requiresAll: boolean
  readonly #ids = new Map<string, number>()
  /** What the aspects see of the nodes of a class. */
  readonly #seen: (readonly number[])[] = []

  constructor(aspects: readonly Aspect[], requiresAll: boolean) {
    this.#aspects = aspects
    this.#hard = [...aspects.entries()].filter((entry): entry is [number, DomainAspect] => entry[1].constraint.isHard)
    this.#soft = [...aspects.entries()].filter(([, { constraint }]) => !constraint.isHard)
    this.#requiresAll = requiresAll
  }

  get isCurrent(): boolean {
    return !this.#aspects.some(({ group }) => group.isDropped)
  }

  classOf(node: NodeInfo): number {
    const seen = this.#aspects.map((aspect) => aspect.look(node))
    const key = seen.join(' ')
    let id = this.#ids.get(key)
    if (id === undefined) {
      this.#ids.set(key, (id = this.#seen.length))
      this.#seen.push(seen)
    }
    return id
  }

  *moved(): Iterable<NodeInfo> {
    for (const aspect of this.#aspects) if (aspect instanceof DomainAspect) yield* aspect.moved()
  }

  get scores(): boolean {
    return this.#soft.length > 0
  }

  judge(): (id: number) => boolean {
    const bounds = this.#hard.map(([index, aspect]) => ({ index, aspect, most: aspect.least() + aspect.constraint.maxSkew - aspect.itself }))
    return (id) => {
      const seen = this.#seen[id]!
      return bounds.every(({ index, aspect, most }) => seen[index] !== -1 && aspect.podsSeen(seen[index]!) <= most)
    }
  }

  score(sizes: ReadonlyMap<number, number>): (id: number) => number {
    const judged = [...sizes.keys()].filter((id) => this.#isJudged(id))
    let judgedNodes = 0
    for (const id of judged) judgedNodes += sizes.get(id)!
    const weights = this.#soft.map(([index, aspect]) => {
      if (!(aspect instanceof DomainAspect)) return Math.log(judgedNodes + 2)
      const domains = new Set<number>()
      for (const id of judged) domains.add(aspect.domainSeen(this.#seen[id]![index]!))
      return Math.log(domains.size + 2)
    })
    return (id) => (this.#isJudged(id) ? this.#scoreOf(this.#seen[id]!, weights) : unjudged)
  }

  #isJudged(id: number): boolean {
    return !this.#requiresAll || this.#soft.every(([index]) => this.#seen[id]![index] !== -1)
  }

  #scoreOf(seen: readonly number[], weights: readonly number[]): number {
    let score = 0
    for (const [place, [index, aspect]] of this.#soft.entries()) {
      const value = seen[index]!
      if (value === -1) continue
      const pods = aspect instanceof DomainAspect ? aspect.podsSeen(value) : value
      score += pods * weights[place]! + (aspect.constraint.maxSkew - 1)
    }
    return Math.round(score)
  }
}
