// EndpointSlices: the addresses of a service, in pieces of bounded size.
import { invalidValue, notSupported, required, tooMany } from '@shiplog/api/field-errors'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import type { StatusCause } from '@shiplog/api/status'
import { fill, immutable, items, semanticEqual } from '../fields.ts'
import { isIpv4, isIpv6 } from '../service/ip-range.ts'
import type { Strategy } from '../strategy.ts'

const addressTypes = ['FQDN', 'IPv4', 'IPv6']
const endpointsMax = 1000
const portsMax = 20_000
const addressesMax = 100

const isAddressOf = (type: string, address: string): boolean =>
  type === 'IPv4' ? isIpv4(address) : type === 'IPv6' ? isIpv6(address) : true

const validate = (slice: KubeObject): StatusCause[] => {
  const causes: StatusCause[] = []
  const type = slice['addressType']
  if (!type) causes.push(required('addressType'))
  else if (!addressTypes.includes(type)) causes.push(notSupported('addressType', type, addressTypes))
  const endpoints = items(slice['endpoints'])
  if (endpoints.length > endpointsMax) causes.push(tooMany('endpoints', endpoints.length, endpointsMax))
  endpoints.forEach((endpoint: JsonObject, index) => {
    const at = `endpoints[${index}].addresses`
    const addresses = items(endpoint['addresses'])
    if (addresses.length === 0) causes.push(required(at, 'must contain at least 1 address'))
    if (addresses.length > addressesMax) causes.push(tooMany(at, addresses.length, addressesMax))
    addresses.forEach((address, position) => {
      if (!isAddressOf(type, String(address)))
        causes.push(invalidValue(`${at}[${position}]`, address, `must be an ${type} address`))
    })
  })
  const ports = items(slice['ports'])
  if (ports.length > portsMax) causes.push(tooMany('ports', ports.length, portsMax))
  return causes
}

export const endpointSliceStrategy: Strategy = {
  hasGeneration: true,
  setDefaults: (draft) => {
    for (const port of items(draft['ports'])) {
      fill(port, 'name', '')
      fill(port, 'protocol', 'TCP')
    }
  },
  changesGeneration: (next, before) =>
    ['endpoints', 'ports', 'addressType'].some((key) => !semanticEqual(next[key], before[key])),
  validate,
  validateUpdate: (next, before) => immutable(next['addressType'], before['addressType'], 'addressType'),
}
