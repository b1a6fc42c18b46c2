// Node selectors: a pod's nodeSelector and node affinity, compiled once per shape of pod so that matching is cheap.
import type {
  NodeSelector,
  NodeSelectorRequirement,
  NodeSelectorTerm,
  PreferredSchedulingTerm,
} from '@shiplog/api/generated/types/core-v1'

/** The part of a node that selectors look at. */
export interface SelectableNode {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
}

export type NodePredicate = (node: SelectableNode) => boolean

/** What spec.nodeSelector and the required node affinity ask for. */
export interface RequiredNodes {
  readonly matches: NodePredicate
  /** When every term names its nodes (`metadata.name In`): only these can match. Empty: the terms contradict themselves. */
  readonly names: ReadonlySet<string> | undefined
}

export interface PreferredTerm {
  readonly weight: number
  readonly matches: NodePredicate
}

const integer = /^-?[0-9]+$/

/** Compiles nodeSelector and requiredDuringSchedulingIgnoredDuringExecution; undefined when the pod has neither. */
export function compileRequired(
  nodeSelector: Readonly<Record<string, string>> | undefined,
  required: NodeSelector | undefined,
): RequiredNodes | undefined {
  const labels = Object.entries(nodeSelector ?? {})
  if (labels.length === 0 && !required) return undefined
  const terms = required ? (required.nodeSelectorTerms ?? []) : undefined
  const predicates = terms?.map(compileTerm)
  return {
    matches: (node) => {
      for (const [key, value] of labels) if (node.labels[key] !== value) return false
      return predicates === undefined || predicates.some((matches) => matches(node))
    },
    names: terms === undefined || terms.length === 0 ? undefined : namesOf(terms),
  }
}

/** Compiles preferredDuringSchedulingIgnoredDuringExecution; terms without weight or content say nothing. */
export const compilePreferred = (terms: readonly PreferredSchedulingTerm[] | undefined): readonly PreferredTerm[] =>
  (terms ?? [])
    .filter((term) => term.weight !== 0 && !isEmpty(term.preference ?? {}))
    .map((term) => ({ weight: term.weight, matches: compileTerm(term.preference) }))

const isEmpty = (term: NodeSelectorTerm): boolean =>
  (term.matchExpressions ?? []).length === 0 && (term.matchFields ?? []).length === 0

/** A term matches when all its requirements do; a term without any matches nothing. */
function compileTerm(term: NodeSelectorTerm): NodePredicate {
  if (isEmpty(term)) return () => false
  const requirements = [
    ...(term.matchExpressions ?? []).map((requirement) =>
      compileRequirement(requirement, (node) => node.labels[requirement.key]),
    ),
    ...(term.matchFields ?? []).map((requirement) =>
      requirement.key === 'metadata.name' && (requirement.operator === 'In' || requirement.operator === 'NotIn')
        ? compileRequirement(requirement, (node) => node.name)
        : () => false,
    ),
  ]
  return (node) => requirements.every((matches) => matches(node))
}

function compileRequirement(
  requirement: NodeSelectorRequirement,
  read: (node: SelectableNode) => string | undefined,
): NodePredicate {
  const values = requirement.values ?? []
  switch (requirement.operator) {
    case 'In': {
      const wanted = new Set(values)
      return (node) => {
        const value = read(node)
        return value !== undefined && wanted.has(value)
      }
    }
    case 'NotIn': {
      const unwanted = new Set(values)
      return (node) => {
        const value = read(node)
        return value === undefined || !unwanted.has(value)
      }
    }
    case 'Exists':
      return (node) => read(node) !== undefined
    case 'DoesNotExist':
      return (node) => read(node) === undefined
    case 'Gt':
    case 'Lt': {
      const bound = values[0]
      if (values.length !== 1 || bound === undefined || !integer.test(bound)) return () => false
      const limit = BigInt(bound)
      const greater = requirement.operator === 'Gt'
      return (node) => {
        const value = read(node)
        if (value === undefined || !integer.test(value)) return false
        return greater ? BigInt(value) > limit : BigInt(value) < limit
      }
    }
    default:
      return () => false
  }
}

/** The nodes that the terms name, or undefined when some term leaves the name open. */
function namesOf(terms: readonly NodeSelectorTerm[]): ReadonlySet<string> | undefined {
  const names = new Set<string>()
  for (const term of terms) {
    let ofTerm: Set<string> | undefined
    for (const requirement of term.matchFields ?? []) {
      if (requirement.key !== 'metadata.name' || requirement.operator !== 'In') continue
      const values = new Set((requirement.values ?? []) as string[])
      ofTerm = ofTerm === undefined ? values : ofTerm.intersection(values)
    }
    if (ofTerm === undefined) return undefined
    for (const name of ofTerm) names.add(name)
  }
  return names
}
