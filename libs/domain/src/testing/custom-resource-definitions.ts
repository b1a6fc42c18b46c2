// CustomResourceDefinitions for tests, as the log would hold them.
import type {
  CustomResourceDefinition,
  CustomResourceDefinitionVersion,
  JSONSchemaProps,
} from '@shiplog/api/generated/types/apiextensions-v1'
import type { KubeObject } from '@shiplog/api/kube-object'
import type { StoredDefinition } from '../custom-resource/custom-definition.ts'
import { nextStatus } from '../custom-resource-definition/definition-status.ts'

export interface DefinitionOptions {
  readonly group?: string
  readonly kind?: string
  readonly scope?: 'Namespaced' | 'Cluster'
  readonly shortNames?: string[]
  readonly schema?: JSONSchemaProps
  readonly versions?: CustomResourceDefinitionVersion[]
  readonly generation?: number
}

const anything: JSONSchemaProps = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true }

/** A definition that was just created: `definitionOf({ kind: 'Widget' })` is `widgets.example.com`. */
export function definitionOf(options: DefinitionOptions = {}): CustomResourceDefinition {
  const { group = 'example.com', kind = 'Widget', scope = 'Namespaced', shortNames, schema = anything } = options
  const singular = kind.toLowerCase()
  const plural = `${singular}s`
  const version = { name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: schema } }
  return {
    kind: 'CustomResourceDefinition',
    apiVersion: 'apiextensions.k8s.io/v1',
    metadata: {
      name: `${plural}.${group}`,
      uid: `uid-of-${plural}.${group}`,
      creationTimestamp: '2026-01-01T00:00:00Z',
      generation: options.generation ?? 1,
    },
    spec: {
      group,
      scope,
      names: { plural, singular, kind, listKind: `${kind}List`, ...(shortNames ? { shortNames } : {}) },
      versions: options.versions ?? [version],
      conversion: { strategy: 'None' },
    },
    status: { conditions: [], acceptedNames: { plural: '', kind: '' }, storedVersions: ['v1'] },
  }
}

/** As the server leaves it where no name is taken. */
export function established(crd: CustomResourceDefinition): CustomResourceDefinition {
  return { ...crd, status: nextStatus(crd, [], 0) ?? crd.status }
}

/** As the projection holds it at a sequence. */
export const storedAt = (sequence: number, crd: CustomResourceDefinition): StoredDefinition => ({
  name: crd.metadata.name,
  sequence,
  parse: () => structuredClone(crd) as unknown as KubeObject,
})
