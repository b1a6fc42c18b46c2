// What decisions look at besides nodes and pods: volumes, namespaces, disruption budgets, the owners and the groups of pods.
import type { Namespace, ReplicationController, Service } from '@shiplog/api/generated/types/core-v1'
import type { ReplicaSet, StatefulSet } from '@shiplog/api/generated/types/apps-v1'
import type { PodDisruptionBudget } from '@shiplog/api/generated/types/policy-v1'
import type { PodGroup } from '@shiplog/api/generated/types/scheduling-v1alpha2'
import type { KubeObject } from '@shiplog/api/kube-object'
import { isVolumeResource, volumeResources, Volumes } from '../volumes/volumes.ts'

const namespaces = 'namespaces'
const budgets = 'poddisruptionbudgets.policy'
const services = 'services'
export const podGroups = 'podgroups.scheduling.k8s.io'
const controllers = {
  replicationcontrollers: 'ReplicationController',
  'replicasets.apps': 'ReplicaSet',
  'statefulsets.apps': 'StatefulSet',
} as const

/** The resources that a scheduler follows, besides nodes and pods. */
export const clusterResources: readonly string[] = [
  ...volumeResources,
  namespaces,
  budgets,
  services,
  podGroups,
  ...Object.keys(controllers),
]

export type PodController = ReplicationController | ReplicaSet | StatefulSet

export class ClusterObjects {
  readonly volumes = new Volumes()
  readonly #namespaces = new Map<string, Namespace>()
  readonly #budgets = new Map<string, PodDisruptionBudget>()
  /** By namespace, then name. */
  readonly #services = new Map<string, Map<string, Service>>()
  readonly #podGroups = new Map<string, PodGroup>()
  /** `default/ReplicaSet/web`. */
  readonly #controllers = new Map<string, PodController>()
  #version = 0
  #namespaceVersion = 0

  /** Grows with every change that a decision may depend on. */
  get version(): number {
    return this.#version
  }

  /** Grows when the labels of a namespace change, or one comes or goes. */
  get namespaceVersion(): number {
    return this.#namespaceVersion
  }

  /** Takes in a change of one of `clusterResources`. */
  apply(groupResource: string, object: KubeObject, deleted: boolean): void {
    const { namespace = '', name } = object.metadata
    this.#version++
    if (isVolumeResource(groupResource)) this.volumes.apply(groupResource, object, deleted)
    else if (groupResource === namespaces) this.#applyNamespace(object as Namespace, deleted)
    else if (groupResource === budgets) put(this.#budgets, `${namespace}/${name}`, object as PodDisruptionBudget, deleted)
    else if (groupResource === podGroups) put(this.#podGroups, `${namespace}/${name}`, object as PodGroup, deleted)
    else if (groupResource === services) {
      let inNamespace = this.#services.get(namespace)
      if (inNamespace === undefined) this.#services.set(namespace, (inNamespace = new Map()))
      put(inNamespace, name, object as Service, deleted)
    } else {
      const kind = controllers[groupResource as keyof typeof controllers]
      if (kind !== undefined) put(this.#controllers, `${namespace}/${kind}/${name}`, object as PodController, deleted)
    }
  }

  namespaceLabels(name: string): Readonly<Record<string, string>> | undefined {
    const namespace = this.#namespaces.get(name)
    return namespace && (namespace.metadata.labels ?? {})
  }

  budgets(): Iterable<PodDisruptionBudget> {
    return this.#budgets.values()
  }

  services(namespace: string): Iterable<Service> {
    return this.#services.get(namespace)?.values() ?? []
  }

  /** `group` as in PodInfo. */
  podGroup(group: string): PodGroup | undefined {
    return this.#podGroups.get(group)
  }

  /** How many pods of a group have to have a node for any to get one; undefined for pods that are placed one by one. */
  gangSize(group: string): number | undefined {
    return group === '' ? undefined : this.#podGroups.get(group)?.spec.schedulingPolicy.gang?.minCount
  }

  /** `controller` as in PodInfo. */
  controller(namespace: string, controller: string): PodController | undefined {
    return this.#controllers.get(`${namespace}/${controller}`)
  }

  #applyNamespace(object: Namespace, deleted: boolean): void {
    const before = JSON.stringify(this.namespaceLabels(object.metadata.name))
    put(this.#namespaces, object.metadata.name, object, deleted)
    if (JSON.stringify(this.namespaceLabels(object.metadata.name)) !== before) this.#namespaceVersion++
  }
}

function put<T>(map: Map<string, T>, key: string, object: T, deleted: boolean): void {
  if (deleted) map.delete(key)
  else map.set(key, object)
}
