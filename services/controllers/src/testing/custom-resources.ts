// A kind that a user brings, for the tests of controllers that work on all kinds.
import type { CustomResourceDefinition } from '@shiplog/api/generated/types/apiextensions-v1'
import type { KubeObject } from '@shiplog/api/kube-object'
import { nextStatus } from '@shiplog/domain/custom-resource-definition/definition-status'
import { definitionOf } from '@shiplog/domain/testing/custom-resource-definitions'
import type { ReconcileHarness } from './reconcile-harness.ts'

const definitions = { group: 'apiextensions.k8s.io', resource: 'customresourcedefinitions' }
export const widgets = { group: 'example.com', resource: 'widgets' }

/** Defines widgets.example.com, as the API server leaves it. */
export function defineWidgets({ cluster, nowMs }: ReconcileHarness): KubeObject {
  const { status: _, metadata, ...rest } = definitionOf()
  const body = { ...rest, metadata: { name: metadata.name } }
  const created = cluster.must({ verb: 'create', ...definitions, body }) as unknown as CustomResourceDefinition
  const status = nextStatus(created, [], nowMs())!
  const { name } = created.metadata
  return cluster.must({ verb: 'update', ...definitions, subresource: 'status', name, body: { ...created, status } })
}

/** Deletes the definition, and lets it go as the API server does when its objects are gone. */
export function removeDefinition({ cluster }: ReconcileHarness): void {
  const name = 'widgets.example.com'
  cluster.must({ verb: 'delete', ...definitions, name, body: {} })
  const marked = cluster.must({ verb: 'get', ...definitions, name })
  const body = { ...marked, metadata: { ...marked.metadata, finalizers: [] } }
  cluster.must({ verb: 'update', ...definitions, subresource: 'status', name, body })
}

export const makeWidget = (
  { cluster }: ReconcileHarness,
  name: string,
  { owners = [], namespace = 'default' }: { readonly owners?: readonly KubeObject[]; readonly namespace?: string } = {},
): KubeObject =>
  cluster.must({
    verb: 'create',
    ...widgets,
    namespace,
    body: {
      apiVersion: 'example.com/v1',
      kind: 'Widget',
      metadata: { name, namespace, ownerReferences: owners.map(ownerOf) },
    },
  })

export const ownerOf = ({ apiVersion, kind, metadata: { name, uid } }: KubeObject) => ({ apiVersion, kind, name, uid })
