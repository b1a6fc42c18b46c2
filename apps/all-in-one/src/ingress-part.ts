// The ingress of the cluster: a process of its own on this machine's ports, under a user that may read what Ingresses refer to.
// It reaches pods through the door of nodes of containers, or as this machine does.
import { spawn } from 'node:child_process'
import { get } from 'node:http'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import type { Clock } from '@shiplog/runtime/clock'
import { type KeptProcess, keepProcess, type Lives } from '@shiplog/runtime/kept-process'
import { machineAddress } from '@shiplog/runtime/machine-address'
import type { Service } from '@shiplog/runtime/service'
import type { ObjectToEnsure } from './ensure-objects.ts'

export interface IngressPorts {
  /** 0.0.0.0 and :: are all addresses of the machine. */
  readonly host: string
  readonly httpPort: number
  readonly httpsPort: number
}

export interface IngressPart extends Service {
  lives(): Lives
}

export const ingressUser = 'system:serviceaccount:kube-system:ingress-controller'
export const ingressCertificate = 'ingress'
export const ingressClassName = 'shiplog'

const account = { name: 'ingress-controller', namespace: 'kube-system' }
const roleName = 'system:ingress-controller'
const lookMs = 2_000
const startPollMs = 100
const readyTimeoutMs = 60_000
const answerTimeoutMs = 2_000
const stopMs = 4_500

const isWildcard = (host: string): boolean => host === '0.0.0.0' || host === '::'

/** Rejects with one line for people when a port cannot be had. */
export async function createIngressPart(options: {
  readonly ports: IngressPorts
  readonly doorSocket: string | undefined
  readonly apiUrl: string
  readonly pkiDirectory: string
  readonly clock: Clock
  readonly progress: (line: string) => void
}): Promise<IngressPart> {
  const { ports, clock, pkiDirectory, progress } = options
  for (const port of [ports.httpPort, ports.httpsPort]) await tryPort(ports.host, port)
  const healthPort = await tryPort('127.0.0.1', 0)
  const env = {
    PATH: process.env['PATH'] ?? '',
    SHIPLOG_API_SERVERS: options.apiUrl,
    SHIPLOG_API_CA: `${pkiDirectory}/ca.crt`,
    SHIPLOG_API_CERT: `${pkiDirectory}/${ingressCertificate}.crt`,
    SHIPLOG_API_KEY: `${pkiDirectory}/${ingressCertificate}.key`,
    SHIPLOG_INGRESS_HOST: ports.host,
    SHIPLOG_INGRESS_HTTP_PORT: String(ports.httpPort),
    SHIPLOG_INGRESS_HTTPS_PORT: String(ports.httpsPort),
    SHIPLOG_INGRESS_ADDRESSES: isWildcard(ports.host) ? machineAddress() : ports.host,
    SHIPLOG_INGRESS_ACCESS_LOG: 'off',
    ...(options.doorSocket === undefined ? {} : { SHIPLOG_INGRESS_DOOR: options.doorSocket }),
    SHIPLOG_HEALTH_HOST: '127.0.0.1',
    SHIPLOG_HEALTH_PORT: String(healthPort),
    SHIPLOG_LOG_LEVEL: 'warn',
  }
  const program = fileURLToPath(import.meta.resolve('@shiplog/ingress/main'))
  let kept: KeptProcess | undefined
  let timer: Disposable | undefined
  let isReady = false
  const look = async (): Promise<void> => void (isReady = await answersReady(healthPort))
  return {
    name: 'ingress-controller',
    lives: () => kept?.lives() ?? { running: false, restarts: 0, startedAtMs: clock.nowMs(), waitMs: 0 },
    async start() {
      kept = keepProcess({
        clock,
        endsWithUs: true,
        start: () => spawn(process.execPath, [program], { env, stdio: ['ignore', 'ignore', 'inherit'] }),
        onEnd: (how, waitMs) => progress(`the ingress ended (${how}); it is started again in ${waitMs} ms`),
      })
      const deadlineMs = clock.nowMs() + readyTimeoutMs
      for (await look(); !isReady && clock.nowMs() < deadlineMs; await look()) await clock.sleep(startPollMs)
      timer = clock.every(lookMs, () => void look())
      if (isReady) progress(`ingress: http://${ports.host}:${ports.httpPort}, https://${ports.host}:${ports.httpsPort}; metrics: http://127.0.0.1:${healthPort}/metrics`)
    },
    async stop() {
      timer?.[Symbol.dispose]()
      await kept?.stop(stopMs)
    },
    health: () => [isReady ? { name: 'ingress', ok: true } : { name: 'ingress', ok: false, reason: 'the ingress does not answer, or has not read the Ingresses yet' }],
  }
}

/** Resolves with the port when it can be listened on. */
const tryPort = (host: string, port: number): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const why = cause.code === 'EADDRINUSE' ? 'is taken' : cause.code === 'EACCES' ? 'needs root' : `cannot be had (${cause.code})`
      reject(new Error(`ingress: port ${port} of ${host} ${why}; --ingress-http-port and --ingress-https-port choose others`, { cause }))
    })
    server.listen(port, host, () => {
      const { port: got } = server.address() as AddressInfo
      server.close(() => resolve(got))
    })
  })

const answersReady = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const asked = get({ host: '127.0.0.1', port, path: '/readyz', timeout: answerTimeoutMs, agent: false }, (answer) => {
      answer.resume()
      resolve(answer.statusCode === 200)
    })
    asked.on('timeout', () => asked.destroy())
    asked.on('error', () => resolve(false))
  })

const rbac = 'rbac.authorization.k8s.io'
export const ingressObjects: readonly ObjectToEnsure[] = [
  ['', 'serviceaccounts', { apiVersion: 'v1', kind: 'ServiceAccount', metadata: account }],
  [
    rbac,
    'clusterroles',
    {
      apiVersion: `${rbac}/v1`,
      kind: 'ClusterRole',
      metadata: { name: roleName },
      rules: [
        // Certificates are Secrets, wherever an Ingress is: as ingress-nginx has it.
        { apiGroups: [''], resources: ['services', 'secrets'], verbs: ['list', 'watch'] },
        { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: ['list', 'watch'] },
        { apiGroups: ['networking.k8s.io'], resources: ['ingresses', 'ingressclasses'], verbs: ['list', 'watch'] },
        { apiGroups: ['networking.k8s.io'], resources: ['ingresses/status'], verbs: ['patch'] },
        { apiGroups: [''], resources: ['events'], verbs: ['create', 'patch'] },
      ],
    },
  ],
  [
    rbac,
    'clusterrolebindings',
    {
      apiVersion: `${rbac}/v1`,
      kind: 'ClusterRoleBinding',
      metadata: { name: roleName },
      roleRef: { apiGroup: rbac, kind: 'ClusterRole', name: roleName },
      subjects: [{ kind: 'ServiceAccount', ...account }],
    },
  ],
  [
    'networking.k8s.io',
    'ingressclasses',
    {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'IngressClass',
      metadata: { name: ingressClassName, annotations: { 'ingressclass.kubernetes.io/is-default-class': 'true' } },
      spec: { controller: 'shiplog.dev/ingress' },
    },
  ],
]
