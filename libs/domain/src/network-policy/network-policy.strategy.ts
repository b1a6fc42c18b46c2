// NetworkPolicies: who may talk to a pod, and to whom it may talk.
import { forbiddenField, invalidValue, notSupported, required } from '@shiplog/api/field-errors'
import type {
  IPBlock,
  NetworkPolicy,
  NetworkPolicyPeer,
  NetworkPolicyPort,
} from '@shiplog/api/generated/types/networking-v1'
import { validateLabelSelector } from '@shiplog/api/selectors'
import type { StatusCause } from '@shiplog/api/status'
import type { Decoded, Draft } from '@shiplog/api/decoded'
import { fill, items, section } from '../fields.ts'
import { portNumber } from '../names.ts'
import { validatePortNumberOrName } from '../pod/probe-validation.ts'
import { cidrWarnings, isStrictlyInside, parseCidr, validateLegacyCidr } from '../ip-addresses.ts'
import type { Strategy } from '../strategy.ts'

const policyTypes = ['Ingress', 'Egress']
const protocols = ['TCP', 'UDP', 'SCTP']

const setDefaults = (draft: Draft<NetworkPolicy>): void => {
  const spec = section(draft, 'spec')
  section(spec, 'podSelector')
  for (const rule of [...items(spec.ingress), ...items(spec.egress)])
    for (const port of items(rule.ports)) fill(port, 'protocol', 'TCP')
  if (items(spec.policyTypes).length === 0)
    spec.policyTypes = items(spec.egress).length > 0 ? ['Ingress', 'Egress'] : ['Ingress']
}

const validatePorts = (ports: Decoded<NetworkPolicyPort[]> | undefined, field: string): StatusCause[] =>
  items(ports).flatMap((port, index) => {
    const at = `${field}[${index}]`
    const causes: StatusCause[] = []
    if (typeof port.protocol === 'string' && !protocols.includes(port.protocol))
      causes.push(notSupported(`${at}.protocol`, port.protocol, protocols))
    if (port.port !== undefined) causes.push(...validatePortNumberOrName(port.port, `${at}.port`))
    const end = port.endPort
    if (typeof end !== 'number') return causes
    if (typeof port.port === 'string')
      causes.push(invalidValue(`${at}.endPort`, end, 'may not be specified when `port` is non-numeric'))
    else if (port.port === undefined)
      causes.push(invalidValue(`${at}.endPort`, end, 'may not be specified when `port` is not specified'))
    else {
      // Upstream shows the first port, not the last.
      if (end < port.port)
        causes.push(invalidValue(`${at}.endPort`, port.port, 'must be greater than or equal to `port`'))
      for (const sentence of portNumber(end)) causes.push(invalidValue(`${at}.endPort`, end, sentence))
    }
    return causes
  })

const validatePeers = (peers: Decoded<NetworkPolicyPeer[]> | undefined, field: string): StatusCause[] =>
  items(peers).flatMap((peer, index) => {
    const at = `${field}[${index}]`
    const { podSelector, namespaceSelector, ipBlock } = peer
    return [
      ...validateLabelSelector(podSelector, `${at}.podSelector`),
      ...validateLabelSelector(namespaceSelector, `${at}.namespaceSelector`),
      ...(ipBlock ? validateBlock(ipBlock, `${at}.ipBlock`) : []),
      ...(ipBlock && (podSelector || namespaceSelector)
        ? [forbiddenField(at, 'may not specify both ipBlock and another peer')]
        : []),
      ...(ipBlock || podSelector || namespaceSelector ? [] : [required(at, 'must specify a peer')]),
    ]
  })

const validateBlock = (block: Decoded<IPBlock>, field: string): StatusCause[] => {
  const cidr = block.cidr ?? ''
  if (cidr === '') return [required(`${field}.cidr`)]
  const outer = parseCidr(cidr)
  const causes = validateLegacyCidr(cidr, `${field}.cidr`)
  if (!outer) return causes
  items(block.except).forEach((range, index) => {
    const at = `${field}.except[${index}]`
    const inner = parseCidr(range)
    causes.push(...validateLegacyCidr(range, at))
    if (inner && !isStrictlyInside(inner, outer))
      causes.push(invalidValue(at, range, 'must be a strict subset of `cidr`'))
  })
  return causes
}

const validate = (policy: Draft<NetworkPolicy>): StatusCause[] => {
  const spec = policy.spec ?? {}
  return [
    ...validateLabelSelector(spec.podSelector, 'spec.podSelector'),
    ...items(spec.ingress).flatMap((rule, index) => [
      ...validatePorts(rule.ports, `spec.ingress[${index}].ports`),
      ...validatePeers(rule.from, `spec.ingress[${index}].from`),
    ]),
    ...items(spec.egress).flatMap((rule, index) => [
      ...validatePorts(rule.ports, `spec.egress[${index}].ports`),
      ...validatePeers(rule.to, `spec.egress[${index}].to`),
    ]),
    ...(items(spec.policyTypes).length > policyTypes.length
      ? [invalidValue('spec.policyTypes', spec.policyTypes, 'may not specify more than two policyTypes')]
      : []),
    ...(items(spec.policyTypes).length > policyTypes.length ? [] : items(spec.policyTypes)).flatMap((type, index) =>
      policyTypes.includes(type) ? [] : [notSupported(`spec.policyTypes[${index}]`, type, policyTypes)],
    ),
  ]
}

const peerWarnings = (peers: Decoded<NetworkPolicyPeer[]> | undefined, field: string): string[] =>
  items(peers).flatMap(({ ipBlock }, index) => {
    const at = `${field}[${index}].ipBlock`
    if (!ipBlock) return []
    return [
      ...cidrWarnings(ipBlock.cidr, `${at}.cidr`),
      ...items(ipBlock.except).flatMap((range, place) => cidrWarnings(range, `${at}.except[${place}]`)),
    ]
  })

const warnings = ({ spec }: Draft<NetworkPolicy>): string[] => [
  ...items(spec?.ingress).flatMap((rule, index) => peerWarnings(rule.from, `spec.ingress[${index}].from`)),
  ...items(spec?.egress).flatMap((rule, index) => peerWarnings(rule.to, `spec.egress[${index}].to`)),
]

export const networkPolicyStrategy: Strategy<NetworkPolicy> = {
  hasGeneration: true,
  setDefaults,
  validatesAll: true,
  validate,
  warnings,
}
