// The cluster's DNS on nodes of containers: processes that serve in the network between the nodes, under a user that may read
// names alone, and go on while nothing else does. Here they are watched, and what clients need to find them is made: the
// objects that every installation of a cluster's DNS has, so that another one can take its place.
import { get } from 'node:http'
import { fileURLToPath } from 'node:url'
import { formatIp, type IpRange } from '@shiplog/api/ip-address'
import type { NetworkProgram } from '@shiplog/node/containerd/containerd-nodes'
import type { Dial } from '@shiplog/node/containerd/door'
import { apiPort, doorAddress, programAddress } from '@shiplog/node/containerd/network'
import type { Clock } from '@shiplog/runtime/clock'
import type { Service } from '@shiplog/runtime/service'
import { type ObjectToEnsure, readerObjects } from './ensure-objects.ts'

export const clusterDomain = 'cluster.local'
/** As upstream's installers call its account, so that a DNS of theirs finds its rights. */
export const dnsUser = 'system:serviceaccount:kube-system:coredns'
export const dnsCertificate = 'dns'

const healthPort = 8_181
const lookMs = 2_000
const answerTimeoutMs = 2_000
const readyTimeoutMs = 60_000
const startPollMs = 100
const tenth = 10n

/** The tenth address of the range of Services. */
export const dnsAddress = ({ family, network }: IpRange): string => formatIp({ family, value: network + tenth })

export const dnsPrograms = (options: {
  readonly replicas: number
  readonly pkiDirectory: string
  /** Who answers for names outside the cluster. */
  readonly servers: readonly string[]
}): NetworkProgram[] =>
  Array.from({ length: options.replicas }, (_, index) => ({
    name: `dns-${index}`,
    program: [process.execPath, '--max-semi-space-size=16', fileURLToPath(import.meta.resolve('@shiplog/dns/main'))],
    env: {
      SHIPLOG_API_SERVERS: `https://${doorAddress}:${apiPort}`,
      SHIPLOG_API_CA: `${options.pkiDirectory}/ca.crt`,
      SHIPLOG_API_CERT: `${options.pkiDirectory}/${dnsCertificate}.crt`,
      SHIPLOG_API_KEY: `${options.pkiDirectory}/${dnsCertificate}.key`,
      SHIPLOG_CLUSTER_DOMAIN: clusterDomain,
      SHIPLOG_DNS_SERVERS: options.servers.join(),
      SHIPLOG_HEALTH_PORT: String(healthPort),
      SHIPLOG_LOG_LEVEL: 'warn',
    },
  }))

/** A replica as a part of the control plane: started when it answers. */
export interface DnsReplica extends Service {
  readonly address: string
  /** It has not been looked at yet, so that nothing is known of it. */
  readonly isUnknown: boolean
}

export function dnsReplica(index: number, { dial, clock }: { readonly dial: Dial; readonly clock: Clock }): DnsReplica {
  const address = programAddress(index)
  let isReady = false
  let isUnknown = true
  let timer: Disposable | undefined
  const look = async (): Promise<void> => {
    isReady = await answersReady(dial, address)
    if (isReady) isUnknown = false
  }
  return {
    name: index === 0 ? 'kube-dns' : `kube-dns-${index}`,
    address,
    get isUnknown() {
      return isUnknown
    },
    async start() {
      const deadlineMs = clock.nowMs() + readyTimeoutMs
      for (await look(); !isReady && clock.nowMs() < deadlineMs; await look()) await clock.sleep(startPollMs)
      isUnknown = false
      timer = clock.every(lookMs, () => void look())
    },
    async stop() {
      timer?.[Symbol.dispose]()
    },
    health: () => [isReady ? { name: 'dns', ok: true } : { name: 'dns', ok: false, reason: 'the DNS does not answer, or has not read the Services yet' }],
  }
}

async function answersReady(dial: Dial, address: string): Promise<boolean> {
  try {
    const socket = await dial(address, healthPort)
    return await new Promise<boolean>((resolve) => {
      const asked = get({ createConnection: () => socket, host: address, path: '/readyz', timeout: answerTimeoutMs }, (answer) => {
        answer.resume()
        resolve(answer.statusCode === 200)
        socket.destroy()
      })
      asked.on('timeout', () => asked.destroy())
      asked.on('error', () => resolve(false))
    })
  } catch {
    return false
  }
}

const labels = { 'k8s-app': 'kube-dns' }
export const dnsPodLabels: Readonly<Record<string, string>> = labels

/** What clients need to find the DNS, and what it may read. */
export const dnsObjects = (clusterIP: string): readonly ObjectToEnsure[] => [
  ...readerObjects('coredns', 'system:coredns', [
    { group: '', resources: ['services', 'namespaces'] },
    { group: 'discovery.k8s.io', resources: ['endpointslices'] },
  ]),
  [
    '',
    'services',
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: {
        ...{ name: 'kube-dns', namespace: 'kube-system' },
        labels: { ...labels, 'kubernetes.io/cluster-service': 'true', 'kubernetes.io/name': 'CoreDNS' },
      },
      spec: {
        clusterIP,
        selector: labels,
        ports: [
          { name: 'dns', port: 53, protocol: 'UDP', targetPort: 53 },
          { name: 'dns-tcp', port: 53, protocol: 'TCP', targetPort: 53 },
          { name: 'metrics', port: 9_153, protocol: 'TCP', targetPort: healthPort },
        ],
      },
    },
  ],
]
