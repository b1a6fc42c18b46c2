// From a pod to the sandbox that a runtime is to make for it. Pure.
import type { Pod } from '@shiplog/api/generated/types/core-v1'
import { podNameLabel, podNamespaceLabel, podUidLabel } from '@shiplog/node/cri/cri-labels'
import type { SandboxConfigMessage } from '@shiplog/node/cri/cri-messages'
import { podResources, qosOf } from './container-resources.ts'
import { dnsConfigOf, type NodeNames, sandboxHostname } from './pod-names.ts'
import { sandboxSecurity } from './security-context.ts'

export interface SandboxInput {
  readonly pod: Pod
  readonly attempt: number
  readonly logDirectory: string
  readonly names: NodeNames
  /** Parent of the cgroups of all pods of the node. */
  readonly cgroupParent: string
  readonly profilesDir: string
}

export function sandboxConfig(input: SandboxInput): SandboxConfigMessage {
  const { pod, attempt, logDirectory, names, profilesDir } = input
  const { name, namespace = '', uid, labels, annotations } = pod.metadata
  return {
    metadata: { name, uid, namespace, attempt },
    hostname: sandboxHostname(pod, names),
    logDirectory,
    dnsConfig: dnsConfigOf(pod, names),
    portMappings: portMappings(pod),
    labels: { ...labels, [podNameLabel]: name, [podNamespaceLabel]: namespace, [podUidLabel]: uid },
    annotations: annotations ?? {},
    linux: {
      cgroupParent: podCgroup(input),
      sysctls: Object.fromEntries((pod.spec.securityContext?.sysctls ?? []).map((one) => [one.name.replaceAll('/', '.'), one.value])),
      resources: podResources(pod),
      securityContext: sandboxSecurity(pod, profilesDir),
    },
  }
}

/** By classes of service, as upstream's tree. */
export function podCgroup({ pod, cgroupParent }: Pick<SandboxInput, 'pod' | 'cgroupParent'>): string {
  const qos = qosOf(pod)
  const tier = qos === 'Guaranteed' ? '' : `/${qos.toLowerCase()}`
  return `${cgroupParent}/kubepods${tier}/pod${pod.metadata.uid}`
}

function portMappings({ spec }: Pod): SandboxConfigMessage['portMappings'] {
  if (spec.hostNetwork) return []
  const sidecars = (spec.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === 'Always')
  return [...sidecars, ...(spec.containers ?? [])].flatMap(({ ports = [] }) =>
    ports.flatMap(({ hostPort, containerPort, protocol = 'TCP', hostIP = '' }) =>
      hostPort ? [{ protocol: protocol as 'TCP' | 'UDP' | 'SCTP', containerPort, hostPort, hostIp: hostIP }] : [],
    ),
  )
}
