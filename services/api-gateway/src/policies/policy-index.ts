// The admission policies of a kind with their bindings, read anew when one of them has changed and somebody asks. What a
// write costs where no policy is about its resource is a look into a map.
import type {
  MutatingAdmissionPolicyBindingSpec,
  ValidatingAdmissionPolicyBindingSpec,
} from '@shiplog/api/generated/types/admissionregistration-v1'
import type { KubeObject } from '@shiplog/api/kube-object'
import { groupResourceOf, type ResourceInfo } from '@shiplog/api/schema/schema'
import type { AdmissionView } from '@shiplog/domain/admission'
import type { Catalogue } from '@shiplog/domain/catalogue/catalogue'
import type { PolicySpec } from '@shiplog/domain/policy/compiled-policy'
import { isExempt, ruleMatches } from '@shiplog/domain/webhook/rules'
import type { AdmissionAim } from '@shiplog/domain/write/async-admission'
import type { Streams } from '../store/streams.ts'

export type BindingSpec = ValidatingAdmissionPolicyBindingSpec & MutatingAdmissionPolicyBindingSpec

export interface BoundPolicy {
  readonly name: string
  readonly spec: PolicySpec
  /** By name. */
  readonly bindings: readonly { readonly name: string; readonly spec: BindingSpec }[]
}

export interface PolicyIndex {
  /** Policies that may be about a request, as far as this can be told before its object is known. */
  about(aim: AdmissionAim): readonly BoundPolicy[]
}

const none: readonly BoundPolicy[] = []
/** Answers of one look at all rules; more would only be kept for resources that somebody makes up. */
const knownAimsMax = 10_000

/** What neither kind of policy is asked about: without an answer to these nobody could do anything. */
const excluded: ReadonlySet<string> = new Set([
  'selfsubjectreviews.authentication.k8s.io',
  'tokenreviews.authentication.k8s.io',
  'localsubjectaccessreviews.authorization.k8s.io',
  'selfsubjectaccessreviews.authorization.k8s.io',
  'selfsubjectrulesreviews.authorization.k8s.io',
  'subjectaccessreviews.authorization.k8s.io',
])

export function createPolicyIndex(
  { view, streams, catalogue }: { readonly view: AdmissionView; readonly streams: Streams; readonly catalogue: () => Catalogue },
  names: { readonly policies: string; readonly bindings: string },
): PolicyIndex {
  const { projection } = streams.events
  let isStale = true
  let bound = none
  const known = new Map<string, readonly BoundPolicy[]>()
  for (const name of [names.policies, names.bindings])
    projection.table(name).listeners.add(() => {
      isStale = true
    })

  const current = (): readonly BoundPolicy[] => {
    if (!isStale) return bound
    // Before the snapshot is complete nobody tells of what came.
    isStale = !projection.synced
    bound = boundPolicies(view.list(names.policies), view.list(names.bindings))
    known.clear()
    return bound
  }

  return {
    about(aim) {
      const all = current()
      if (all.length === 0 || isExempt(aim) || excluded.has(groupResourceOf(aim.group, aim.resource))) return none
      const { resource } = aim.kind
      const key = `${aim.operation} ${resource.group}/${resource.version}/${resource.resource}/${aim.subresource}`
      let found = known.get(key)
      if (!found) {
        if (known.size >= knownAimsMax) known.clear()
        const places = equivalentsOf(catalogue(), resource)
        found = all.filter(({ spec }) => mayMatch(spec, places, aim))
        known.set(key, found)
      }
      return found
    },
  }
}

/** The same resource in all its groups and versions. */
export const equivalentsOf = (catalogue: Catalogue, { storageGroup, resource }: ResourceInfo): readonly ResourceInfo[] =>
  catalogue.resources.filter((other) => other.resource === resource && other.storageGroup === storageGroup)

/** Whatever the scope: it is looked at with the request. */
const mayMatch = ({ matchConstraints }: PolicySpec, places: readonly ResourceInfo[], aim: AdmissionAim): boolean =>
  (matchConstraints?.resourceRules ?? []).some((rule) =>
    places.some((place) => ruleMatches({ ...rule, scope: '*' }, place, aim)),
  )

type Binding = KubeObject & { readonly spec: BindingSpec }

function boundPolicies(policies: readonly KubeObject[], bindings: readonly KubeObject[]): readonly BoundPolicy[] {
  const byPolicy = Map.groupBy(bindings as readonly Binding[], ({ spec }) => spec.policyName ?? '')
  return policies.flatMap(({ metadata, spec }): BoundPolicy[] => {
    const own = byPolicy.get(metadata.name)
    if (!own) return []
    const named = own.map((binding) => ({ name: binding.metadata.name, spec: binding.spec }))
    return [{ name: metadata.name, spec: spec as PolicySpec, bindings: named }]
  })
}
