// PersistentVolumeClaims: a wish for storage, fixed once made but for its size.
import { forbiddenField, invalidValue } from '@shiplog/api/field-errors'
import type { PersistentVolumeClaim, PersistentVolumeClaimSpec } from '@shiplog/api/generated/types/core-v1'
import type { StatusCause } from '@shiplog/api/status'
import type { Decoded, Draft } from '@shiplog/api/decoded'
import { fill, fillStatus, immutable, keep, section, semanticEqual } from '../fields.ts'
import { compareQuantities } from '../quantities.ts'
import type { Strategy } from '../strategy.ts'
import { validateClaimStatus } from './claim-status-validation.ts'
import { validateClaimSpec } from './claim-validation.ts'
import { claimSpecWarnings, deprecatedStorageClass } from './claim-warnings.ts'
import { setClaimSpecDefaults } from './claim-defaults.ts'

type Claim = Draft<PersistentVolumeClaim>

const storageClassAnnotation = 'volume.beta.kubernetes.io/storage-class'

/** The old and the new field for where the content comes from say the same, as far as the old one can. */
const mirrorDataSource = (spec: Decoded<PersistentVolumeClaimSpec>): void => {
  const { kind, apiGroup = '' } = spec.dataSource ?? {}
  // The old field takes two kinds of source only; any other is as if it were not there.
  const known =
    (kind === 'PersistentVolumeClaim' && apiGroup === '') ||
    (kind === 'VolumeSnapshot' && apiGroup === 'snapshot.storage.k8s.io')
  if (spec.dataSource && !spec.dataSourceRef && !known) delete spec.dataSource
  // Sources in other namespaces are a feature that is off by default upstream.
  if (spec.dataSourceRef?.namespace) delete spec.dataSourceRef
  if (spec.dataSource && !spec.dataSourceRef) spec.dataSourceRef = { ...spec.dataSource }
  else if (spec.dataSourceRef && !spec.dataSource && !spec.dataSourceRef.namespace)
    spec.dataSource = { ...spec.dataSourceRef }
}

const validate = (claim: Claim): StatusCause[] => validateClaimSpec(claim.spec ?? {}, 'spec')

const pointers = ['dataSource', 'dataSourceRef', 'selector', 'storageClassName', 'volumeAttributesClassName'] as const

const withStorage = (requests: Readonly<Record<string, string>> = {}, storage?: string): Record<string, string> => {
  const { storage: _, ...others } = requests
  return storage === undefined ? others : { ...others, storage }
}

const validateUpdate = (next: Claim, before: Claim): StatusCause[] => {
  const now = next.spec ?? {}
  const was = before.spec ?? {}
  const bound = before.status?.phase === 'Bound'
  const munged: Decoded<PersistentVolumeClaimSpec> = { ...now }
  // The volume's name is filled in by binding; the size may grow once bound.
  if (!was.volumeName) keep(munged, was, 'volumeName')
  if (bound) {
    keep(munged, was, 'volumeAttributesClassName')
    munged.resources = {
      ...now.resources,
      requests: withStorage(now.resources?.requests, was.resources?.requests?.['storage']),
    }
  }
  const causes: StatusCause[] = []
  const [annotation, oldAnnotation] = [next, before].map(
    ({ metadata }) => metadata.annotations?.[storageClassAnnotation],
  )
  // The class may move from the old annotation to the field.
  const moved = oldAnnotation !== undefined && !was.storageClassName && now.storageClassName === oldAnnotation
  if (moved && annotation === undefined) keep(munged, was, 'storageClassName')
  else {
    if ((annotation ?? '') !== (oldAnnotation ?? ''))
      causes.push(
        invalidValue(`metadata.annotations.${storageClassAnnotation}`, annotation ?? '', 'field is immutable'),
      )
    // A claim that was made before there was a default class may get one.
    const given = now.storageClassName
    const unsaid = (was.storageClassName ?? null) === null
    if (unsaid && given !== undefined && (oldAnnotation === undefined || given === oldAnnotation))
      keep(munged, was, 'storageClassName')
  }
  // What is a pointer upstream is told from none even when it says nothing.
  if (!semanticEqual(munged, was) || pointers.some((key) => (munged[key] === undefined) !== (was[key] === undefined)))
    causes.push(
      forbiddenField(
        'spec',
        'spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims',
      ),
    )
  const [size, oldSize] = [now, was].map((spec) => spec.resources?.requests?.['storage'] ?? '0')
  const capacity = before.status?.capacity?.['storage'] ?? '0'
  if ((compareQuantities(size, oldSize) ?? 0) < 0 && (compareQuantities(size, capacity) ?? 0) <= 0)
    causes.push(forbiddenField('spec.resources.requests.storage', 'field can not be less than status.capacity'))
  causes.push(...immutable(now.volumeMode, was.volumeMode, 'volumeMode'))
  return causes
}

const eventType = (next: Claim, before: Claim): string | undefined =>
  next.status?.phase === 'Bound' && before.status?.phase !== 'Bound' ? 'PersistentVolumeClaimBound' : undefined

export const persistentVolumeClaimStrategy: Strategy<PersistentVolumeClaim> = {
  returnsDeleted: true,
  warnings: (claim) => [
    ...(claim.metadata.annotations?.[storageClassAnnotation] === undefined
      ? []
      : [`metadata.annotations[${storageClassAnnotation}]: ${deprecatedStorageClass}`]),
    ...claimSpecWarnings(claim.spec, 'spec'),
  ],
  hasGeneration: false,
  setDefaults: (draft) => {
    fillStatus(draft.status, { phase: 'Pending' })
    // Upstream writes a status that nobody has set as the empty text.
    const modification: { status?: string | undefined } | undefined = draft.status?.modifyVolumeStatus
    if (modification) fill(modification, 'status', '')
    const spec = section(draft, 'spec')
    setClaimSpecDefaults(spec)
  },
  prepareForCreate: (draft) => {
    mirrorDataSource(section(draft, 'spec'))
    draft.status = { phase: 'Pending' }
  },
  prepareForUpdate: (draft, before) => {
    keep(draft, before, 'status')
    mirrorDataSource(section(draft, 'spec'))
  },
  validate,
  validatesAll: true,
  validateUpdate,
  validateStatusUpdate: (next) => validateClaimStatus(next.status ?? {}),
  eventType,
}
