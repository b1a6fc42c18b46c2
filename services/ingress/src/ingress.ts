// The ingress as a service: it follows Ingresses and what they refer to, and carries their traffic to the pods. When the control
// plane is gone it goes on with what it knew last.
import type { ApiClient } from '@shiplog/api/api-client'
import type { KubeObject } from '@shiplog/api/kube-object'
import type { ObjectFeed } from '@shiplog/feed/object-feed'
import { createEventRecorder } from '@shiplog/reconcile/events-recorder'
import { createControllerRunner } from '@shiplog/reconcile/runner'
import type { Clock } from '@shiplog/runtime/clock'
import type { Ids } from '@shiplog/runtime/ids'
import type { Logger } from '@shiplog/runtime/logger'
import type { MetricsRegistry } from '@shiplog/runtime/metrics'
import type { Service } from '@shiplog/runtime/service'
import { createCertificates, readPair } from './certificates.ts'
import { createBalancer } from './engine/balancer.ts'
import { createPools, type DialPod } from './engine/pools.ts'
import { createProxy, type Done, type ProxyDeps } from './engine/proxy.ts'
import { type Servers, startServers } from './engine/servers.ts'
import { createUpgrade } from './engine/upgrade.ts'
import { createIngressStatusReconciler } from './ingress-status.reconciler.ts'
import { createIngressMetrics } from './ingress-metrics.ts'
import { createIngressView, ingressResources, type IngressView } from './model/ingress-view.ts'
import type { Problem } from './model/routing-table.ts'

export const ingressName = 'ingress-controller'
/** A stop leaves time for the rest: a service has 5 s. */
const drainMs = 3_500
const toldMax = 10_000

export interface IngressOptions {
  readonly feed: ObjectFeed
  readonly client: ApiClient
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Logger
  readonly metrics: MetricsRegistry
  readonly host: string
  /** 0 takes any free port. */
  readonly httpPort: number
  /** Undefined: no TLS. */
  readonly httpsPort: number | undefined
  /** What is written into Ingresses: where clients reach this. */
  readonly addresses: readonly string[]
  readonly accessLog: boolean
  readonly dial: DialPod
}

export interface IngressService extends Service {
  readonly httpPort: number
  readonly httpsPort: number | undefined
}

export function createIngress(options: IngressOptions): IngressService {
  const { feed, client, clock, ids, log, dial } = options
  const ending = new AbortController()
  const synced = Promise.withResolvers<void>()
  const view = createIngressView()
  const metrics = createIngressMetrics(options.metrics)
  const certificates = createCertificates(clock.nowMs())
  const pools = createPools({ dial, clock })
  const status = createControllerRunner({
    ...{ name: ingressName, feed, client, clock, ids, log, fieldManager: ingressName },
    reconcilers: [createIngressStatusReconciler(options.addresses)],
  })
  const teller = createProblemTeller(createEventRecorder({ client, clock, log }))
  let isSynced = false
  let servers: Servers | undefined
  let following: Promise<void> | undefined

  async function follow(): Promise<void> {
    for await (const batch of feed.follow(ingressResources, ending.signal)) {
      let isChanged = false
      for (const change of batch.changes) {
        view.apply(change)
        isChanged ||= change.groupResource !== 'endpointslices.discovery.k8s.io'
      }
      if (!batch.synced) continue
      if (isChanged || !isSynced) {
        const problems = [...view.table().problems, ...certificateProblems(view)]
        metrics.reloaded(problems.length === 0)
        teller.tell(problems)
      }
      isSynced = true
      synced.resolve()
    }
  }

  function onDone(done: Done): void {
    metrics.done(done)
    if (!options.accessLog) return
    const { request, route, endpoint, method, status: code, ms } = done
    log.info(
      {
        ...{ remote: request.socket?.remoteAddress, host: request.headers.host ?? request.headers[':authority'], method, target: request.url },
        ...{ status: code, ms, ingress: route && `${route.namespace}/${route.ingress}`, service: route?.service },
        pod: endpoint && `${endpoint.address}:${endpoint.port}`,
      },
      'request',
    )
  }

  return {
    name: ingressName,
    get httpPort() {
      return servers?.httpPort ?? 0
    },
    get httpsPort() {
      return servers?.httpsPort
    },
    async start() {
      following = follow().catch((err: unknown) => {
        if (!ending.signal.aborted) log.error({ err }, 'the ingress hears nothing of the cluster any more')
        synced.reject(err)
      })
      // Before it knows its routes every answer would be 404.
      await synced.promise
      if (ending.signal.aborted) return
      const deps: ProxyDeps = {
        ...{ pools, clock, ids, onDone, balancer: createBalancer() },
        traffic: { table: () => view.table(), backend: (...at) => view.backend(...at) },
        ports: {
          get http() {
            return servers?.httpPort ?? options.httpPort
          },
          get https() {
            return servers?.httpsPort ?? options.httpsPort
          },
        },
        isEnding: () => ending.signal.aborted,
      }
      servers = await startServers({
        ...{ host: options.host, httpPort: options.httpPort, httpsPort: options.httpsPort, clock },
        onRequest: createProxy(deps),
        onUpgrade: createUpgrade(deps),
        otherCertificate: certificates.other,
        contextFor(serverName) {
          const ref = view.table().certificate(serverName)
          return certificates.contextFor(ref, ref && view.secret(ref.namespace, ref.secret))
        },
      })
      // Now there is somebody at the address.
      await status.start()
    },
    async stop() {
      ending.abort()
      synced.resolve()
      await Promise.all([status.stop(), servers?.stop(drainMs)])
      pools[Symbol.dispose]()
      await following
    },
    health: () => [
      isSynced ? { name: 'routes', ok: true } : { name: 'routes', ok: false, reason: 'the Ingresses of the cluster have not been read yet' },
    ],
  }
}

function certificateProblems(view: IngressView): Problem[] {
  return view.ours().flatMap((object) =>
    (object.spec.tls ?? []).flatMap(({ secretName }) => {
      if (!secretName) return []
      const namespace = object.metadata.namespace ?? ''
      const pair = readPair(view.secret(namespace, secretName))
      return typeof pair === 'string' ? [{ object, reason: 'InvalidCertificate', message: `secret "${namespace}/${secretName}" ${pair}` }] : []
    }),
  )
}

/** Each problem once, as a Warning Event of its Ingress; again when it went away and came back. */
function createProblemTeller(recorder: ReturnType<typeof createEventRecorder>): { tell(problems: readonly Problem[]): void } {
  let told = new Set<string>()
  return {
    tell(problems) {
      const now = new Set<string>()
      for (const { object, reason, message } of problems.slice(0, toldMax)) {
        const id = `${object.metadata.uid} ${reason} ${message}`
        now.add(id)
        if (!told.has(id)) recorder.record(ingressName, { object: object as unknown as KubeObject, type: 'Warning', reason, message })
      }
      told = now
    },
  }
}
