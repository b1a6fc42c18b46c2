// The runner: the thin shell around pure reconcilers. It keeps the view, wakes keys, sends commands with their cause, and
// after sending waits until its view has seen the sequences that the commands got, so that the next round of the key
// starts from their effects. Killed at any point, or run twice beside itself, it converges: names are deterministic and
// every update is a compare-and-set. Of several replicas each works on its share of the keys alone (replica.ts).
import type { ApiClient, ApiRequest, ApiResult } from '@shiplog/api/api-client'
import type { KubeObject } from '@shiplog/api/kube-object'
import { groupResourceOf } from '@shiplog/api/schema/schema'
import { type Status, usedNameCause } from '@shiplog/api/status'
import type { ObjectChange, ObjectFeed } from '@shiplog/feed/object-feed'
import { keepsOnlyLast } from '@shiplog/feed/stream-of'
import type { Clock } from '@shiplog/runtime/clock'
import { type Ids, systemIds } from '@shiplog/runtime/ids'
import type { Logger } from '@shiplog/runtime/logger'
import { createEventRecorder } from './events-recorder.ts'
import type { Command, CommandFailure, Reconciler } from './reconciler.ts'
import type { Worker } from '@shiplog/replicas/replica'
import type { Shares } from '@shiplog/replicas/shares'
import { createObjectView, keyOf, type ObjectView } from './view.ts'
import { createWorkQueue, type WorkQueueMetrics } from './work-queue.ts'
import { workQueueTimes } from './work-queue-metrics.ts'
import type { MetricsRegistry } from '@shiplog/runtime/metrics'

/** Commands that one runner has in flight at most. */
export const commandsInFlightMax = 500
/** How long a round waits for its view to see what it wrote. */
export const viewWaitMs = 30_000
const stopWaitMs = 4_000
const feedRetryMs = 500
/** A round that costs so much CPU time is followed by a pause of its key, so that one huge object cannot take it all. */
const costlyRoundMs = 4
const pausePerCost = 4
const pauseMaxMs = 500
/** Objects whose keys are looked up in one turn of the event loop, when all of them are. */
const objectsPerTurn = 2_000

export interface ControllerRunnerOptions {
  /** Where the times of the work queues are recorded. */
  readonly metrics?: MetricsRegistry
  readonly name: string
  readonly feed: ObjectFeed
  readonly client: ApiClient
  readonly clock: Clock
  readonly log: Logger
  readonly reconcilers: readonly Reconciler[]
  /** Keys that one reconciler works on at a time; default 64. */
  readonly workers?: number
  readonly fieldManager?: string
  readonly ids?: Ids
  /** Which keys (`<reconciler>/<key>`) are this replica's; all when absent. */
  readonly shares?: Shares
}

/** What a round rests on: how far its view was, its own name, and its key's. */
interface Decided {
  readonly basis: number
  readonly round: string
  /** Undefined for what is nobody's share. */
  readonly share: Share | undefined
}

/** A key for as long as a round works on it. */
interface Share {
  /** `<reconciler>/<key>`. */
  readonly name: string
  /** The key went to another replica since the round began. */
  isLost: boolean
  /** Commands without an answer yet. */
  inFlight: number
}

export interface ControllerRunner extends Worker {
  readonly view: ObjectView
  /** Per reconciler. */
  metrics(): Readonly<Record<string, WorkQueueMetrics>>
  /** True when no key waits, is worked on or is delayed for a retry; keys that wait for a time do not count. */
  idle(): boolean
}

/** Refused because the namespace goes away: nothing can be created there, so there is nothing to retry. */
const isNamespaceTerminating = (status: Status): boolean =>
  status.details?.causes?.some((cause) => cause.reason === 'NamespaceTerminating') ?? false

/** Refused because the name was used before (see ApiRequest.onlyNew): the next round takes another. */
const isUsedName = (status: Status): boolean =>
  status.details?.causes?.some((cause) => cause.reason === usedNameCause) ?? false

