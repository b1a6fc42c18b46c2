// Counts of pods, kept event by event, so that affinity and spreading need not go through pods:
//
//   group     pods that certain selectors select     how many on each node, and in each domain of a topology key
//   carried   pods placed that carry a certain term  how many in each domain of the term's topology key
//
// Pods of one namespace with equal labels form a class: what selects one of them selects all, so that is found out once.
import type { NodeInfo } from '../snapshot/node-info.ts'
import type { PluginState } from '../snapshot/plugin-state.ts'
import type { PodInfo } from '../snapshot/pod-info.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'
import { type AffinityTerm, type SelectablePod, selects } from '../plugins/affinity-terms.ts'
import { Domains } from './domains.ts'

/** Groups that are kept; the one that was asked for longest ago goes first. */
const groupsMax = 2_000

export type CarriedKind = 'anti' | 'required' | 'preferred'

/** A term of pods that are placed: it speaks about pods that come later. */
export interface CarriedTerm {
  /** Counts up, and is never used again. */
  readonly id: number
  readonly kind: CarriedKind
  readonly home: string
  readonly term: AffinityTerm
  readonly domains: Domains
}

interface LabelClass extends SelectablePod {
  pods: number
  groups: PodGroup[]
  groupsAsOf: number
}

export interface PodSelection {
  /** Equal texts select the same pods. */
  readonly key: string
  /** Whether pods that are being deleted count. */
  readonly countsTerminating: boolean
  readonly selects: (pod: SelectablePod) => boolean
  /** Whether what it selects may change with the labels of namespaces. */
  readonly dependsOnNamespaces: boolean
}

/** The pods that one selection selects. */
export class PodGroup {
  readonly selection: PodSelection
  /** By slot. */
  #perNode = new Int32Array(64)
  readonly #domains = new Map<string, Domains>()
  readonly #nodes: () => Iterable<NodeInfo>
  isDropped = false

  constructor(selection: PodSelection, nodes: () => Iterable<NodeInfo>) {
    this.selection = selection
    this.#nodes = nodes
  }

  on(node: NodeInfo): number {
    return node.slot < this.#perNode.length ? this.#perNode[node.slot]! : 0
  }

