// The terms of affinity and anti-affinity between pods, compiled once per shape of pod.
import type { Affinity, PodAffinityTerm } from '@shiplog/api/generated/types/core-v1'
import { type CompiledSelector, compileLabelSelector, nothingSelector } from '@shiplog/api/selectors'

/** The part of a pod that a term looks at. */
export interface SelectablePod {
  readonly namespace: string
  readonly labels: Readonly<Record<string, string>>
}

/** Selects pods by their labels, in namespaces that are named, that a selector picks, or (neither given) in the own one. */
export interface AffinityTerm {
  readonly topologyKey: string
  readonly selector: CompiledSelector
  /** Empty without a namespaceSelector: the namespace of the pod that has the term. */
  readonly namespaces: readonly string[]
  readonly namespaceSelector: CompiledSelector | undefined
  /** Of a preferred term; negative for anti-affinity. 0 for a required one. */
  readonly weight: number
  /** Equal texts select the same pods, seen from one namespace. */
  readonly text: string
}

export interface AffinityTerms {
  readonly required: readonly AffinityTerm[]
  readonly requiredAnti: readonly AffinityTerm[]
  /** Preferred affinity and anti-affinity. */
  readonly preferred: readonly AffinityTerm[]
}

/** A selector that was stored is valid; one that is not selects nothing. */
const selectorOf = (selector: PodAffinityTerm['labelSelector']): CompiledSelector => {
  try {
    return compileLabelSelector(selector)
  } catch {
    return nothingSelector
  }
}

function compileTerm(term: PodAffinityTerm, weight = 0): AffinityTerm {
  const namespaces = [...(term.namespaces ?? [])].sort()
  return {
    topologyKey: term.topologyKey,
    selector: selectorOf(term.labelSelector),
    namespaces,
    namespaceSelector: term.namespaceSelector === undefined ? undefined : selectorOf(term.namespaceSelector),
    weight,
    text: JSON.stringify([term.labelSelector, namespaces, term.namespaceSelector]),
  }
}

/** Undefined when the pod has no term at all. */
export function compileTerms(affinity: Affinity | undefined): AffinityTerms | undefined {
  const { podAffinity, podAntiAffinity } = affinity ?? {}
  const required = podAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []
  const requiredAnti = podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []
  const preferred = [
    ...(podAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map(({ podAffinityTerm, weight }) =>
      compileTerm(podAffinityTerm, weight),
    ),
    ...(podAntiAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map(({ podAffinityTerm, weight }) =>
      compileTerm(podAffinityTerm, -weight),
    ),
  ]
  if (required.length + requiredAnti.length + preferred.length === 0) return undefined
  return {
    required: required.map((term) => compileTerm(term)),
    requiredAnti: requiredAnti.map((term) => compileTerm(term)),
    preferred,
  }
}

/** Labels of a namespace; undefined when there is no such namespace. */
export type NamespaceLabels = (namespace: string) => Readonly<Record<string, string>> | undefined

/**
 * Whether a term of a pod of `home` selects another pod. Upstream resolves the namespace selector of an incoming pod among
 * the namespaces that exist; that of a pod already placed is asked about the incoming pod's namespace, without labels
 * when that is gone.
 */
export function selects(
  term: AffinityTerm,
  home: string,
  pod: SelectablePod,
  labelsOf: NamespaceLabels,
  isPlaced: boolean,
): boolean {
  return isInNamespaces(term, home, pod.namespace, labelsOf, isPlaced) && term.selector.matches(pod.labels)
}

function isInNamespaces(
  { namespaces, namespaceSelector }: AffinityTerm,
  home: string,
  namespace: string,
  labelsOf: NamespaceLabels,
  isPlaced: boolean,
): boolean {
  if (namespaceSelector === undefined && namespaces.length === 0) return namespace === home
  if (namespaces.includes(namespace)) return true
  if (namespaceSelector === undefined) return false
  if (namespaceSelector.everything) return true
  const labels = labelsOf(namespace)
  if (labels === undefined && !isPlaced) return false
  return namespaceSelector.matches(labels ?? {})
}
