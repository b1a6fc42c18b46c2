// A pod as the scheduler sees it. What a decision looks at is its *shape*: pods made from one template share one shape,
// which is compiled once and is the key of every cache.
import type { JsonObject } from '@shiplog/api/kube-object'
import { compilePreferred, compileRequired, type PreferredTerm, type RequiredNodes } from '../plugins/node-selector.ts'
import { type PodResources, podResources } from './resources.ts'
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
  /** Names of spec.schedulingGates. */
  readonly gates: readonly string[]
  readonly shape: PodShape
}

/** Reads pods, compiling each shape once. */
export type PodReader = (pod: JsonObject) => PodInfo

/** Shapes that a reader remembers; past it the oldest is forgotten (and compiled again when it comes back). */
export const shapesMax = 4096

/** A reader with a memory of its own. */
export function createPodReader(): PodReader {
  const shapes = new Map<string, PodShape>()
  return (pod) => {
    const spec = (pod['spec'] ?? {}) as JsonObject
    const signature = signatureOf(pod)
    let shape = shapes.get(signature)
    if (shape === undefined) {
      shape = compileShape(pod, signature)
      shapes.set(signature, shape)
      if (shapes.size > shapesMax) shapes.delete(shapes.keys().next().value!)
    }
    return {
      uid: pod['metadata'].uid,
      namespace: pod['metadata'].namespace ?? '',
      name: pod['metadata'].name,
      priority: spec['priority'] ?? 0,
      preemptionPolicy: spec['preemptionPolicy'] ?? 'PreemptLowerPriority',
      schedulerName: spec['schedulerName'] ?? 'default-scheduler',
      nodeName: spec['nodeName'] ?? '',
      generation: pod['metadata'].generation,
      gates: ((spec['schedulingGates'] ?? []) as JsonObject[]).map((gate) => gate['name'] as string),
      shape,
    }
  }
}

/** Whether a container's status says anything about its resources (in-place resize). */
export const reportsResources = (pod: JsonObject): boolean =>
  hasResources(pod['status']?.containerStatuses) || hasResources(pod['status']?.initContainerStatuses)

const hasResources = (statuses: readonly JsonObject[] | undefined): boolean =>
  statuses?.some((status) => status['resources'] !== undefined || status['allocatedResources'] !== undefined) ?? false

const containerPart = (container: JsonObject): unknown[] => [
  container['resources']?.requests,
  (container['ports'] as JsonObject[] | undefined)?.some((port) => port['hostPort']) ? container['ports'] : undefined,
  container['restartPolicy'],
]

function signatureOf(pod: JsonObject): string {
  const spec = (pod['spec'] ?? {}) as JsonObject
  const resizing = spec['nodeName'] !== undefined && reportsResources(pod)
  return JSON.stringify([
    (spec['containers'] as JsonObject[] | undefined)?.map(containerPart),
    (spec['initContainers'] as JsonObject[] | undefined)?.map(containerPart),
    spec['overhead'],
    spec['resources']?.requests,
    spec['nodeSelector'],
    spec['affinity'],
    spec['tolerations'],
    resizing
      ? [pod['status'].containerStatuses, pod['status'].initContainerStatuses].map((statuses) =>
          (statuses as JsonObject[] | undefined)?.map((status) => [
            status['name'],
            status['resources']?.requests,
            status['allocatedResources'],
          ]),
        )
      : undefined,
    // Which resources count depends on names and on the verdict about a resize only then.
    resizing ? (spec['containers'] as JsonObject[]).map((container) => container['name']) : undefined,
    resizing
      ? pod['status'].conditions?.find((condition: JsonObject) => condition['type'] === 'PodResizePending')
      : undefined,
  ])
}

function compileShape(pod: JsonObject, signature: string): PodShape {
  const spec = (pod['spec'] ?? {}) as JsonObject
  const affinity = spec['affinity']?.nodeAffinity as JsonObject | undefined
  return {
    signature,
    ...podResources(pod),
    tolerations: (spec['tolerations'] ?? []) as Toleration[],
    required: compileRequired(spec['nodeSelector'], affinity?.['requiredDuringSchedulingIgnoredDuringExecution']),
    preferred: compilePreferred(affinity?.['preferredDuringSchedulingIgnoredDuringExecution']),
    hostPorts: hostPortsOf(spec),
  }
}

/** Host ports of containers and sidecars; other init containers give theirs back before the pod runs. */
function hostPortsOf(spec: JsonObject): readonly HostPort[] {
  const containers = [
    ...((spec['containers'] ?? []) as JsonObject[]),
    ...((spec['initContainers'] ?? []) as JsonObject[]).filter((container) => container['restartPolicy'] === 'Always'),
  ]
  return containers.flatMap((container) =>
    ((container['ports'] ?? []) as JsonObject[])
      .filter((port) => port['hostPort'] > 0)
      .map((port) => ({
        protocol: port['protocol'] || 'TCP',
        ip: port['hostIP'] || '0.0.0.0',
        port: port['hostPort'] as number,
      })),
  )
}
