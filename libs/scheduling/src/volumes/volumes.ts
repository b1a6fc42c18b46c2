// The claims, volumes and classes of a snapshot, as the VolumeBinding plugin looks at them.
import type { PersistentVolume, PersistentVolumeClaim } from '@shiplog/api/generated/types/core-v1'
import type { StorageClass } from '@shiplog/api/generated/types/storage-v1'
import type { KubeObject } from '@shiplog/api/kube-object'
import type { VolumeLookup } from './matching.ts'

/** The resources that a scheduler follows for its volumes. */
export const volumeResources = ['persistentvolumeclaims', 'persistentvolumes', 'storageclasses.storage.k8s.io'] as const

export const isVolumeResource = (groupResource: string): boolean =>
  (volumeResources as readonly string[]).includes(groupResource)

export class Volumes implements VolumeLookup {
  readonly #claims = new Map<string, PersistentVolumeClaim>()
  readonly #volumes = new Map<string, PersistentVolume>()
  readonly #classes = new Map<string, StorageClass>()

  /** Takes in a change of one of `volumeResources`. */
  apply(groupResource: string, object: KubeObject, deleted: boolean): void {
    const { namespace = '', name } = object.metadata
    const put = <T>(map: Map<string, T>, key: string): void => {
      if (deleted) map.delete(key)
      else map.set(key, object as T)
    }
    if (groupResource === 'persistentvolumeclaims') put(this.#claims, `${namespace}/${name}`)
    else if (groupResource === 'persistentvolumes') put(this.#volumes, name)
    else put(this.#classes, name)
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
}
