// PersistentVolumes: storage that exists, fixed in where it is.
import { forbiddenField, invalidValue } from '@shiplog/api/field-errors'
import type { PersistentVolume, PersistentVolumeSpec } from '@shiplog/api/generated/types/core-v1'
import type { JsonObject } from '@shiplog/api/kube-object'
import { timestampOf } from '@shiplog/api/apply/managed-fields'
import type { StatusCause } from '@shiplog/api/status'
import type { Decoded, Draft } from '@shiplog/api/decoded'
import { fill, fillStatus, fillText, immutable, items, keep, section, semanticEqual } from '../fields.ts'
import { nodeTermWarnings } from '../node-labels.ts'
import { deprecatedStorageClass } from '../persistent-volume-claim/claim-warnings.ts'
import { setVolumeSourceDefaults } from '../pod/pod-defaults.ts'
import type { Strategy } from '../strategy.ts'
import { validateVolume } from './persistent-volume-validation.ts'

/** Everything of the spec that is no source. */
const notSources: readonly string[] = [
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

const sourcesOf = (spec: Decoded<PersistentVolumeSpec>): Decoded<PersistentVolumeSpec> =>
  Object.fromEntries(Object.entries(spec).filter(([key, value]) => !notSources.includes(key) && value))

/** As `semanticEqual`, but a source or a reference that is there and says nothing is not the same as none. */
const sameStructs = (left: JsonObject, right: JsonObject): boolean => {
  const structs = (of: JsonObject): string[] =>
    Object.entries(of).flatMap(([source, value]) => [
      source,
      ...Object.keys(value).flatMap((key) => (key.endsWith('Ref') && value[key] ? [`${source}.${key}`] : [])),
    ])
  return semanticEqual(left, right) && semanticEqual(structs(left).sort(), structs(right).sort())
}

const validateUpdate = (next: Draft<PersistentVolume>, before: Draft<PersistentVolume>): StatusCause[] => {
  const [now, was] = [next.spec ?? {}, before.spec ?? {}]
  const causes: StatusCause[] = []
  const sources = sourcesOf(now)
  // A secret for growing the volume may be added once.
  if (was.csi && !was.csi.controllerExpandSecretRef && sources.csi?.controllerExpandSecretRef)
    sources.csi = { ...sources.csi, controllerExpandSecretRef: undefined }
  if (!sameStructs(sources, sourcesOf(was)))
    causes.push(
      forbiddenField('spec.persistentvolumesource', 'spec.persistentvolumesource is immutable after creation'),
    )
  // Upstream leaves the spec out of the names of these fields.
  causes.push(...immutable(now.volumeMode, was.volumeMode, 'volumeMode'))
  if (was.nodeAffinity && !semanticEqual(now.nodeAffinity, was.nodeAffinity))
    causes.push(
      invalidValue('nodeAffinity', now.nodeAffinity, 'field is immutable, except for updating from beta label to GA'),
    )
  if (was.volumeAttributesClassName && !now.volumeAttributesClassName)
    causes.push(forbiddenField('spec.volumeAttributesClassName', 'update from non-nil value to nil is forbidden'))
  return causes
}

const deprecatedAnnotations: Readonly<Record<string, string>> = {
  'volume.beta.kubernetes.io/storage-class': deprecatedStorageClass,
  'volume.beta.kubernetes.io/mount-options': 'deprecated since v1.31; use "mountOptions" attribute instead',
}
const deprecatedSources: readonly (readonly [source: keyof PersistentVolumeSpec, sentence: string, shown?: string])[] =
  [
    ['cephfs', 'deprecated in v1.28, non-functional in v1.31+'],
    ['photonPersistentDisk', 'deprecated in v1.11, non-functional in v1.16+'],
    ['scaleIO', 'deprecated in v1.16, non-functional in v1.22+'],
    ['storageos', 'deprecated in v1.22, non-functional in v1.25+', 'storageOS'],
    ['glusterfs', 'deprecated in v1.25, non-functional in v1.26+'],
    ['rbd', 'deprecated in v1.28, non-functional in v1.31+'],
  ]

const volumeWarnings = (volume: Draft<PersistentVolume>): string[] => {
  const spec = volume.spec ?? {}
  return [
    ...Object.entries(deprecatedAnnotations).flatMap(([key, sentence]) =>
      volume.metadata.annotations?.[key] === undefined ? [] : [`metadata.annotations[${key}]: ${sentence}`],
    ),
    ...(spec.persistentVolumeReclaimPolicy === 'Recycle'
      ? [
          'spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use dynamic provisioning.',
        ]
      : []),
    ...items(spec.nodeAffinity?.required?.nodeSelectorTerms).flatMap((term, index) =>
      nodeTermWarnings(term, `spec.nodeAffinity.required.nodeSelectorTerms[${index}]`),
    ),
    ...deprecatedSources.flatMap(([source, sentence, shown = source]) =>
      spec[source] ? [`spec.${shown}: ${sentence}`] : [],
    ),
  ]
}

export const persistentVolumeStrategy: Strategy<PersistentVolume> = {
  returnsDeleted: true,
  warnings: volumeWarnings,
  hasGeneration: false,
  setDefaults: (draft) => {
    fillStatus(draft.status, { phase: 'Pending' })
    const spec = section(draft, 'spec')
    fillText(spec, 'persistentVolumeReclaimPolicy', 'Retain')
    fill(spec, 'volumeMode', 'Filesystem')
    if (spec.hostPath) fill(spec.hostPath, 'type', '')
    setVolumeSourceDefaults(spec)
  },
  prepareForCreate: (draft, { nowMs }) => {
    draft.status = { phase: 'Pending', lastPhaseTransitionTime: timestampOf(nowMs) }
  },
  /** When the phase changed is noted unless the writer says it. */
  prepareForStatusUpdate: (draft, before, nowMs) => {
    draft.spec = before.spec
    const [now, was] = [section(draft, 'status'), before.status ?? {}]
    const said = now.lastPhaseTransitionTime
    if (now.phase === was.phase) {
      if (said === undefined) keep(now, was, 'lastPhaseTransitionTime')
    } else if (said === undefined || said === was.lastPhaseTransitionTime)
      now.lastPhaseTransitionTime = timestampOf(nowMs)
  },
  validatesAll: true,
  validate: validateVolume,
  validateUpdate,
}
