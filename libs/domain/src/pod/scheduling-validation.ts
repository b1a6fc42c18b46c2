// What a pod says about where it may run: tolerations, affinity, topology spread.
import { duplicate, forbiddenField, invalidValue, notSupported, required } from '@shiplog/api/field-errors'
import type {
  Affinity,
  NodeAffinity,
  NodeSelectorRequirement,
  NodeSelectorTerm,
  PodAffinity,
  PodAffinityTerm,
  PodSchedulingGroup,
  Toleration,
  TopologySpreadConstraint,
} from '@shiplog/api/generated/types/core-v1'
import { validateLabelSelector } from '@shiplog/api/selectors'
import type { StatusCause } from '@shiplog/api/status'
import type { Decoded } from '@shiplog/api/decoded'
import { byRule, items } from '../fields.ts'
import { dns1123Label, dns1123Subdomain, labelValue, qualifiedName } from '../names.ts'

const taintEffects = ['NoSchedule', 'PreferNoSchedule', 'NoExecute']

/** `spec.tolerations`. */
export const validateTolerations = (
  tolerations: readonly Decoded<Toleration>[] | undefined,
  field: string,
): StatusCause[] => {
  const causes: StatusCause[] = []
  items(tolerations).forEach((toleration, index) => {
    const at = `${field}[${index}]`
    const { key, operator, effect, value, tolerationSeconds } = toleration
    if (key) causes.push(...byRule(qualifiedName, key, `${at}.key`))
    if (!key && operator !== 'Exists')
      causes.push(
        invalidValue(
          `${at}.operator`,
          operator ?? '',
          'operator must be Exists when `key` is empty, which means "match all values and all keys"',
        ),
      )
    if (typeof tolerationSeconds === 'number' && effect !== 'NoExecute')
      causes.push(
        invalidValue(`${at}.effect`, effect ?? '', "effect must be 'NoExecute' when `tolerationSeconds` is set"),
      )
    if (!operator || operator === 'Equal') {
      const wrong = labelValue(value ?? '')
      if (wrong.length > 0) causes.push(invalidValue(`${at}.operator`, value, wrong.join(';')))
    } else if (operator === 'Exists') {
      if (value) causes.push(invalidValue(`${at}.operator`, value, "value must be empty when `operator` is 'Exists'"))
    } else {
      // Comparing numbers is known, but off by default upstream.
      const isComparison = operator === 'Lt' || operator === 'Gt'
      causes.push(
        notSupported(`${at}.operator`, operator, isComparison ? ['Equal', 'Exists', 'Lt', 'Gt'] : ['Equal', 'Exists']),
      )
    }
    if (effect && !taintEffects.includes(effect)) causes.push(notSupported(`${at}.effect`, effect, taintEffects))
  })
  return causes
}

