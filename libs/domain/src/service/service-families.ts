// Which IP families a Service has, told from its policy, its families and its addresses, from what it had before and from
// the ranges of the cluster: upstream's initIPFamilyFields, in its order and with its sentences.
import { duplicate, invalidValue, notSupported, required } from '@shiplog/api/field-errors'
import type { Service, ServiceSpec } from '@shiplog/api/generated/types/core-v1'
import { familyOfIp, type IpFamily, type IpRanges } from '@shiplog/api/ip-address'
import { ApiError, invalid, type StatusCause } from '@shiplog/api/status'
import type { Decoded, Draft } from '@shiplog/api/decoded'
import { items } from '../fields.ts'
import { validateLegacyIp } from '../ip-addresses.ts'
import { needsClusterIp, sameList } from './service-defaults.ts'

const families = ['IPv4', 'IPv6']
const policies = ['PreferDualStack', 'RequireDualStack', 'SingleStack']
const otherFamily = (family: IpFamily): IpFamily => (family === 'IPv4' ? 'IPv6' : 'IPv4')

const isHeadlessWithoutSelector = (spec: Decoded<ServiceSpec>): boolean =>
  spec.clusterIP === 'None' && Object.keys(spec.selector ?? {}).length === 0

/** What is wrong with addresses, families and policy, taken by themselves and together. */
export function validateFamilyFields(spec: Decoded<ServiceSpec>, before?: Decoded<ServiceSpec>): StatusCause[] {
  const [addresses, wanted, policy] = [items(spec.clusterIPs), items(spec.ipFamilies), spec.ipFamilyPolicy]
  const causes: StatusCause[] = []
  if (spec.clusterIP) {
    if (addresses.length === 0) causes.push(required('spec.clusterIPs'))
    else if (addresses[0] !== spec.clusterIP)
      causes.push(invalidValue('spec.clusterIPs', addresses, 'first value must match `clusterIP`'))
  } else if (addresses.length > 0)
    causes.push(invalidValue('spec.clusterIPs', addresses, 'must be empty when `clusterIP` is not specified'))
  wanted.forEach((family, index) => {
    if (!families.includes(family)) causes.push(notSupported(`spec.ipFamilies[${index}]`, family, families))
    if (wanted.indexOf(family) < index) causes.push(duplicate(`spec.ipFamilies[${index}]`, family))
  })
  if (typeof policy === 'string' && !policies.includes(policy))
    causes.push(notSupported('spec.ipFamilyPolicy', policy, policies))
  const badAddresses = validateAddresses(addresses, items(before?.clusterIPs))
  causes.push(...badAddresses)
  if (addresses.length > 2) causes.push(invalidValue('spec.clusterIPs', addresses, 'may only hold up to 2 values'))
  if (badAddresses.length > 0) return causes
  if (addresses.length > 1 && new Set(addresses.map(familyOfIp)).size < addresses.length)
    causes.push(invalidValue('spec.clusterIPs', addresses, 'may specify no more than one IP for each IP family'))
  if (addresses[0] !== 'None')
    addresses.forEach((address, index) => {
      const expected = wanted[index]
      if (expected && families.includes(expected) && familyOfIp(address) !== expected)
        causes.push(
          invalidValue(
            `spec.clusterIPs[${index}]`,
            address,
            `expected an ${expected} value as indicated by \`ipFamilies[${index}]\``,
          ),
        )
    })
  return causes
}

/** Addresses that were there before are left alone, however they are written. */
function validateAddresses(addresses: readonly string[], known: readonly string[]): StatusCause[] {
  return addresses.flatMap((address, index) => {
    if (index === 0 && address === 'None')
      return addresses.length > 1
        ? [invalidValue('spec.clusterIPs', addresses, "'None' must be the first and only value")]
        : []
    return validateLegacyIp(address, `spec.clusterIPs[${index}]`, known)
  })
}

/** Two values become one, and one stays, when `PreferDualStack` services meet a cluster whose ranges changed. */
const isUntouchedPreference = (spec: Decoded<ServiceSpec>, old: Decoded<ServiceSpec>): boolean =>
  spec.type === old.type &&
  spec.ipFamilyPolicy === 'PreferDualStack' &&
  (old.ipFamilyPolicy ?? 'PreferDualStack') === 'PreferDualStack' &&
  sameList(spec.clusterIPs, old.clusterIPs) &&
  sameList(spec.ipFamilies, old.ipFamilies)

const hasReduced = (now: readonly string[] = [], was: readonly string[] = []): boolean =>
  now.length > 0 && now.length < was.length

