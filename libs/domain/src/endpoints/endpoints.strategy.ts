// Endpoints: the older list of a service's addresses.
import { invalidValue, required } from '@shiplog/api/field-errors'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import type { StatusCause } from '@shiplog/api/status'
import { byRule, fillText, items } from '../fields.ts'
import { dns1123Label, dns1123Subdomain, portNumber, qualifiedName } from '../names.ts'
import { ipSentence, isIpv4, isIpv6 } from '../service/ip-range.ts'
import type { Strategy } from '../strategy.ts'

/** Addresses that no other machine could reach. */
const specialProblem = (address: string): string | undefined => {
  if (address === '0.0.0.0' || address === '::') return `may not be unspecified (0.0.0.0 or ::)`
  if (address.startsWith('127.') || address === '::1') return 'may not be in the loopback range (127.0.0.0/8, ::1/128)'
  if (address.startsWith('169.254.')) return 'may not be in the link-local range (169.254.0.0/16, fe80::/10)'
  return undefined
}

const validateAddress = (address: JsonObject, field: string, mayBeLocal: boolean): StatusCause[] => {
  const ip = String(address['ip'] ?? '')
  const causes: StatusCause[] = []
  const isIp = isIpv4(ip) || isIpv6(ip)
  if (!isIp) causes.push(invalidValue(`${field}.ip`, ip, ipSentence))
  if (address['hostname']) causes.push(...byRule(dns1123Label, address['hostname'], `${field}.hostname`))
  if (typeof address['nodeName'] === 'string')
    causes.push(...byRule(dns1123Subdomain, address['nodeName'], `${field}.nodeName`))
  // Upstream looks twice, with two sentences.
  const problem = !isIp ? 'must be a valid IP address' : mayBeLocal ? undefined : specialProblem(ip)
  if (problem) causes.push(invalidValue(`${field}.ip`, ip, problem))
  return causes
}

const validate = (endpoints: KubeObject): StatusCause[] => {
  // On one machine the API server itself may listen on loopback only.
  const mayBeLocal = endpoints.metadata.name === 'kubernetes' && endpoints.metadata.namespace === 'default'
  return items(endpoints['subsets']).flatMap((subset: JsonObject, index) => {
    const at = `subsets[${index}]`
    const causes: StatusCause[] = []
    if (items(subset['addresses']).length + items(subset['notReadyAddresses']).length === 0)
      causes.push(required(at, 'must specify `addresses` or `notReadyAddresses`'))
    for (const key of ['addresses', 'notReadyAddresses'])
      items(subset[key]).forEach((address, position) => {
        causes.push(...validateAddress(address, `${at}.${key}[${position}]`, mayBeLocal))
      })
    const ports = items(subset['ports'])
    ports.forEach((port: JsonObject, position) => {
      if (ports.length > 1 && !port['name']) causes.push(required(`${at}.ports[${position}].name`))
      else if (port['name']) causes.push(...byRule(dns1123Label, port['name'], `${at}.ports[${position}].name`))
      if (typeof port['appProtocol'] === 'string')
        causes.push(...byRule(qualifiedName, port['appProtocol'], `${at}.ports[${position}].appProtocol`))
      for (const sentence of portNumber(port['port']))
        causes.push(invalidValue(`${at}.ports[${position}].port`, port['port'] ?? 0, sentence))
    })
    return causes
  })
}

export const endpointsStrategy: Strategy = {
  hasGeneration: false,
  allowCreateOnUpdate: true,
  setDefaults: (draft) => {
    for (const subset of items(draft['subsets']))
      for (const port of items(subset.ports)) fillText(port, 'protocol', 'TCP')
  },
  validate,
}
