// Endpoints: the older list of a service's addresses.
import { invalidValue, required } from '@shiplog/api/field-errors'
import type { EndpointAddress, Endpoints } from '@shiplog/api/generated/types/core-v1'
import type { StatusCause } from '@shiplog/api/status'
import type { Decoded, Draft } from '@shiplog/api/decoded'
import { byRule, fillText, items } from '../fields.ts'
import { dns1123Label, dns1123Subdomain, portNumber, qualifiedName } from '../names.ts'
import { ipWarnings, parseIp, validateLegacyIp, validateReachable } from '../ip-addresses.ts'
import type { Strategy } from '../strategy.ts'

const validateAddress = (
  address: Decoded<EndpointAddress>,
  field: string,
  known: readonly string[] | undefined,
): StatusCause[] => {
  const { ip = '' } = address
  const at = `${field}.ip`
  const causes = validateLegacyIp(ip, at, known)
  if (address.hostname) causes.push(...byRule(dns1123Label, address.hostname, `${field}.hostname`))
  if (typeof address.nodeName === 'string')
    causes.push(...byRule(dns1123Subdomain, address.nodeName, `${field}.nodeName`))
  // Upstream looks twice, with two sentences.
  if (!parseIp(ip)) causes.push(invalidValue(at, ip, 'must be a valid IP address'))
  else if (known !== undefined) causes.push(...validateReachable(ip, at))
  return causes
}

const validate = (endpoints: Draft<Endpoints>): StatusCause[] => {
  // On one machine the API server itself may listen on loopback only.
  const mayBeLocal = endpoints.metadata.name === 'kubernetes' && endpoints.metadata.namespace === 'default'
  return items(endpoints.subsets).flatMap((subset, index) => {
    const at = `subsets[${index}]`
    const causes: StatusCause[] = []
    if (items(subset.addresses).length + items(subset.notReadyAddresses).length === 0)
      causes.push(required(at, 'must specify `addresses` or `notReadyAddresses`'))
    for (const key of ['addresses', 'notReadyAddresses'] as const)
      items(subset[key]).forEach((address, position) => {
        causes.push(...validateAddress(address, `${at}.${key}[${position}]`, mayBeLocal ? undefined : []))
      })
    const ports = items(subset.ports)
    ports.forEach((port, position) => {
      if (ports.length > 1 && !port.name) causes.push(required(`${at}.ports[${position}].name`))
      else if (port.name) causes.push(...byRule(dns1123Label, port.name, `${at}.ports[${position}].name`))
      if (typeof port.appProtocol === 'string')
        causes.push(...byRule(qualifiedName, port.appProtocol, `${at}.ports[${position}].appProtocol`))
      for (const sentence of portNumber(port.port))
        causes.push(invalidValue(`${at}.ports[${position}].port`, port.port ?? 0, sentence))
    })
    return causes
  })
}

export const endpointsStrategy: Strategy<Endpoints> = {
  hasGeneration: false,
  allowCreateOnUpdate: true,
  setDefaults: (draft) => {
    for (const subset of items(draft.subsets)) for (const port of items(subset.ports)) fillText(port, 'protocol', 'TCP')
  },
  warnings: (endpoints) =>
    endpoints.metadata.labels?.['endpoints.kubernetes.io/managed-by'] === 'endpoint-controller'
      ? []
      : items(endpoints.subsets).flatMap((subset, index) =>
          (['addresses', 'notReadyAddresses'] as const).flatMap((list) =>
            items(subset[list]).flatMap(({ ip }, position) =>
              ipWarnings(ip, `subsets[${index}].${list}[${position}].ip`),
            ),
          ),
        ),
  validate,
}
