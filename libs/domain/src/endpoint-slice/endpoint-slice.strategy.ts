// EndpointSlices: the addresses of a service, in pieces of bounded size.
import { duplicate, invalidValue, notSupported, required, tooMany } from '@shiplog/api/field-errors'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import type { StatusCause } from '@shiplog/api/status'
import { byRule, fill, immutable, items, semanticEqual } from '../fields.ts'
import { dns1123Label, dns1123Subdomain, qualifiedName } from '../names.ts'
import { ipSentence, isIpv4, isIpv6 } from '../service/ip-range.ts'
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
    if (typeof endpoint['hostname'] === 'string')
      causes.push(...byRule(dns1123Label, endpoint['hostname'], `endpoints[${index}].hostname`))
    if (typeof endpoint['nodeName'] === 'string')
      causes.push(...byRule(dns1123Subdomain, endpoint['nodeName'], `endpoints[${index}].nodeName`))
    if (addresses.length === 0) causes.push(required(at, 'must contain at least 1 address'))
    if (addresses.length > addressesMax) causes.push(tooMany(at, addresses.length, addressesMax))
    addresses.forEach((address, position) => {
      if (!isAddressOf(type, String(address)))
        causes.push(
          invalidValue(
            `${at}[${position}]`,
            address,
            isIpv4(String(address)) || isIpv6(String(address)) ? `must be an ${type} address` : ipSentence,
          ),
        )
    })
  })
  const ports = items(slice['ports'])
  const names = new Set<string>()
  ports.forEach((port: JsonObject, index) => {
    const name: string = port['name'] ?? ''
    if (name) causes.push(...byRule(dns1123Label, name, `ports[${index}].name`))
    if (names.has(name)) causes.push(duplicate(`ports[${index}].name`, name))
    names.add(name)
    if (typeof port['appProtocol'] === 'string')
      causes.push(...byRule(qualifiedName, port['appProtocol'], `ports[${index}].appProtocol`))
  })
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
