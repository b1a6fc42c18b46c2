// How many pods a budget expects: the sum of the sizes that the controllers of its pods are set to, each counted once.
import type { PodDisruptionBudget } from '@shiplog/api/generated/types/policy-v1'
import type { Pod } from '@shiplog/api/generated/types/core-v1'
import { percentOf, scaledValue } from '@shiplog/api/int-or-string'
import type { OwnerReference } from '@shiplog/api/kube-object'
import type { BuiltInResource, ObjectOf } from '@shiplog/api/object-of'
import { builtInRegistry } from '@shiplog/api/schema/registry'
import { keyOf, type ObjectView } from '@shiplog/reconcile/view'
import { controllerOf } from '../shared/ownership.ts'

export interface Expected {
  readonly count: number
  readonly desiredHealthy: number
  /** Some pods have no controller, so that their number is not known. */
  readonly hasUnmanaged: boolean
}

export interface Failure {
  readonly failure: string
}

interface Scale {
  readonly uid: string
  readonly replicas: number
}

const groupOf = (apiVersion: string): string =>
  apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : ''

function controllerIn<R extends BuiltInResource>(
  view: ObjectView,
  groupResource: R,
  namespace: string,
  reference: OwnerReference,
): ObjectOf<R> | undefined {
  const found = view.get(groupResource, keyOf(namespace, reference.name))
  return found?.metadata.uid === reference.uid ? found : undefined
}

/** What the controller of a pod is set to; a ReplicaSet's Deployment speaks for it. */
function scaleOf(view: ObjectView, namespace: string, reference: OwnerReference): Scale | Failure | undefined {
  const group = groupOf(reference.apiVersion)
  const scale = (found: { metadata: { uid: string }; spec: { replicas?: number } } | undefined): Scale | undefined =>
    found && { uid: found.metadata.uid, replicas: found.spec.replicas ?? 1 }
  if (reference.kind === 'ReplicationController' && group === '') {
    return scale(controllerIn(view, 'replicationcontrollers', namespace, reference))
  }
  if (reference.kind === 'StatefulSet' && group === 'apps') {
    return scale(controllerIn(view, 'statefulsets.apps', namespace, reference))
  }
  if (reference.kind === 'ReplicaSet' && (group === 'apps' || group === 'extensions')) {
    const replicaSet = controllerIn(view, 'replicasets.apps', namespace, reference)
    const above = replicaSet && controllerOf(replicaSet)
    if (above?.kind !== 'Deployment') return scale(replicaSet)
    return scale(controllerIn(view, 'deployments.apps', namespace, above))
  }
  return { failure: unscalable(reference, group) }
}

function unscalable({ kind, apiVersion }: OwnerReference, group: string): string {
  const info = builtInRegistry().resources.find((one) => one.kind === kind && one.group === group)
  if (!info) return `no matches for kind "${kind}" in version "${apiVersion}"`
  return `${info.resource}${group ? `.${group}` : ''} does not implement the scale subresource`
}

function expectedScale(view: ObjectView, pods: readonly Pod[]): { count: number; hasUnmanaged: boolean } | Failure {
  const scales = new Map<string, number>()
  const seen = new Set<string>()
  let hasUnmanaged = false
  for (const pod of pods) {
    const reference = controllerOf(pod)
    if (!reference) hasUnmanaged = true
    if (!reference || seen.has(reference.uid)) continue
    seen.add(reference.uid)
    const scale = scaleOf(view, pod.metadata.namespace!, reference)
    if (!scale) return { failure: `found no controllers for pod "${pod.metadata.name}"` }
    if ('failure' in scale) return scale
    scales.set(scale.uid, scale.replicas)
  }
  return { count: scales.values().reduce((sum, replicas) => sum + replicas, 0), hasUnmanaged }
}

/** What a budget asks for. A plain number of pods needs no controllers. */
export function expectedPods(view: ObjectView, budget: PodDisruptionBudget, pods: readonly Pod[]): Expected | Failure {
  const { minAvailable, maxUnavailable } = budget.spec
  if (maxUnavailable === undefined && typeof minAvailable === 'number') {
    return { count: pods.length, desiredHealthy: minAvailable, hasUnmanaged: false }
  }
  const limit = maxUnavailable ?? minAvailable
  if (limit === undefined) return { count: 0, desiredHealthy: 0, hasUnmanaged: false }
  if (typeof limit === 'string' && percentOf(limit) === undefined) {
    return { failure: `invalid value for IntOrString: invalid type: string is not a percentage` }
  }
  const scale = expectedScale(view, pods)
  if ('failure' in scale) return scale
  const share = scaledValue(limit, scale.count, true) ?? 0
  return { ...scale, desiredHealthy: maxUnavailable === undefined ? share : Math.max(0, scale.count - share) }
}
