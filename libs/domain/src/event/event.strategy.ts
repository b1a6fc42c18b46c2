// Event objects (stored as core/v1): notes about what happened to an object.
import { invalidValue } from '@shiplog/api/field-errors'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import type { StatusCause } from '@shiplog/api/status'
import { fill, section } from '../fields.ts'
import type { Strategy } from '../strategy.ts'

const validate = (event: KubeObject): StatusCause[] => {
  const involved: JsonObject = event['involvedObject'] ?? {}
  // An event with a time of its own may be about an object of another namespace.
  if (event['eventTime'] && involved['namespace']) return []
  const expected = involved['namespace'] || 'default'
  // Cluster-scoped objects are written about in "default", and for nodes some clients use kube-system.
  const clusterScoped = !involved['namespace']
  if (event.metadata.namespace === expected || (clusterScoped && event.metadata.namespace === 'kube-system')) return []
  return [invalidValue('involvedObject.namespace', involved['namespace'] ?? '', 'does not match event.namespace')]
}

const selectable = [
  'involvedObject.kind',
  'involvedObject.namespace',
  'involvedObject.name',
  'involvedObject.uid',
  'involvedObject.apiVersion',
  'involvedObject.resourceVersion',
  'involvedObject.fieldPath',
  'reason',
  'reportingComponent',
  'source',
  'type',
] as const

const selectableFields = (event: KubeObject): Record<string, string> => {
  const involved: JsonObject = event['involvedObject'] ?? {}
  const fields: Record<string, string> = {}
  for (const name of selectable)
    if (name.startsWith('involvedObject.')) fields[name] = involved[name.slice('involvedObject.'.length)] ?? ''
  fields['reason'] = event['reason'] ?? ''
  fields['reportingComponent'] = event['reportingComponent'] ?? ''
  fields['source'] = event['source']?.component || (event['reportingComponent'] ?? '')
  fields['type'] = event['type'] ?? ''
  return fields
}

/** What upstream writes although nobody set it. */
const fillUnset = (draft: JsonObject): void => {
  for (const name of ['eventTime', 'firstTimestamp', 'lastTimestamp']) fill(draft, name, null)
  for (const name of ['reportingComponent', 'reportingInstance']) fill(draft, name, '')
}

export const eventStrategy: Strategy = {
  anyFinalizers: true,
  hasGeneration: false,
  allowCreateOnUpdate: true,
  setDefaults: (draft) => {
    section(draft, 'involvedObject')
    section(draft, 'source')
  },
  prepareForCreate: fillUnset,
  prepareForUpdate: fillUnset,
  validate,
  selectableFields,
}
