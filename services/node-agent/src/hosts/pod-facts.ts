// What a process host looks up in the spec of a pod again and again. Pure.
import type { Container, EphemeralContainer, Pod, Volume } from '@shiplog/api/generated/types/core-v1'
import type { ContainerWork } from '../pod-work.ts'
import type { PodFacts } from './field-references.ts'
import type { HostedPod } from './pod-host.ts'

export const containerSpecsOf = ({ spec }: Pod): (Container | EphemeralContainer)[] => [
  ...(spec.containers ?? []),
  ...(spec.initContainers ?? []),
  ...(spec.ephemeralContainers ?? []),
]

export const containerSpecOf = ({ pod }: Pick<HostedPod, 'pod'>, { name, image }: ContainerWork): Container =>
  containerSpecsOf(pod).find((container) => container.name === name) ?? { name, image, resources: {} }

export const volumesIn = ({ spec }: Pod): readonly Volume[] => spec.volumes ?? []

export const namespaceOf = ({ pod }: HostedPod): string => pod.metadata.namespace ?? ''

export const graceMsOf = ({ pod }: HostedPod): number => (pod.spec.terminationGracePeriodSeconds ?? 30) * 1_000

export const factsOf = ({ pod, node, work }: HostedPod): PodFacts => ({
  pod,
  nodeName: node.name,
  nodeIPs: node.internalIPs,
  podIPs: work.podIPs.length > 0 ? work.podIPs : node.internalIPs,
  allocatable: node.capacity,
})

/** The name that the pod has for itself. */
export const hostnameOf = ({ metadata, spec }: Pod): string => spec.hostname || metadata.name
