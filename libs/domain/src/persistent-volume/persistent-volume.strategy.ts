// PersistentVolumes: storage that exists, fixed in where it is.
import { forbiddenField, invalidValue, notSupported, required } from '@shiplog/api/field-errors'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import { timestampOf } from '@shiplog/api/apply/managed-fields'
import type { StatusCause } from '@shiplog/api/status'
import { dns1123Subdomain } from '../names.ts'
import { nodeTermWarnings } from '../node-labels.ts'
import { deprecatedStorageClass } from '../persistent-volume-claim/claim-warnings.ts'
import { setVolumeSourceDefaults } from '../pod/pod-defaults.ts'
import { validateNodeTerm } from '../pod/scheduling-validation.ts'
import { shownSource, sourceOrder, validateVolumeSource } from '../pod/volume-validation.ts'
import { nanosOf } from '../quantities.ts'
import { byRule, entries, fill, fillStatus, fillText, immutable, items, section, semanticEqual } from '../fields.ts'
import { accessModes, volumeModes } from '../persistent-volume-claim/claim-validation.ts'
import type { Strategy } from '../strategy.ts'

const reclaimPolicies = ['Delete', 'Recycle', 'Retain']
/** Everything of the spec that is no source. */
const notSources = [
  'capacity',
  'accessModes',
  'claimRef',
  'persistentVolumeReclaimPolicy',
  'storageClassName',
  'mountOptions',
  'volumeMode',
  'nodeAffinity',
  'volumeAttributesClassName',
]

const sourcesOf = (spec: JsonObject | undefined): JsonObject =>
  Object.fromEntries(Object.entries(spec ?? {}).filter(([key, value]) => !notSources.includes(key) && value))

const secretReferences = [
  ...['controllerPublishSecretRef', 'nodePublishSecretRef', 'controllerExpandSecretRef', 'nodeExpandSecretRef'],
]

const validateCapacity = (capacity: JsonObject | undefined): StatusCause[] => {
  const causes: StatusCause[] = []
  const names = Object.keys(capacity ?? {})
  if (!capacity || names.length === 0) causes.push(required('spec.capacity'))
  if (!capacity || names.length !== 1 || names[0] !== 'storage')
    causes.push(notSupported('spec.capacity', capacity ?? null, ['storage']))
  for (const [name, quantity] of entries(capacity)) {
    const nanos = nanosOf(quantity)
    const field = `spec.capacity[${name}]`
    if (nanos === undefined) continue
    if (nanos < 0n)
      causes.push({ ...invalidValue(field, Number(nanos / 1_000_000_000n), 'must be a valid resource quantity') })
    if (nanos <= 0n) causes.push(invalidValue(field, String(quantity), 'must be greater than zero'))
  }
  return causes
}

const validateSource = (spec: JsonObject): StatusCause[] => {
  const sources = sourceOrder.filter((source) => spec[source])
  if (sources.length === 0) return [required('spec', 'must specify a volume type')]
  const [first, ...more] = sources as [string, ...string[]]
  const causes = validateVolumeSource(first, spec[first], `spec.${first}`)
  if (first === 'csi')
    for (const reference of secretReferences)
      for (const key of ['name', 'namespace'])
        if (spec['csi'][reference] && !spec['csi'][reference][key])
          causes.push(required(`spec.csi.${reference}.${key}`))
  if (first === 'csi' && !spec['csi'].volumeHandle) causes.push(required('spec.csi.volumeHandle'))
  if (first === 'iscsi' && spec['iscsi'].secretRef && !spec['iscsi'].secretRef.name)
    causes.push(required('spec.iscsi.secretRef.name'))
  if (first === 'iscsi')
    // Of a volume upstream says less about names.
    causes.forEach((cause, index) => {
      causes[index] = { ...cause, message: cause.message.replace(/ starting with iqn, eui, or naa$/, '') }
    })
  for (const source of more)
    if (source === 'flexVolume') causes.push(...validateVolumeSource(source, spec[source], `spec.${source}`))
    else causes.push(forbiddenField(`spec.${shownSource[source] ?? source}`, 'may not specify more than 1 volume type'))
  return causes
}

