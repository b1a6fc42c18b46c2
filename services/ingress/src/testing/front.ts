// An ingress in front of small servers on the loopback, for tests: objects go in, requests over real sockets come out.
import { createServer as createHttp, type RequestListener, type Server } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { KubeObject } from '@shiplog/api/kube-object'
import type { ObjectChange, ObjectFeed } from '@shiplog/feed/object-feed'
import { systemClock } from '@shiplog/runtime/clock'
import { systemIds } from '@shiplog/runtime/ids'
import { silentLogger } from '@shiplog/runtime/logger'
import { createMetricsRegistry, type MetricsRegistry } from '@shiplog/runtime/metrics'
import { createIngress, type IngressService } from '../ingress.ts'

const resources: Readonly<Record<string, string>> = {
  Ingress: 'ingresses.networking.k8s.io',
  IngressClass: 'ingressclasses.networking.k8s.io',
  Service: 'services',
  EndpointSlice: 'endpointslices.discovery.k8s.io',
  Secret: 'secrets',
}

export interface Front {
  readonly service: IngressService
  readonly metrics: MetricsRegistry
  /** What was sent to the API. */
  readonly requests: any[]
  /** Resolves when the ingress knows. */
  put(...objects: object[]): Promise<void>
}

const changeOf = (object: KubeObject, sequence: number): ObjectChange => {
  const { namespace = '', name } = object.metadata
  const groupResource = resources[object.kind]!
  const [resource = '', ...group] = groupResource.split('.')
  return { group: group.join('.'), resource, namespace, name, groupResource, sequence, timeMs: 0, type: 'Changed', deleted: false, object }
}

const ourClass = { kind: 'IngressClass', metadata: { name: 'shiplog' }, spec: { controller: 'shiplog.dev/ingress' } }

export async function startFront(...objects: object[]): Promise<Front> {
  const given: ObjectChange[] = []
  const followers = new Set<{ seen: number; wake: () => void }>()
  const push = (...objects: object[]): void => {
    given.push(...objects.map((object, index) => changeOf(object as KubeObject, given.length + index + 1)))
    for (const { wake } of followers) wake()
  }
  const feed: ObjectFeed = {
    async *follow(wanted, signal) {
      const own = { seen: 0, wake: (): void => undefined }
      followers.add(own)
      signal.addEventListener('abort', () => own.wake())
      while (!signal.aborted) {
        const changes = given.slice(own.seen).filter(({ groupResource }) => wanted.includes(groupResource))
        const sequence = given.length
        yield { changes, sequence, synced: true }
        own.seen = sequence
        if (given.length === sequence && !signal.aborted) await new Promise<void>((resolve) => void (own.wake = resolve))
      }
      followers.delete(own)
    },
  }
  const metrics = createMetricsRegistry()
  const requests: any[] = []
  const service = createIngress({
    ...{ feed, metrics, clock: systemClock, ids: systemIds, log: silentLogger, host: '127.0.0.1', httpPort: 0, httpsPort: 0 },
    client: {
      async request(request) {
        requests.push(request)
        return { ok: true, code: 200, object: {} as KubeObject, sequence: 1 }
      },
      recordAttempt: () => Promise.resolve(),
    },
    ...{ addresses: ['192.0.2.1'], accessLog: false, dial: dialLoopback },
  })
  push(ourClass, ...objects)
  await service.start()
  return {
    ...{ service, metrics, requests },
    async put(...objects) {
      push(...objects)
      while ([...followers].some(({ seen }) => seen < given.length)) await new Promise((resolve) => setImmediate(resolve))
    },
  }
}

const dialLoopback = (host: string, port: number): Promise<Duplex> =>
  new Promise((resolve, reject) => {
    const socket: Socket = connect(port, host, () => resolve(socket))
    socket.once('error', reject)
  })

export async function startPod(listener: RequestListener, host = '127.0.0.1', port = 0): Promise<Server & { readonly at: number }> {
  const server = createHttp(listener)
  await new Promise<void>((resolve) => server.listen(port, host, resolve))
  return Object.assign(server, { at: (server.address() as AddressInfo).port })
}

/** Sends bytes and gives all that comes back until the other side closes. */
export const raw = (port: number, text: string): Promise<string> =>
  new Promise((resolve, reject) => {
    let got = ''
    const socket = connect(port, '127.0.0.1', () => socket.write(text, 'latin1'))
    socket.on('data', (chunk) => (got += chunk.toString('latin1')))
    socket.on('error', reject)
    socket.on('close', () => resolve(got))
  })
