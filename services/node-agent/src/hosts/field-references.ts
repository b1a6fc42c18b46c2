// fieldRef and resourceFieldRef: what a pod may tell its containers about itself, by environment variables and by files of
// the downward API. Pure.
import type { Container, Pod, ResourceFieldSelector } from '@shiplog/api/generated/types/core-v1'
import { bytesOf, milliOf } from '@shiplog/api/quantity'

/** A pod as its containers may see it. */
export interface PodFacts {
  readonly pod: Pod
  readonly nodeName: string
  readonly nodeIPs: readonly string[]
  readonly podIPs: readonly string[]
  /** The node's, for limits that are not set. */
  readonly allocatable: Readonly<Record<string, string>>
}

/** The value of a field, or undefined when there is no such field. */
export function fieldValue({ pod, nodeName, nodeIPs, podIPs }: PodFacts, path: string): string | undefined {
  const { metadata } = pod
  const entry = /^metadata\.(labels|annotations)\['(.*)'\]$/.exec(path)
  if (entry) return metadata[entry[1] as 'labels' | 'annotations']?.[entry[2]!] ?? ''
  switch (path) {
    case 'metadata.name':
      return metadata.name
    case 'metadata.namespace':
      return metadata.namespace ?? ''
    case 'metadata.uid':
      return metadata.uid
    case 'metadata.labels':
      return formatMap(metadata.labels ?? {})
    case 'metadata.annotations':
      return formatMap(metadata.annotations ?? {})
    case 'spec.nodeName':
      return nodeName
    case 'spec.serviceAccountName':
      return pod.spec.serviceAccountName ?? ''
    case 'status.hostIP':
      return nodeIPs[0]
    case 'status.hostIPs':
      return nodeIPs.join(',')
    case 'status.podIP':
      return podIPs[0] ?? ''
    case 'status.podIPs':
      return podIPs.join(',')
    default:
      return undefined
  }
}

/** One `key="value"` a line, sorted, as upstream writes labels into a file. */
const formatMap = (map: Readonly<Record<string, string>>): string =>
  Object.keys(map)
    .sort()
    .map((key) => `${key}=${JSON.stringify(map[key])}`)
    .join('\n')

/** `limits.cpu` in units of the divisor, rounded up; undefined when there is no such resource. */
export function resourceValue(facts: PodFacts, reference: ResourceFieldSelector, ownContainer: Container | undefined): string | undefined {
  const { containers, initContainers = [] } = facts.pod.spec
  const name = reference.containerName
  const all = [...containers, ...initContainers]
  const container = name ? all.find((candidate) => candidate.name === name) : ownContainer
  const match = /^(limits|requests)\.(cpu|memory|ephemeral-storage|hugepages-.+)$/.exec(String(reference.resource))
  if (container === undefined || match === null) return undefined
  const [, list, resource] = match as unknown as [string, 'limits' | 'requests', string]
  const amount = container.resources?.[list]?.[resource] ?? (list === 'limits' ? facts.allocatable[resource] : undefined) ?? '0'
  const asked = reference.divisor
  const divisor = asked === undefined || String(asked) === '0' ? '1' : String(asked)
  const unit = resource === 'cpu' ? milliOf : bytesOf
  return String(Math.ceil(unit(amount) / unit(divisor)))
}
