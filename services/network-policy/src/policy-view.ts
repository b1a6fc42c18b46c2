// What rules are made from, kept up to date from the feed: policies, pods, labels of namespaces. It tells which pods and which
// namespaces' policies a change touches; heartbeats and statuses that mean nothing for policies touch none. No I/O.
import type { Namespace, Pod } from '@shiplog/api/generated/types/core-v1'
import type { NetworkPolicy } from '@shiplog/api/generated/types/networking-v1'
import type { ObjectChange } from '@shiplog/feed/object-feed'
import { canonicalAddresses, type Labels, type PolicyPod, policyPodOf } from './pod.ts'
import { type Policy, readPolicy } from './policy.ts'

export const policyResources = ['networkpolicies.networking.k8s.io', 'pods', 'namespaces'] as const

export interface PolicyView {
  /** By uid. */
  readonly pods: ReadonlyMap<string, PolicyPod>
  /** Pods of a node that have rules of their own. */
  podsOf(node: string): Iterable<PolicyPod>
  /** Policies that select a pod, by their keys. */
  policiesOf(pod: PolicyPod): readonly Policy[]
  labelsOf(namespace: string): Labels
  /** Takes a change; gives the uids of the pods that are touched by it. Throws when a policy cannot be read. */
  apply(change: ObjectChange): ReadonlySet<string>
  /** Addresses that a node gave to a pod of its own, before the pod's status tells them. */
  assign(uid: string, addresses: readonly string[]): void
}

const keyOf = ({ namespace = '', name }: { readonly namespace?: string; readonly name: string }): string => `${namespace}/${name}`

const nothing: ReadonlySet<string> = new Set()

export function createPolicyView(): PolicyView {
  const pods = new Map<string, PolicyPod>()
  const byNode = new Map<string, Map<string, PolicyPod>>()
  const byNamespace = new Map<string, Set<string>>()
  const policies = new Map<string, Map<string, Policy>>()
  const namespaceLabels = new Map<string, Labels>()
  /** Newer than what the status says, until the pod is gone. */
  const assigned = new Map<string, readonly string[]>()

  function put(pod: PolicyPod): void {
    pods.set(pod.uid, pod)
    groupOf(byNamespace, pod.namespace, () => new Set<string>()).add(pod.uid)
    if (pod.nodeName !== undefined) groupOf(byNode, pod.nodeName, () => new Map<string, PolicyPod>()).set(pod.uid, pod)
  }

  function remove({ uid, namespace, nodeName = '' }: PolicyPod): void {
    pods.delete(uid)
    drop(byNamespace, namespace, uid)
    drop(byNode, nodeName, uid)
  }

  function applyPod(object: Pod, isGone: boolean): ReadonlySet<string> {
    const { uid } = object.metadata
    const before = pods.get(uid)
    if (isGone) {
      assigned.delete(uid)
      if (before) remove(before)
      return before ? new Set([uid]) : nothing
    }
    const read = policyPodOf(object)
    const given = assigned.get(uid)
    const isOver = ['Succeeded', 'Failed'].includes(object.status?.phase ?? '')
    const after = given !== undefined && !isOver ? { ...read, addresses: given } : read
    if (before !== undefined && JSON.stringify(before) === JSON.stringify(after)) return nothing
    if (before) remove(before)
    put(after)
    return new Set([uid])
  }

  function applyPolicy(object: NetworkPolicy, isGone: boolean): ReadonlySet<string> {
    const { namespace = '' } = object.metadata
    const of = groupOf(policies, namespace, () => new Map<string, Policy>())
    const key = keyOf(object.metadata)
    const before = of.get(key)
    const after = isGone ? undefined : readPolicy(object)
    if (after) of.set(key, after)
    else of.delete(key)
    if (of.size === 0) policies.delete(namespace)
    const touched = [...(byNamespace.get(namespace) ?? [])].filter((uid) => {
      const pod = pods.get(uid)!
      return before?.selects(pod) === true || after?.selects(pod) === true
    })
    return new Set(touched)
  }

  function applyNamespace({ metadata }: Namespace, isGone: boolean): ReadonlySet<string> {
    const before = namespaceLabels.get(metadata.name) ?? {}
    const after = isGone ? {} : (metadata.labels ?? {})
    if (isGone) namespaceLabels.delete(metadata.name)
    else namespaceLabels.set(metadata.name, after)
    return JSON.stringify(before) === JSON.stringify(after) ? nothing : new Set(byNamespace.get(metadata.name))
  }

  return {
    pods,
    podsOf: (node) => byNode.get(node)?.values() ?? [],
    policiesOf: (pod) =>
      pod.isOnHostNetwork ? [] : [...(policies.get(pod.namespace)?.values() ?? [])].filter((policy) => policy.selects(pod)),
    labelsOf: (namespace) => namespaceLabels.get(namespace) ?? {},
    apply({ groupResource, object, deleted }) {
      if (groupResource === 'pods') return applyPod(object as unknown as Pod, deleted)
      if (groupResource === 'namespaces') return applyNamespace(object as unknown as Namespace, deleted)
      return applyPolicy(object as unknown as NetworkPolicy, deleted)
    },
    assign(uid, texts) {
      const addresses = canonicalAddresses(texts)
      assigned.set(uid, addresses)
      const before = pods.get(uid)
      if (before) put({ ...before, addresses })
    },
  }
}

function groupOf<T>(groups: Map<string, T>, key: string, make: () => T): T {
  let group = groups.get(key)
  if (group === undefined) groups.set(key, (group = make()))
  return group
}

function drop(groups: Map<string, { delete(uid: string): boolean; readonly size: number }>, key: string, uid: string): void {
  const group = groups.get(key)
  group?.delete(uid)
  if (group?.size === 0) groups.delete(key)
}
