// ClusterRole aggregation: a role with an aggregationRule has the rules of all roles that its selectors choose, in the order
// of their names, each once. So `view`, `edit` and `admin` grow with every kind whose author labels a role for them.
import type { LabelSelector } from '@shiplog/api/generated/types/meta-v1'
import type { ClusterRole, PolicyRule } from '@shiplog/api/generated/types/rbac-v1'
import { jsonEqual } from '@shiplog/api/patch/json-patch'
import { compileLabelSelector } from '@shiplog/api/selectors'
import { type Reconciler, settled, watchesResource } from '@shiplog/reconcile/reconciler'
import { keyOf, type ObjectView } from '@shiplog/reconcile/view'

const clusterRoles = 'clusterroles.rbac.authorization.k8s.io'

const selectorsOf = (role: ClusterRole): readonly LabelSelector[] => role.aggregationRule?.clusterRoleSelectors ?? []

/** Any role may belong to any other. */
const aggregatingRoles = (view: ObjectView): string[] =>
  [...view.list(clusterRoles)].filter((role) => role.aggregationRule).map(({ metadata }) => keyOf('', metadata.name))

function gatheredRules(role: ClusterRole, view: ObjectView): PolicyRule[] {
  const others = [...view.list(clusterRoles)]
    .filter(({ metadata }) => metadata.name !== role.metadata.name)
    .sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
  const rules: PolicyRule[] = []
  for (const selector of selectorsOf(role)) {
    const chosen = compileLabelSelector(selector)
    for (const other of others) {
      if (!chosen.matches(other.metadata.labels)) continue
      for (const rule of other.rules ?? []) if (!rules.some((known) => jsonEqual(known, rule))) rules.push(rule)
    }
  }
  return rules
}

export const clusterRoleAggregationReconciler: Reconciler = {
  name: 'clusterrole-aggregation',
  component: 'clusterrole-aggregation-controller',
  resources: [watchesResource(clusterRoles, (change, _, view) => [keyOf('', change.name), ...aggregatingRoles(view)])],
  reconcile: (key, view) => {
    const role = view.get(clusterRoles, key)
    if (!role?.aggregationRule) return settled
    const rules = gatheredRules(role, view)
    if (jsonEqual(rules, role.rules ?? [])) return settled
    return {
      commands: [
        {
          request: {
            verb: 'patch',
            group: 'rbac.authorization.k8s.io',
            version: 'v1',
            resource: 'clusterroles',
            name: role.metadata.name,
            patchType: 'application/merge-patch+json',
            body: { metadata: { resourceVersion: role.metadata.resourceVersion }, rules },
          },
        },
      ],
    }
  },
}
