// The quality-of-service class of a pod, which the API server records at creation and which never changes.
import type { PodSpec } from '@shiplog/api/generated/types/core-v1'
import type { Decoded } from '@shiplog/api/decoded'
import { entries, items } from '../fields.ts'
import { nanosOf } from '../quantities.ts'

const computeResources = ['cpu', 'memory']

interface Sums {
  readonly requests: Map<string, bigint>
  readonly limits: Map<string, bigint>
}

const addAll = (into: Map<string, bigint>, list: Readonly<Record<string, string>> | undefined): Set<string> => {
  const found = new Set<string>()
  for (const [name, quantity] of entries(list)) {
    if (!computeResources.includes(name)) continue
    const nanos = nanosOf(quantity)
    if (nanos === undefined || nanos <= 0n) continue
    found.add(name)
    into.set(name, (into.get(name) ?? 0n) + nanos)
  }
  return found
}

/** `Guaranteed`, `Burstable` or `BestEffort`. */
export const qosClass = (spec: Decoded<PodSpec>): 'BestEffort' | 'Burstable' | 'Guaranteed' => {
  const sums: Sums = { requests: new Map(), limits: new Map() }
  let everyContainerLimited = true
  const podLevel = spec.resources
  if (podLevel && (entries(podLevel.requests).length > 0 || entries(podLevel.limits).length > 0)) {
    addAll(sums.requests, podLevel.requests)
    everyContainerLimited = addAll(sums.limits, podLevel.limits).size === computeResources.length
  } else
    for (const container of [...items(spec.containers), ...items(spec.initContainers)]) {
      const resources = container.resources
      addAll(sums.requests, resources?.requests)
      if (addAll(sums.limits, resources?.limits).size !== computeResources.length) everyContainerLimited = false
    }
  if (sums.requests.size === 0 && sums.limits.size === 0) return 'BestEffort'
  const guaranteed =
    everyContainerLimited &&
    sums.requests.size === sums.limits.size &&
    [...sums.requests].every(([name, nanos]) => sums.limits.get(name) === nanos)
  return guaranteed ? 'Guaranteed' : 'Burstable'
}