const validate = (volume: KubeObject): StatusCause[] => {
  const spec: JsonObject = volume['spec'] ?? {}
  const causes: StatusCause[] = []
  const modes = items(spec['accessModes'])
  if (modes.length === 0) causes.push(required('spec.accessModes'))
  for (const mode of modes)
    if (!accessModes.includes(mode)) causes.push(notSupported('spec.accessModes', mode, accessModes))
  if (modes.includes('ReadWriteOncePod') && new Set(modes).size > 1)
    causes.push(forbiddenField('spec.accessModes', 'may not use ReadWriteOncePod with other access modes'))
  causes.push(...validateCapacity(spec['capacity']))
  const policy = spec['persistentVolumeReclaimPolicy']
  if (policy && !reclaimPolicies.includes(policy))
    causes.push(notSupported('spec.persistentVolumeReclaimPolicy', policy, reclaimPolicies))
  const affinity: JsonObject | undefined = spec['nodeAffinity'] ?? undefined
  if (affinity) {
    const at = 'spec.nodeAffinity.required'
    const terms = items(affinity['required']?.nodeSelectorTerms)
    if (!affinity['required']) causes.push(required(at, 'must specify required node constraints'))
    else if (terms.length === 0)
      causes.push(required(`${at}.nodeSelectorTerms`, 'must have at least one node selector term'))
    terms.forEach((term, index) => {
      causes.push(...validateNodeTerm(term, `${at}.nodeSelectorTerms[${index}]`, true))
    })
  }
  causes.push(...validateSource(spec))
  if (spec['hostPath']?.path === '/' && policy === 'Recycle')
    causes.push(
      forbiddenField('spec.persistentVolumeReclaimPolicy', "may not be 'recycle' for a hostPath mount of '/'"),
    )
  if (spec['storageClassName'])
    causes.push(...byRule(dns1123Subdomain, spec['storageClassName'], 'spec.storageClassName'))
  if (typeof spec['volumeMode'] === 'string' && !volumeModes.includes(spec['volumeMode']))
    causes.push(notSupported('spec.volumeMode', spec['volumeMode'], volumeModes))
  const attributes = spec['volumeAttributesClassName']
  if (typeof attributes === 'string') {
    if (attributes === '') causes.push(required('spec.volumeAttributesClassName', 'an empty string is disallowed'))
    else causes.push(...byRule(dns1123Subdomain, attributes, 'spec.volumeAttributesClassName'))
    if (!spec['csi']) causes.push(required('spec.csi', 'has to be specified when using volumeAttributesClassName'))
  }
  return causes
}

const validateUpdate = (next: KubeObject, before: KubeObject): StatusCause[] => {
  const causes: StatusCause[] = []
  if (!semanticEqual(sourcesOf(next['spec']), sourcesOf(before['spec'])))
    causes.push(
      forbiddenField('spec.persistentvolumesource', 'spec.persistentvolumesource is immutable after creation'),
    )
  return [...causes, ...immutable(next['spec']?.volumeMode, before['spec']?.volumeMode, 'spec.volumeMode')]
}

const deprecatedAnnotations: Readonly<Record<string, string>> = {
  'volume.beta.kubernetes.io/storage-class': deprecatedStorageClass,
  'volume.beta.kubernetes.io/mount-options': 'deprecated since v1.31; use "mountOptions" attribute instead',
}
const deprecatedSources: readonly (readonly [source: string, sentence: string, shown?: string])[] = [
  ['cephfs', 'deprecated in v1.28, non-functional in v1.31+'],
  ['photonPersistentDisk', 'deprecated in v1.11, non-functional in v1.16+'],
  ['scaleIO', 'deprecated in v1.16, non-functional in v1.22+'],
  ['storageos', 'deprecated in v1.22, non-functional in v1.25+', 'storageOS'],
  ['glusterfs', 'deprecated in v1.25, non-functional in v1.26+'],
  ['rbd', 'deprecated in v1.28, non-functional in v1.31+'],
]

const volumeWarnings = (volume: KubeObject): string[] => {
  const spec: JsonObject = volume['spec'] ?? {}
  return [
    ...Object.entries(deprecatedAnnotations).flatMap(([key, sentence]) =>
      volume.metadata.annotations?.[key] === undefined ? [] : [`metadata.annotations[${key}]: ${sentence}`],
    ),
    ...(spec['persistentVolumeReclaimPolicy'] === 'Recycle'
      ? [
          'spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use dynamic provisioning.',
        ]
      : []),
    ...items(spec['nodeAffinity']?.required?.nodeSelectorTerms).flatMap((term, index) =>
      nodeTermWarnings(term, `spec.nodeAffinity.required.nodeSelectorTerms[${index}]`),
    ),
    ...deprecatedSources.flatMap(([source, sentence, shown = source]) =>
      spec[source] ? [`spec.${shown}: ${sentence}`] : [],
    ),
  ]
}

export const persistentVolumeStrategy: Strategy = {
  returnsDeleted: true,
  warnings: volumeWarnings,
  hasGeneration: false,
  setDefaults: (draft) => {
    fillStatus(draft, { phase: 'Pending' })
    const spec = section(draft, 'spec')
    fillText(spec, 'persistentVolumeReclaimPolicy', 'Retain')
    fill(spec, 'volumeMode', 'Filesystem')
    if (spec['hostPath']) fill(spec['hostPath'], 'type', '')
    setVolumeSourceDefaults(spec)
  },
  prepareForCreate: (draft, { nowMs }) => {
    draft['status'] = { phase: 'Pending', lastPhaseTransitionTime: timestampOf(nowMs) }
  },
  validatesAll: true,
  validate,
  validateUpdate,
}
