// What a volume must say: how much it holds, who may use it, and the one place where it is.
import { forbiddenField, invalidValue, notSupported, required } from '@shiplog/api/field-errors'
import type { PersistentVolume, PersistentVolumeSpec, VolumeNodeAffinity } from '@shiplog/api/generated/types/core-v1'
import type { StatusCause } from '@shiplog/api/status'
import type { Decoded, Draft } from '@shiplog/api/decoded'
import { byRule, entries, items } from '../fields.ts'
import { dns1123Label, dns1123Subdomain } from '../names.ts'
import { accessModes, volumeModes } from '../persistent-volume-claim/claim-validation.ts'
import { validateNodeTerm } from '../pod/scheduling-validation.ts'
import { shownSource, validateVolumeSource, type VolumeSources } from '../pod/volume-source-validation.ts'
import { nanosOf } from '../quantities.ts'

const reclaimPolicies = ['Delete', 'Recycle', 'Retain']
const secretReferences = [
  'controllerPublishSecretRef',
  'nodePublishSecretRef',
  'controllerExpandSecretRef',
  'nodeExpandSecretRef',
] as const
const nanosPerUnit = 1_000_000_000n
const inlineSentence = 'may not be specified in the context of inline volumes'

/** The fields of a spec that are sources. */
type Source = keyof PersistentVolumeSpec & keyof VolumeSources

/** The order in which upstream looks: the first of two sources is the one that counts. */
const sourceOrder: readonly Source[] = [
  'hostPath',
  'gcePersistentDisk',
  'awsElasticBlockStore',
  'glusterfs',
  'flocker',
  'nfs',
  'rbd',
  'quobyte',
  'cephfs',
  'iscsi',
  'cinder',
  'fc',
  'flexVolume',
  'azureFile',
  'vsphereVolume',
  'photonPersistentDisk',
  'portworxVolume',
  'azureDisk',
  'scaleIO',
  'local',
  'storageos',
  'csi',
]

const validateAccessModes = (spec: Decoded<PersistentVolumeSpec>, field: string): StatusCause[] => {
  const modes = items(spec.accessModes)
  const once = modes.includes('ReadWriteOncePod')
  return [
    ...(modes.length === 0 ? [required(field)] : []),
    ...modes.flatMap((mode) => (accessModes.includes(mode) ? [] : [notSupported(field, mode, accessModes)])),
    ...(once && modes.some((mode) => mode !== 'ReadWriteOncePod' && accessModes.includes(mode))
      ? [forbiddenField(field, 'may not use ReadWriteOncePod with other access modes')]
      : []),
  ]
}

const validateCapacity = (capacity: Readonly<Record<string, string>> | undefined, at: string): StatusCause[] => {
  const causes: StatusCause[] = []
  const names = Object.keys(capacity ?? {})
  if (names.length === 0) causes.push(required(at))
  if (names.length !== 1 || names[0] !== 'storage')
    causes.push(notSupported(at, capacity ? Object.fromEntries(entries(capacity).sort()) : null, ['storage']))
  for (const [name, quantity] of entries(capacity)) {
    const nanos = nanosOf(quantity)
    const field = `${at}[${name}]`
    if (nanos === undefined) continue
    if (nanos < 0n) causes.push(invalidValue(field, Number(nanos / nanosPerUnit), 'must be a valid resource quantity'))
    if (nanos <= 0n) causes.push(invalidValue(field, String(quantity), 'must be greater than zero'))
  }
  return causes
}

type VolumeRule<Kind extends Source> = (
  source: Decoded<NonNullable<PersistentVolumeSpec[Kind]>>,
  field: string,
  causes: StatusCause[],
) => StatusCause[]

/** What a volume says more of its source than a pod does. */
const ofVolumesOnly: { readonly [Kind in Source]?: VolumeRule<Kind> } = {
  csi: (source, field, causes) => [
    ...causes,
    ...secretReferences.flatMap((reference) =>
      (['name', 'namespace'] as const).flatMap((key) =>
        source[reference] && !source[reference]?.[key] ? [required(`${field}.${reference}.${key}`)] : [],
      ),
    ),
    ...(source.volumeHandle ? [] : [required(`${field}.volumeHandle`)]),
  ],
  iscsi: (source, field, causes) => [
    // Of a volume upstream says less about names.
    ...causes.map((cause) => ({ ...cause, message: cause.message.replace(/ starting with iqn, eui, or naa$/, '') })),
    ...((source.chapAuthDiscovery === true || source.chapAuthSession === true) && !source.secretRef
      ? [required(`${field}.secretRef`)]
      : []),
    ...(source.secretRef && !source.secretRef.name ? [required(`${field}.secretRef.name`)] : []),
  ],
  glusterfs: (source, field, causes) => {
    const namespace = source.endpointsNamespace
    const at = `${field}.endpointsNamespace`
    if (typeof namespace !== 'string') return causes
    return namespace === ''
      ? [...causes, invalidValue(at, '', 'if the endpointnamespace is set, it must be a valid namespace name')]
      : [...causes, ...byRule(dns1123Label, namespace, at)]
  },
}

