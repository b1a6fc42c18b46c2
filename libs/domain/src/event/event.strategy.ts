// Event objects (stored as core/v1): notes about what happened to an object.
import { invalidValue, required } from '@shiplog/api/field-errors'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import type { StatusCause } from '@shiplog/api/status'
import { byRule, fill, items, section, semanticEqual } from '../fields.ts'
import { validateFinalizerOwner } from '../metadata-validation.ts'
import { dns1123Subdomain, qualifiedName } from '../names.ts'
import type { Strategy } from '../strategy.ts'

const lengths: readonly (readonly [field: string, shown: string, max: number])[] = [
  ['reportingInstance', 'reportingInstance', 128],
  ['action', 'action', 128],
  ['reason', 'reason', 128],
  ['message', 'message', 1_024],
]

/** An event that says its time belongs to the newer API, whichever way it came. */
const validateNewer = (event: KubeObject, controllerField: string): StatusCause[] => {
  if (!event['eventTime']) return []
  const causes: StatusCause[] = []
  const controller: string = event['reportingComponent'] ?? ''
  if (controller === '') causes.push(required(controllerField))
  causes.push(...byRule(qualifiedName, controller, controllerField))
  for (const [field, shown, max] of lengths) {
    const text: string = event[field] ?? ''
    if (text === '' && field !== 'message') causes.push(required(shown))
    if (text.length > max) causes.push(invalidValue(shown, '', `can have at most ${max} characters`))
  }
  return causes
}

const validateNamespace = (event: KubeObject): StatusCause[] => {
  const involved: string = event['involvedObject']?.namespace ?? ''
  const { namespace } = event.metadata
  const timed = Boolean(event['eventTime'])
  // About an object without a namespace is written in "default", and of late in kube-system.
  const right =
    involved === '' ? namespace === 'default' || (timed && namespace === 'kube-system') : timed || namespace === involved
  return right ? [] : [invalidValue('involvedObject.namespace', involved, 'does not match event.namespace')]
}

/** What the newer API asks of whoever writes through it. */
const validateStrictly = (event: KubeObject): StatusCause[] => {
  const unset = (field: string): StatusCause[] => [invalidValue(field, '', 'needs to be unset')]
  const { type = '' } = event
  const { component, host } = event['source'] ?? {}
  return [
    ...(event.metadata.generateName
      ? byRule(dns1123Subdomain, event.metadata.generateName, 'metadata.generateName')
      : []),
    ...items(event.metadata.finalizers).flatMap((finalizer, index) =>
      validateFinalizerOwner(finalizer, `metadata.finalizers[${index}]`),
    ),
    ...validateSeries(event),
    ...(event['eventTime'] ? [] : [required('eventTime')]),
    ...(type === 'Normal' || type === 'Warning' ? [] : [invalidValue('type', '', `has invalid value: ${type}`)]),
    ...(event['firstTimestamp'] ? unset('firstTimestamp') : []),
    ...(event['lastTimestamp'] ? unset('lastTimestamp') : []),
    ...(event['count'] ? unset('count') : []),
    ...(component || host ? unset('source') : []),
  ]
}

const validateSeries = ({ series }: KubeObject): StatusCause[] => [
  ...(series && (series.count ?? 0) < 2 ? [invalidValue('series.count', '', 'should be at least 2')] : []),
  ...(series && !series.lastObservedTime ? [required('series.lastObservedTime')] : []),
]

const fixedFields = [
  ...['involvedObject', 'reason', 'message', 'source', 'firstTimestamp', 'lastTimestamp', 'count', 'type', 'eventTime'],
  ...['action', 'related', 'reportingController', 'reportingInstance'],
]

/** Through the newer API nothing but the series of an event changes. */
const validateStrictUpdate = (event: KubeObject, before: KubeObject): StatusCause[] => [
  ...(semanticEqual(event['series'], before['series']) ? [] : validateSeries(event)),
  ...fixedFields.flatMap((field) => {
    const stored = field === 'reportingController' ? 'reportingComponent' : field
    const shown = (event[stored] ?? null) === null ? '' : event[stored]
    return semanticEqual(event[stored], before[stored]) ? [] : [invalidValue(field, shown, 'field is immutable')]
  }),
]

const newerGroup = 'events.k8s.io'

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
  anyGenerateName: true,
  hasGeneration: false,
  allowCreateOnUpdate: true,
  setDefaults: (draft) => {
    section(draft, 'involvedObject')
    section(draft, 'source')
  },
  prepareForCreate: fillUnset,
  prepareForUpdate: fillUnset,
  validate: validateNamespace,
  validateCreate: (event, { group }) => [
    ...validateNewer(event, group === newerGroup ? 'reportingController' : 'reportingComponent'),
    ...(group === newerGroup ? validateStrictly(event) : []),
  ],
  validateUpdate: (event, before, _subresource, requested) => {
    const newer = requested?.group === newerGroup
    return [
      ...validateNewer(event, newer ? 'reportingController' : 'reportingComponent'),
      ...(newer ? validateStrictUpdate(event, before) : []),
    ]
  },
  selectableFields,
}
