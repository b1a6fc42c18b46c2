// Volumes of a pod: names, and exactly one source each.
import { duplicate, forbiddenField, invalidValue, required } from '@shiplog/api/field-errors'
import type { Volume } from '@shiplog/api/generated/types/core-v1'
import type { StatusCause } from '@shiplog/api/status'
import type { Decoded } from '@shiplog/api/decoded'
import { items, requiredName } from '../fields.ts'
import { dns1123Label, dns1123Subdomain } from '../names.ts'
import { shownSource, validateVolumeSource } from './volume-source-validation.ts'

/** Which source of two is the one too many depends on upstream's order of looking at them. */
const sourceOrder: readonly Exclude<keyof Volume, 'name'>[] = [
  'emptyDir',
  'hostPath',
  'gitRepo',
  'gcePersistentDisk',
  'awsElasticBlockStore',
  'secret',
  'nfs',
  'iscsi',
  'glusterfs',
  'flocker',
  'persistentVolumeClaim',
  'rbd',
  'cinder',
  'cephfs',
  'quobyte',
  'downwardAPI',
  'fc',
  'flexVolume',
  'configMap',
  'azureFile',
  'vsphereVolume',
  'photonPersistentDisk',
  'portworxVolume',
  'azureDisk',
  'storageos',
  'projected',
  'scaleIO',
  'csi',
  'ephemeral',
  'image',
]

/** All volumes of a pod's spec. */
export const validateVolumes = (
  volumes: Decoded<Volume[]> | undefined,
  field: string,
  podName: string | undefined,
  /** Gets the names of the volumes that are right. */
  usable: Set<string> = new Set(),
): StatusCause[] => {
  const all: StatusCause[] = []
  const names = new Set<string>()
  items(volumes).forEach((volume, index) => {
    const causes: StatusCause[] = []
    const at = `${field}[${index}]`
    const sources = sourceOrder.filter((key) => volume[key])
    if (sources.length === 0) causes.push(required(at, 'must specify a volume type'))
    for (const source of sources.slice(1))
      causes.push(forbiddenField(`${at}.${shownSource[source] ?? source}`, 'may not specify more than 1 volume type'))
    const first = sources[0]
    const source = first && volume[first]
    if (source) causes.push(...validateVolumeSource(first, source, `${at}.${first}`))
    const { name = '' } = volume
    if (first === 'ephemeral' && podName && name !== '')
      for (const sentence of dns1123Subdomain(`${podName}-${name}`))
        causes.push(invalidValue(`${at}.name`, name, `PVC name "${podName}-${name}": ${sentence}`))
    const nameCauses = requiredName(dns1123Label, name, `${at}.name`)
    causes.push(...nameCauses)
    if (names.has(name)) causes.push(duplicate(`${at}.name`, name))
    else if (nameCauses.length === 0) names.add(name)
    if (causes.length === 0) usable.add(name)
    all.push(...causes)
  })
  return all
}
