// What is there without any Service: the hooks, the maps that Services add themselves to, and what happens to marked
// packets. Pure.
import type { Chain, Element, Hook, NamedSet, RulesetParts } from '@shiplog/node/packet-filter/ruleset'
import {
  addressType,
  back,
  daddr,
  dport,
  type Family,
  familyOf,
  flipMark,
  hasNoMark,
  inSet,
  isNew,
  jump,
  l4proto,
  masquerade,
  reject,
  type Rule,
  setMark,
  verdictOf,
} from '@shiplog/node/packet-filter/statements'

export const kubeProxyTable = 'kube-proxy'

/** Upstream's bit of the packet mark. */
const masqueradeBit = 0x4000

export const mapName = {
  serviceIps: 'service-ips',
  serviceNodePorts: 'service-nodeports',
  noEndpointServices: 'no-endpoint-services',
  noEndpointNodePorts: 'no-endpoint-nodeports',
  firewallIps: 'firewall-ips',
  clusterIps: 'cluster-ips',
  nodePortIps: 'nodeport-ips',
} as const

export const chainName = {
  services: 'services',
  markForMasquerade: 'mark-for-masquerade',
  masquerading: 'masquerading',
  reject: 'reject-chain',
  serviceEndpointsCheck: 'service-endpoints-check',
  nodePortEndpointsCheck: 'nodeport-endpoints-check',
  clusterIpsCheck: 'cluster-ips-check',
  firewallCheck: 'firewall-check',
} as const

/** Just before addresses are changed, and just after. */
const beforeNat = -110
const afterNat = -90
const destinationNat = -100
const sourceNat = 100

const hooks: readonly (readonly [name: string, hook: Hook, chains: readonly string[], onlyNew: boolean])[] = [
  ['nat-prerouting', { type: 'nat', hook: 'prerouting', prio: destinationNat }, [chainName.services], false],
  ['nat-output', { type: 'nat', hook: 'output', prio: destinationNat }, [chainName.services], false],
  ['nat-postrouting', { type: 'nat', hook: 'postrouting', prio: sourceNat }, [chainName.masquerading], false],
  ['filter-prerouting-pre-dnat', { type: 'filter', hook: 'prerouting', prio: beforeNat }, [chainName.firewallCheck], true],
  ['filter-output-pre-dnat', { type: 'filter', hook: 'output', prio: beforeNat }, [chainName.firewallCheck], true],
  [
    'filter-input',
    { type: 'filter', hook: 'input', prio: beforeNat },
    [chainName.nodePortEndpointsCheck, chainName.serviceEndpointsCheck],
    true,
  ],
  [
    'filter-forward',
    { type: 'filter', hook: 'forward', prio: beforeNat },
    [chainName.serviceEndpointsCheck, chainName.clusterIpsCheck],
    true,
  ],
  [
    'filter-output-post-dnat',
    { type: 'filter', hook: 'output', prio: afterNat },
    [chainName.serviceEndpointsCheck, chainName.clusterIpsCheck, chainName.nodePortEndpointsCheck],
    true,
  ],
]

export function baseRules(nodeAddresses: readonly string[]): RulesetParts {
  const families: readonly Family[] = ['ip', 'ip6']
  return {
    chains: families.flatMap(chainsOf),
    sets: families.flatMap(setsOf),
    elements: nodeAddresses.map((address): Element => ({
      ...{ family: familyOf(address), table: kubeProxyTable, set: mapName.nodePortIps },
      key: address,
    })),
  }
}

function chainsOf(family: Family): Chain[] {
  const at = { family, table: kubeProxyTable }
  const addressed = [daddr(family), l4proto, dport]
  const ofNode = inSet(daddr(family), mapName.nodePortIps)
  const plain: Readonly<Record<string, readonly Rule[]>> = {
    [chainName.services]: [
      [verdictOf(addressed, mapName.serviceIps)],
      [ofNode, verdictOf([l4proto, dport], mapName.serviceNodePorts)],
    ],
    [chainName.markForMasquerade]: [[setMark(masqueradeBit)]],
    [chainName.masquerading]: [[hasNoMark(masqueradeBit), back], [flipMark(masqueradeBit)], [masquerade]],
    [chainName.reject]: [[reject(family)]],
    [chainName.serviceEndpointsCheck]: [[verdictOf(addressed, mapName.noEndpointServices)]],
    [chainName.nodePortEndpointsCheck]: [[ofNode, verdictOf([l4proto, dport], mapName.noEndpointNodePorts)]],
    [chainName.clusterIpsCheck]: [[inSet(daddr(family), mapName.clusterIps), reject(family)]],
    [chainName.firewallCheck]: [[verdictOf(addressed, mapName.firewallIps)]],
  }
  return [
    ...Object.entries(plain).map(([name, rules]): Chain => ({ ...at, name, rules })),
    ...hooks.map(([name, hook, chains, onlyNew]): Chain => ({
      ...{ ...at, name, hook },
      rules: chains.map((chain) => (onlyNew ? [isNew, jump(chain)] : [jump(chain)])),
    })),
  ]
}

function setsOf(family: Family): NamedSet[] {
  const address = addressType[family]
  const at = { family, table: kubeProxyTable }
  const addressed = [address, 'inet_proto', 'inet_service']
  return [
    ...[mapName.serviceIps, mapName.noEndpointServices, mapName.firewallIps].map(
      (name): NamedSet => ({ ...at, name, type: addressed, isMap: true }),
    ),
    ...[mapName.serviceNodePorts, mapName.noEndpointNodePorts].map(
      (name): NamedSet => ({ ...at, name, type: ['inet_proto', 'inet_service'], isMap: true }),
    ),
    ...[mapName.clusterIps, mapName.nodePortIps].map((name): NamedSet => ({ ...at, name, type: address, isMap: false })),
  ]
}
