// What pods take of a quota.
import type { Container, Pod, PodAffinityTerm } from '@shiplog/api/generated/types/core-v1'
import type { KubeObject } from '@shiplog/api/kube-object'
import type { Quantity } from '@shiplog/api/quantity'
import { qosClass } from '../pod/qos-class.ts'
import type { Evaluator, ScopeRequirement } from './evaluator.ts'
import { podAmounts } from './pod-amounts.ts'
import { add, one, readList, type ResourceList } from './resource-list.ts'
import { matchesValues } from './scopes.ts'

const objectCount = 'count/pods'

const tracked: ReadonlySet<string> = new Set([
  ...[objectCount, 'pods', 'cpu', 'memory', 'ephemeral-storage'],
  ...['requests.cpu', 'requests.memory', 'requests.ephemeral-storage'],
  ...['limits.cpu', 'limits.memory', 'limits.ephemeral-storage'],
])

/** When one of these is limited, every container must say how much it takes. */
const mustBeSaid: ReadonlySet<string> = new Set([
  'cpu',
  'memory',
  'requests.cpu',
  'requests.memory',
  'limits.cpu',
  'limits.memory',
])

const requestsPrefix = 'requests.'
const hugePages = 'hugepages-'

/** A resource of a domain other than Kubernetes' own; it may only be requested. */
const isExtended = (name: string): boolean =>
  name.includes('/') && !name.split('/')[0]!.endsWith('kubernetes.io') && !name.startsWith(requestsPrefix)

const isTracked = (name: string): boolean =>
  tracked.has(name) ||
  name.startsWith(hugePages) ||
  name.startsWith(requestsPrefix + hugePages) ||
  (name.startsWith(requestsPrefix) && isExtended(name.slice(requestsPrefix.length)))

/** What a container or a pod counts as, by the names that quotas have for it. */
function computeUsage(requests: ResourceList, limits: ResourceList): ResourceList {
  const usage = new Map<string, Quantity>([['pods', one]])
  for (const name of ['cpu', 'memory', 'ephemeral-storage']) {
    const request = requests.get(name)
    if (request) usage.set(name, request).set(requestsPrefix + name, request)
    const limit = limits.get(name)
    if (limit) usage.set(`limits.${name}`, limit)
  }
  for (const [name, request] of requests) {
    if (name.startsWith(hugePages)) usage.set(name, request).set(requestsPrefix + name, request)
    if (isExtended(name)) usage.set(requestsPrefix + name, request)
  }
  return usage
}

/** What has ended takes nothing any more, nor does what should have been gone since. */
function isCharged({ status, metadata }: Pod, nowMs: number): boolean {
  if (status?.phase === 'Failed' || status?.phase === 'Succeeded') return false
  const { deletionTimestamp, deletionGracePeriodSeconds } = metadata
  if (!deletionTimestamp || deletionGracePeriodSeconds === undefined) return true
  return nowMs <= Date.parse(deletionTimestamp) + deletionGracePeriodSeconds * 1_000
}

/** Upstream calls it terminating: it has a deadline. */
const hasDeadline = ({ spec }: Pod): boolean => (spec.activeDeadlineSeconds ?? -1) >= 0

function affectsOtherNamespaces({ spec }: Pod): boolean {
  const { podAffinity, podAntiAffinity } = spec.affinity ?? {}
  const terms: readonly PodAffinityTerm[] = [podAffinity, podAntiAffinity].flatMap((affinity) => [
    ...(affinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []),
    ...(affinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map(({ podAffinityTerm }) => podAffinityTerm),
  ])
  return terms.some(({ namespaces, namespaceSelector }) => (namespaces?.length ?? 0) > 0 || namespaceSelector)
}

function matchesScope(scope: ScopeRequirement, object: KubeObject): boolean {
  const pod = object as unknown as Pod
  switch (scope.scopeName) {
    case 'Terminating':
      return hasDeadline(pod)
    case 'NotTerminating':
      return !hasDeadline(pod)
    case 'BestEffort':
      return qosClass(pod.spec) === 'BestEffort'
    case 'NotBestEffort':
      return qosClass(pod.spec) !== 'BestEffort'
    case 'PriorityClass':
      return matchesValues(scope, pod.spec.priorityClassName ? [pod.spec.priorityClassName] : [])
    case 'CrossNamespacePodAffinity':
      return affectsOtherNamespaces(pod)
    default:
      return false
  }
}

const isEmpty = (list: object | undefined): boolean => Object.keys(list ?? {}).length === 0

function missing(limited: ReadonlySet<string>, object: KubeObject): string | undefined {
  const { spec } = object as unknown as Pod
  if (!isEmpty(spec.resources?.requests) || !isEmpty(spec.resources?.limits)) return undefined
  const wanted = [...limited].filter((name) => mustBeSaid.has(name)).toSorted()
  const lacks = ({ resources }: Container, name: string): boolean =>
    !computeUsage(readList(resources?.requests), readList(resources?.limits)).has(name)
  const containers = [...(spec.containers ?? []), ...(spec.initContainers ?? [])]
  const sentences = wanted.flatMap((name) => {
    const without = new Set(containers.filter((container) => lacks(container, name)).map((container) => container.name))
    return without.size > 0 ? [`${name} for: ${[...without].toSorted().join(',')}`] : []
  })
  return sentences.length > 0 ? `must specify ${sentences.join('; ')}` : undefined
}

export const podEvaluator: Evaluator = {
  handles({ operation, subresource, object, before }) {
    if (subresource === 'resize') return operation === 'UPDATE'
    if (subresource !== '') return false
    if (operation !== 'UPDATE') return operation === 'CREATE'
    return hasDeadline(object as unknown as Pod) !== hasDeadline(before as unknown as Pod)
  },
  tracks: isTracked,
  matchesScope,
  usage(object, nowMs) {
    const pod = object as unknown as Pod
    const count: ResourceList = new Map([[objectCount, one]])
    if (!isCharged(pod, nowMs)) return count
    return add(count, computeUsage(podAmounts(pod, 'requests'), podAmounts(pod, 'limits')))
  },
  missing,
}
