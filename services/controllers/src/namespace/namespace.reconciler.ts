// Namespace: empties a namespace that is Terminating (pods first, and nothing else before the last pod is gone), reports
// what still stands in the way, and finalizes it when nothing does.
import type { Namespace, NamespaceCondition } from '@shiplog/api/generated/types/core-v1'
import { jsonEqual } from '@shiplog/api/patch/json-patch'
import {
  forResource,
  settled,
  type Command,
  type ReconcileContext,
  type Reconciler,
  type ReconcileResult,
  type ResourceWatch,
} from '@shiplog/reconcile/reconciler'
import { keyOf, type ObjectView } from '@shiplog/reconcile/view'
import { createCustomKinds } from '../shared/custom-kinds.ts'
import { type Condition, findCondition, setCondition } from '../shared/conditions.ts'
import { isBeingDeleted } from '../shared/ownership.ts'
import type { FollowedResource } from '../shared/resources.ts'

const finalizer = 'kubernetes'
/** While content remains its count is reported so often. */
const refreshMs = 5_000

/** Not in the view, or not exactly: they are deleted without being looked at. */
const unseen = [
  { group: '', resource: 'events' },
  { group: 'coordination.k8s.io', resource: 'leases' },
]

/** Creates the reconciler for these resources. */
export function createNamespaceReconciler(resources: readonly FollowedResource[]): Reconciler {
  const content = resources.filter(
    ({ namespaced, resource, group }) =>
      namespaced && !unseen.some((one) => one.resource === resource && one.group === group),
  )
  const custom = createCustomKinds()
  const homeOf: ResourceWatch['keys'] = ({ groupResource, namespace, deleted }, before, view) => {
    const home = view.get('namespaces', keyOf('', namespace))
    if (!home || !isBeingDeleted(home)) return []
    // The last of a resource is gone, or something came in late.
    const matters = deleted ? view.count(groupResource, namespace) === 0 : before === undefined
    return matters ? [keyOf('', namespace)] : []
  }
  const everything = (): readonly FollowedResource[] => [
    ...content,
    ...[...custom.present()].filter(({ namespaced }) => namespaced),
  ]
  return {
    name: 'namespace',
    component: 'namespace-controller',
    resources: [
      forResource('namespaces'),
      custom.watch(),
      ...content.map(({ groupResource }): ResourceWatch => ({ groupResource, keys: homeOf })),
      custom.watchObjects(homeOf),
    ],
    reconcile: (key, view, context) => {
      const namespace = view.get('namespaces', key)
      if (!namespace || !isBeingDeleted(namespace)) return settled
      if (!namespace.spec.finalizers?.includes(finalizer)) return settled
      return terminate(namespace, everything(), view, context)
    },
  }
}

interface Remaining {
  readonly resource: FollowedResource
  readonly count: number
  readonly anyAlive: boolean
}

function terminate(
  namespace: Namespace,
  content: readonly FollowedResource[],
  view: ObjectView,
  context: ReconcileContext,
): ReconcileResult {
  const { name } = namespace.metadata
  const remaining: Remaining[] = []
  const finalizers = new Map<string, number>()
  for (const resource of content) {
    const count = view.count(resource.groupResource, name)
    if (count === 0) continue
    let anyAlive = false
    for (const object of view.list(resource.groupResource, name)) {
      anyAlive ||= !isBeingDeleted(object)
      for (const held of object.metadata.finalizers ?? []) finalizers.set(held, (finalizers.get(held) ?? 0) + 1)
    }
    remaining.push({ resource, count, anyAlive })
  }
  const podsRemain = remaining.some(({ resource }) => resource.groupResource === 'pods')
  const commands: Command[] = []
  for (const { resource, anyAlive } of remaining) {
    if (!anyAlive || (podsRemain && resource.groupResource !== 'pods')) continue
    commands.push(deleteAll(resource, name))
  }
  const before = namespace.status.conditions ?? []
  const conditions = conditionsFor(remaining, finalizers).reduce<readonly NamespaceCondition[]>(
    (list, condition) => setCondition(list, condition, context.nowMs),
    before,
  )
  const status = { ...namespace.status, phase: 'Terminating', conditions }
  if (remaining.length > 0) {
    if (!jsonEqual(status, namespace.status)) commands.unshift(writeStatus(namespace, status))
    return { commands, requeueAfterMs: refreshMs }
  }
  // Twice in a row empty, with what is not in the view deleted in between.
  if (findCondition(before, 'NamespaceContentRemaining')?.status !== 'False') {
    return { commands: [writeStatus(namespace, status), ...unseen.map((resource) => deleteAll(resource, name))] }
  }
  const kept = (namespace.spec.finalizers ?? []).filter((one) => one !== finalizer)
  return {
    commands: [
      {
        request: {
          verb: 'update',
          group: '',
          resource: 'namespaces',
          subresource: 'finalize',
          name,
          body: { ...namespace, spec: { ...namespace.spec, finalizers: kept } },
        },
      },
    ],
  }
}

const deleteAll = (
  { group, resource }: { readonly group: string; readonly resource: string },
  namespace: string,
): Command => ({
  request: {
    verb: 'deletecollection',
    group,
    resource,
    namespace,
    body: { apiVersion: 'v1', kind: 'DeleteOptions', propagationPolicy: 'Background' },
  },
})

const writeStatus = (namespace: Namespace, status: object): Command => ({
  request: {
    verb: 'update',
    group: '',
    resource: 'namespaces',
    subresource: 'status',
    name: namespace.metadata.name,
    body: { ...namespace, status },
  },
})

/** Upstream's five conditions; the first three cannot fail here, because discovery is a table and deletions are retried. */
function conditionsFor(remaining: readonly Remaining[], finalizers: ReadonlyMap<string, number>): readonly Condition[] {
  const sentences = remaining.map(
    ({ resource, count }) => `${resource.resource}.${resource.group} has ${count} resource instances`,
  )
  const held = [...finalizers]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, count]) => `${name} in ${count} resource instances`)
  return [
    {
      type: 'NamespaceDeletionDiscoveryFailure',
      status: 'False',
      reason: 'ResourcesDiscovered',
      message: 'All resources successfully discovered',
    },
    {
      type: 'NamespaceDeletionGroupVersionParsingFailure',
      status: 'False',
      reason: 'ParsedGroupVersions',
      message: 'All legacy kube types successfully parsed',
    },
    {
      type: 'NamespaceDeletionContentFailure',
      status: 'False',
      reason: 'ContentDeleted',
      message: 'All content successfully deleted, may be waiting on finalization',
    },
    sentences.length > 0
      ? {
          type: 'NamespaceContentRemaining',
          status: 'True',
          reason: 'SomeResourcesRemain',
          message: `Some resources are remaining: ${sentences.sort().join(', ')}`,
        }
      : {
          type: 'NamespaceContentRemaining',
          status: 'False',
          reason: 'ContentRemoved',
          message: 'All content successfully removed',
        },
    held.length > 0
      ? {
          type: 'NamespaceFinalizersRemaining',
          status: 'True',
          reason: 'SomeFinalizersRemain',
          message: `Some content in the namespace has finalizers remaining: ${held.join(', ')}`,
        }
      : {
          type: 'NamespaceFinalizersRemaining',
          status: 'False',
          reason: 'ContentHasNoFinalizers',
          message: 'All content-preserving finalizers finished',
        },
  ]
}
