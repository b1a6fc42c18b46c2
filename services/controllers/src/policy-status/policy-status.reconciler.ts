// Type checking of validating admission policies: what their expressions say of fields that the kinds do not have, in their
// status. A policy is looked at once in each generation, as upstream does.
import type { ValidatingAdmissionPolicy } from '@shiplog/api/generated/types/admissionregistration-v1'
import type { JsonObject } from '@shiplog/api/kube-object'
import { builtInRegistry } from '@shiplog/api/schema/registry'
import type { ResourceInfo } from '@shiplog/api/schema/schema'
import { customType, definitionType } from '@shiplog/domain/policy/schema-types'
import { type KnownTypes, type TypedKind, typeWarnings } from '@shiplog/domain/policy/type-check'
import { forResource, readsResource, type Reconciler, settled } from '@shiplog/reconcile/reconciler'
import type { ObjectView } from '@shiplog/reconcile/view'

const group = 'admissionregistration.k8s.io'
const resource = 'validatingadmissionpolicies'
const policies = 'validatingadmissionpolicies.admissionregistration.k8s.io'
const definitions = 'customresourcedefinitions.apiextensions.k8s.io'
const fieldManager = 'validatingadmissionpolicy-status'

export const policyStatusReconciler: Reconciler = {
  name: 'validatingadmissionpolicy-status',
  component: 'validatingadmissionpolicy-status-controller',
  resources: [forResource(policies), readsResource(definitions)],
  reconcile(key, view) {
    const policy = view.get(policies, key)
    if (!policy) return settled
    const { generation = 0, name } = policy.metadata
    if (generation <= (policy.status?.observedGeneration ?? 0)) return settled
    const request = { group, resource, subresource: 'status', name, body: found(policy, view) } as const
    const query = { fieldManager }
    return { commands: [{ request: { verb: 'patch', patchType: 'application/merge-patch+json', ...request, query } }] }
  },
}

function found({ metadata, spec }: ValidatingAdmissionPolicy, view: ObjectView): JsonObject {
  const warnings = typeWarnings(spec ?? {}, knownTypes(view))
  return {
    metadata: { uid: metadata.uid, resourceVersion: metadata.resourceVersion },
    status: {
      observedGeneration: metadata.generation,
      typeChecking: { expressionWarnings: warnings.length > 0 ? warnings : null },
    },
  } as JsonObject
}

function knownTypes(view: ObjectView): KnownTypes {
  const registry = builtInRegistry()
  const builtIn = (info: ResourceInfo | undefined): TypedKind | undefined =>
    info && { group: info.group, version: info.version, kind: info.kind, type: definitionType(registry, info.definition) }
  const custom = (ofGroup: string, version: string, matches: (names: { plural: string; kind: string }) => boolean) => {
    for (const { spec } of view.list(definitions)) {
      const found = spec.group === ofGroup && matches(spec.names) ? spec.versions?.find((one) => one.name === version) : undefined
      const type = found && customType(registry, found)
      if (type) return { group: ofGroup, version, kind: spec.names.kind, type }
    }
    return undefined
  }
  return {
    ofResource: (ofGroup, version, name) =>
      builtIn(registry.resource(ofGroup, version, name)) ?? custom(ofGroup, version, ({ plural }) => plural === name),
    ofKind: (ofGroup, version, name) =>
      builtIn(registry.byKind(ofGroup, version, name)) ?? custom(ofGroup, version, ({ kind }) => kind === name),
  }
}
