// EndpointSlices: the addresses of a service, in pieces of bounded size.
import { duplicate, invalidValue, notSupported, required, tooMany } from '@shiplog/api/field-errors'
import type { EndpointHints, EndpointSlice, ForNode } from '@shiplog/api/generated/types/discovery-v1'
import type { StatusCause } from '@shiplog/api/status'
import type { Decoded, Draft } from '@shiplog/api/decoded'
import { byRule, fill, immutable, items, semanticEqual } from '../fields.ts'
import { dns1123Label, dns1123Subdomain, labelValue, qualifiedName } from '../names.ts'
import { ipWarnings, parseIp, validateIp, validateLegacyIp, validateReachable } from '../ip-addresses.ts'
import type { Strategy } from '../strategy.ts'

const addressTypes = ['FQDN', 'IPv4', 'IPv6']
const endpointsMax = 1000
const portsMax = 20_000
const addressesMax = 100
const ourSlices = new Set(['endpointslice-controller.k8s.io', 'endpointslicemirroring-controller.k8s.io'])

const validateAddress = (
  type: string,
  text: string,
  list: string,
  index: number,
  mayBeLocal: boolean,
): StatusCause[] => {
  const field = `${list}[${index}]`
  if (type === 'FQDN') return byRule(dns1123Subdomain, text.replace(/\.$/, ''), field)
  if (type !== 'IPv4' && type !== 'IPv6') return []
  // Addresses of the newer family never had another form.
  const causes = type === 'IPv6' ? validateIp(text, field) : validateLegacyIp(text, field)
  if (causes.length > 0) return causes
  const is = parseIp(text)?.family
  return [
    ...(is === type ? [] : [invalidValue(list, text, `must be an ${type} address`)]),
    ...(mayBeLocal ? [] : validateReachable(text, field)),
  ]
}

const hintsMax = 8

/** For which zones and nodes an endpoint is meant. */
const validateHints = (hints: Decoded<EndpointHints> | undefined, field: string): StatusCause[] => {
  const causes: StatusCause[] = []
  for (const [list, rule] of [
    ['forZones', labelValue],
    ['forNodes', dns1123Subdomain],
  ] as const) {
    const given = items<Decoded<ForNode>>(hints?.[list])
    if (given.length > hintsMax) return [...causes, tooMany(`${field}.${list}`, given.length, hintsMax)]
    const seen = new Set<string>()
    given.forEach(({ name = '' }, index) => {
      const at = `${field}.${list}[${index}].name`
      if (seen.has(name)) causes.push(duplicate(at, name))
      seen.add(name)
      causes.push(...byRule(rule, name, at))
    })
  }
  return causes
}

const validateEndpoints = (slice: Draft<EndpointSlice>): StatusCause[] => {
  const causes: StatusCause[] = []
  // On one machine the API server itself may listen on loopback only.
  const mayBeLocal = slice.metadata.name === 'kubernetes' && slice.metadata.namespace === 'default'
  const type: string = slice.addressType ?? ''
  const endpoints = items(slice.endpoints)
  if (endpoints.length > endpointsMax) causes.push(tooMany('endpoints', endpoints.length, endpointsMax))
  endpoints.forEach((endpoint, index) => {
    const at = `endpoints[${index}].addresses`
    const addresses = items(endpoint.addresses)
    if (typeof endpoint.hostname === 'string')
      causes.push(...byRule(dns1123Label, endpoint.hostname, `endpoints[${index}].hostname`))
    if (typeof endpoint.nodeName === 'string')
      causes.push(...byRule(dns1123Subdomain, endpoint.nodeName, `endpoints[${index}].nodeName`))
    causes.push(...validateHints(endpoint.hints, `endpoints[${index}].hints`))
    if (addresses.length === 0) causes.push(required(at, 'must contain at least 1 address'))
    if (addresses.length > addressesMax) causes.push(tooMany(at, addresses.length, addressesMax))
    addresses.forEach((address, position) => {
      causes.push(...validateAddress(type, address, at, position, mayBeLocal))
    })
  })
  return causes
}

const validateAddressType = (type: string | undefined): StatusCause[] => {
  if (!type) return [required('addressType')]
  return addressTypes.includes(type) ? [] : [notSupported('addressType', type, addressTypes)]
}

const validate = (slice: Draft<EndpointSlice>, before?: Draft<EndpointSlice>): StatusCause[] => {
  const causes = validateAddressType(slice.addressType)
  const wrong = validateEndpoints(slice)
  // What was taken once may stay.
  if (wrong.length > 0 && !(before && semanticEqual(before.endpoints, slice.endpoints))) causes.push(...wrong)
  const ports = items(slice.ports)
  const names = new Set<string>()
  ports.forEach((port, index) => {
    const name = port.name ?? ''
    if (name) causes.push(...byRule(dns1123Label, name, `ports[${index}].name`))
    if (names.has(name)) causes.push(duplicate(`ports[${index}].name`, name))
    names.add(name)
    if (typeof port.appProtocol === 'string')
      causes.push(...byRule(qualifiedName, port.appProtocol, `ports[${index}].appProtocol`))
  })
  if (ports.length > portsMax) causes.push(tooMany('ports', ports.length, portsMax))
  return causes
}

export const endpointSliceStrategy: Strategy<EndpointSlice> = {
  hasGeneration: true,
  setDefaults: (draft) => {
    for (const port of items(draft.ports)) {
      fill(port, 'name', '')
      fill(port, 'protocol', 'TCP')
    }
  },
  changesGeneration: (next, before) =>
    (['endpoints', 'ports', 'addressType'] as const).some((key) => !semanticEqual(next[key], before[key])),
  warnings: (slice, before) => [
    ...(!before && slice.addressType === 'FQDN' ? ['spec.addressType: FQDN endpoints are deprecated'] : []),
    ...(ourSlices.has(slice.metadata.labels?.['endpointslice.kubernetes.io/managed-by'] ?? '')
      ? []
      : items(slice.endpoints).flatMap((endpoint, index) =>
          items(endpoint.addresses).flatMap((address, position) =>
            ipWarnings(address, `endpoints[${index}].addresses[${position}]`),
          ),
        )),
  ],
  validate,
  validateUpdate: (next, before) => immutable(next.addressType, before.addressType, 'addressType'),
}
