// One of several replicas that partition their component's keys: keeps its Lease in kube-system (membership.ts has the
// protocol), assigns keys to the worker, and fences what the worker sends: once its Lease may have expired, nothing goes
// out. A replica that was paused sends nothing and owns nothing until it has rejoined. The worker runs from the start, so
// that its cache is warm when keys are assigned to it.
import type { ApiClient, ApiRequest } from '@shiplog/api/api-client'
import type { Lease, LeaseList } from '@shiplog/api/generated/types/coordination-v1'
import { type Clock, rfc3339Micro } from '@shiplog/runtime/clock'
import type { Logger } from '@shiplog/runtime/logger'
import type { MetricSample } from '@shiplog/runtime/metrics'
import type { HealthCheck, Service } from '@shiplog/runtime/service'
import { leaseAddress } from '@shiplog/control-plane/leases/component-lease'
import { createMembership, leaseDurationMs, type LeaseDraft, type MemberLease } from './membership.ts'
import { distinctViews, type MemberView, ownedInAll, sameView, type Shares } from './shares.ts'

/** Selects the member Leases of one component. Leases that report a component's health have another label (component-lease.ts). */
export const componentLabel = 'shiplog.dev/component'
/** Length of the random suffix that identifies a replica. */
export const replicaIdLength = 8
/** `<turn> <member>,<member>`. */
export const viewAnnotation = 'shiplog.dev/view'

/** Timeout of a list or a renewal: a hanging API must not hide that the lease has expired. */
const answerTimeoutMs = 1_500
/** How long to wait for commands in flight on keys that are being revoked. */
export const letGoTimeoutMs = 2_000
/** How long a new owner's cache may take to reach the end of the log before it is asked again. */
const catchUpTimeoutMs = 30_000

/** A service that works on keys, each of which is assigned to one replica. */
export interface Worker extends Service {
  /** Called when keys were revoked: nothing more may be sent for them. Resolves when none of them has a command in flight. */
  letGo(): Promise<void>
  /** Resolves when everything up to this sequence of the log has been seen. */
  waitForSequence(sequence: number, signal: AbortSignal): Promise<void>
  /** Called after keys were assigned: re-enqueue everything owned. */
  gained(): void
}

export interface ReplicaOptions<W extends Worker> {
  readonly client: ApiClient
  readonly clock: Clock
  readonly log: Logger
  /** `kube-scheduler`. */
  readonly component: string
  /** Unique to this process: a restarted process is another replica. */
  readonly id: string
  /** Creates the worker, once; it must send through this client, and only for keys that it owns at that moment. */
  readonly create: (client: ApiClient, shares: Shares) => W
}

export interface Replica<W extends Worker> extends Service {
  readonly worker: W
  /** The members by its view; empty until it has joined. */
  readonly members: MemberView
  metrics(): readonly MetricSample[]
}

const leases = leaseAddress