/** Leases and Event objects stand in streams of their own, whose sequences say nothing about the view's. */
const isInView = ({ group, resource }: ApiRequest): boolean => !keepsOnlyLast(groupResourceOf(group, resource))

const unreachable = (err: unknown): Status => ({
  kind: 'Status',
  apiVersion: 'v1',
  metadata: {},
  status: 'Failure',
  reason: 'ServiceUnavailable',
  message: err instanceof Error ? err.message : String(err),
  code: 503,
})

/** At most `limit` at a time; the rest wait in line. */
function createGate(limit: number): <T>(work: () => Promise<T>) => Promise<T> {
  const line: (() => void)[] = []
  let running = 0
  return async (work) => {
    if (running >= limit) {
      await new Promise<void>((resolve) => {
        line.push(resolve)
      })
    } else running++
    try {
      return await work()
    } finally {
      // A waiter inherits the place; without one it becomes free.
      const next = line.shift()
      if (next) next()
      else running--
    }
  }
}

/** Creates a service that runs reconcilers over one view of the feed. */
export function createControllerRunner(options: ControllerRunnerOptions): ControllerRunner {
  const { name, feed, client, clock, reconcilers, shares } = options
  const log = options.log.child({ component: name })
  const resources = new Set(
    reconcilers.flatMap((reconciler) => reconciler.resources.map((watch) => watch.groupResource)),
  )
  const indexes = new Map(
    reconcilers.flatMap((reconciler) => reconciler.indexes ?? []).map((index) => [index.name, index]),
  )
  const view = createObjectView([...resources], [...indexes.values()])
  const recorder = createEventRecorder({ client, clock, log })
  const gate = createGate(commandsInFlightMax)
  /** Names the rounds of this runner apart from those of all others. */
  const instance = (options.ids ?? systemIds).uuid()
  let rounds = 0
  const stopping = new AbortController()
  let startedMs = 0
  let running: Promise<void> | undefined
  let started: Promise<void> | undefined
  let feedProblem = 'not started'

  const lanes = reconcilers.map((reconciler) => createLane(reconciler))
  /** The lanes' watches by resource, so that a change asks only who cares. */
  const watches = new Map<string, { readonly lane: Lane; readonly keys: Reconciler['resources'][number]['keys'] }[]>()
  for (const lane of lanes) {
    for (const watch of lane.reconciler.resources) {
      const list = watches.get(watch.groupResource) ?? []
      list.push({ lane, keys: watch.keys })
      watches.set(watch.groupResource, list)
    }
  }

  interface Lane {
    readonly reconciler: Reconciler
    readonly wake: (key: string, cause: number | undefined) => void
    readonly pump: () => void
    readonly busy: () => number
    readonly metrics: () => WorkQueueMetrics
    readonly idle: () => boolean
    readonly shutDown: () => void
  }

  /** Rounds under way, as far as they may become another's. */
  const atWork = new Set<Share>()
  let whenLetGo: { readonly of: ReadonlySet<Share>; readonly resolve: () => void }[] = []

  const answered = (share: Share): void => {
    share.inFlight--
    whenLetGo = whenLetGo.filter(({ of, resolve }) => {
      const isOver = [...of].every(({ inFlight }) => inFlight === 0)
      if (isOver) resolve()
      return !isOver
    })
  }

  const sendOne = async (command: Command, cause: number | undefined, decided: Decided): Promise<ApiResult> => {
    const { request, onceFor } = command
    const { share } = decided
    const isWanted = (): boolean => !share?.isLost && !stopping.signal.aborted
    const writes = request.verb === 'create' || request.verb === 'update' || request.verb === 'patch'
    const query =
      writes && options.fieldManager ? { fieldManager: options.fieldManager, ...request.query } : request.query
    try {
      return await gate(async () => {
        if (!isWanted()) throw new Error(share?.isLost ? 'the key is another replica’s' : 'stopping')
        if (share) share.inFlight++
        const answer = client.request({
          ...request,
          ...(share ? { isWanted } : {}),
          ...(query ? { query } : {}),
          ...(cause === undefined ? {} : { cause }),
          ...(request.basis === undefined ? { basis: decided.basis } : {}),
          ...(onceFor === undefined ? {} : { once: { matter: onceFor, round: decided.round } }),
        })
        return await (share ? answer.finally(() => answered(share)) : answer)
      })
    } catch (err) {
      return { ok: false, code: 503, status: unreachable(err) }
    }
  }

  /** How far the log is: a list sees everything that was acknowledged before it. */
  const logEnd = ({ group, resource, namespace, name }: ApiRequest): Promise<ApiResult> =>
    sendOne(
      {
        request: {
          verb: 'list',
          group,
          resource,
          ...(namespace === undefined ? {} : { namespace }),
          query: { fieldSelector: `metadata.name=${name}` },
        },
      },
      undefined,
      { basis: view.sequence, round: '', share: undefined },
    )

  /** Sends all at once; after a failure, one first, then twice as many each time, until one fails again. */
  const send = async (
    commands: readonly Command[],
    cause: number | undefined,
    careful: boolean,
    decided: Decided,
  ): Promise<{ readonly results: readonly (readonly [Command, ApiResult])[]; readonly skipped: boolean }> => {
    const results: (readonly [Command, ApiResult])[] = []
    let size = careful ? 1 : commands.length
    while (results.length < commands.length) {
      const part = commands.slice(results.length, results.length + size)
      const answers = await Promise.all(part.map((command) => sendOne(command, cause, decided)))
      part.forEach((command, i) => {
        results.push([command, answers[i]!])
      })
      if (careful && answers.some((answer) => !answer.ok)) break
      size *= 2
    }
    return { results, skipped: results.length < commands.length }
  }

  function createLane(reconciler: Reconciler): Lane {
    const queue = createWorkQueue(
      clock,
      options.metrics && workQueueTimes(options.metrics, reconciler.name),
    )
    const causes = new Map<string, number>()
    const failuresOf = new Map<string, readonly CommandFailure[]>()
    const usedNameRoundsOf = new Map<string, number>()
    const laneLog = log.child({ controller: reconciler.name })
    const workersMax = reconciler.workers ?? options.workers ?? 64
    let busy = 0
    let retrying = 0
    let scheduled = false

    const shareOf = (key: string): string => `${reconciler.name}/${key}`
    const owns = (key: string): boolean => shares?.owns(shareOf(key)) ?? true

    /** One round of one key. Returns what it cost in milliseconds of CPU. */
    const round = async (key: string, share: Share | undefined): Promise<number> => {
      const cause = causes.get(key)
      causes.delete(key)
      const failed = failuresOf.get(key) ?? []
      const beginMs = clock.nowMs()
      const usedNameRounds = usedNameRoundsOf.get(key) ?? 0
      const decided: Decided = { basis: view.sequence, round: `${instance}/${++rounds}`, share }
      const result = reconciler.reconcile(key, view, { nowMs: beginMs, startedMs, failures: failed, usedNameRounds })
      const costMs = clock.nowMs() - beginMs
      for (const event of result.events ?? []) recorder.record(reconciler.component, event)
      const failures: CommandFailure[] = []
      let usedName: ApiRequest | undefined
      let again = false
      if (result.commands && result.commands.length > 0) {
        const { results, skipped } = await send(result.commands, cause, failed.length > 0, decided)
        let sequence = 0
        for (const [command, answer] of results) {
          if (answer.ok) {
            if (isInView(command.request)) sequence = Math.max(sequence, answer.sequence)
            if (command.event) recorder.record(reconciler.component, command.event)
            continue
          }
          const { request } = command
          if (isUsedName(answer.status)) {
            const groupResource = request.group ? `${request.resource}.${request.group}` : request.resource
            const named = (request.name ?? (request.body as KubeObject | undefined)?.metadata.name) as string
            view.noteDeleted(groupResource, keyOf(request.namespace, named), beginMs)
            usedName = { ...request, name: named }
            continue
          }
          if (isNamespaceTerminating(answer.status)) continue
          failures.push({ request, status: answer.status })
          if (command.failureEvent && answer.code !== 409 && answer.code !== 404) {
            recorder.record(reconciler.component, command.failureEvent(answer.status))
          }
        }
        again = usedName !== undefined || (skipped && failures.length === 0)
        if (usedName) {
          // Whoever used the name did so for a reason that this view may not show yet, and may have had another one to let
          // the object go. Another name is a second child, unless the next round knows all that.
          const end = await logEnd(usedName)
          if (end.ok) sequence = Math.max(sequence, end.sequence)
          else failures.push({ request: usedName, status: end.status })
        }
        if (sequence > view.sequence) {
          const deadline = new AbortController()
          using _timer = clock.after(viewWaitMs, () => {
            deadline.abort(new Error(`the view has not seen sequence ${sequence} within ${viewWaitMs} ms`))
          })
          await view.waitForSequence(sequence, AbortSignal.any([stopping.signal, deadline.signal]))
        }
      }
      // Another replica looks at it now, from the beginning.
      if (share?.isLost) {
        forget(key)
        return costMs
      }
      if (usedName) usedNameRoundsOf.set(key, usedNameRounds + 1)
      else usedNameRoundsOf.delete(key)
      if (failures.length > 0) {
        failuresOf.set(key, failures)
        const { request, status } = failures[0]!
        const delayMs = queue.addRateLimited(key)
        const fields = { key, verb: request.verb, resource: request.resource, status: status.message, delayMs }
        const ordinary = status.code === 409 || status.code === 404
        if (ordinary) laneLog.debug(fields, 'command refused, will retry')
        else laneLog.warn({ ...fields, failures: failures.length }, 'command failed, will retry')
        if (cause !== undefined && !causes.has(key)) causes.set(key, cause)
      } else {
        failuresOf.delete(key)
        queue.forget(key)
        if (again) queue.add(key)
        else if (result.requeueAfterMs !== undefined) queue.addAfter(key, Math.max(1, result.requeueAfterMs))
      }
      return costMs
    }

    const forget = (key: string): void => {
      causes.delete(key)
      failuresOf.delete(key)
      usedNameRoundsOf.delete(key)
      queue.forget(key)
    }

    const work = async (key: string): Promise<void> => {
      let costMs = 0
      const share: Share | undefined = shares && { name: shareOf(key), isLost: false, inFlight: 0 }
      if (share) atWork.add(share)
      try {
        costMs = await round(key, share)
      } catch (err) {
        if (share?.isLost) forget(key)
        else if (!stopping.signal.aborted) {
          const delayMs = queue.addRateLimited(key)
          laneLog.error({ err, key, delayMs }, 'reconcile failed')
        }
      } finally {
        if (share) atWork.delete(share)
        busy--
        schedule()
      }
      // The place is free again; only the key itself rests.
      if (costMs >= costlyRoundMs) {
        retrying++
        await clock.sleep(Math.min(costMs * pausePerCost, pauseMaxMs), stopping.signal).catch(() => undefined)
        retrying--
      }
      queue.done(key)
    }

    const pump = (): void => {
      scheduled = false
      if (!view.synced || stopping.signal.aborted) return
      while (busy < workersMax) {
        const key = queue.take()
        if (key === undefined) return
        if (!owns(key)) {
          forget(key)
          queue.done(key)
          continue
        }
        busy++
        void work(key)
      }
    }

    /** Never inside a batch: a reconciler sees whole batches only. */
    const schedule = (): void => {
      if (scheduled) return
      scheduled = true
      queueMicrotask(pump)
    }
    queue.onReady(schedule)

    return {
      reconciler,
      wake: (key, cause) => {
        if (!owns(key)) return
        if (cause !== undefined) causes.set(key, cause)
        queue.add(key)
      },
      pump: schedule,
      busy: () => busy,
      metrics: () => queue.metrics(),
      idle: () => busy === 0 && retrying === 0 && queue.metrics().depth === 0 && failuresOf.size === 0,
      shutDown: () => {
        queue.shutDown()
      },
    }
  }

  const onChange = (change: ObjectChange, before: KubeObject | undefined): void => {
    for (const { lane, keys } of watches.get(change.groupResource) ?? []) {
      for (const key of keys(change, before, view)) lane.wake(key, change.sequence)
    }
  }

  /** Wakes every key there is, as the first snapshot did. */
  const wakeAll = async (): Promise<void> => {
    let turn = 0
    for (const groupResource of watches.keys()) {
      const dot = groupResource.indexOf('.')
      const [resource, group] =
        dot < 0 ? [groupResource, ''] : [groupResource.slice(0, dot), groupResource.slice(dot + 1)]
      for (const object of [...view.list(groupResource)]) {
        if (++turn % objectsPerTurn === 0) await clock.sleep(0)
        if (stopping.signal.aborted) return
        const { name: objectName, namespace = '', resourceVersion } = object.metadata
        const change: ObjectChange = {
          group,
          resource,
          namespace,
          name: objectName,
          groupResource,
          sequence: Number(resourceVersion),
          timeMs: clock.nowMs(),
          type: `${object.kind}Created`,
          deleted: false,
          object: object as unknown as ObjectChange['object'],
        }
        for (const { lane, keys } of watches.get(groupResource)!) {
          for (const key of keys(change, undefined, view)) lane.wake(key, undefined)
        }
      }
    }
  }

  const followOnce = async (onSynced: () => void): Promise<void> => {
    for await (const batch of feed.follow(view.groupResources, stopping.signal)) {
      view.apply(batch, onChange)
      if (!view.synced || feedProblem === '') continue
      feedProblem = ''
      if (startedMs === 0) startedMs = clock.nowMs()
      onSynced()
      for (const lane of lanes) lane.pump()
    }
  }

  const run = async (onSynced: () => void): Promise<void> => {
    while (!stopping.signal.aborted) {
      try {
        await followOnce(onSynced)
        if (!stopping.signal.aborted) throw new Error('the feed ended')
      } catch (err) {
        if (stopping.signal.aborted) return
        feedProblem = err instanceof Error ? err.message : String(err)
        log.warn({ err }, 'feed interrupted, will follow anew')
        view.restart()
        await clock.sleep(feedRetryMs, stopping.signal).catch(() => undefined)
      }
    }
  }

  const busy = (): number => lanes.reduce((sum, lane) => sum + lane.busy(), 0)

  return {
    name,
    view,
    metrics: () => Object.fromEntries(lanes.map((lane) => [lane.reconciler.name, lane.metrics()])),
    idle: () => lanes.every((lane) => lane.idle()),
    start: () => {
      started ??= new Promise<void>((resolve) => {
        running = run(resolve)
        // Stopped before it began: there is nothing more to wait for.
        stopping.signal.addEventListener('abort', () => resolve(), { once: true })
      })
      return started
    },
    stop: async () => {
      if (!stopping.signal.aborted) stopping.abort(new Error('stopping'))
      for (const lane of lanes) lane.shutDown()
      const deadlineMs = clock.nowMs() + stopWaitMs
      while (busy() > 0 && clock.nowMs() < deadlineMs) await clock.sleep(10)
      await Promise.race([running, clock.sleep(stopWaitMs)])
    },
    letGo: () => {
      const lost = new Set<Share>()
      for (const share of atWork) {
        if (!share.isLost && shares?.owns(share.name)) continue
        share.isLost = true
        if (share.inFlight > 0) lost.add(share)
      }
      if (lost.size === 0) return Promise.resolve()
      return new Promise((resolve) => {
        whenLetGo.push({ of: lost, resolve })
      })
    },
    waitForSequence: (sequence, signal) => view.waitForSequence(sequence, signal),
    gained: () => {
      void wakeAll()
    },
    health: () => [
      feedProblem === ''
        ? { name: 'informer-sync', ok: true }
        : { name: 'informer-sync', ok: false, reason: feedProblem },
    ],
  }
}
