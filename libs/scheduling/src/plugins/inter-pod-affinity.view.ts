// What the pods of a cluster mean for one pod's place, by affinity: read from counters, so that judging a node costs a few
// look-ups however many pods there are. Rules as upstream's InterPodAffinity.
import type { Domains } from '../counts/domains.ts'
import { type CarriedTerm, createPodCounts, type PodCounts, type PodGroup, type PodSelection } from '../counts/pod-counts.ts'
import type { PodChanges, Rejection } from '../framework/framework.ts'
import type { NodeInfo } from '../snapshot/node-info.ts'
import type { PodInfo } from '../snapshot/pod-info.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'
import { type AffinityTerm, type NamespaceLabels, selects } from './affinity-terms.ts'

const affinityRejection: Rejection = { reasons: ["node(s) didn't match pod affinity rules"], resolvable: false }
const antiRejection: Rejection = { reasons: ["node(s) didn't match pod anti-affinity rules"], resolvable: true }
const existingRejection: Rejection = {
  reasons: ["node(s) didn't satisfy existing pods anti-affinity rules"],
  resolvable: true,
}

/** Pods that the terms of a pod of this namespace select, all of them at once. */
const selectionOf = (terms: readonly AffinityTerm[], home: string, labelsOf: NamespaceLabels): PodSelection => ({
  key: JSON.stringify(['all of', home, ...terms.map(({ text }) => text)]),
  countsTerminating: true,
  selects: (pod) => terms.every((term) => selects(term, home, pod, labelsOf, false)),
  dependsOnNamespaces: terms.some(({ namespaceSelector }) => namespaceSelector && !namespaceSelector.everything),
})

export interface Weighted {
  readonly domains: Domains
  readonly weight: number
}

export interface AffinityArguments {
  readonly hardPodAffinityWeight: number
  readonly ignorePreferredTermsOfExistingPods: boolean
}

export class AffinityView {
  readonly #pod: PodInfo
  readonly #counts: PodCounts
  readonly #labelsOf: NamespaceLabels
  readonly required: readonly Domains[]
  readonly #anti: readonly { readonly term: AffinityTerm; readonly domains: Domains }[]
  readonly #existing: readonly CarriedTerm[]
  readonly weighted: readonly Weighted[]
  readonly #groups: PodGroup[] = []
  /** Whether the pod would be selected by its own terms: the first of a group may go anywhere. */
  readonly selectsItself: boolean

