// A pod as the scheduler sees it. What a decision looks at is its *shape*: pods made from one template share one shape,
// which is compiled once and is the key of every cache.
import type { Container, ContainerStatus, Pod, PodSpec } from '@shiplog/api/generated/types/core-v1'
import { type AffinityTerms, compileTerms } from '../plugins/affinity-terms.ts'
import { compilePreferred, compileRequired, type PreferredTerm, type RequiredNodes } from '../plugins/node-selector.ts'
import { type PodResources, podResources } from './resources.ts'
import { compileConstraints, type SpreadConstraint } from '../plugins/spread-constraints.ts'
import type { Toleration } from '../plugins/tolerations.ts'

/** A port of the node that a pod wants for itself. */
export interface HostPort {
  readonly protocol: string
  readonly ip: string
  readonly port: number
}

/** All of a pod's specification that decides where it may go, and what it takes there. Equal specifications share one. */
export interface PodShape extends PodResources {
  /** The specification as text; equal texts are equal shapes. */
  readonly signature: string
  readonly tolerations: readonly Toleration[]
  readonly required: RequiredNodes | undefined
  readonly preferred: readonly PreferredTerm[]
  readonly hostPorts: readonly HostPort[]
  /** What it asks of the pods around it; undefined when it asks nothing. */
  readonly terms: AffinityTerms | undefined
  readonly spread: readonly SpreadConstraint[]
}

export interface PodInfo {
  readonly uid: string
  readonly namespace: string
  readonly name: string
  readonly priority: number
  readonly preemptionPolicy: string
  readonly schedulerName: string
  /** spec.nodeName: '' for a pod that waits for its node. */
  readonly nodeName: string
  readonly generation: number | undefined
  /** `namespace/name` of the PodGroup that it is scheduled with; '' when it is scheduled alone. */
  readonly group: string
  /** Names of spec.schedulingGates. */
  readonly gates: readonly string[]
  /** The claims of its volumes. */
  readonly claims: readonly PodClaim[]
  readonly labels: Readonly<Record<string, string>>
  /** Namespace and labels as text: equal texts are selected by the same selectors. */
  readonly labelKey: string
  /** It is being deleted. */
  readonly isTerminating: boolean
  /** It is being deleted because a scheduler preempted it. */
  readonly isPreempted: boolean
  /** status.startTime. */
  readonly startedMs: number | undefined
  /** status.nominatedNodeName: where victims make room for it. */
  readonly nominatedNode: string
  /** The images of its containers and volumes, by full name, each as often as it is used. */
  readonly images: readonly string[]
  /** How many containers it has, with those that run before the others. */
  readonly containers: number
  /** What it belongs to, as `ReplicaSet/web-7d4`; '' when nothing controls it. */
  readonly controller: string
  readonly shape: PodShape
}

const noLabels: Readonly<Record<string, string>> = {}

const controllerOf = ({ metadata }: Pod): string => {
  const owner = metadata.ownerReferences?.find(({ controller }) => controller)
  return owner === undefined ? '' : `${owner.kind}/${owner.name}`
}

/** See PodInfo.group. */
export function groupOf({ metadata, spec }: Pod): string {
  const name = spec.schedulingGroup?.podGroupName
  return name ? `${metadata.namespace ?? ''}/${name}` : ''
}

/** Whether a pod that is being deleted makes room for another one (upstream: PodReasonPreemptionByScheduler). */
const isPreempted = ({ metadata, status }: Pod): boolean =>
  metadata.deletionTimestamp !== undefined &&
  (status?.conditions?.some(
    ({ type, status: is, reason }) => type === 'DisruptionTarget' && is === 'True' && reason === 'PreemptionByScheduler',
  ) ??
    false)

const startOf = ({ status }: Pod): number | undefined =>
  status?.startTime === undefined ? undefined : Date.parse(status.startTime)

/** The part of a pod that may change without a new generation. */
const changing = (pod: Pod) => ({
  labels: pod.metadata.labels ?? noLabels,
  isTerminating: pod.metadata.deletionTimestamp !== undefined,
  isPreempted: isPreempted(pod),
  startedMs: startOf(pod),
})

/** Whether an object says of a pod what is known already, as far as it may change without a new generation. */
export function isUnchanged(known: PodInfo, object: Pod): boolean {
  const now = changing(object)
  return (
    known.isTerminating === now.isTerminating &&
    known.isPreempted === now.isPreempted &&
    known.startedMs === now.startedMs &&
    sameLabels(known.labels, now.labels)
  )
}

export function sameLabels(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean {
  const keys = Object.keys(a)
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key])
}

/** A claim that a pod uses: one that it names, or one that is made for its ephemeral volume. */
export interface PodClaim {
  readonly name: string
  readonly isEphemeral: boolean
}

const noClaims: readonly PodClaim[] = []

function claimsOf({ metadata, spec }: Pod): readonly PodClaim[] {
  if (!spec.volumes?.some((volume) => volume.persistentVolumeClaim || volume.ephemeral)) return noClaims
  return spec.volumes.flatMap(({ name, persistentVolumeClaim, ephemeral }) => {
    if (persistentVolumeClaim) return { name: persistentVolumeClaim.claimName, isEphemeral: false }
    return ephemeral ? { name: `${metadata.name}-${name}`, isEphemeral: true } : []
  })
}

