// ServiceCIDRs and IPAddresses: the ranges that cluster IPs come from, and the addresses that are taken.
import { invalidValue, required } from '@shiplog/api/field-errors'
import type { IPAddress, ServiceCIDR } from '@shiplog/api/generated/types/networking-v1'
import { byRule, immutable, items, requiredName } from '../fields.ts'
import { dns1123Subdomain, pathSegment } from '../names.ts'
import type { Strategy } from '../strategy.ts'
import { validateCidr, validateIp } from '../ip-addresses.ts'

export const ipAddressStrategy: Strategy<IPAddress> = {
  hasGeneration: false,
  validatesAll: true,
  validateName: (name) => validateIp(name, '').map(({ message }) => message.replace(/^Invalid value: "[^"]*": /, '')),
  validateUpdate: (next, before) => immutable(next.spec?.parentRef, before.spec?.parentRef, 'spec.parentRef'),
  validate: (object) => {
    const parent = object.spec?.parentRef
    const at = 'spec.parentRef'
    if (!parent) return [required(at)]
    return [
      ...(parent.group ? byRule(dns1123Subdomain, parent.group, `${at}.group`) : []),
      ...requiredName(pathSegment, parent.resource, `${at}.resource`),
      ...requiredName(pathSegment, parent.name, `${at}.name`),
      ...(parent.namespace ? byRule(pathSegment, parent.namespace, `${at}.namespace`) : []),
    ]
  },
}

export const serviceCidrStrategy: Strategy<ServiceCIDR> = {
  hasGeneration: false,
  validatesAll: true,
  validate: (object) => {
    const ranges = items(object.spec?.cidrs)
    const at = 'spec.cidrs'
    if (ranges.length === 0) return [required(at, 'at least one CIDR required')]
    const causes = ranges.flatMap((range, index) => validateCidr(range, `${at}[${index}]`))
    const families = new Set(ranges.map((range) => range.includes(':')))
    if (causes.length === 0 && families.size < ranges.length)
      causes.push(
        invalidValue(
          at,
          ranges,
          'may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64',
        ),
      )
    return causes
  },
}
