// One replica works, the others stand by: a Lease in kube-system says who, as upstream's components do it. Whether a
// lease has run out is judged by the time since its last change was *seen* here, so that clocks need not agree. What the
// leader sends goes through a client that refuses once the lease may belong to another: a replica that was paused and
// wakes up late sends nothing.
import type { ApiClient, ApiRequest } from '@shiplog/api/api-client'
import type { KubeObject } from '@shiplog/api/kube-object'
import { type Clock, rfc3339Micro } from '@shiplog/runtime/clock'
import type { Logger } from '@shiplog/runtime/logger'
import type { HealthCheck, Service } from '@shiplog/runtime/service'

export const leaseDurationMs = 4_000
export const renewEveryMs = 1_000
/** How often those who stand by look. */
export const lookEveryMs = 500
/** The leader stops this long before others may take the lease. */
export const fenceMarginMs = 500
/** A look or a renewal without an answer is given up after this, so that a hanging API cannot hide that the lease ran out. */
const answerTimeoutMs = 1_500

const leaseNamespace = 'kube-system'
const group = 'coordination.k8s.io'

export interface LeaderElectionOptions<S extends Service> {
  readonly client: ApiClient
  readonly clock: Clock
  readonly log: Logger
  /** Of the component and of its Lease: `kube-scheduler`. */
  readonly name: string
  /** Unique to this process. */
  readonly identity: string
  /** Makes the service anew each time that this replica begins to lead; it must send through the client it is given. */
  readonly create: (client: ApiClient) => S
}

export interface LeaderElected<S extends Service> extends Service {
  readonly isLeader: boolean
  /** The service, while this replica leads. */
  readonly current: S | undefined
}