const validateNodeRequirement = (
  requirement: Decoded<NodeSelectorRequirement>,
  field: string,
  checksValues: boolean,
): StatusCause[] => {
  const causes: StatusCause[] = []
  const values = items(requirement.values)
  switch (requirement.operator) {
    case 'In':
    case 'NotIn':
      if (values.length === 0)
        causes.push(required(`${field}.values`, "must be specified when `operator` is 'In' or 'NotIn'"))
      break
    case 'Exists':
    case 'DoesNotExist':
      if (values.length > 0)
        causes.push(
          forbiddenField(`${field}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"),
        )
      break
    case 'Gt':
    case 'Lt':
      if (values.length !== 1)
        causes.push(required(`${field}.values`, "must be specified single value when `operator` is 'Lt' or 'Gt'"))
      break
    default:
      causes.push(invalidValue(`${field}.operator`, requirement.operator ?? '', 'not a valid selector operator'))
  }
  causes.push(...byRule(qualifiedName, String(requirement.key ?? ''), `${field}.key`))
  // What is only preferred may ask for values that no label can have.
  if (checksValues)
    values.forEach((value, index) => {
      causes.push(...byRule(labelValue, String(value), `${field}.values[${index}]`))
    })
  return causes
}

const validateFieldRequirement = (requirement: Decoded<NodeSelectorRequirement>, field: string): StatusCause[] => {
  const causes: StatusCause[] = []
  if (requirement.operator !== 'In' && requirement.operator !== 'NotIn')
    causes.push(invalidValue(`${field}.operator`, requirement.operator ?? '', 'not a valid selector operator'))
  else if (items(requirement.values).length !== 1)
    causes.push(
      required(`${field}.values`, "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"),
    )
  if (requirement.key !== 'metadata.name')
    causes.push(invalidValue(`${field}.key`, requirement.key ?? '', 'not a valid field selector key'))
  return causes
}

/** One of the terms of which a node must meet one. */
export const validateNodeTerm = (
  term: Decoded<NodeSelectorTerm>,
  field: string,
  checksValues: boolean,
): StatusCause[] => [
  ...items(term.matchExpressions).flatMap((requirement, index) =>
    validateNodeRequirement(requirement, `${field}.matchExpressions[${index}]`, checksValues),
  ),
  ...items(term.matchFields).flatMap((requirement, index) =>
    validateFieldRequirement(requirement, `${field}.matchFields[${index}]`),
  ),
]

const validateNodeAffinity = (affinity: Decoded<NodeAffinity>, field: string): StatusCause[] => {
  const causes: StatusCause[] = []
  const needed = affinity.requiredDuringSchedulingIgnoredDuringExecution
  if (needed) {
    const at = `${field}.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms`
    if (items(needed.nodeSelectorTerms).length === 0)
      causes.push(required(at, 'must have at least one node selector term'))
    items(needed.nodeSelectorTerms).forEach((term, index) => {
      causes.push(...validateNodeTerm(term, `${at}[${index}]`, true))
    })
  }
  items(affinity.preferredDuringSchedulingIgnoredDuringExecution).forEach((term, index) => {
    const at = `${field}.preferredDuringSchedulingIgnoredDuringExecution[${index}]`
    causes.push(...validateWeight(term.weight, at))
    causes.push(...validateNodeTerm(term.preference ?? {}, `${at}.preference`, false))
  })
  return causes
}

const validateWeight = (weight: unknown, field: string): StatusCause[] =>
  typeof weight === 'number' && weight >= 1 && weight <= 100
    ? []
    : [invalidValue(`${field}.weight`, weight ?? 0, 'must be in the range 1-100')]

/** What a term of affinity and a constraint of spread have in common; only the term can exclude by a key. */
export type LabelKeys = Pick<PodAffinityTerm, 'labelSelector' | 'matchLabelKeys' | 'mismatchLabelKeys'>

const keyLists = ['matchLabelKeys', 'mismatchLabelKeys'] as const

/** Labels whose values a pod's own are compared with: only beside a selector, and in no two lists. */
const validateLabelKeys = (holder: Decoded<LabelKeys>, field: string): StatusCause[] => {
  const causes: StatusCause[] = []
  const selector = holder.labelSelector
  for (const list of keyLists) {
    const keys = items(holder[list])
    if (keys.length > 0 && !selector)
      causes.push(forbiddenField(`${field}.${list}`, 'must not be specified when labelSelector is not set'))
    else
      keys.forEach((key, index) => {
        causes.push(...byRule(qualifiedName, String(key), `${field}.${list}[${index}]`))
      })
  }
  const [match, mismatch] = keyLists.map((list) => items(holder[list]))
  match!.forEach((key, index) => {
    if (mismatch!.includes(key))
      causes.push(
        invalidValue(`${field}.matchLabelKeys[${index}]`, key, 'exists in both matchLabelKeys and mismatchLabelKeys'),
      )
  })
  const seen = new Set(Object.keys(selector?.matchLabels ?? {}))
  for (const { key = '' } of items(selector?.matchExpressions)) {
    // What the API server added for the key is one expression; a second is the user's.
    if (seen.has(key) && match!.includes(key))
      causes.push(
        invalidValue(`${field}[${match!.lastIndexOf(key)}]`, key, 'exists in both matchLabelKeys and labelSelector'),
      )
    seen.add(key)
  }
  return causes
}

const validatePodTerm = (term: Decoded<PodAffinityTerm>, field: string): StatusCause[] => {
  const causes = [
    ...validateLabelSelector(term.labelSelector, `${field}.labelSelector`),
    ...validateLabelSelector(term.namespaceSelector, `${field}.namespaceSelector`),
  ]
  causes.push(...validateLabelKeys(term, field))
  for (const namespace of items(term.namespaces))
    causes.push(...byRule(dns1123Label, String(namespace), `${field}.namespace`))
  if (!term.topologyKey) causes.push(required(`${field}.topologyKey`, 'can not be empty'))
  causes.push(...byRule(qualifiedName, String(term.topologyKey ?? ''), `${field}.topologyKey`))
  return causes
}

const validatePodAffinity = (affinity: Decoded<PodAffinity>, field: string): StatusCause[] => [
  ...items(affinity.requiredDuringSchedulingIgnoredDuringExecution).flatMap((term, index) =>
    validatePodTerm(term, `${field}.requiredDuringSchedulingIgnoredDuringExecution[${index}]`),
  ),
  ...items(affinity.preferredDuringSchedulingIgnoredDuringExecution).flatMap((term, index) => {
    const at = `${field}.preferredDuringSchedulingIgnoredDuringExecution[${index}]`
    return [...validateWeight(term.weight, at), ...validatePodTerm(term.podAffinityTerm ?? {}, `${at}.podAffinityTerm`)]
  }),
]

/** `spec.affinity`. */
export const validateAffinity = (affinity: Decoded<Affinity> | undefined, field: string): StatusCause[] =>
  affinity
    ? [
        ...(affinity.nodeAffinity ? validateNodeAffinity(affinity.nodeAffinity, `${field}.nodeAffinity`) : []),
        ...(affinity.podAffinity ? validatePodAffinity(affinity.podAffinity, `${field}.podAffinity`) : []),
        ...(affinity.podAntiAffinity ? validatePodAffinity(affinity.podAntiAffinity, `${field}.podAntiAffinity`) : []),
      ]
    : []

const unsatisfiableActions = ['DoNotSchedule', 'ScheduleAnyway']
const inclusionPolicies = ['Honor', 'Ignore']

/** `spec.topologySpreadConstraints`. */
export const validateTopologySpread = (
  constraints: Decoded<TopologySpreadConstraint[]> | undefined,
  field: string,
): StatusCause[] => {
  const causes: StatusCause[] = []
  items(constraints).forEach((constraint, index) => {
    const at = `${field}[${index}]`
    const skew = constraint.maxSkew
    if (!(typeof skew === 'number' && skew > 0))
      causes.push(invalidValue(`${at}.maxSkew`, skew ?? 0, 'must be greater than zero'))
    if (!constraint.topologyKey) causes.push(required(`${at}.topologyKey`, 'can not be empty'))
    const action = constraint.whenUnsatisfiable
    if (!action || !unsatisfiableActions.includes(action))
      causes.push(notSupported(`${at}.whenUnsatisfiable`, action ?? '', unsatisfiableActions))
    // The first of two is the one that upstream tells of.
    const twin = items(constraints)
      .slice(index + 1)
      .some((other) => other.topologyKey === constraint.topologyKey && other.whenUnsatisfiable === action)
    if (twin) causes.push(duplicate(`${at}.{topologyKey, whenUnsatisfiable}`, `{${constraint.topologyKey}, ${action}}`))
    causes.push(...validateLabelKeys(constraint, at))
    const domains = constraint.minDomains
    if (typeof domains === 'number') {
      if (domains <= 0) causes.push(invalidValue(`${at}.minDomains`, domains, 'must be greater than zero'))
      if (action !== 'DoNotSchedule')
        causes.push(
          invalidValue(
            `${at}.minDomains`,
            domains,
            `can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ${action ?? ''}`,
          ),
        )
    }
    for (const policy of ['nodeAffinityPolicy', 'nodeTaintsPolicy'] as const)
      if (constraint[policy] && !inclusionPolicies.includes(constraint[policy]))
        causes.push(notSupported(`${at}.${policy}`, constraint[policy], inclusionPolicies))
    causes.push(...validateLabelSelector(constraint.labelSelector, `${at}.labelSelector`))
  })
  return causes
}

/** A reference to a PodGroup of the pod's namespace, which need not be there yet. */
export function validateSchedulingGroup(group: Decoded<PodSchedulingGroup> | undefined, field: string): StatusCause[] {
  if (!group) return []
  const { podGroupName } = group
  const at = `${field}.podGroupName`
  if (podGroupName === undefined) return [invalidValue(at, null, 'must specify one of: `podGroupName`')]
  return byRule(dns1123Subdomain, podGroupName, at)
}