const validateSource = (spec: Decoded<PersistentVolumeSpec>, field: string): StatusCause[] => {
  const [first, ...more] = sourceOrder.filter((source) => spec[source])
  if (first === undefined) return [required(field, 'must specify a volume type')]
  const at = `${field}.${first}`
  const source = spec[first] ?? {}
  const common = validateVolumeSource(first, source, at)
  const rule = ofVolumesOnly[first] as VolumeRule<Source> | undefined
  return [
    ...(rule?.(source, at, common) ?? common),
    ...more.flatMap((source) =>
      source === 'flexVolume'
        ? validateVolumeSource(source, spec[source] ?? {}, `${field}.${source}`)
        : [forbiddenField(`${field}.${shownSource[source] ?? source}`, 'may not specify more than 1 volume type')],
    ),
  ]
}

const validateAffinity = (affinity: Decoded<VolumeNodeAffinity> | undefined, field: string): StatusCause[] => {
  if (!affinity) return []
  const at = `${field}.required`
  const terms = items(affinity.required?.nodeSelectorTerms)
  if (!affinity.required) return [required(at, 'must specify required node constraints')]
  return [
    ...(terms.length === 0 ? [required(`${at}.nodeSelectorTerms`, 'must have at least one node selector term')] : []),
    ...terms.flatMap((term, index) => validateNodeTerm(term, `${at}.nodeSelectorTerms[${index}]`, true)),
  ]
}

/** What any volume must say, whether it is an object of its own or stands inside of another. */
const validateShared = (spec: Decoded<PersistentVolumeSpec>, field: string): StatusCause[] => {
  const causes = validateSource(spec, field)
  if (spec.hostPath?.path === '/' && spec.persistentVolumeReclaimPolicy === 'Recycle')
    causes.push(
      forbiddenField(`${field}.persistentVolumeReclaimPolicy`, "may not be 'recycle' for a hostPath mount of '/'"),
    )
  if (spec.storageClassName)
    causes.push(...byRule(dns1123Subdomain, spec.storageClassName, `${field}.storageClassName`))
  if (typeof spec.volumeMode === 'string' && !volumeModes.includes(spec.volumeMode))
    causes.push(notSupported(`${field}.volumeMode`, spec.volumeMode, volumeModes))
  const attributes = spec.volumeAttributesClassName
  if (typeof attributes === 'string') {
    const at = `${field}.volumeAttributesClassName`
    if (attributes === '') causes.push(required(at, 'an empty string is disallowed'))
    else causes.push(...byRule(dns1123Subdomain, attributes, at))
    if (!spec.csi) causes.push(required(`${field}.csi`, 'has to be specified when using volumeAttributesClassName'))
  }
  return causes
}

const mountOptions = 'volume.beta.kubernetes.io/mount-options'
const takeMountOptions: readonly Source[] = [
  'gcePersistentDisk',
  'awsElasticBlockStore',
  'glusterfs',
  'nfs',
  'rbd',
  'quobyte',
  'iscsi',
  'cinder',
  'cephfs',
  'azureFile',
  'vsphereVolume',
  'azureDisk',
  'photonPersistentDisk',
]

/** A PersistentVolume. */
export const validateVolume = (volume: Draft<PersistentVolume>): StatusCause[] => {
  const spec = volume.spec ?? {}
  const policy = spec.persistentVolumeReclaimPolicy
  return [
    ...validateAccessModes(spec, 'spec.accessModes'),
    ...validateCapacity(spec.capacity, 'spec.capacity'),
    ...(policy && !reclaimPolicies.includes(policy)
      ? [notSupported('spec.persistentVolumeReclaimPolicy', policy, reclaimPolicies)]
      : []),
    ...validateAffinity(spec.nodeAffinity, 'spec.nodeAffinity'),
    ...validateShared(spec, 'spec'),
    ...(volume.metadata.annotations?.[mountOptions] !== undefined && !takeMountOptions.some((source) => spec[source])
      ? [forbiddenField(`metadata.annotations.${mountOptions}`, 'may not specify mount options for this volume type')]
      : []),
  ]
}

/** A volume that an attachment brings with it: only drivers outside of the API server's knowledge may be named. */
export const validateInlineVolume = (spec: Decoded<PersistentVolumeSpec>, field: string): StatusCause[] => {
  const policy = spec.persistentVolumeReclaimPolicy
  const forbidden = (name: string): StatusCause => forbiddenField(`${field}.${name}`, inlineSentence)
  return [
    ...(spec.claimRef ? [forbidden('claimRef')] : []),
    ...(Object.keys(spec.capacity ?? {}).length > 0 ? [forbidden('capacity')] : []),
    ...(spec.csi ? [] : [required(`${field}.csi`, 'has to be specified in the context of inline volumes')]),
    ...validateAccessModes(spec, `${field}.accessModes`),
    ...(policy && policy !== 'Retain'
      ? [
          forbiddenField(
            `${field}.persistentVolumeReclaimPolicy`,
            'may only be Retain in the context of inline volumes',
          ),
        ]
      : []),
    ...(spec.nodeAffinity ? [forbidden('nodeAffinity')] : []),
    ...validateShared(spec, field),
    ...(spec.storageClassName ? [forbidden('storageClassName')] : []),
    ...(typeof spec.volumeMode === 'string' && spec.volumeMode !== 'Filesystem'
      ? [
          forbiddenField(
            `${field}.volumeMode`,
            'may not specify volumeMode other than Filesystem in the context of inline volumes',
          ),
        ]
      : []),
  ]
}
