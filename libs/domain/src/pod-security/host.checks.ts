// What a pod shares with its node: namespaces, ports, kernel settings, and hosts that the kubelet would call for it.
import type { Decoded } from '@shiplog/api/decoded'
import type { LifecycleHandler, Probe } from '@shiplog/api/generated/types/core-v1'
import { items } from '../fields.ts'
import {
  type Check,
  type CheckedContainer,
  type CheckPod,
  containersText,
  distinct,
  namesOf,
  plural,
  quoteList,
} from './check.ts'

const checkHostNamespaces: CheckPod = ({ spec }) => {
  const shared = (['hostNetwork', 'hostPID', 'hostIPC'] as const).filter((field) => spec[field])
  return shared.length === 0
    ? undefined
    : { reason: 'host namespaces', detail: shared.map((field) => `${field}=true`).join(', ') }
}

export const hostNamespaces: Check = { id: 'hostNamespaces', versions: [[0, checkHostNamespaces]] }

const hostPortsOf = ({ ports }: CheckedContainer): string[] =>
  items(ports).flatMap(({ hostPort }) => (hostPort ? [String(hostPort)] : []))

const checkHostPorts: CheckPod = ({ containers }) => {
  const bad = containers.filter((container) => hostPortsOf(container).length > 0)
  if (bad.length === 0) return undefined
  const ports = distinct(bad.flatMap(hostPortsOf))
  const uses = plural('uses', bad.length, 'use')
  return {
    reason: 'hostPort',
    detail: `${containersText(namesOf(bad))} ${uses} ${plural('hostPort', ports.length)} ${ports.join(', ')}`,
  }
}

export const hostPorts: Check = { id: 'hostPorts', versions: [[0, checkHostPorts]] }

const hostsCalled = (handler: Decoded<Probe> | Decoded<LifecycleHandler> | undefined): string[] =>
  [handler?.httpGet?.host, handler?.tcpSocket?.host].flatMap((host) => (host ? [host] : []))

const hostsCalledFor = (container: CheckedContainer): string[] => [
  ...hostsCalled(container.livenessProbe),
  ...hostsCalled(container.readinessProbe),
  ...hostsCalled(container.startupProbe),
  ...hostsCalled(container.lifecycle?.postStart),
  ...hostsCalled(container.lifecycle?.preStop),
]

const checkHostProbes: CheckPod = ({ containers }) => {
  const bad = containers.filter((container) => hostsCalledFor(container).length > 0)
  if (bad.length === 0) return undefined
  const names = distinct(namesOf(bad))
  const hosts = distinct(bad.flatMap(hostsCalledFor))
  const what = plural('probe or lifecycle host', hosts.length)
  return {
    reason: 'probe or lifecycle host',
    detail: `${containersText(names)} ${plural('uses', names.length, 'use')} ${what} ${quoteList(hosts)}`,
  }
}

export const hostProbesAndHostLifecycle: Check = {
  id: 'hostProbesAndHostLifecycle',
  versions: [[34, checkHostProbes]],
}

/** The sysctls that are a pod's own, by the version from which they count as such. */
const safeSysctls: readonly (readonly [since: number, names: readonly string[]])[] = [
  [
    0,
    [
      'kernel.shm_rmid_forced',
      'net.ipv4.ip_local_port_range',
      'net.ipv4.tcp_syncookies',
      'net.ipv4.ping_group_range',
      'net.ipv4.ip_unprivileged_port_start',
    ],
  ],
  [27, ['net.ipv4.ip_local_reserved_ports']],
  [
    29,
    [
      'net.ipv4.tcp_keepalive_time',
      'net.ipv4.tcp_fin_timeout',
      'net.ipv4.tcp_keepalive_intvl',
      'net.ipv4.tcp_keepalive_probes',
    ],
  ],
  [32, ['net.ipv4.tcp_rmem', 'net.ipv4.tcp_wmem']],
]

const checkSysctls =
  (safe: ReadonlySet<string>): CheckPod =>
  ({ context }) => {
    const forbidden = items(context.sysctls).flatMap(({ name = '' }) => (safe.has(name) ? [] : [name]))
    return forbidden.length === 0 ? undefined : { reason: 'forbidden sysctls', detail: forbidden.join(', ') }
  }

export const sysctls: Check = {
  id: 'sysctls',
  versions: safeSysctls.map(([since], index) => [
    since,
    checkSysctls(new Set(safeSysctls.slice(0, index + 1).flatMap(([, names]) => names))),
  ]),
}
