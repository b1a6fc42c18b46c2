// What claims and what is allocated to them say alike: which request is meant, and the configuration of a driver.
import { duplicate, invalidValue, required, tooLong } from '@shiplog/api/field-errors'
import type { DeviceClassConfiguration, DeviceRequest } from '@shiplog/api/generated/types/resource-v1'
import type { Decoded } from '@shiplog/api/decoded'
import type { StatusCause } from '@shiplog/api/status'
import { byRule, items } from '../fields.ts'
import { dns1123Label } from '../names.ts'
import { validateDriverName } from '../storage-driver-name.ts'

const parametersBytesMax = 10 * 1_024
const referenceSentence =
  "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'"

export type Requests = readonly Decoded<DeviceRequest>[]

/** A reference to a request of the claim: `gpu`, or `gpu/small`. */
export function validateReference(name: string, requests: Requests, field: string): StatusCause[] {
  const segments = name.split('/')
  if (segments.length > 2) return [invalidValue(field, name, referenceSentence)]
  const request = requests.find((one) => one.name === segments[0])
  const found =
    request && (segments.length === 1 || items(request.firstAvailable).some((one) => one.name === segments[1]))
  return [
    ...segments.flatMap((segment) => byRule(dns1123Label, segment, field)),
    ...(found ? [] : [invalidValue(field, name, referenceSentence)]),
  ]
}

export const validateReferences = (
  names: readonly string[] | undefined,
  requests: Requests,
  field: string,
): StatusCause[] =>
  items(names).flatMap((name, index) => [
    ...validateReference(name, requests, `${field}[${index}]`),
    ...(items(names).indexOf(name) < index ? [duplicate(`${field}[${index}]`, name)] : []),
  ])

export const validateConfiguration = ({ opaque }: Decoded<DeviceClassConfiguration>, field: string): StatusCause[] => {
  const at = `${field}.opaque`
  if (!opaque) return [required(at)]
  return [
    ...validateDriverName(opaque.driver, `${at}.driver`),
    ...validateParameters(opaque.parameters, `${at}.parameters`),
  ]
}

function validateParameters(parameters: unknown, field: string): StatusCause[] {
  if (parameters === undefined || parameters === null) return [required(field)]
  if (Buffer.byteLength(JSON.stringify(parameters)) > parametersBytesMax) return [tooLong(field, parametersBytesMax)]
  return typeof parameters !== 'object' || Array.isArray(parameters)
    ? [invalidValue(field, '<value omitted>', 'must be a valid JSON object')]
    : []
}
