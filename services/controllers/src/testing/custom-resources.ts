// A kind that a user brings, for the tests of controllers that work on all kinds.
import type { KubeObject } from '@shiplog/api/kube-object'
import type { ReconcileHarness } from './reconcile-harness.ts'

const definitions = { group: 'apiextensions.k8s.io', resource: 'customresourcedefinitions' }
export const widgets = { group: 'example.com', resource: 'widgets' }

/** Defines widgets.example.com. */
export function defineWidgets({ cluster }: ReconcileHarness): KubeObject {
  const names = { plural: 'widgets', singular: 'widget', kind: 'Widget', listKind: 'WidgetList' }
  return cluster.must({
    verb: 'create',
    ...definitions,
    body: {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: 'widgets.example.com' },
      spec: { group: 'example.com', scope: 'Namespaced', names, versions: [{ name: 'v1', served: true, storage: true }] },
      status: { acceptedNames: names },
    },
  })
}

export const removeDefinition = ({ cluster }: ReconcileHarness): unknown =>
  cluster.must({ verb: 'delete', ...definitions, name: 'widgets.example.com', body: {} })

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
