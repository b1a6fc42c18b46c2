// The network of the nodes of one cluster on one machine: a bridge in a namespace of its own, a cable to each node, and
// routes from each node to the pods of the others. Every step may be done again.
import { inNamespace } from './holder.ts'

/** Addresses between the nodes: the door has the first, node i the one ten after. */
export const doorAddress = '172.30.0.1'
export const apiPort = 6443
export const nodeAddress = (index: number): string => `172.30.${Math.floor((index + 10) / 256)}.${(index + 10) % 256}`
/** Programs that serve the nodes have addresses of their own, before those of the nodes. */
export const programAddress = (index: number): string => `172.30.0.${2 + index}`
export const programsMax = 8
const prefixBits = 16
const bridge = 'nodes0'
/** What leads from a node to the others. */
export const nodeDevice = 'eth0'

export interface NetworkedNode {
  readonly index: number
  readonly holderPid: number
  readonly podCIDRs: readonly string[]
}

/** For the holder of the network itself. */
export const prepareBridge: readonly string[] = [
  'mount --make-rprivate /',
  'mount -t tmpfs -o mode=0755 tmpfs /run',
  'ip link set lo up',
  'echo 1 > /proc/sys/net/ipv4/ip_forward',
  `ip link add ${bridge} type bridge`,
  `ip addr add ${doorAddress}/${prefixBits} dev ${bridge}`,
  `ip link set ${bridge} up`,
]

const isIpv4 = (cidr: string): boolean => !cidr.includes(':')

/** A cable from the door to a namespace: `port` at the door, eth0 with the address at the other end. */
async function plugIn(
  doorPid: number,
  { port, holderPid, address, more = [] }: { readonly port: string; readonly holderPid: number; readonly address: string; readonly more?: readonly string[] },
): Promise<void> {
  await inNamespace(
    doorPid,
    'net',
    [
      `ip link show ${port} >/dev/null 2>&1 || ip link add ${port} type veth peer name eth0 netns ${holderPid}`,
      `ip link set ${port} master ${bridge} up`,
    ].join('\n'),
  )
  await inNamespace(
    holderPid,
    'net',
    [
      'ip link set lo up',
      `ip addr replace ${address}/${prefixBits} dev eth0`,
      'ip link set eth0 up',
      `ip route replace default via ${doorAddress}`,
      ...more,
    ].join('\n'),
  )
}

/** Connects a node, and tells everybody the way to its pods. */
export async function connectNode(doorPid: number, node: NetworkedNode, others: readonly NetworkedNode[]): Promise<void> {
  const { index, holderPid, podCIDRs } = node
  const address = nodeAddress(index)
  const routeTo = (cidrs: readonly string[], via: string): string[] =>
    cidrs.filter(isIpv4).map((cidr) => `ip route replace ${cidr} via ${via}`)
  const more = [
    'echo 1 > /proc/sys/net/ipv4/ip_forward',
    // Else the answer of a pod to another pod of its node does not pass by the rules that changed the question.
    // For policies it holds as well, and for both families.
    'for rules in iptables ip6tables; do f=/proc/sys/net/bridge/bridge-nf-call-$rules; if [ -e $f ]; then echo 1 > $f; fi; done',
    ...others.flatMap((other) => routeTo(other.podCIDRs, nodeAddress(other.index))),
  ]
  await plugIn(doorPid, { port: `n${index}`, holderPid, address, more })
  await inNamespace(doorPid, 'net', routeTo(podCIDRs, address).join('\n'))
}

/** Connects the namespace of a program that serves the nodes: it knows the way to all pods by way of the door. */
export const connectProgram = (
  doorPid: number,
  { index, holderPid }: { readonly index: number; readonly holderPid: number },
): Promise<void> => plugIn(doorPid, { port: `p${index}`, holderPid, address: programAddress(index) })
