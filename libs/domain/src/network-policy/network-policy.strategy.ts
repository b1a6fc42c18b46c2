// NetworkPolicies: who may talk to a pod, and to whom it may talk.
import { invalidValue, notSupported } from '@shiplog/api/field-errors'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import { validateLabelSelector } from '@shiplog/api/selectors'
import type { StatusCause } from '@shiplog/api/status'
import { fillText, items, section } from '../fields.ts'
import { validatePortNumberOrName } from '../pod/container-validation.ts'
import type { Strategy } from '../strategy.ts'

const policyTypes = ['Egress', 'Ingress']
const protocols = ['SCTP', 'TCP', 'UDP']

const setDefaults = (draft: JsonObject): void => {
  const spec = section(draft, 'spec')
  section(spec, 'podSelector')
  for (const rule of [...items(spec['ingress']), ...items(spec['egress'])])
    for (const port of items(rule.ports)) fillText(port, 'protocol', 'TCP')
  if (items(spec['policyTypes']).length === 0)
    spec['policyTypes'] = items(spec['egress']).length > 0 ? ['Ingress', 'Egress'] : ['Ingress']
}

const validatePorts = (ports: unknown, field: string): StatusCause[] =>
  items(ports).flatMap((port: JsonObject, index) => {
    const at = `${field}[${index}]`
    const causes: StatusCause[] = []
    if (port['protocol'] && !protocols.includes(port['protocol']))
      causes.push(notSupported(`${at}.protocol`, port['protocol'], protocols))
    if (port['port'] !== undefined) causes.push(...validatePortNumberOrName(port['port'], `${at}.port`))
    if (port['endPort'] !== undefined && typeof port['port'] === 'number' && port['endPort'] < port['port'])
      causes.push(invalidValue(`${at}.endPort`, port['endPort'], 'must be greater than or equal to `port`'))
    return causes
  })

const validatePeers = (peers: unknown, field: string): StatusCause[] =>
  items(peers).flatMap((peer: JsonObject, index) => [
    ...validateLabelSelector(peer['podSelector'], `${field}[${index}].podSelector`),
    ...validateLabelSelector(peer['namespaceSelector'], `${field}[${index}].namespaceSelector`),
  ])

const validate = (policy: KubeObject): StatusCause[] => {
  const spec: JsonObject = policy['spec'] ?? {}
  return [
    ...validateLabelSelector(spec['podSelector'], 'spec.podSelector'),
    ...items(spec['ingress']).flatMap((rule, index) => [
      ...validatePorts(rule.ports, `spec.ingress[${index}].ports`),
      ...validatePeers(rule.from, `spec.ingress[${index}].from`),
    ]),
    ...items(spec['egress']).flatMap((rule, index) => [
      ...validatePorts(rule.ports, `spec.egress[${index}].ports`),
      ...validatePeers(rule.to, `spec.egress[${index}].to`),
    ]),
    ...items(spec['policyTypes']).flatMap((type, index) =>
      policyTypes.includes(type) ? [] : [notSupported(`spec.policyTypes[${index}]`, type, policyTypes)],
    ),
  ]
}

export const networkPolicyStrategy: Strategy = { hasGeneration: true, setDefaults, validate }
