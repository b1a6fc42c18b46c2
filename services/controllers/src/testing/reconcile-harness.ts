// Runs reconcilers over a fake cluster step by step in one thread, with time in the test's hands. What a round is told and
// what its answers mean is the controller loop's own (libs/reconcile/src/round.ts); only the waiting is left out. After every round the same key is reconciled again on the same view of the same log position to prove
// that a second run finds nothing more to do once its commands are in the view.
import type { ApiRequest, ApiResult } from '@shiplog/api/api-client'
import type { ObjectChange } from '@shiplog/feed/object-feed'
import type { KubeObject } from '@shiplog/api/kube-object'
import { type EventRecord, type Reconciler, watchesOf } from '@shiplog/reconcile/reconciler'
import { type Answered, KeyHistories, observeNow, outcomeOf } from '@shiplog/reconcile/round'
import { viewFor } from '@shiplog/reconcile/runner'
import type { ProjectedView } from '@shiplog/reconcile/view'
import { createFakeCluster, type FakeCluster } from '@shiplog/testing/fake-cluster'
import { createFakeNodes, type FakeNodes, type FakeNodesOptions } from '@shiplog/testing/fake-nodes'

const roundsMax = 100_000
/** When a key runs again whose commands were refused: a fixed time instead of the back-off. */
const retryMs = 1_000

export interface ReconcileHarness {
  readonly cluster: FakeCluster
  readonly view: ProjectedView
  readonly nodes: FakeNodes
  /** Events that reconcilers recorded: `deployment-controller ScalingReplicaSet Scaled up …`. */
  readonly events: string[]
  nowMs(): number
  /** Runs woken keys until none is left. Nodes move between rounds unless `withoutNodes`. */
  settle(options?: { readonly withoutNodes?: boolean }): void
  /** Runs one woken key; false when there is none. */
  round(): boolean
  /** Lets time pass, running what becomes due on the way. */
  advance(ms: number, options?: { readonly withoutNodes?: boolean }): void
  /** Reconciles every key that was ever woken once more; returns the commands that this gives, which should be none. */
  secondRun(): readonly string[]
}

/** Creates a harness at a fixed time. */
export function createReconcileHarness(
  reconcilers: readonly Reconciler[],
  options: FakeNodesOptions & { readonly answer?: (request: ApiRequest) => ApiResult | undefined } = {},
): ReconcileHarness {
  let nowMs = Date.parse('2026-01-01T00:00:00Z')
  const clock = {
    nowMs: () => nowMs,
    sleep: () => Promise.resolve(),
    after: () => ({ [Symbol.dispose]: () => undefined }),
  }
  const startedMs = nowMs
  const cluster = createFakeCluster(clock)
  const nodes = createFakeNodes(cluster, clock, options)
  const view = viewFor(reconcilers)
  const events: string[] = []
  const woken = new Map<string, { readonly reconciler: Reconciler; readonly key: string }>()
  const known = new Map<string, { readonly reconciler: Reconciler; readonly key: string }>()
  const timers = new Map<string, number>()
  const histories = new KeyHistories()

  const wake = (reconciler: Reconciler, key: string): void => {
    const id = `${reconciler.name} ${key}`
    woken.set(id, { reconciler, key })
    known.set(id, { reconciler, key })
  }
  const onChange = (change: ObjectChange, before: KubeObject | undefined): void => {
    for (const reconciler of reconcilers) {
      for (const watch of watchesOf(reconciler, change.groupResource)) {
        for (const key of watch.keys(change, before, view)) wake(reconciler, key)
      }
    }
  }
  let seen = 0
  view.apply({ changes: [], sequence: 0, synced: true }, onChange)
  const catchUp = (): void => {
    const part = cluster.changes.slice(seen)
    seen += part.length
    if (part.length > 0) {
      const changes = part.filter((change) => view.follows(change.groupResource))
      view.apply({ changes, sequence: cluster.sequence, synced: true }, onChange)
    }
  }
  const note = (component: string, event: EventRecord): void => {
    events.push(`${component} ${event.reason} ${event.message}`)
  }

  /** The test's word goes before the cluster's. */
  const answer = (request: ApiRequest): ApiResult => options.answer?.(request) ?? cluster.execute(request)

  const round = (): boolean => {
    catchUp()
    const next = woken.entries().next()
    if (next.done) return false
    const [id, { reconciler, key }] = next.value
    woken.delete(id)
    timers.delete(id)
    const begun = histories.begin(id)
    const { failures, usedNameRounds, memory } = begun
    const observed = observeNow(reconciler.observe?.(key, view, { nowMs, memory }), answer)
    const result = reconciler.reconcile(key, view, { nowMs, startedMs, failures, usedNameRounds, observed, memory })
    for (const event of result.events ?? []) note(reconciler.component, event)
    const answered = (result.commands ?? []).map((command): Answered => [command, answer(command.request)])
    const outcome = outcomeOf(answered)
    for (const event of outcome.events) note(reconciler.component, event)
    for (const used of outcome.usedNames) view.noteDeleted(used.groupResource, used.key, nowMs)
    const metUsedName = outcome.usedNames.length > 0
    histories.conclude(id, begun, outcome.failures, metUsedName)
    histories.remember(id, result.memory)
    if (outcome.failures.length > 0) timers.set(id, nowMs + retryMs)
    else if (metUsedName) wake(reconciler, key)
    else if (result.requeueAfterMs !== undefined) timers.set(id, nowMs + Math.max(1, result.requeueAfterMs))
    catchUp()
    return true
  }

  const settle: ReconcileHarness['settle'] = ({ withoutNodes = false } = {}) => {
    for (let i = 0; i < roundsMax; i++) {
      if (round()) continue
      if (withoutNodes || !nodes.step()) return
    }
    throw new Error('the reconcilers do not settle')
  }

  return {
    cluster,
    view,
    nodes,
    events,
    nowMs: () => nowMs,
    settle,
    round,
    advance: (ms, how) => {
      const endMs = nowMs + ms
      for (let i = 0; i < roundsMax; i++) {
        settle(how)
        const due = Math.min(endMs, ...timers.values())
        if (due > nowMs) nowMs = due
        for (const [id, atMs] of [...timers]) {
          if (atMs > nowMs) continue
          timers.delete(id)
          woken.set(id, known.get(id)!)
        }
        if (nowMs === endMs && woken.size === 0) return
      }
      throw new Error('time does not pass')
    },
    secondRun: () => {
      catchUp()
      return [...known.values()].flatMap(({ reconciler, key }) => {
        const { memory } = histories.begin(`${reconciler.name} ${key}`)
        const observed = observeNow(reconciler.observe?.(key, view, { nowMs, memory }), answer)
        const context = { nowMs, startedMs, failures: [], usedNameRounds: 0, observed, memory }
        return (reconciler.reconcile(key, view, context).commands ?? []).map(
          ({ request }) =>
            `${reconciler.name} ${key}: ${request.verb} ${request.resource} ${request.subresource ?? ''}`,
        )
      })
    },
  }
}
