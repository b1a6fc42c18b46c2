// The claims, volumes and classes of a snapshot, as the VolumeBinding plugin looks at them.
import type { PersistentVolume, PersistentVolumeClaim } from '@shiplog/api/generated/types/core-v1'
import type { CSINode, StorageClass, VolumeAttachment } from '@shiplog/api/generated/types/storage-v1'
import type { KubeObject } from '@shiplog/api/kube-object'
import type { VolumeLookup } from './matching.ts'

/** The resources that a scheduler follows for its volumes. */
export const volumeResources = [
  'persistentvolumeclaims',
  'persistentvolumes',
  'storageclasses.storage.k8s.io',
  'csinodes.storage.k8s.io',
  'volumeattachments.storage.k8s.io',
] as const

export const isVolumeResource = (groupResource: string): boolean =>
  (volumeResources as readonly string[]).includes(groupResource)

export class Volumes implements VolumeLookup {
  readonly #claims = new Map<string, PersistentVolumeClaim>()
  readonly #volumes = new Map<string, PersistentVolume>()
  readonly #classes = new Map<string, StorageClass>()
  readonly #csiNodes = new Map<string, CSINode>()
  readonly #attachments = new Map<string, VolumeAttachment>()

  /** Takes in a change of one of `volumeResources`. */
  apply(groupResource: string, object: KubeObject, deleted: boolean): void {
    const { namespace = '', name } = object.metadata
    const [map, key] = this.#placeOf(groupResource, namespace, name)
    if (deleted) map.delete(key)
    else map.set(key, object)
  }

  #placeOf(groupResource: string, namespace: string, name: string): [Map<string, KubeObject>, string] {
    const of = (map: Map<string, object>): Map<string, KubeObject> => map as Map<string, KubeObject>
    switch (groupResource) {
      case 'persistentvolumeclaims':
        return [of(this.#claims), `${namespace}/${name}`]
      case 'persistentvolumes':
        return [of(this.#volumes), name]
      case 'csinodes.storage.k8s.io':
        return [of(this.#csiNodes), name]
      case 'volumeattachments.storage.k8s.io':
        return [of(this.#attachments), name]
      default:
        return [of(this.#classes), name]
    }
  }

  claim(namespace: string, name: string): PersistentVolumeClaim | undefined {
    return this.#claims.get(`${namespace}/${name}`)
  }

  volume(name: string): PersistentVolume | undefined {
    return this.#volumes.get(name)
  }

  volumes(): Iterable<PersistentVolume> {
    return this.#volumes.values()
  }

  storageClasses(): Iterable<StorageClass> {
    return this.#classes.values()
  }

  storageClass(name: string): StorageClass | undefined {
    return this.#classes.get(name)
  }

  /** How many volumes of a driver may be attached to a node; without an entry there is no limit. */
  attachLimits(node: string): ReadonlyMap<string, number> {
    const limits = new Map<string, number>()
    for (const { name, allocatable } of this.#csiNodes.get(node)?.spec.drivers ?? []) {
      if (allocatable?.count !== undefined) limits.set(name, allocatable.count)
    }
    return limits
  }

  /** `driver/handle` → driver, of the volumes that VolumeAttachments say are attached to the node. */
  attachedTo(node: string): ReadonlyMap<string, string> {
    const attached = new Map<string, string>()
    for (const { spec } of this.#attachments.values()) {
      const volume = spec.nodeName === node ? this.#volumes.get(spec.source.persistentVolumeName ?? '') : undefined
      const csi = volume?.spec.csi
      if (csi) attached.set(`${csi.driver}/${csi.volumeHandle}`, csi.driver)
    }
    return attached
  }
}