/** Creates a replica. `start` resolves when its worker is complete and it has joined. */
export function createReplica<W extends Worker>(options: ReplicaOptions<W>): Replica<W> {
  const { client, clock, component, id } = options
  const log = options.log.child({ component, replica: id })
  const name = `${component}-${id}`
  const membership = createMembership(id)
  const stopping = new AbortController()
  const { signal } = stopping
  const joined = Promise.withResolvers<void>()
  /** The views in force: at least the effective ones, and the former ones until the worker has caught up. */
  let effective: readonly MemberView[] = []
  let isOwned = ownedInAll(id, effective)
  /** The membership's last effective views, and how often they changed. */
  let heeded: readonly MemberView[] = []
  let turns = 0
  let catchingUp: Promise<void> | undefined
  let lettingGo: { readonly view: MemberView; readonly done: Promise<void>; ended: boolean } | undefined
  let emptying: Promise<void> | undefined
  let running: Promise<void> | undefined
  let acquiredMs = 0
  let problem: string | undefined
  let told = ''
  let ending = false

  const holds = (): boolean =>
    !signal.aborted && membership.members.length > 0 && clock.nowMs() < membership.validUntilMs
  const lapse = (): Error => new Error(`the lease of this ${component} has run out`)

  const fenced: ApiClient = {
    request: (request) => {
      if (!holds()) return Promise.reject(lapse())
      const { joinTurn } = membership
      const isWanted = (): boolean => holds() && membership.joinTurn === joinTurn && (request.isWanted?.() ?? true)
      return client.request({ ...request, isWanted })
    },
    recordAttempt: (attempt) => (holds() ? client.recordAttempt(attempt) : Promise.reject(lapse())),
  }
  const shares: Shares = { owns: (key) => !ending && isOwned(key) && holds() }
  const worker = options.create(fenced, shares)

  // ── What is owned ────────────────────────────────────────────────────────────────────────────────────────────────

  function setEffective(views: readonly MemberView[]): void {
    effective = views
    isOwned = ownedInAll(id, views)
  }

  const sameViews = (a: readonly MemberView[], b: readonly MemberView[]): boolean =>
    a.length === b.length && a.every((view) => b.some((other) => sameView(view, other)))

  /** Revokes keys at once; assigns keys once the worker has seen everything that former owners may have done. */
  function publish(): void {
    const views = membership.views()
    if (!sameViews(views, heeded)) {
      heeded = views
      turns++
      const narrowed = views.length === 0 || effective.length === 0 ? [] : distinctViews([...effective, ...views])
      if (!sameViews(narrowed, effective)) {
        setEffective(narrowed)
        const done = letGo().finally(() => {
          if (emptying === done) emptying = undefined
        })
        // The Lease must not claim that the keys are free before they are.
        if (narrowed.length === 0) emptying = done
      }
    }
    if (views.length > 0 && !sameViews(views, effective)) catchUp()
  }

  function catchUp(): void {
    if (catchingUp !== undefined || ending) return
    const [views, turn] = [heeded, turns]
    catchingUp = seeEverything().then(
      () => {
        catchingUp = undefined
        if (ending) return
        // The views changed meanwhile: another replica may have worked on the keys to be assigned.
        if (turn !== turns) return publish()
        setEffective(views)
        worker.gained()
      },
      (err: unknown) => {
        catchingUp = undefined
        if (!ending) log.warn({ err }, 'failed to catch up with the log, retrying')
      },
    )
  }

  /** A list sees everything that was acknowledged before the request was sent. */
  async function seeEverything(): Promise<void> {
    const limit = new AbortController()
    using _timer = clock.after(catchUpTimeoutMs, () => limit.abort(new Error(`not within ${catchUpTimeoutMs} ms`)))
    const end = await within(client.request({ verb: 'list', group: '', resource: 'nodes', query: { limit: '1' } }))
    if (!end.ok) throw new Error(end.status.message)
    await worker.waitForSequence(end.sequence, AbortSignal.any([limit.signal, signal]))
  }

  // ── The Lease ────────────────────────────────────────────────────────────────────────────────────────────────────

  function leaseOf(
    draft: Omit<LeaseDraft, 'version'>,
    version: string | undefined,
    holder: string,
  ): ApiRequest['body'] {
    const nowMs = clock.nowMs()
    if (acquiredMs === 0) acquiredMs = nowMs
    return {
      apiVersion: `${leases.group}/v1`,
      kind: 'Lease',
      metadata: {
        name,
        namespace: leases.namespace,
        labels: { [componentLabel]: component },
        annotations: { [viewAnnotation]: `${draft.turn} ${draft.view.join(',')}` },
        ...(version === undefined ? {} : { resourceVersion: version }),
      },
      spec: {
        holderIdentity: holder,
        leaseDurationSeconds: holder === '' ? 1 : leaseDurationMs / 1_000,
        acquireTime: rfc3339Micro(acquiredMs),
        renewTime: rfc3339Micro(nowMs),
      },
    }
  }

  const write = (draft: LeaseDraft, holder: string) =>
    client.request({
      ...leases,
      ...(draft.version === undefined ? { verb: 'create' } : { verb: 'update', name }),
      query: { fieldManager: component },
      body: leaseOf(draft, draft.version, holder)!,
    })

  async function look(): Promise<void> {
    const askedMs = clock.nowMs()
    const query = { labelSelector: `${componentLabel}=${component}` }
    const found = await within(client.request({ ...leases, verb: 'list', query }))
    if (!found.ok) throw new Error(found.status.message)
    const items = (found.object as unknown as LeaseList).items
    membership.listed(items.map(readLease), askedMs, clock.nowMs())
  }

  function readLease(lease: Lease): MemberLease {
    const [turn, view] = (lease.metadata.annotations?.[viewAnnotation] ?? '').split(' ')
    return {
      id: lease.metadata.name.slice(component.length + 1),
      version: lease.metadata.resourceVersion ?? '',
      released: !lease.spec?.holderIdentity,
      turn: Number(turn) || 0,
      view: view ? view.split(',') : [],
    }
  }

  /** Revokes the keys that the next view takes away, then proposes that view. */
  function move(): void {
    const wanted = membership.wanted(clock.nowMs())
    if (wanted === undefined || (lettingGo && !sameView(lettingGo.view, wanted))) lettingGo = undefined
    if (lettingGo === undefined) {
      membership.beginToLetGo(wanted)
      publish()
      if (wanted === undefined) return
      const own = { view: wanted, done: letGo(), ended: false }
      lettingGo = own
      void own.done.finally(() => {
        own.ended = true
      })
      return
    }
    if (!lettingGo.ended) return
    membership.adopt(lettingGo.view)
    lettingGo = undefined
    publish()
  }

  /** Bounded: a write that hangs for longer loses by compare-and-set. */
  async function letGo(): Promise<void> {
    const limit = new AbortController()
    await Promise.race([worker.letGo(), clock.sleep(letGoTimeoutMs, limit.signal).catch(() => undefined)])
    limit.abort()
  }

  async function renew(): Promise<void> {
    const sentMs = clock.nowMs()
    const draft = membership.draft(sentMs)
    if (draft === undefined) return
    const answer = await within(write(draft, name))
    if (answer.ok) membership.written(answer.object.metadata.resourceVersion!, sentMs, clock.nowMs())
    else {
      membership.refused()
      if (answer.code !== 409 && answer.code !== 404) throw new Error(answer.status.message)
    }
  }

  async function sweep(): Promise<void> {
    for (const { id: gone, version } of membership.remains(clock.nowMs())) {
      const preconditions = { resourceVersion: version }
      const body = { apiVersion: 'v1', kind: 'DeleteOptions', preconditions }
      await within(client.request({ ...leases, verb: 'delete', name: `${component}-${gone}`, body }))
    }
  }

  async function within<T>(answer: Promise<T>): Promise<T> {
    const limit = new AbortController()
    answer.catch(() => undefined)
    try {
      const late = clock.sleep(answerTimeoutMs, AbortSignal.any([limit.signal, signal])).then(() => {
        throw new Error(`no answer within ${answerTimeoutMs} ms`)
      })
      return await Promise.race([answer, late])
    } finally {
      limit.abort()
    }
  }

  async function work(): Promise<void> {
    while (!signal.aborted) {
      try {
        await look()
        publish()
        move()
        // Often nothing is in flight.
        if (lettingGo || emptying) await Promise.race([lettingGo?.done ?? emptying, clock.sleep(0)])
        move()
        if (!emptying) await renew()
        publish()
        problem = undefined
        tell()
        await sweep()
      } catch (err) {
        if (signal.aborted) break
        problem = err instanceof Error ? err.message : String(err)
        publish()
      }
      const nowMs = clock.nowMs()
      await clock.sleep(membership.nextLookMs(nowMs) - nowMs, signal).catch(() => undefined)
    }
  }

  function tell(): void {
    if (!membership.settled(clock.nowMs())) return
    joined.resolve()
    const members = membership.members.join(' ')
    if (members === told) return
    told = members
    log.info({ members: membership.members }, 'rebalanced')
  }

  return {
    name: component,
    worker,
    get members() {
      return membership.members
    },
    async start() {
      running ??= work()
      await Promise.all([worker.start(), joined.promise])
    },
    async stop() {
      if (ending) return
      const started = running !== undefined
      // Commands in flight may finish; no new ones are started.
      ending = true
      await Promise.all([letGo(), worker.stop()])
      stopping.abort(new Error('stopping'))
      joined.resolve()
      await running
      if (!started) return
      // Released, so that nobody waits for it to expire.
      try {
        const found = await client.request({ ...leases, verb: 'get', name })
        if (!found.ok) return
        const version = found.object.metadata.resourceVersion
        await write({ version, turn: readLease(found.object as Lease).turn + 1, view: [] }, '')
      } catch (err) {
        log.warn({ err }, 'failed to release lease')
      }
    },
    health(): readonly HealthCheck[] {
      const own: HealthCheck = holds()
        ? { name: 'shares', ok: true }
        : { name: 'shares', ok: false, reason: problem ?? 'has not joined the other replicas' }
      return [own, ...worker.health()]
    },
    metrics: () => [
      { name: 'shiplog_replica_members', type: 'gauge', labels: { name: component }, value: membership.members.length },
      { name: 'shiplog_replica_holds_lease', type: 'gauge', labels: { name: component }, value: holds() ? 1 : 0 },
    ],
  }
}
