// What the status of a ResourceClaim may say: who has it reserved, what is allocated, and how those devices are
// (k8s.io/kubernetes/pkg/apis/resource/validation, ValidateResourceClaimStatusUpdate).
import { duplicate, forbiddenField, invalidValue, notSupported, required, tooLong, tooMany } from '@shiplog/api/field-errors'
import type {
  AllocatedDeviceStatus,
  AllocationResult,
  DeviceAllocationConfiguration,
  DeviceRequestAllocationResult,
  NetworkDeviceData,
  ResourceClaim,
  ResourceClaimConsumerReference,
} from '@shiplog/api/generated/types/resource-v1'
import type { Decoded, Draft } from '@shiplog/api/decoded'
import type { StatusCause } from '@shiplog/api/status'
import { byRule, immutable, items } from '../fields.ts'
import { ipText, parseCidr } from '../ip-addresses.ts'
import { dns1123Label, qualifiedName } from '../names.ts'
import { validateConditions } from '../status-rules.ts'
import { validateDriverName } from '../storage-driver-name.ts'
import { type Requests, validateConfiguration, validateReference, validateReferences } from './device-requests.ts'
import { validateNodeSelector, validatePoolName } from './device-place.ts'

const reservedForMax = 256
const allocationResultsMax = 32
const allocationConfigMax = 64
const conditionsMax = 8
const dataBytesMax = 10_240
const bindingConditionsMax = 4
const interfaceNameBytesMax = 256
const hardwareAddressBytesMax = 128
const addressesMax = 16
const configSources = ['FromClaim', 'FromClass']

export function validateClaimStatusUpdate(next: Draft<ResourceClaim>, before: Draft<ResourceClaim>): StatusCause[] {
  const status = next.status ?? {}
  const allocation = status.allocation ?? undefined
  const allocatedBefore = before.status?.allocation ?? undefined
  const results = items(allocation?.devices?.results)
  return [
    ...validateReservations(next, before),
    ...validateDevices(status.devices, new Set(results.map(deviceId))),
    ...(allocation && allocatedBefore
      ? immutable(allocation, allocatedBefore, 'status.allocation')
      : allocation
        ? validateAllocation(allocation, items(next.spec?.devices?.requests), 'status.allocation')
        : []),
  ]
}

/** A device, and which share of it: `driver/pool/device/shareID`. */
const deviceId = (one: Decoded<AllocatedDeviceStatus | DeviceRequestAllocationResult>): string => {
  const { driver = '', pool = '', device = '', shareID } = one
  return [driver, pool, device, ...(shareID ? [shareID] : [])].join('/')
}

/** The places of what was named before in a list. */
const repeated = (keys: readonly string[], field: string): StatusCause[] =>
  keys.flatMap((key, index) => (keys.indexOf(key) < index ? [duplicate(`${field}[${index}]`, key)] : []))

function validateReservations(next: Draft<ResourceClaim>, before: Draft<ResourceClaim>): StatusCause[] {
  const at = 'status.reservedFor'
  const consumers = items(next.status?.reservedFor)
  if (consumers.length > reservedForMax) return [tooMany(at, consumers.length, reservedForMax)]
  const causes = [
    ...consumers.flatMap((consumer, index) => validateConsumer(consumer, `${at}[${index}]`)),
    ...repeated(
      consumers.map(({ uid }) => uid ?? ''),
      at,
    ),
  ]
  if (consumers.length === 0) return causes
  if (!next.status?.allocation)
    return [...causes, forbiddenField(at, 'may not be specified when `allocated` is not set')]
  const known = new Set(items(before.status?.reservedFor).map((consumer) => JSON.stringify(consumer)))
  if (next.metadata.deletionTimestamp && consumers.some((consumer) => !known.has(JSON.stringify(consumer))))
    causes.push(
      forbiddenField(at, 'new entries may not be added while `deallocationRequested` or `deletionTimestamp` are set'),
    )
  return causes
}

const validateConsumer = (consumer: Decoded<ResourceClaimConsumerReference>, field: string): StatusCause[] =>
  (['resource', 'name', 'uid'] as const).flatMap((key) => (consumer[key] ? [] : [required(`${field}.${key}`)]))

const validateDevices = (
  devices: Decoded<AllocatedDeviceStatus[]> | undefined,
  allocated: ReadonlySet<string>,
): StatusCause[] => {
  const at = 'status.devices'
  return [
    ...items(devices).flatMap((device, index) => validateDevice(device, `${at}[${index}]`, allocated)),
    ...repeated(items(devices).map(deviceId), at),
  ]
}

function validateDevice(
  device: Decoded<AllocatedDeviceStatus>,
  field: string,
  allocated: ReadonlySet<string>,
): StatusCause[] {
  const causes = validateDeviceName(device, field)
  const id = deviceId(device)
  if (!allocated.has(id)) causes.push(invalidValue(field, id, 'must be an allocated device in the claim'))
  const conditions = items(device.conditions)
  if (conditions.length > conditionsMax) causes.push(tooMany(`${field}.conditions`, conditions.length, conditionsMax))
  causes.push(...validateConditions(device.conditions ?? undefined, `${field}.conditions`))
  const { data } = device
  if (data !== undefined && data !== null) {
    if (Buffer.byteLength(JSON.stringify(data)) > dataBytesMax) causes.push(tooLong(`${field}.data`, dataBytesMax))
    else if (typeof data !== 'object' || Array.isArray(data))
      causes.push(invalidValue(`${field}.data`, '<value omitted>', 'must be a valid JSON object'))
  }
  return [...causes, ...validateNetworkData(device.networkData, `${field}.networkData`)]
}