  constructor(pod: PodInfo, snapshot: Snapshot, options: AffinityArguments) {
    this.#pod = pod
    this.#counts = snapshot.stateOf(createPodCounts)
    this.#labelsOf = (namespace) => snapshot.objects.namespaceLabels(namespace)
    const { required = [], requiredAnti = [], preferred = [] } = pod.shape.terms ?? {}
    const all = required.length === 0 ? undefined : this.#groupOf(required)
    this.required = required.map(({ topologyKey }) => all!.by(topologyKey))
    this.selectsItself = required.every((term) => selects(term, pod.namespace, pod, this.#labelsOf, false))
    this.#anti = requiredAnti.map((term) => ({ term, domains: this.#groupOf([term]).by(term.topologyKey) }))
    const matching = this.#counts.matching(pod)
    this.#existing = matching.filter(({ kind }) => kind === 'anti')
    const ignoresOthers = options.ignorePreferredTermsOfExistingPods && preferred.length === 0
    this.weighted = [
      ...preferred.map((term) => ({ domains: this.#groupOf([term]).by(term.topologyKey), weight: term.weight })),
      ...(ignoresOthers ? [] : matching.flatMap((carried) => weightedBy(carried, options))),
    ]
  }

  /** Upstream: Skip. It depends on pods that are placed, so that then the terms of nominated pods are not looked at either. */
  get filters(): boolean {
    return this.required.length > 0 || this.#anti.length > 0 || this.#existing.some(({ domains }) => domains.total > 0)
  }

  /** Where a node must not be, if anything is counted there. */
  get forbidding(): readonly Domains[] {
    return [...this.#anti.map(({ domains }) => domains), ...this.#existing.map(({ domains }) => domains)]
  }

  get scores(): boolean {
    return this.weighted.length > 0
  }

  readonly filter = (node: NodeInfo, changes?: PodChanges): Rejection | undefined => {
    if (!this.#satisfiesAffinity(node, changes)) return affinityRejection
    for (const { term, domains } of this.#anti) {
      if (domains.at(node) + this.#changed([term], changes) > 0 && Object.hasOwn(node.labels, term.topologyKey)) {
        return antiRejection
      }
    }
    for (const carried of this.#existing) {
      if (carried.domains.at(node) + this.#carriedChange(carried, node, changes) > 0) return existingRejection
    }
    // Pods that are tried out may carry terms that nobody carried before.
    return changes?.added.some((pod) => this.#forbids(pod, node)) ? existingRejection : undefined
  }

  readonly score = (node: NodeInfo): number => {
    let sum = 0
    for (const { domains, weight } of this.weighted) sum += domains.at(node) * weight
    return sum
  }

  /** False once its counters are not kept any more. */
  get isCurrent(): boolean {
    return !this.#groups.some(({ isDropped }) => isDropped)
  }

  #groupOf(terms: readonly AffinityTerm[]): PodGroup {
    const group = this.#counts.group(selectionOf(terms, this.#pod.namespace, this.#labelsOf))
    this.#groups.push(group)
    return group
  }

  #satisfiesAffinity(node: NodeInfo, changes: PodChanges | undefined): boolean {
    if (this.required.length === 0) return true
    const { required } = this.#pod.shape.terms!
    const delta = this.#changed(required, changes)
    let exist = true
    let total = 0
    for (const domains of this.required) {
      if (!Object.hasOwn(node.labels, domains.topologyKey)) return false
      if (domains.at(node) + delta <= 0) exist = false
      total += domains.total + delta
    }
    // The first pod of a group that wants to be together may go anywhere.
    return exist || (total === 0 && this.selectsItself)
  }

  /** How many more of the pods that all these terms select are on the node that is tried out. */
  #changed(terms: readonly AffinityTerm[], changes: PodChanges | undefined): number {
    if (changes === undefined) return 0
    const isSelected = (pod: PodInfo): boolean =>
      terms.every((term) => selects(term, this.#pod.namespace, pod, this.#labelsOf, false))
    return count(changes.added, isSelected) - count(changes.removed, isSelected)
  }

  /** Likewise of pods that carry a term. Those that are added are asked one by one. */
  #carriedChange({ home, term }: CarriedTerm, node: NodeInfo, changes: PodChanges | undefined): number {
    if (changes === undefined || !Object.hasOwn(node.labels, term.topologyKey)) return 0
    let carriers = 0
    for (const { namespace, shape } of changes.removed) {
      if (home !== '' && home !== namespace) continue
      for (const one of shape.terms?.requiredAnti ?? []) {
        if (one.text === term.text && one.topologyKey === term.topologyKey) carriers++
      }
    }
    return -carriers
  }

  #forbids({ namespace, shape }: PodInfo, node: NodeInfo): boolean {
    return (shape.terms?.requiredAnti ?? []).some(
      (term) => Object.hasOwn(node.labels, term.topologyKey) && selects(term, namespace, this.#pod, this.#labelsOf, true),
    )
  }
}

function weightedBy({ kind, term, domains }: CarriedTerm, { hardPodAffinityWeight }: AffinityArguments): Weighted[] {
  if (kind === 'preferred') return [{ domains, weight: term.weight }]
  return kind === 'required' && hardPodAffinityWeight > 0 ? [{ domains, weight: hardPodAffinityWeight }] : []
}

const count = (pods: readonly PodInfo[], isOne: (pod: PodInfo) => boolean): number => {
  let found = 0
  for (const pod of pods) if (isOne(pod)) found++
  return found
}