/** SingleStack gives up what is second; any other policy may not lose it in silence. */
function settleReduction(spec: Decoded<ServiceSpec>, old: Decoded<ServiceSpec>): StatusCause[] {
  const policy = spec.ipFamilyPolicy
  const mustBeSingle = (word: string): StatusCause =>
    invalidValue('spec.ipFamilyPolicy', policy, `must be 'SingleStack' to release the secondary ${word}`)
  if (policy !== 'SingleStack')
    return [
      ...(hasReduced(spec.clusterIPs, old.clusterIPs) ? [mustBeSingle('cluster IP')] : []),
      ...(hasReduced(spec.ipFamilies, old.ipFamilies) ? [mustBeSingle('IP family')] : []),
    ]
  const { clusterIPs = [], ipFamilies = [] } = spec
  if (clusterIPs.length > 1 && sameList(clusterIPs, old.clusterIPs)) spec.clusterIPs = clusterIPs.slice(0, 1)
  if (ipFamilies.length > 1 && sameList(ipFamilies, old.ipFamilies)) spec.ipFamilies = ipFamilies.slice(0, 1)
  return []
}

/** One policy, one address: said before families are told from the addresses. */
function checkSingle(spec: Decoded<ServiceSpec>): StatusCause[] {
  if (spec.ipFamilyPolicy !== 'SingleStack') return []
  const sentence = (what: string): string =>
    `must be 'RequireDualStack' or 'PreferDualStack' when multiple ${what} are specified`
  return [
    ...(items(spec.clusterIPs).length === 2 ? [sentence('cluster IPs')] : []),
    ...(items(spec.ipFamilies).length === 2 ? [sentence('IP families')] : []),
  ].map((text) => invalidValue('spec.ipFamilyPolicy', 'SingleStack', text))
}

function inferFamilies(spec: Decoded<ServiceSpec>, configured: ReadonlySet<IpFamily>): StatusCause[] {
  const addresses = items(spec.clusterIPs)
  if (addresses[0] === 'None') return []
  const causes: StatusCause[] = []
  addresses.forEach((address, index) => {
    if (index < items(spec.ipFamilies).length) return
    const family = familyOfIp(address)
    if (configured.has(family)) spec.ipFamilies = [...items(spec.ipFamilies), family]
    else
      causes.push(invalidValue(`spec.clusterIPs[${index}]`, addresses, `${family} is not configured on this cluster`))
  })
  return causes
}

function fillPolicy(spec: Decoded<ServiceSpec>, old: Decoded<ServiceSpec> | undefined): void {
  spec.ipFamilyPolicy ??= old?.ipFamilyPolicy ?? (isHeadlessWithoutSelector(spec) ? 'RequireDualStack' : 'SingleStack')
}

/** Fills in what the service did not say; throws an ApiError about what does not fit together or this cluster. */
export function initIpFamilies(next: Draft<Service>, before: Draft<Service> | undefined, ranges: IpRanges): void {
  const spec = next.spec ?? {}
  const old = before?.spec
  if (!needsClusterIp(spec) || (old && isUntouchedPreference(spec, old))) return
  const refuseIf = (causes: readonly StatusCause[]): void => {
    if (causes.length > 0) throw new ApiError(invalid('', 'Service', next.metadata.name, causes))
  }
  const configured = new Set(ranges.map(({ family }) => family))
  fillPolicy(spec, old)
  refuseIf(validateFamilyFields(spec, old))
  refuseIf([...(old ? settleReduction(spec, old) : []), ...checkSingle(spec), ...inferFamilies(spec, configured)])
  const wantsTwo = spec.ipFamilyPolicy !== 'SingleStack'
  // Only the two are left: any other was refused.
  const wanted = (): readonly IpFamily[] => items(spec.ipFamilies) as readonly IpFamily[]
  const addOther = (): void => {
    const [first, second] = wanted()
    if (wantsTwo && first && !second) spec.ipFamilies = [first, otherFamily(first)]
  }
  const fillFirst = (): void => {
    if (wanted().length === 0) spec.ipFamilies = [ranges[0].family]
  }
  // Nobody knows which families its endpoints will have: both, on any cluster.
  if (isHeadlessWithoutSelector(spec)) {
    fillFirst()
    addOther()
    return
  }
  const isDemanding = spec.ipFamilyPolicy === 'RequireDualStack' && configured.size < 2
  refuseIf([
    ...(isDemanding
      ? [
          invalidValue(
            'spec.ipFamilyPolicy',
            'RequireDualStack',
            'this cluster is not configured for dual-stack services',
          ),
        ]
      : []),
    ...wanted().flatMap((family, index) =>
      configured.has(family)
        ? []
        : [invalidValue(`spec.ipFamilies[${index}]`, family, 'not configured on this cluster')],
    ),
  ])
  fillFirst()
  if (configured.size === 2) addOther()
}