/** Creates a service that does its work on one replica at a time. `start` resolves when it leads or stands by. */
export function createLeaderElected<S extends Service>(options: LeaderElectionOptions<S>): LeaderElected<S> {
  const { client, clock, log, name, identity } = options
  const stopping = new AbortController()
  const { signal } = stopping
  const standing = Promise.withResolvers<void>()
  /** Until then the lease is ours for sure. */
  let oursUntilMs = 0
  let leading: { readonly service: S; readonly started: Promise<void> } | undefined
  let running: Promise<void> | undefined
  let seen: { readonly version: string; readonly atMs: number } | undefined
  let held: KubeObject | undefined
  let problem: string | undefined

  const fenced: ApiClient = {
    request: (request) => {
      if (clock.nowMs() >= oursUntilMs) return Promise.reject(new Error(`this ${name} does not lead any more`))
      return client.request(request)
    },
    recordAttempt: (attempt) => {
      if (clock.nowMs() >= oursUntilMs) return Promise.reject(new Error(`this ${name} does not lead any more`))
      return client.recordAttempt(attempt)
    },
  }

  const address = { group, resource: 'leases', namespace: leaseNamespace }
  const query = { fieldManager: name }

  function leaseOf(before: KubeObject | undefined, holder: string): Pick<ApiRequest, 'body' | 'query'> {
    const nowMs = clock.nowMs()
    const old = before?.['spec'] ?? {}
    const isNew = old.holderIdentity !== holder
    const spec = {
      holderIdentity: holder,
      leaseDurationSeconds: holder === '' ? 1 : leaseDurationMs / 1_000,
      acquireTime: isNew ? rfc3339Micro(nowMs) : old.acquireTime,
      renewTime: rfc3339Micro(nowMs),
      leaseTransitions: (old.leaseTransitions ?? 0) + (before && isNew && holder !== '' ? 1 : 0),
    }
    const metadata = before ? before.metadata : { name, namespace: leaseNamespace }
    return { body: { ...(before ?? { apiVersion: `${group}/v1`, kind: 'Lease' }), metadata, spec }, query }
  }

  /** Looks at the lease and takes or renews it when it may. True when it is ours. */
  async function campaign(): Promise<boolean> {
    const sentMs = clock.nowMs()
    if (held === undefined || leading === undefined) {
      const found = await client.request({ ...address, verb: 'get', name })
      if (!found.ok && found.code !== 404) throw new Error(found.status.message)
      if (!found.ok) {
        const made = await client.request({ ...address, verb: 'create', ...leaseOf(undefined, identity) })
        if (!made.ok) return false
        return ours(made.object, sentMs)
      }
      const { object } = found
      const version = object.metadata.resourceVersion ?? ''
      if (seen?.version !== version) seen = { version, atMs: clock.nowMs() }
      const holder = object['spec']?.holderIdentity ?? ''
      const isFree = holder === '' || holder === identity || clock.nowMs() - seen.atMs > leaseDurationMs
      if (!isFree) return false
      held = object
    }
    const renewed = await client.request({ ...address, verb: 'update', name, ...leaseOf(held, identity) })
    if (renewed.ok) return ours(renewed.object, sentMs)
    held = undefined
    if (renewed.code !== 409 && renewed.code !== 404) throw new Error(renewed.status.message)
    return false
  }

  function ours(lease: KubeObject, sentMs: number): boolean {
    held = lease
    oursUntilMs = sentMs + leaseDurationMs - fenceMarginMs
    return true
  }

  function lead(): void {
    log.info({ identity }, 'leads from now on')
    const service = options.create(fenced)
    const started = service.start()
    leading = { service, started }
    started.then(standing.resolve, (err: unknown) => {
      if (!signal.aborted) log.error({ err }, 'could not begin to lead')
    })
  }

  async function resign(): Promise<void> {
    oursUntilMs = 0
    held = undefined
    const ending = leading
    leading = undefined
    await ending?.service.stop()
  }

  async function within(answer: Promise<boolean>): Promise<boolean> {
    const limit = new AbortController()
    try {
      const late = clock.sleep(answerTimeoutMs, AbortSignal.any([limit.signal, signal])).then(() => {
        throw new Error(`no answer within ${answerTimeoutMs} ms`)
      })
      return await Promise.race([answer, late])
    } finally {
      limit.abort()
      answer.catch(() => undefined)
    }
  }

  async function work(): Promise<void> {
    while (!signal.aborted) {
      try {
        const isOurs = await within(campaign())
        problem = undefined
        if (isOurs && leading === undefined && !signal.aborted) lead()
        if (!isOurs) {
          if (leading) {
            log.warn({ identity }, 'another has taken the lease')
            await resign()
          }
          standing.resolve()
        }
      } catch (err) {
        problem = err instanceof Error ? err.message : String(err)
        // A renewal whose outcome is unknown may have moved the lease's version.
        held = undefined
      }
      if (leading && clock.nowMs() >= oursUntilMs) {
        log.warn({ identity, problem }, 'the lease has run out')
        await resign()
      }
      await clock.sleep(leading && problem === undefined ? renewEveryMs : lookEveryMs, signal).catch(() => undefined)
    }
  }

  return {
    name,
    get isLeader() {
      return leading !== undefined && clock.nowMs() < oursUntilMs
    },
    get current() {
      return leading?.service
    },
    async start() {
      running ??= work()
      await standing.promise
    },
    async stop() {
      if (signal.aborted) return
      stopping.abort(new Error('stopping'))
      standing.resolve()
      const lease = held
      await leading?.service.stop()
      await running
      // Given back, so that a successor need not wait.
      const mine = held ?? lease
      oursUntilMs = 0
      leading = undefined
      if (mine) await client.request({ ...address, verb: 'update', name, ...leaseOf(mine, '') }).catch(() => undefined)
    },
    health(): readonly HealthCheck[] {
      return [
        problem === undefined
          ? { name: 'leader-election', ok: true }
          : { name: 'leader-election', ok: false, reason: problem },
        ...(leading?.service.health() ?? []),
      ]
    },
  }
}
