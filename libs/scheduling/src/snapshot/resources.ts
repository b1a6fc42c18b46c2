// Amounts of resources as plain numbers, and what a pod asks for: containers, init containers, sidecars, pod-level
// requests and overhead, summed as upstream sums them (k8s.io/component-helpers/resource).
import type { JsonObject } from '@shiplog/api/kube-object'
import { bytesOf, milliOf } from '@shiplog/api/quantity'

/** cpu in thousandths, everything else in units. */
export interface Resources {
  readonly cpu: number
  readonly memory: number
  readonly ephemeralStorage: number
  /** Extended resources, huge pages, attachable volumes. Undefined when there are none. */
  readonly scalars: ReadonlyMap<string, number> | undefined
}

/** What one pod takes from a node. */
export interface PodResources {
  readonly requests: Resources
  /** cpu and memory with a default for each container that does not say: for scoring, so that zeros do not pile up. */
  readonly nonZeroCpu: number
  readonly nonZeroMemory: number
}

type Amounts = Map<string, number>

/** Upstream's defaults for containers without requests, used for scoring only: 100m and 200Mi. */
const nonZeroDefaults: Amounts = new Map([
  ['cpu', 100],
  ['memory', 200 * 1024 * 1024],
])

/** The resources that a pod may request as a whole. */
const isPodLevel = (name: string): boolean => name === 'cpu' || name === 'memory' || name.startsWith('hugepages-')

/** Reads a ResourceList; amounts are rounded up, as upstream does. */
export function readAmounts(list: JsonObject | undefined): Map<string, number> {
  const amounts: Amounts = new Map()
  for (const name in list) amounts.set(name, name === 'cpu' ? milliOf(list[name]) : bytesOf(list[name]))
  return amounts
}

/** Turns named amounts into Resources; `pods` is no resource that is requested, and is left out. */
export function toResources(amounts: ReadonlyMap<string, number>): Resources {
  let scalars: Amounts | undefined
  for (const [name, amount] of amounts) {
    if (name === 'cpu' || name === 'memory' || name === 'ephemeral-storage' || name === 'pods') continue
    scalars ??= new Map()
    scalars.set(name, amount)
  }
  return {
    cpu: amounts.get('cpu') ?? 0,
    memory: amounts.get('memory') ?? 0,
    ephemeralStorage: amounts.get('ephemeral-storage') ?? 0,
    scalars,
  }
}

/** The amount of one resource by its name. */
export function amountOf(resources: Resources, name: string): number {
  switch (name) {
    case 'cpu':
      return resources.cpu
    case 'memory':
      return resources.memory
    case 'ephemeral-storage':
      return resources.ephemeralStorage
    default:
      return resources.scalars?.get(name) ?? 0
  }
}

/** What the pod takes from its node. For a bound pod, resources that are being resized count with the larger value. */
export function podResources(pod: JsonObject): PodResources {
  const spec = (pod['spec'] ?? {}) as JsonObject
  const requests = sumRequests(pod, undefined)
  const podLevel = spec['resources']?.requests as JsonObject | undefined
  const defaults =
    podLevel === undefined ? nonZeroDefaults : new Map([...nonZeroDefaults].filter(([name]) => !requests.has(name)))
  const nonZero = defaults.size === 0 ? requests : sumRequests(pod, defaults)
  return {
    requests: toResources(requests),
    nonZeroCpu: nonZero.get('cpu') ?? 0,
    nonZeroMemory: nonZero.get('memory') ?? 0,
  }
}

const add = (into: Amounts, more: Amounts): void => {
  for (const [name, amount] of more) into.set(name, (into.get(name) ?? 0) + amount)
}

const raise = (into: Amounts, more: Amounts): void => {
  for (const [name, amount] of more) into.set(name, Math.max(into.get(name) ?? 0, amount))
}

function sumRequests(pod: JsonObject, defaults: Amounts | undefined): Amounts {
  const spec = (pod['spec'] ?? {}) as JsonObject
  const infeasible = ((pod['status']?.conditions ?? []) as JsonObject[]).some(
    (condition) => condition['type'] === 'PodResizePending' && condition['reason'] === 'Infeasible',
  )
  const requestsOf = (container: JsonObject, statuses: readonly JsonObject[] | undefined): Amounts => {
    const amounts = readAmounts(container['resources']?.requests)
    const status = statuses?.find((candidate) => candidate['name'] === container['name'])
    if (status?.['resources'] !== undefined && status['resources'] !== null) {
      if (infeasible) amounts.clear()
      raise(amounts, readAmounts(status['resources'].requests))
      raise(amounts, readAmounts(status['allocatedResources']))
    }
    if (defaults) for (const [name, amount] of defaults) if (!amounts.has(name)) amounts.set(name, amount)
    return amounts
  }

  const total: Amounts = new Map()
  for (const container of (spec['containers'] ?? []) as JsonObject[]) {
    add(total, requestsOf(container, pod['status']?.containerStatuses))
  }
  // An init container runs beside the sidecars that were started before it; the pod needs the highest such moment.
  const sidecars: Amounts = new Map()
  const highest: Amounts = new Map()
  for (const container of (spec['initContainers'] ?? []) as JsonObject[]) {
    const amounts = requestsOf(container, pod['status']?.initContainerStatuses)
    if (container['restartPolicy'] === 'Always') {
      add(total, amounts)
      add(sidecars, amounts)
      raise(highest, sidecars)
    } else {
      add(amounts, sidecars)
      raise(highest, amounts)
    }
  }
  raise(total, highest)
  for (const [name, amount] of readAmounts(spec['resources']?.requests)) if (isPodLevel(name)) total.set(name, amount)
  add(total, readAmounts(spec['overhead']))
  return total
}
