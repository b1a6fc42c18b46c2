// ResourceSlices: the devices that a driver has on a node, or on several.
import { duplicate, forbiddenField, invalidValue, notSupported, required, tooLong } from '@shiplog/api/field-errors'
import type {
  CounterSet,
  Device,
  DeviceAttribute,
  DeviceTaint,
  ResourcePool,
  ResourceSlice,
  ResourceSliceSpec,
} from '@shiplog/api/generated/types/resource-v1'
import type { NodeSelector } from '@shiplog/api/generated/types/core-v1'
import type { StatusCause } from '@shiplog/api/status'
import type { Decoded, Draft } from '@shiplog/api/decoded'
import { byRule, entries, immutable, items } from '../fields.ts'
import { dns1123Label, dns1123Subdomain, labelValue, qualifiedName } from '../names.ts'
import { validateDriverName } from '../storage-driver-name.ts'
import type { Strategy } from '../strategy.ts'
import { validateDeviceKey } from './device-claim.strategies.ts'
import { validateNodeSelector, validatePoolName } from './device-place.ts'

const valueCharactersMax = 64
const semver =
  /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-(0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(\.(0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*)?(\+[0-9a-zA-Z-]+(\.[0-9a-zA-Z-]+)*)?$/
const taintEffects = ['NoExecute', 'NoSchedule', 'None']

const isSet = (value: unknown): boolean => value !== undefined && value !== null

const validatePool = (pool: Decoded<ResourcePool> | undefined): StatusCause[] => {
  const at = 'spec.pool'
  const { generation = 0, resourceSliceCount = 0 } = pool ?? {}
  return [
    ...validatePoolName(pool?.name, `${at}.name`),
    ...(resourceSliceCount <= 0
      ? [invalidValue(`${at}.resourceSliceCount`, resourceSliceCount, 'must be greater than zero')]
      : []),
    ...(generation < 0 ? [invalidValue(`${at}.generation`, generation, 'must be greater than or equal to zero')] : []),
  ]
}

/** Where the devices are: said in one way. */
const validatePlace = (spec: Decoded<ResourceSliceSpec>): StatusCause[] => {
  const causes: StatusCause[] = []
  const said: string[] = []
  const { nodeName, nodeSelector } = spec
  if (nodeName === '')
    causes.push(invalidValue('spec.nodeName', '', 'must be either unset or set to a non-empty string'))
  else if (nodeName !== undefined) {
    said.push('`nodeName`')
    causes.push(...byRule(dns1123Subdomain, nodeName, 'spec.nodeName'))
  }
  if (nodeSelector) {
    said.push('`nodeSelector`')
    const terms = nodeSelector.nodeSelectorTerms
    causes.push(...validateNodeSelector(nodeSelector, 'spec.nodeSelector'))
    if (items(terms).length !== 1)
      causes.push(
        invalidValue(
          'spec.nodeSelector.nodeSelectorTerms',
          shownTerms(terms),
          'must have exactly one node selector term',
        ),
      )
  }
  for (const key of ['allNodes', 'perDeviceNodeSelection'] as const) {
    if (spec[key] === true) said.push(`\`${key}\``)
    if (spec[key] === false) causes.push(invalidValue(`spec.${key}`, false, 'must be either unset or set to true'))
  }
  const one = 'exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required'
  if (said.length === 0) causes.push(required('spec', one))
  if (said.length > 1) causes.push(invalidValue('spec', `{${said.join(', ')}}`, `${one}, but multiple fields are set`))
  if (Array.isArray(spec.sharedCounters) && Array.isArray(spec.devices))
    causes.push(invalidValue('spec', '', 'only one of `sharedCounters` or `devices` is allowed'))
  return causes
}

/** As Go prints them. */
const shownTerms = (terms: Decoded<NodeSelector>['nodeSelectorTerms']): unknown =>
  terms?.map(({ matchExpressions, matchFields }) => ({
    MatchExpressions: matchExpressions ?? null,
    MatchFields: matchFields ?? null,
  })) ?? null

const attributeKinds = ['int', 'bool', 'string', 'version', 'ints', 'bools', 'strings', 'versions'] as const
/** The order and the names that upstream's objects have. */
const shownAttribute = (attribute: Decoded<DeviceAttribute>): object =>
  Object.fromEntries(
    attributeKinds.map((kind) => {
      const [single, list] = [kind.replace(/s$/, ''), kind.endsWith('s')]
      const name = `${single[0]!.toUpperCase()}${single.slice(1)}Value${list ? 's' : ''}`
      return [name, attribute[kind] ?? null]
    }),
  )

/** Lists of values are behind a gate of upstream's that is off, and dropped. */
const dropLists = (slice: Draft<ResourceSlice>): void => {
  for (const device of items(slice.spec?.devices))
    for (const [, attribute] of entries(device.attributes))
      for (const kind of ['ints', 'bools', 'strings', 'versions'] as const) delete attribute[kind]
}

const validateAttribute = (attribute: Decoded<DeviceAttribute>, field: string): StatusCause[] => {
  const causes: StatusCause[] = []
  const text = (value: string, at: string, version: boolean): void => {
    if (version && !semver.test(value))
      causes.push(invalidValue(at, value, 'must be a string compatible with semver.org spec 2.0.0'))
    if (value.length > valueCharactersMax) causes.push(tooLong(at, valueCharactersMax))
  }
  if (attribute.string !== undefined) text(attribute.string, `${field}.string`, false)
  if (attribute.version !== undefined) text(attribute.version, `${field}.version`, true)
  for (const list of ['strings', 'versions'] as const)
    items(attribute[list]).forEach((value, index) => {
      text(value, `${field}.${list}[${index}]`, list === 'versions')
    })
  const given = attributeKinds.filter((kind) => isSet(attribute[kind]))
  if (given.length !== 1)
    causes.push(
      invalidValue(field, given.length === 0 ? '' : shownAttribute(attribute), 'exactly one value must be specified'),
    )
  return causes
}

const validateTaint = ({ key = '', value = '', effect }: Decoded<DeviceTaint>, field: string): StatusCause[] => [
  ...byRule(qualifiedName, key, `${field}.key`),
  ...(value === '' ? [] : byRule(labelValue, value, `${field}.value`)),
  ...(!effect
    ? [required(`${field}.effect`)]
    : taintEffects.includes(effect)
      ? []
      : [notSupported(`${field}.effect`, effect, taintEffects)]),
]

const validateBinding = (device: Decoded<Device>, field: string): StatusCause[] => {
  const [on, off] = [items(device.bindingConditions), items(device.bindingFailureConditions)]
  const names = (list: readonly string[], key: string): StatusCause[] =>
    list.flatMap((name, index) => byRule(qualifiedName, name, `${field}.${key}[${index}]`))
  return [
    ...names(on, 'bindingConditions'),
    ...names(off, 'bindingFailureConditions'),
    ...(on.length === 0 && off.length > 0
      ? [
          invalidValue(
            `${field}.bindingConditions`,
            null,
            'bindingConditions are required to use bindingFailureConditions',
          ),
        ]
      : []),
    ...(off.length === 0 && on.length > 0
      ? [
          invalidValue(
            `${field}.bindingFailureConditions`,
            null,
            'bindingFailureConditions are required to use bindingConditions',
          ),
        ]
      : []),
  ]
}

const placeFields = ['nodeName', 'nodeSelector', 'allNodes'] as const

const validateDevicePlace = (device: Decoded<Device>, perDevice: boolean, field: string): StatusCause[] => {
  const said = placeFields.filter((key) => isSet(device[key]) && (!perDevice || Boolean(device[key])))
  if (!perDevice)
    return said.length === 0
      ? []
      : [
          invalidValue(
            field,
            null,
            '`nodeName`, `nodeSelector` and `allNodes` can only be set if `perDeviceNodeSelection` is set to true in the ResourceSlice spec',
          ),
        ]
  const one =
    'exactly one of `nodeName`, `nodeSelector`, or `allNodes` is required when `perDeviceNodeSelection` is set to true in the ResourceSlice spec'
  const causes = validateNodeSelector(device.nodeSelector, `${field}.nodeSelector`)
  if (device.nodeName === '') causes.push(invalidValue(`${field}.nodeName`, '', 'must not be empty'))
  if (device.allNodes === false)
    causes.push(invalidValue(`${field}.allNodes`, false, 'must be either unset or set to true'))
  if (said.length === 0) causes.push(required(field, one))
  if (device.nodeName) causes.push(...byRule(dns1123Subdomain, device.nodeName, `${field}.nodeName`))
  if (said.length > 1) causes.push(invalidValue(field, `{${said.map((key) => `\`${key}\``).join(', ')}}`, one))
  return causes
}

const validateCounters = (counters: Decoded<CounterSet>['counters'], field: string): StatusCause[] =>
  entries(counters).length === 0
    ? [required(field)]
    : entries(counters).flatMap(([name]) => byRule(dns1123Label, name, field))

const validateDevice = (device: Decoded<Device>, perDevice: boolean, field: string): StatusCause[] => [
  ...byRule(dns1123Label, device.name ?? '', `${field}.name`),
  ...entries(device.attributes).flatMap(([name, attribute]) => [
    ...validateDeviceKey(name, `${field}.attributes`),
    ...validateAttribute(attribute ?? {}, `${field}.attributes[${name}]`),
  ]),
  ...entries(device.capacity).flatMap(([name, capacity]) => [
    ...validateDeviceKey(name, `${field}.capacity`),
    ...(capacity?.requestPolicy && device.allowMultipleAllocations !== true
      ? [forbiddenField(`${field}.capacity[${name}].requestPolicy`, 'allowMultipleAllocations must be true')]
      : []),
  ]),
  ...items(device.taints).flatMap((taint, index) => validateTaint(taint, `${field}.taints[${index}]`)),
  ...items(device.consumesCounters).flatMap(({ counterSet = '', counters }, index) => [
    ...(counterSet === ''
      ? [required(`${field}.consumesCounters[${index}].counterSet`)]
      : byRule(dns1123Label, counterSet, `${field}.consumesCounters[${index}].counterSet`)),
    ...validateCounters(counters, `${field}.consumesCounters[${index}].counters`),
  ]),
  ...validateDevicePlace(device, perDevice, field),
  ...validateBinding(device, field),
]

const validate = (slice: Draft<ResourceSlice>): StatusCause[] => {
  const spec = slice.spec ?? {}
  const [devices, sets] = [items(spec.devices), items(spec.sharedCounters)]
  const unique = (list: readonly { name?: string | undefined }[], at: string): StatusCause[] =>
    list.flatMap((item, index) =>
      list.slice(0, index).some((other) => other.name === item.name)
        ? [duplicate(`${at}[${index}]`, item.name ?? '')]
        : [],
    )
  return [
    ...validateDriverName(spec.driver, 'spec.driver'),
    ...validatePool(spec.pool),
    ...validatePlace(spec),
    ...(spec.sharedCounters && spec.devices
      ? [invalidValue('spec', '', 'only one of `sharedCounters` or `devices` is allowed')]
      : []),
    ...devices.flatMap((device, index) =>
      validateDevice(device, spec.perDeviceNodeSelection === true, `spec.devices[${index}]`),
    ),
    ...unique(devices, 'spec.devices'),
    ...sets.flatMap(({ name = '', counters }, index) => [
      ...(name === ''
        ? [required(`spec.sharedCounters[${index}].name`)]
        : byRule(dns1123Label, name, `spec.sharedCounters[${index}].name`)),
      ...validateCounters(counters, `spec.sharedCounters[${index}].counters`),
    ]),
    ...unique(sets, 'spec.sharedCounters'),
  ]
}

export const resourceSliceStrategy: Strategy<ResourceSlice> = {
  hasGeneration: true,
  returnsDeleted: true,
  validatesAll: true,
  prepareForCreate: dropLists,
  prepareForUpdate: dropLists,
  validate,
  validateUpdate: (next, before) => [
    ...immutable(next.spec?.pool?.name, before.spec?.pool?.name, 'spec.pool.name'),
    ...immutable(next.spec?.driver, before.spec?.driver, 'spec.driver'),
    ...immutable(next.spec?.nodeName, before.spec?.nodeName, 'spec.nodeName'),
  ],
  selectableFields: ({ spec }) => ({ 'spec.driver': spec?.driver ?? '', 'spec.nodeName': spec?.nodeName ?? '' }),
  warnings: ({ spec }) => {
    const driver = spec?.driver ?? ''
    return driver === driver.toLowerCase()
      ? []
      : [`spec.driver: driver names should be lowercase; ${JSON.stringify(driver)} contains uppercase characters`]
  },
}
