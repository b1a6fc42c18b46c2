// ResourceQuotas: counts anew what a namespace uses. The API server counts what is created, with the creation itself; this
// counts when a quota is made or changed, and when something goes or takes less. Its write expects the quota as the view has
// it, and every counted creation moves the quota: so it can never undo one that it has not seen.
import type { ResourceQuota } from '@shiplog/api/generated/types/core-v1'
import { jsonEqual } from '@shiplog/api/patch/json-patch'
import type { KubeObject } from '@shiplog/api/kube-object'
import { countedStatus } from '@shiplog/domain/quota/charge'
import { evaluatorFor, resourceCountedBy } from '@shiplog/domain/quota/evaluator'
import { printList } from '@shiplog/domain/quota/resource-list'
import { namesTracked } from '@shiplog/domain/quota/scopes'
import { type ObjectChange, otherResources } from '@shiplog/feed/object-feed'
import { type Command, forResource, type Reconciler, type ResourceWatch, settled } from '@shiplog/reconcile/reconciler'
import { keyOfObject, type ObjectView, splitKey } from '@shiplog/reconcile/view'
import type { FollowedResource } from '../shared/resources.ts'

const quotas = 'resourcequotas'
/** Everything is counted again so often, whatever was missed (--resource-quota-sync-period). */
const resyncMs = 300_000

/** Quotas to count again because an object came, changed or went. */
function* wokenBy(change: ObjectChange, before: KubeObject | undefined, view: ObjectView): Iterable<string> {
  const { groupResource, namespace } = change
  if (view.count(quotas, namespace) === 0) return
  const evaluator = evaluatorFor(groupResource)
  for (const quota of view.list(quotas, namespace)) {
    if (namesTracked(evaluator, quota.spec.hard).length === 0) continue
    if (mayBeMiscounted(change, before, quota)) yield keyOfObject(quota)
  }
}

/** A creation that was counted has moved the quota after it. */
function mayBeMiscounted(change: ObjectChange, before: KubeObject | undefined, quota: ResourceQuota): boolean {
  if (change.deleted) return true
  const object = change.object as KubeObject
  if (!before || before.metadata.uid !== object.metadata.uid)
    return Number(quota.metadata.resourceVersion) < Number(object.metadata.resourceVersion)
  const { usage } = evaluatorFor(change.groupResource)
  const nowMs = Number.POSITIVE_INFINITY
  return printList(usage(before, nowMs)) !== printList(usage(object, nowMs))
}

const watch = (groupResource: string): ResourceWatch => ({ groupResource, keys: wokenBy })

/** Creates the controller for these resources. */
export function createResourceQuotaReconciler(resources: readonly FollowedResource[]): Reconciler {
  const counted = resources.filter(({ namespaced, groupResource }) => namespaced && groupResource !== quotas)
  return {
    name: 'resourcequota',
    component: 'resourcequota-controller',
    resources: [forResource(quotas), watch(quotas), ...counted.map(({ groupResource }) => watch(groupResource)), watch(otherResources)],
    reconcile(key, view, { nowMs }) {
      const quota = view.get(quotas, key)
      if (!quota) return settled
      const { namespace } = splitKey(key)
      const followed = (name: string): string | undefined => {
        const resource = resourceCountedBy(name)
        return resource !== undefined && view.follows(resource) ? resource : undefined
      }
      const objectsOf = (resource: string): Iterable<KubeObject> =>
        view.list(resource, namespace) as Iterable<KubeObject>
      const status = countedStatus(quota, objectsOf, followed, nowMs)
      const isCounted = jsonEqual(status, { hard: quota.status.hard ?? {}, used: quota.status.used ?? {} })
      return { commands: isCounted ? [] : [statusCommand(quota, status)], requeueAfterMs: resyncMs }
    },
  }
}

const statusCommand = (quota: ResourceQuota, status: ResourceQuota['status']): Command => ({
  request: {
    verb: 'update',
    group: '',
    resource: quotas,
    namespace: quota.metadata.namespace ?? '',
    name: quota.metadata.name,
    subresource: 'status',
    body: { ...quota, status } as unknown as KubeObject,
  },
})
