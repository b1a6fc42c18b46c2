// How a pod is called by itself and what names it knows: host name, resolver, hosts file. Pure.
import type { Pod } from '@shiplog/api/generated/types/core-v1'

const hostnameBytesMax = 63
/** Upstream's bounds on what a resolver is told. */
const namesDots = 'ndots:5'

export interface NodeNames {
  /** `cluster.local` */
  readonly clusterDomain: string
  /** Address of the cluster's DNS; undefined when it has none. */
  readonly clusterDns: string | undefined
  /** Of the machine: text of its resolver's configuration and of its hosts file. */
  readonly resolvConf: string
  readonly hosts: string
}

export interface DnsConfig {
  readonly servers: readonly string[]
  readonly searches: readonly string[]
  readonly options: readonly string[]
}

/** The short host name and the domain behind it, which may be empty. */
export function hostnameAndDomain({ metadata, spec }: Pod, clusterDomain: string): readonly [string, string] {
  const name = (spec.hostname || metadata.name).slice(0, hostnameBytesMax).replace(/[-.]+$/, '')
  const domain = spec.subdomain ? `${spec.subdomain}.${metadata.namespace}.svc.${clusterDomain}` : ''
  return [name, domain]
}

/** What the sandbox is told: empty with the node's own network. */
export function sandboxHostname(pod: Pod, { clusterDomain }: NodeNames): string {
  if (pod.spec.hostNetwork) return ''
  const [name, domain] = hostnameAndDomain(pod, clusterDomain)
  return pod.spec.setHostnameAsFQDN && domain ? `${name}.${domain}` : name
}

export function parseResolvConf(text: string): DnsConfig {
  const lines = text.split('\n').map((line) => line.replace(/[#;].*$/, '').trim().split(/\s+/))
  const of = (word: string): string[][] => lines.filter(([first]) => first === word).map(([, ...rest]) => rest)
  return {
    servers: of('nameserver').flatMap(([server]) => server ?? []),
    searches: of('search').at(-1) ?? [],
    options: of('options').flat(),
  }
}

const unique = (values: readonly string[]): string[] => [...new Set(values)]

/** By the pod's policy, with what its own configuration adds. */
export function dnsConfigOf({ metadata, spec }: Pod, names: NodeNames): DnsConfig {
  const ofMachine = parseResolvConf(names.resolvConf)
  const policy = spec.dnsPolicy ?? 'ClusterFirst'
  const asksCluster =
    names.clusterDns !== undefined &&
    (policy === 'ClusterFirstWithHostNet' || (policy === 'ClusterFirst' && spec.hostNetwork !== true))
  const { clusterDomain: domain } = names
  const base: DnsConfig =
    policy === 'None'
      ? { servers: [], searches: [], options: [] }
      : asksCluster
        ? {
            servers: [names.clusterDns!],
            searches: unique([`${metadata.namespace}.svc.${domain}`, `svc.${domain}`, domain, ...ofMachine.searches]),
            options: [namesDots],
          }
        : ofMachine
  const own = spec.dnsConfig
  if (own === undefined) return base
  return {
    servers: unique([...base.servers, ...(own.nameservers ?? [])]),
    searches: unique([...base.searches, ...(own.searches ?? [])]),
    options: mergeOptions(base.options, (own.options ?? []).map(({ name, value }) => (value ? `${name}:${value}` : (name ?? '')))),
  }
}

/** The pod's own value of an option wins. */
function mergeOptions(base: readonly string[], own: readonly string[]): string[] {
  const nameOf = (option: string): string => option.split(':')[0]!
  const names = new Set(own.map(nameOf))
  return [...base.filter((option) => !names.has(nameOf(option))), ...own]
}

/** The text of /etc/hosts, line for line as upstream writes it. */
export function hostsFile(pod: Pod, podIPs: readonly string[], names: NodeNames): string {
  const aliases = (pod.spec.hostAliases ?? []).map(({ ip, hostnames = [] }) => `${ip}\t${hostnames.join('\t')}`)
  const added = aliases.length === 0 ? [] : ['', '# Entries added by HostAliases.', ...aliases]
  if (pod.spec.hostNetwork) {
    return [`# Kubernetes-managed hosts file (host network).\n${names.hosts.replace(/\n$/, '')}`, ...added, ''].join('\n')
  }
  const [host, domain] = hostnameAndDomain(pod, names.clusterDomain)
  const own = podIPs.map((ip) => (domain ? `${ip}\t${host}.${domain}\t${host}` : `${ip}\t${host}`))
  return [
    '# Kubernetes-managed hosts file.',
    '127.0.0.1\tlocalhost',
    '::1\tlocalhost ip6-localhost ip6-loopback',
    'fe00::0\tip6-localnet',
    'fe00::0\tip6-mcastprefix',
    'fe00::1\tip6-allnodes',
    'fe00::2\tip6-allrouters',
    ...own,
    ...added,
    '',
  ].join('\n')
}
