// Event objects (stored as core/v1): notes about what happened to an object.
import { invalidValue, required } from '@shiplog/api/field-errors'
import type { Event } from '@shiplog/api/generated/types/core-v1'
import type { StatusCause } from '@shiplog/api/status'
import type { Draft } from '@shiplog/api/decoded'
import { byRule, fill, fillNull, items, section, semanticEqual } from '../fields.ts'
import { validateFinalizerOwner } from '../metadata-validation.ts'
import { dns1123Subdomain, qualifiedName } from '../names.ts'
import type { Strategy } from '../strategy.ts'

const lengths = [
  ['reportingInstance', 128],
  ['action', 128],
  ['reason', 128],
  ['message', 1_024],
] as const

/** An event that says its time belongs to the newer API, whichever way it came. */
const validateNewer = (event: Draft<Event>, controllerField: string): StatusCause[] => {
  if (!event.eventTime) return []
  const causes: StatusCause[] = []
  const controller = event.reportingComponent ?? ''
  if (controller === '') causes.push(required(controllerField))
  causes.push(...byRule(qualifiedName, controller, controllerField))
  for (const [field, max] of lengths) {
    const text = event[field] ?? ''
    if (text === '' && field !== 'message') causes.push(required(field))
    if (text.length > max) causes.push(invalidValue(field, '', `can have at most ${max} characters`))
  }
  return causes
}

const validateNamespace = (event: Draft<Event>): StatusCause[] => {
  const involved = event.involvedObject?.namespace ?? ''
  const { namespace } = event.metadata
  const timed = Boolean(event.eventTime)
  // About an object without a namespace is written in "default", and of late in kube-system.
  const right =
    involved === ''
      ? namespace === 'default' || (timed && namespace === 'kube-system')
      : timed || namespace === involved
  return right ? [] : [invalidValue('involvedObject.namespace', involved, 'does not match event.namespace')]
}

/** What the newer API asks of whoever writes through it. */
const validateStrictly = (event: Draft<Event>): StatusCause[] => {
  const unset = (field: string): StatusCause[] => [invalidValue(field, '', 'needs to be unset')]
  const { type = '' } = event
  const { component, host } = event.source ?? {}
  return [
    ...(event.metadata.generateName
      ? byRule(dns1123Subdomain, event.metadata.generateName, 'metadata.generateName')
      : []),
    ...items(event.metadata.finalizers).flatMap((finalizer, index) =>
      validateFinalizerOwner(finalizer, `metadata.finalizers[${index}]`),
    ),
    ...validateSeries(event),
    ...(event.eventTime ? [] : [required('eventTime')]),
    ...(type === 'Normal' || type === 'Warning' ? [] : [invalidValue('type', '', `has invalid value: ${type}`)]),
    ...(event.firstTimestamp ? unset('firstTimestamp') : []),
    ...(event.lastTimestamp ? unset('lastTimestamp') : []),
    ...(event.count ? unset('count') : []),
    ...(component || host ? unset('source') : []),
  ]
}

const validateSeries = ({ series }: Draft<Event>): StatusCause[] => [
  ...(series && (series.count ?? 0) < 2 ? [invalidValue('series.count', '', 'should be at least 2')] : []),
  ...(series && !series.lastObservedTime ? [required('series.lastObservedTime')] : []),
]

const fixedFields = [
  'involvedObject',
  'reason',
  'message',
  'source',
  'firstTimestamp',
  'lastTimestamp',
  'count',
  'type',
  'eventTime',
  'action',
  'related',
  'reportingController',
  'reportingInstance',
] as const

/** Through the newer API nothing but the series of an event changes. */
const validateStrictUpdate = (event: Draft<Event>, before: Draft<Event>): StatusCause[] => [
  ...(semanticEqual(event.series, before.series) ? [] : validateSeries(event)),
  ...fixedFields.flatMap((field) => {
    const stored = field === 'reportingController' ? 'reportingComponent' : field
    const shown = (event[stored] ?? null) === null ? '' : event[stored]
    return semanticEqual(event[stored], before[stored]) ? [] : [invalidValue(field, shown, 'field is immutable')]
  }),
]

const newerGroup = 'events.k8s.io'

const involvedFields = ['kind', 'namespace', 'name', 'uid', 'apiVersion', 'resourceVersion', 'fieldPath'] as const

const selectableFields = (event: Draft<Event>): Record<string, string> => {
  const involved = event.involvedObject ?? {}
  return {
    ...Object.fromEntries(involvedFields.map((name) => [`involvedObject.${name}`, involved[name] ?? ''])),
    reason: event.reason ?? '',
    reportingComponent: event.reportingComponent ?? '',
    source: event.source?.component || (event.reportingComponent ?? ''),
    type: event.type ?? '',
  }
}

/** What upstream writes although nobody set it. */
const fillUnset = (draft: Draft<Event>): void => {
  for (const name of ['eventTime', 'firstTimestamp', 'lastTimestamp'] as const) fillNull(draft, name)
  for (const name of ['reportingComponent', 'reportingInstance'] as const) fill(draft, name, '')
}

export const eventStrategy: Strategy<Event> = {
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