  by(topologyKey: string): Domains {
    let domains = this.#domains.get(topologyKey)
    if (domains === undefined) {
      domains = new Domains(topologyKey)
      for (const node of this.#nodes()) domains.add(node, this.on(node))
      this.#domains.set(topologyKey, domains)
    }
    return domains
  }

  add(pod: PodInfo, node: NodeInfo, amount: number): void {
    if (pod.isTerminating && !this.selection.countsTerminating) return
    if (node.slot >= this.#perNode.length) {
      const longer = new Int32Array(Math.max(node.slot + 1, this.#perNode.length * 2))
      longer.set(this.#perNode)
      this.#perNode = longer
    }
    this.#perNode[node.slot]! += amount
    for (const domains of this.#domains.values()) domains.add(node, amount)
  }
}

export class PodCounts implements PluginState {
  readonly #snapshot: Snapshot
  readonly #classes = new Map<string, LabelClass>()
  readonly #groups = new Map<string, PodGroup>()
  #groupsVersion = 0
  readonly #carried = new Map<string, CarriedTerm & { pods: number }>()
  #carriedVersion = 0
  #carriedIds = 0
  /** What was found for pods of a namespace with certain labels, as of a version of the terms. */
  readonly #matched = new Map<string, readonly CarriedTerm[]>()
  #matchedAsOf = ''
  #namespaceVersion = -1

  constructor(snapshot: Snapshot) {
    this.#snapshot = snapshot
  }

  /** The pods that are selected, counted from now on. */
  group(selection: PodSelection): PodGroup {
    this.#heedNamespaces()
    const present = this.#groups.get(selection.key)
    if (present !== undefined) {
      this.#groups.delete(selection.key)
      this.#groups.set(selection.key, present)
      return present
    }
    const group = new PodGroup(selection, () => this.#snapshot.nodes())
    for (const node of this.#snapshot.nodes()) {
      for (const pod of node.pods.values()) if (selection.selects(pod)) group.add(pod, node, 1)
    }
    this.#groups.set(selection.key, group)
    this.#groupsVersion++
    if (this.#groups.size > groupsMax) this.#drop(this.#groups.values().next().value!)
    return group
  }

  /** The terms of placed pods that select this one. */
  matching(pod: PodInfo): readonly CarriedTerm[] {
    this.#heedNamespaces()
    if (this.#carried.size === 0) return none
    const asOf = `${this.#carriedVersion} ${this.#snapshot.objects.namespaceVersion}`
    if (this.#matchedAsOf !== asOf || this.#matched.size > matchedMax) {
      this.#matched.clear()
      this.#matchedAsOf = asOf
    }
    let found = this.#matched.get(pod.labelKey)
    if (found === undefined) {
      const labelsOf = this.#labelsOf
      found = [...this.#carried.values()].filter(({ term, home }) => selects(term, home, pod, labelsOf, true))
      this.#matched.set(pod.labelKey, found)
    }
    return found
  }

  nodeAdded(node: NodeInfo): void {
    for (const pod of node.pods.values()) this.podAdded(pod, node)
  }

  nodeRemoved(node: NodeInfo): void {
    for (const pod of node.pods.values()) this.podRemoved(pod, node)
  }

  podAdded(pod: PodInfo, node: NodeInfo): void {
    this.#count(pod, node, 1)
  }

  podRemoved(pod: PodInfo, node: NodeInfo): void {
    this.#count(pod, node, -1)
  }

  readonly #labelsOf = (namespace: string) => this.#snapshot.objects.namespaceLabels(namespace)

  #count(pod: PodInfo, node: NodeInfo, amount: 1 | -1): void {
    this.#heedNamespaces()
    const one = this.#classOf(pod)
    for (const group of one.groups) group.add(pod, node, amount)
    one.pods += amount
    if (one.pods === 0) this.#classes.delete(pod.labelKey)
    const { terms } = pod.shape
    if (terms === undefined) return
    for (const term of terms.requiredAnti) this.#carry('anti', term, pod, node, amount)
    for (const term of terms.required) this.#carry('required', term, pod, node, amount)
    for (const term of terms.preferred) this.#carry('preferred', term, pod, node, amount)
  }

  #classOf({ labelKey, namespace, labels }: PodInfo): LabelClass {
    let one = this.#classes.get(labelKey)
    if (one === undefined) {
      one = { namespace, labels, pods: 0, groups: [], groupsAsOf: -1 }
      this.#classes.set(labelKey, one)
    }
    if (one.groupsAsOf !== this.#groupsVersion) {
      const pod = one
      one.groups = [...this.#groups.values()].filter((group) => group.selection.selects(pod))
      one.groupsAsOf = this.#groupsVersion
    }
    return one
  }

  #carry(kind: CarriedKind, term: AffinityTerm, pod: PodInfo, node: NodeInfo, amount: 1 | -1): void {
    const home = term.namespaces.length === 0 && term.namespaceSelector === undefined ? pod.namespace : ''
    const key = JSON.stringify([kind, home, term.topologyKey, term.weight, term.text])
    let carried = this.#carried.get(key)
    if (carried === undefined) {
      carried = { id: ++this.#carriedIds, kind, home, term, domains: new Domains(term.topologyKey), pods: 0 }
      this.#carried.set(key, carried)
      this.#carriedVersion++
    }
    carried.domains.add(node, amount)
    carried.pods += amount
    if (carried.pods > 0) return
    this.#carried.delete(key)
    this.#carriedVersion++
  }

  #drop(group: PodGroup): void {
    group.isDropped = true
    this.#groups.delete(group.selection.key)
    this.#groupsVersion++
  }

  /** When labels of namespaces changed, groups that look at them are counted anew by whoever asks next. */
  #heedNamespaces(): void {
    const { namespaceVersion } = this.#snapshot.objects
    if (namespaceVersion === this.#namespaceVersion) return
    this.#namespaceVersion = namespaceVersion
    for (const group of [...this.#groups.values()]) if (group.selection.dependsOnNamespaces) this.#drop(group)
  }
}

const none: readonly CarriedTerm[] = []

/** How many kinds of pods are remembered with the terms that select them. */
const matchedMax = 50_000

/** The counts of a snapshot: `snapshot.stateOf(createPodCounts)`. */
export const createPodCounts = (snapshot: Snapshot): PodCounts => new PodCounts(snapshot)
