// What becomes of the default roles and bindings at a start, when they are there already: rules, subjects, labels that are
// missing are added, so that a new version has what it needs; what somebody added stays, and so does all of an object that
// is marked not to be updated.
import type { ClusterRole, ClusterRoleBinding, Subject } from '@shiplog/api/generated/types/rbac-v1'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import { semanticEqual } from '../fields.ts'
import { uncovered } from './rule-coverage.ts'

const autoupdate = 'rbac.authorization.kubernetes.io/autoupdate'

/** What is to be done with an object that is there; undefined for nothing. A binding of another role is made anew. */
export type Upkeep = { readonly update: KubeObject } | { readonly recreate: true } | undefined

export function upkeepOf(known: KubeObject, wanted: JsonObject): Upkeep {
  if (known.metadata.annotations?.[autoupdate] === 'false') return undefined
  const isBinding = known.kind.endsWith('Binding')
  if (isBinding && !semanticEqual(known['roleRef'], wanted['roleRef'])) return { recreate: true }
  const parts = isBinding ? { subjects: subjectsWith(known, wanted) } : rulesWith(known, wanted)
  const { labels, annotations } = wanted['metadata'] as KubeObject['metadata']
  const metadata = {
    ...known.metadata,
    labels: { ...known.metadata.labels, ...labels },
    annotations: { ...known.metadata.annotations, ...annotations },
  }
  const update = { ...known, ...parts, metadata }
  return semanticEqual(update, known) ? undefined : { update }
}

function rulesWith(known: KubeObject, wanted: JsonObject): JsonObject {
  const [there, needed] = [known, wanted] as unknown as ClusterRole[]
  const { aggregationRule, rules = [] } = needed!
  if (aggregationRule) {
    const selectors = there!.aggregationRule?.clusterRoleSelectors ?? []
    const missing = (aggregationRule.clusterRoleSelectors ?? []).filter(
      (selector) => !selectors.some((each) => semanticEqual(each, selector)),
    )
    // Its rules are the aggregation's.
    return { aggregationRule: { ...there!.aggregationRule, clusterRoleSelectors: [...selectors, ...missing] } }
  }
  const held = there!.rules ?? []
  const missing = rules.filter((rule) => uncovered(held, [rule]).length > 0)
  return missing.length === 0 ? {} : { rules: [...held, ...missing] }
}

function subjectsWith(known: KubeObject, wanted: JsonObject): readonly Subject[] | undefined {
  const there = (known as unknown as ClusterRoleBinding).subjects
  const missing = ((wanted as unknown as ClusterRoleBinding).subjects ?? []).filter(
    (subject) => !(there ?? []).some((each) => isSame(each, subject)),
  )
  return missing.length === 0 ? there : [...(there ?? []), ...missing]
}

const isSame = (left: Subject, right: Subject): boolean =>
  left.kind === right.kind && left.name === right.name && (left.namespace ?? '') === (right.namespace ?? '')