/** An image without a tag is its latest. */
const fullImageName = (name: string): string => (name.lastIndexOf(':') <= name.lastIndexOf('/') ? `${name}:latest` : name)

const imagesOf = ({ containers, initContainers, volumes }: PodSpec): readonly string[] => [
  ...(initContainers ?? []).map(({ image }) => fullImageName(image ?? '')),
  ...(containers ?? []).map(({ image }) => fullImageName(image ?? '')),
  ...(volumes ?? []).flatMap(({ image }) => (image?.reference ? [fullImageName(image.reference)] : [])),
]

/** Reads pods, compiling each shape once. */
export type PodReader = (pod: Pod) => PodInfo

/** Shapes that a reader remembers; past it the oldest is forgotten (and compiled again when it comes back). */
export const shapesMax = 4096

/** A reader with a memory of its own. */
export function createPodReader(): PodReader {
  const shapes = new Map<string, PodShape>()
  return (pod) => {
    const { spec } = pod
    const signature = signatureOf(pod)
    let shape = shapes.get(signature)
    if (shape === undefined) {
      shape = compileShape(pod, signature)
      shapes.set(signature, shape)
      if (shapes.size > shapesMax) shapes.delete(shapes.keys().next().value!)
    }
    return {
      uid: pod.metadata.uid,
      namespace: pod.metadata.namespace ?? '',
      name: pod.metadata.name,
      priority: spec.priority ?? 0,
      preemptionPolicy: spec.preemptionPolicy ?? 'PreemptLowerPriority',
      schedulerName: spec.schedulerName ?? 'default-scheduler',
      nodeName: spec.nodeName ?? '',
      generation: pod.metadata.generation,
      group: groupOf(pod),
      gates: (spec.schedulingGates ?? []).map((gate) => gate.name),
      claims: claimsOf(pod),
      ...changing(pod),
      labelKey: `${pod.metadata.namespace ?? ''} ${JSON.stringify(pod.metadata.labels ?? noLabels)}`,
      nominatedNode: pod.status?.nominatedNodeName ?? '',
      controller: controllerOf(pod),
      images: imagesOf(spec),
      containers: (spec.initContainers?.length ?? 0) + (spec.containers?.length ?? 0),
      shape,
    }
  }
}

/** Whether a container's status says anything about its resources (in-place resize). */
export const reportsResources = (pod: Pod): boolean =>
  hasResources(pod.status?.containerStatuses) || hasResources(pod.status?.initContainerStatuses)

const hasResources = (statuses: readonly ContainerStatus[] | undefined): boolean =>
  statuses?.some((status) => status.resources !== undefined || status.allocatedResources !== undefined) ?? false

const containerPart = (container: Container): unknown[] => [
  container.resources?.requests,
  container.ports?.some((port) => port.hostPort) ? container.ports : undefined,
  container.restartPolicy,
]

function signatureOf(pod: Pod): string {
  const { spec, status } = pod
  const resizing = spec.nodeName !== undefined && reportsResources(pod)
  return JSON.stringify([
    spec.containers?.map(containerPart),
    spec.initContainers?.map(containerPart),
    spec.overhead,
    spec.resources?.requests,
    spec.nodeSelector,
    spec.affinity,
    spec.tolerations,
    spec.topologySpreadConstraints,
    resizing
      ? [status.containerStatuses, status.initContainerStatuses].map((statuses) =>
          statuses?.map(({ name, resources, allocatedResources }) => [name, resources?.requests, allocatedResources]),
        )
      : undefined,
    // Which resources count depends on names and on the verdict about a resize only then.
    resizing ? (spec.containers ?? []).map((container) => container.name) : undefined,
    resizing ? status.conditions?.find((condition) => condition.type === 'PodResizePending') : undefined,
  ])
}

function compileShape(pod: Pod, signature: string): PodShape {
  const { spec } = pod
  const affinity = spec.affinity?.nodeAffinity
  return {
    signature,
    ...podResources(pod),
    tolerations: spec.tolerations ?? [],
    required: compileRequired(spec.nodeSelector, affinity?.requiredDuringSchedulingIgnoredDuringExecution),
    preferred: compilePreferred(affinity?.preferredDuringSchedulingIgnoredDuringExecution),
    hostPorts: hostPortsOf(spec),
    terms: compileTerms(spec.affinity),
    spread: compileConstraints(spec.topologySpreadConstraints),
  }
}

/** Host ports of containers and sidecars; other init containers give theirs back before the pod runs. */
function hostPortsOf(spec: PodSpec): readonly HostPort[] {
  const containers = [
    ...(spec.containers ?? []),
    ...(spec.initContainers ?? []).filter((container) => container.restartPolicy === 'Always'),
  ]
  return containers.flatMap((container) =>
    (container.ports ?? []).flatMap(({ protocol, hostIP, hostPort = 0 }) =>
      hostPort > 0 ? [{ protocol: protocol || 'TCP', ip: hostIP || '0.0.0.0', port: hostPort }] : [],
    ),
  )
}
