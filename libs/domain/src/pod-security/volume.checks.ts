// Where a pod's files may come from.
import type { Decoded } from '@shiplog/api/decoded'
import type { Volume } from '@shiplog/api/generated/types/core-v1'
import { items } from '../fields.ts'
import { type Check, type CheckPod, distinct, plural, quoteList } from './check.ts'

type VolumeSource = Exclude<keyof Volume, 'name'>

const volumesText = (volumes: readonly Decoded<Volume>[]): string =>
  `${plural('volume', volumes.length)} ${quoteList(volumes.map(({ name }) => name ?? ''))}`

const checkHostPathVolumes: CheckPod = ({ spec }) => {
  const bad = items(spec.volumes).filter(({ hostPath }) => hostPath !== undefined)
  return bad.length === 0 ? undefined : { reason: 'hostPath volumes', detail: volumesText(bad) }
}

export const hostPathVolumes: Check = { id: 'hostPathVolumes', versions: [[0, checkHostPathVolumes]] }

const allowedSources: readonly VolumeSource[] = [
  'configMap',
  'csi',
  'downwardAPI',
  'emptyDir',
  'ephemeral',
  'image',
  'persistentVolumeClaim',
  'projected',
  'secret',
]
const restrictedSources: readonly VolumeSource[] = [
  'hostPath',
  'gcePersistentDisk',
  'awsElasticBlockStore',
  'gitRepo',
  'nfs',
  'iscsi',
  'glusterfs',
  'rbd',
  'flexVolume',
  'cinder',
  'cephfs',
  'flocker',
  'fc',
  'azureFile',
  'vsphereVolume',
  'quobyte',
  'azureDisk',
  'photonPersistentDisk',
  'portworxVolume',
  'scaleIO',
  'storageos',
]

const checkVolumeTypes: CheckPod = ({ spec }) => {
  const bad = items(spec.volumes).filter((volume) => !allowedSources.some((source) => volume[source] !== undefined))
  if (bad.length === 0) return undefined
  const types = distinct(
    bad.map((volume) => restrictedSources.find((source) => volume[source] !== undefined) ?? 'unknown'),
  )
  const uses = plural('uses', bad.length, 'use')
  const what = plural('restricted volume type', types.length)
  return { reason: 'restricted volume types', detail: `${volumesText(bad)} ${uses} ${what} ${quoteList(types)}` }
}

export const restrictedVolumes: Check = {
  id: 'restrictedVolumes',
  overrides: hostPathVolumes.id,
  versions: [[0, checkVolumeTypes]],
}
