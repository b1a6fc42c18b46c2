// PersistentVolumes: storage that exists, fixed in where it is.
import { forbiddenField, notSupported, required } from '@shiplog/api/field-errors'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import { timestampOf } from '@shiplog/api/managed-fields'
import type { StatusCause } from '@shiplog/api/status'
import { setVolumeSourceDefaults } from '../pod/pod-defaults.ts'
import { fill, fillText, immutable, items, section, semanticEqual } from '../fields.ts'
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

const validate = (volume: KubeObject): StatusCause[] => {
  const spec: JsonObject = volume['spec'] ?? {}
  const causes: StatusCause[] = []
  const modes = items(spec['accessModes'])
  if (modes.length === 0) causes.push(required('spec.accessModes'))
  for (const mode of modes)
    if (!accessModes.includes(mode)) causes.push(notSupported('spec.accessModes', mode, accessModes))
  if (Object.keys(spec['capacity'] ?? {}).length === 0) causes.push(required('spec.capacity'))
  const policy = spec['persistentVolumeReclaimPolicy']
  if (policy && !reclaimPolicies.includes(policy))
    causes.push(notSupported('spec.persistentVolumeReclaimPolicy', policy, reclaimPolicies))
  const sources = Object.keys(sourcesOf(spec))
  if (sources.length === 0) causes.push(required('spec', 'must specify a volume type'))
  for (const source of sources.slice(1))
    causes.push(forbiddenField(`spec.${source}`, 'may not specify more than 1 volume type'))
  if (spec['volumeMode'] && !volumeModes.includes(spec['volumeMode']))
    causes.push(notSupported('spec.volumeMode', spec['volumeMode'], volumeModes))
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

export const persistentVolumeStrategy: Strategy = {
  returnsDeleted: true,
  hasGeneration: false,
  setDefaults: (draft) => {
    const spec = section(draft, 'spec')
    fillText(spec, 'persistentVolumeReclaimPolicy', 'Retain')
    fill(spec, 'volumeMode', 'Filesystem')
    if (spec['hostPath']) fill(spec['hostPath'], 'type', '')
    setVolumeSourceDefaults(spec)
  },
  prepareForCreate: (draft, { nowMs }) => {
    draft['status'] = { phase: 'Pending', lastPhaseTransitionTime: timestampOf(nowMs) }
  },
  validate,
  validateUpdate,
}
