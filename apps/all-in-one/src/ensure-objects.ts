// Objects that a part of the cluster needs to find: made when they are not there; what somebody changed stays as it is.
import type { ApiClient } from '@shiplog/api/api-client'
import type { JsonObject } from '@shiplog/api/kube-object'

/** An object to be made, by its name. */
export type Named = JsonObject & { readonly metadata: JsonObject & { readonly name: string; readonly namespace?: string } }

export type ObjectToEnsure = readonly [group: string, resource: string, object: Named]

export async function ensureObjects(client: ApiClient, objects: readonly ObjectToEnsure[]): Promise<void> {
  for (const [group, resource, body] of objects) {
    const { name, namespace } = body.metadata
    const at = { group, resource, ...(namespace === undefined ? {} : { namespace }) }
    const found = await client.request({ ...at, verb: 'get', name })
    if (found.ok) continue
    const made = await client.request({ ...at, verb: 'create', body })
    if (!made.ok && made.code !== 409) throw new Error(`${resource} "${name}" could not be made: ${made.status.message}`)
  }
}

const rbac = 'rbac.authorization.k8s.io'

/** An account in kube-system that may list and watch some resources, and do nothing else. */
export function readerObjects(
  name: string,
  roleName: string,
  resources: readonly { readonly group: string; readonly resources: readonly string[] }[],
): readonly ObjectToEnsure[] {
  const account = { name, namespace: 'kube-system' }
  const apiVersion = `${rbac}/v1`
  return [
    ['', 'serviceaccounts', { apiVersion: 'v1', kind: 'ServiceAccount', metadata: account }],
    [
      rbac,
      'clusterroles',
      {
        ...{ apiVersion, kind: 'ClusterRole', metadata: { name: roleName } },
        rules: resources.map((some) => ({ apiGroups: [some.group], resources: some.resources, verbs: ['list', 'watch'] })),
      },
    ],
    [
      rbac,
      'clusterrolebindings',
      {
        ...{ apiVersion, kind: 'ClusterRoleBinding', metadata: { name: roleName } },
        roleRef: { apiGroup: rbac, kind: 'ClusterRole', name: roleName },
        subjects: [{ kind: 'ServiceAccount', ...account }],
      },
    ],
  ]
}

/** Whom an enforcer of NetworkPolicies that runs apart is to be. */
export const networkPolicyObjects: readonly ObjectToEnsure[] = readerObjects('network-policy', 'system:network-policy', [
  { group: '', resources: ['pods', 'namespaces'] },
  { group: 'networking.k8s.io', resources: ['networkpolicies'] },
])
