// API servers of others, as APIServices name them: which version of which group goes to which Service, and how it is reached.
import { type IncomingMessage, request as httpRequest } from 'node:http'
import type { Duplex } from 'node:stream'
import { connect as connectTls } from 'node:tls'
import type { APIService } from '@shiplog/api/generated/types/apiregistration-v1'
import type { AdmissionView } from '@shiplog/domain/admission'
import type { Clock } from '@shiplog/runtime/clock'
import type { Streams } from '../store/streams.ts'
import { goError } from '../webhooks/go-errors.ts'
import type { ServiceDialer, ServiceTarget } from '../webhooks/service-dialer.ts'

export const apiServices = 'apiservices.apiregistration.k8s.io'

/** An answer longer than this is not read. */
const answerBytesMax = 4 * 1024 * 1024

/** A version of a group that somebody else serves. */
export interface AggregatedService {
  /** `v1beta1.metrics.k8s.io`. */
  readonly name: string
  readonly group: string
  readonly version: string
  readonly target: ServiceTarget
  /** PEM; undefined for the authorities that the machine trusts. */
  readonly ca: string | undefined
  readonly isInsecure: boolean
  readonly groupPriority: number
  readonly versionPriority: number
  /** As its condition says. */
  readonly isAvailable: boolean
}

/** By which this gateway proves that it speaks for users. PEM. */
export interface FrontProxy {
  readonly ca: string
  readonly certificate: string
  readonly key: string
}

export interface ServiceAnswer {
  readonly code: number
  readonly body: Buffer
}

export interface AggregatedServices {
  /** By group, then by version, the first before others. */
  readonly all: readonly AggregatedService[]
  /** Who serves a path: `/apis/<group>/<version>/…`, and its OpenAPI document. */
  find(path: string): AggregatedService | undefined
  /** A connection over TLS. Rejects with what went wrong, in Go's words. */
  connect(service: AggregatedService, signal: AbortSignal, verifies?: boolean): Promise<Duplex>
  /** Rejects when there is no whole answer in time. */
  get(service: AggregatedService, path: string, options: GetOptions): Promise<ServiceAnswer>
}

export interface GetOptions {
  readonly headers: Readonly<Record<string, string | readonly string[]>>
  readonly timeoutMs: number
  readonly signal: AbortSignal
  /** Whether the server must be who it says; false for a check whose answer nobody uses. */
  readonly verifies: boolean
}

export interface AggregatedServicesDeps {
  readonly view: AdmissionView
  readonly streams: Streams
  readonly dialer: ServiceDialer
  readonly clock: Clock
  readonly frontProxy: FrontProxy | undefined
}

/** Groups that are nobody else's: without them no APIService could be mended. */
const ownGroups: ReadonlySet<string> = new Set(['', 'apiregistration.k8s.io'])

export function createAggregatedServices({ view, streams, dialer, clock, frontProxy }: AggregatedServicesDeps): AggregatedServices {
  let known: readonly AggregatedService[] | undefined
  const byVersion = new Map<string, AggregatedService>()
  streams.of(apiServices).projection.table(apiServices).listeners.add(() => (known = undefined))

  const all = (): readonly AggregatedService[] => {
    if (known) return known
    const objects = view.list(apiServices) as unknown as readonly APIService[]
    known = objects.flatMap((object) => aggregatedOf(object) ?? []).sort(byPriority)
    byVersion.clear()
    for (const service of known) byVersion.set(`${service.group}/${service.version}`, service)
    return known
  }

  async function connect(service: AggregatedService, signal: AbortSignal, verifies = true): Promise<Duplex> {
    const socket = await dialer.dial(service.target, signal)
    const { name, namespace } = service.target
    const host = `${name}.${namespace}.svc`
    return await new Promise((resolve, reject) => {
      const tls = connectTls({
        ...{ socket, servername: host, ALPNProtocols: ['http/1.1'] },
        rejectUnauthorized: verifies && !service.isInsecure,
        ...(service.ca ? { ca: service.ca } : {}),
        ...(frontProxy ? { cert: frontProxy.certificate, key: frontProxy.key } : {}),
      })
      const give = (): void => {
        signal.removeEventListener('abort', stop)
        resolve(tls)
      }
      const stop = (): void => void tls.destroy(new Error('context canceled'))
      signal.addEventListener('abort', stop, { once: true })
      tls.once('secureConnect', give)
      tls.once('error', (error) => reject(new Error(goError(error, host))))
      tls.once('close', () => reject(new Error('EOF')))
      tls.on('error', () => undefined)
    })
  }

  return {
    get all() {
      return all()
    },
    find(path) {
      if (all().length === 0) return undefined
      const [, group, version] = /^(?:\/openapi\/v3)?\/apis\/([^/]+)\/([^/]+)(?:\/|$)/.exec(path) ?? []
      return group === undefined ? undefined : byVersion.get(`${group}/${version}`)
    },
    connect,
    async get(service, path, { headers, timeoutMs, signal, verifies }) {
      const late = new AbortController()
      using _ = clock.after(timeoutMs, () => late.abort())
      const given = AbortSignal.any([late.signal, signal])
      try {
        const connection = await connect(service, given, verifies)
        try {
          return await ask(connection, hostOf(service), path, headers, given)
        } finally {
          connection.destroy()
        }
      } catch (error) {
        if (late.signal.aborted) throw new Error('context deadline exceeded', { cause: error })
        throw error
      }
    },
  }
}

/** How the server is called by whoever asks it. */
export const hostOf = ({ target }: AggregatedService): string => `${target.name}.${target.namespace}.svc:${target.port}`

function aggregatedOf({ metadata, spec, status }: APIService): AggregatedService | undefined {
  const { group = '', version = '', service, caBundle, insecureSkipTLSVerify = false } = spec
  if (!service?.name || !service.namespace || ownGroups.has(group)) return undefined
  return {
    ...{ name: metadata.name, group, version, isInsecure: insecureSkipTLSVerify },
    target: { namespace: service.namespace, name: service.name, port: service.port ?? 443 },
    ca: caBundle ? Buffer.from(caBundle, 'base64').toString('utf8') : undefined,
    ...{ groupPriority: spec.groupPriorityMinimum, versionPriority: spec.versionPriority },
    isAvailable: status?.conditions?.some(({ type, status: is }) => type === 'Available' && is === 'True') ?? false,
  }
}

/** The group that stands higher first, then the version that does. */
const byPriority = (a: AggregatedService, b: AggregatedService): number =>
  b.groupPriority - a.groupPriority ||
  (a.group < b.group ? -1 : a.group > b.group ? 1 : b.versionPriority - a.versionPriority || (a.version < b.version ? -1 : 1))

function ask(
  connection: Duplex,
  host: string,
  path: string,
  headers: GetOptions['headers'],
  signal: AbortSignal,
): Promise<ServiceAnswer> {
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest({
      ...{ method: 'GET', path, setHost: false, signal, createConnection: () => connection },
      headers: { ...headers, host } as Record<string, string | string[]>,
    })
    outgoing.on('error', reject)
    outgoing.once('response', (response) => void readAll(response).then(resolve, reject))
    outgoing.end()
  })
}

async function readAll(response: IncomingMessage): Promise<ServiceAnswer> {
  const parts: Buffer[] = []
  let bytes = 0
  for await (const part of response) {
    bytes += (part as Buffer).length
    if (bytes > answerBytesMax) throw new Error(`the answer has more than ${answerBytesMax} bytes`)
    parts.push(part as Buffer)
  }
  return { code: response.statusCode ?? 0, body: Buffer.concat(parts) }
}
