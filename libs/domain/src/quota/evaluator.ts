// How much of a quota an object takes: one evaluator for each sort of object, as k8s.io/kubernetes/pkg/quota/v1/evaluator
// has them. Kinds without one of their own are counted.
import type { KubeObject } from '@shiplog/api/kube-object'
import type { AdmissionAttributes } from '../admission.ts'
import { claimEvaluator } from './claim-evaluator.ts'
import { podEvaluator } from './pod-evaluator.ts'
import { one, type ResourceList } from './resource-list.ts'
import { serviceEvaluator } from './service-evaluator.ts'

/** `spec.scopes` and `spec.scopeSelector` in one form. */
export interface ScopeRequirement {
  readonly scopeName: string
  readonly operator: string
  readonly values?: readonly string[]
}

/** What a write was of, as far as it can change what is used. */
export type QuotaWrite = Pick<AdmissionAttributes, 'operation' | 'subresource' | 'object' | 'before'>

export interface Evaluator {
  /** Whether such a write may change what is used. */
  handles(write: QuotaWrite): boolean
  /** Whether a name of `spec.hard` is about such objects. */
  tracks(name: string): boolean
  matchesScope(scope: ScopeRequirement, object: KubeObject): boolean
  usage(object: KubeObject, nowMs: number): ResourceList
  /** What the object must say and does not, given the names that limit it: `must specify limits.cpu for: app`. */
  missing?(limited: ReadonlySet<string>, object: KubeObject): string | undefined
}

/** The names under which four kinds were counted before all could be. */
const oldNames: ReadonlySet<string> = new Set(['configmaps', 'resourcequotas', 'replicationcontrollers', 'secrets'])

function countEvaluator(groupResource: string): Evaluator {
  const names = [`count/${groupResource}`, ...(oldNames.has(groupResource) ? [groupResource] : [])]
  return {
    handles: ({ operation, subresource }) => operation === 'CREATE' && subresource === '',
    tracks: (name) => names.includes(name),
    matchesScope: () => false,
    usage: (): ResourceList => new Map(names.map((name) => [name, one])),
  }
}

const special: ReadonlyMap<string, Evaluator> = new Map([
  ['pods', podEvaluator],
  ['services', serviceEvaluator],
  ['persistentvolumeclaims', claimEvaluator],
])

/** By group and plural: `pods`, `deployments.apps`. */
export const evaluatorFor = (groupResource: string): Evaluator =>
  special.get(groupResource) ?? countEvaluator(groupResource)

/** The kinds whose objects a name of `spec.hard` is about; undefined for a name that nobody counts. */
export function resourceCountedBy(name: string): string | undefined {
  for (const [resource, evaluator] of special) if (evaluator.tracks(name)) return resource
  if (name.startsWith('count/')) return name.slice('count/'.length)
  return oldNames.has(name) ? name : undefined
}
