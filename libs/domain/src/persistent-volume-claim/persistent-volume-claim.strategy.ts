// PersistentVolumeClaims: a wish for storage, fixed once made but for its size.
import { forbiddenField, invalidValue, notSupported, required } from '@shiplog/api/field-errors'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import { validateLabelSelector } from '@shiplog/api/selectors'
import type { StatusCause } from '@shiplog/api/status'
import { items, keep, section, semanticEqual } from '../fields.ts'
import { compareQuantities, nanosOf } from '../quantities.ts'
import type { Strategy } from '../strategy.ts'
import { setClaimSpecDefaults } from './claim-defaults.ts'

/** How volumes may be mounted. */
export const accessModes = ['ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOnce', 'ReadWriteOncePod']
/** What volumes hold. */
export const volumeModes = ['Block', 'Filesystem']

/** The old and the new field for where the content comes from say the same, as far as the old one can. */
const mirrorDataSource = (spec: JsonObject): void => {
  if (spec['dataSource'] && !spec['dataSourceRef']) spec['dataSourceRef'] = { ...spec['dataSource'] }
  else if (spec['dataSourceRef'] && !spec['dataSource'] && !spec['dataSourceRef'].namespace)
    spec['dataSource'] = { ...spec['dataSourceRef'] }
}

const validate = (claim: KubeObject): StatusCause[] => {
  const spec: JsonObject = claim['spec'] ?? {}
  const causes: StatusCause[] = []
  const modes = items(spec['accessModes'])
  if (modes.length === 0) causes.push(required('spec.accessModes', 'at least 1 access mode is required'))
  causes.push(...validateLabelSelector(spec['selector'], 'spec.selector'))
  for (const mode of modes)
    if (!accessModes.includes(mode)) causes.push(notSupported('spec.accessModes', mode, accessModes))
  if (modes.includes('ReadWriteOncePod') && modes.length > 1)
    causes.push(forbiddenField('spec.accessModes', 'may not use ReadWriteOncePod with other access modes'))
  const storage = spec['resources']?.requests?.storage
  if (storage === undefined) causes.push(required('spec.resources[storage]'))
  else {
    const nanos = nanosOf(storage)
    if (nanos !== undefined && nanos <= 0n)
      causes.push(invalidValue('spec.resources[storage]', String(storage), 'must be greater than zero'))
  }
  if (spec['volumeMode'] && !volumeModes.includes(spec['volumeMode']))
    causes.push(notSupported('spec.volumeMode', spec['volumeMode'], volumeModes))
  return causes
}

const validateUpdate = (next: KubeObject, before: KubeObject): StatusCause[] => {
  const now: JsonObject = next['spec'] ?? {}
  const was: JsonObject = before['spec'] ?? {}
  const bound = before['status']?.phase === 'Bound'
  const munged: JsonObject = { ...now }
  // The volume's name is filled in by binding; the size may grow once bound.
  if (!was['volumeName']) keep(munged, was, 'volumeName')
  if (bound) {
    keep(munged, was, 'volumeAttributesClassName')
    munged['resources'] = {
      ...now['resources'],
      requests: { ...now['resources']?.requests, storage: was['resources']?.requests?.storage },
    }
  }
  const causes: StatusCause[] = []
  if (!semanticEqual(munged, was))
    causes.push(
      forbiddenField(
        'spec',
        'spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims',
      ),
    )
  const order = compareQuantities(now['resources']?.requests?.storage, was['resources']?.requests?.storage)
  const capacity = before['status']?.capacity?.storage
  if (bound && order !== undefined && order < 0) {
    const floor = compareQuantities(now['resources']?.requests?.storage, capacity)
    if (floor === undefined || floor <= 0)
      causes.push(forbiddenField('spec.resources.requests.storage', 'field can not be less than status.capacity'))
  }
  return causes
}

const eventType = (next: KubeObject, before: KubeObject): string | undefined =>
  next['status']?.phase === 'Bound' && before['status']?.phase !== 'Bound' ? 'PersistentVolumeClaimBound' : undefined

export const persistentVolumeClaimStrategy: Strategy = {
  returnsDeleted: true,
  hasGeneration: false,
  setDefaults: (draft) => {
    const spec = section(draft, 'spec')
    setClaimSpecDefaults(spec)
  },
  prepareForCreate: (draft) => {
    mirrorDataSource(section(draft, 'spec'))
    draft['status'] = { phase: 'Pending' }
  },
  prepareForUpdate: (draft, before) => {
    keep(draft, before, 'status')
    mirrorDataSource(section(draft, 'spec'))
  },
  validate,
  validateUpdate,
  eventType,
}