/** Driver, pool, device and share. */
const validateDeviceName = (
  named: Decoded<AllocatedDeviceStatus | DeviceRequestAllocationResult>,
  field: string,
): StatusCause[] => [
  ...validateDriverName(named.driver, `${field}.driver`),
  ...validatePoolName(named.pool, `${field}.pool`),
  ...byRule(dns1123Label, named.device ?? '', `${field}.device`),
  ...(named.shareID === undefined || named.shareID === null ? [] : validateUid(named.shareID, `${field}.shareID`)),
]

const uid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

const validateUid = (value: string, field: string): StatusCause[] => {
  if (uid.test(value)) return []
  const sentence = uid.test(value.toLowerCase())
    ? 'uid must be in RFC 4122 normalized form, `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx` with lowercase hexadecimal characters'
    : `error validating uid: invalid UUID ${value.length === 36 ? 'format' : `length: ${value.length}`}`
  return [invalidValue(field, value, sentence)]
}

function validateNetworkData(data: Decoded<NetworkDeviceData> | undefined, field: string): StatusCause[] {
  const { interfaceName = '', hardwareAddress = '' } = data ?? {}
  const addresses = items(data?.ips)
  const at = `${field}.ips`
  return [
    ...(Buffer.byteLength(interfaceName) > interfaceNameBytesMax
      ? [tooLong(`${field}.interfaceName`, interfaceNameBytesMax)]
      : []),
    ...(Buffer.byteLength(hardwareAddress) > hardwareAddressBytesMax
      ? [tooLong(`${field}.hardwareAddress`, hardwareAddressBytesMax)]
      : []),
    ...(addresses.length > addressesMax
      ? [tooMany(at, addresses.length, addressesMax)]
      : [
          ...addresses.flatMap((address, index) => validateInterfaceAddress(address, `${at}[${index}]`)),
          ...repeated(addresses, at),
        ]),
  ]
}

const validateInterfaceAddress = (address: string, field: string): StatusCause[] => {
  const cidr = parseCidr(address)
  if (!cidr)
    return [
      invalidValue(field, address, 'must be a valid address in CIDR form, (e.g. 10.9.8.7/24 or 2001:db8::1/64)'),
    ]
  const { address: ip, bits } = cidr
  const canonical = `${ipText(ip)}/${ip.mapped ? bits - 96 : bits}`
  return address === canonical ? [] : [invalidValue(field, address, `must be in canonical form ("${canonical}")`)]
}

function validateAllocation(
  { devices, nodeSelector }: Decoded<AllocationResult>,
  requests: Requests,
  field: string,
): StatusCause[] {
  const [results, config] = [items(devices?.results), items(devices?.config)]
  const at = `${field}.devices`
  return [
    ...(results.length > allocationResultsMax
      ? [tooMany(`${at}.results`, results.length, allocationResultsMax)]
      : results.flatMap((result, index) => validateResult(result, `${at}.results[${index}]`, requests))),
    ...(config.length > allocationConfigMax
      ? [tooMany(`${at}.config`, config.length, allocationConfigMax)]
      : config.flatMap((one, index) => validateAllocationConfig(one, `${at}.config[${index}]`, requests))),
    ...validateNodeSelector(nodeSelector, `${field}.nodeSelector`),
  ]
}

const validateResult = (
  result: Decoded<DeviceRequestAllocationResult>,
  field: string,
  requests: Requests,
): StatusCause[] => [
  ...validateReference(result.request ?? '', requests, `${field}.request`),
  ...validateDeviceName(result, field),
  ...validateBindingConditions(result, field),
]

function validateBindingConditions(result: Decoded<DeviceRequestAllocationResult>, field: string): StatusCause[] {
  const conditionsOf = (key: 'bindingConditions' | 'bindingFailureConditions'): StatusCause[] => {
    const [list, at] = [items(result[key]), `${field}.${key}`]
    if (list.length > bindingConditionsMax) return [tooMany(at, list.length, bindingConditionsMax)]
    return [...list.flatMap((name, index) => byRule(qualifiedName, name, `${at}[${index}]`)), ...repeated(list, at)]
  }
  const [good, bad] = [items(result.bindingConditions), items(result.bindingFailureConditions)]
  const shared = 'bindingFailureConditions must not overlap with bindingConditions'
  return [
    ...conditionsOf('bindingConditions'),
    ...conditionsOf('bindingFailureConditions'),
    ...bad.flatMap((name, index) =>
      good.includes(name) ? [invalidValue(`${field}.bindingFailureConditions[${index}]`, name, shared)] : [],
    ),
    ...(good.length > 0 && bad.length === 0
      ? [invalidValue(`${field}.bindingFailureConditions`, bad, 'bindingFailureConditions are required to use bindingConditions')]
      : []),
    ...(bad.length > 0 && good.length === 0
      ? [invalidValue(`${field}.bindingConditions`, good, 'bindingConditions are required to use bindingFailureConditions')]
      : []),
  ]
}

const validateAllocationConfig = (
  config: Decoded<DeviceAllocationConfiguration>,
  field: string,
  requests: Requests,
): StatusCause[] => {
  const { source = '' } = config
  return [
    ...(source === '' ? [required(`${field}.source`)] : []),
    ...(source !== '' && !configSources.includes(source) ? [notSupported(`${field}.source`, source, configSources)] : []),
    ...validateReferences(config.requests, requests, `${field}.requests`),
    ...validateConfiguration(config, field),
  ]
}
