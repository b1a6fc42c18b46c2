// Reconcilers whose rounds, commands and the kubelets' moves come in any order that a real cluster could show: a key's
// commands arrive one by one, in any order, while other keys decide, and the key itself decides again only when the view
// has seen them all. What the runner promises is kept, and nothing more.
import type { ObjectChange } from '@shiplog/feed/object-feed'
import type { ApiRequest } from '@shiplog/api/api-client'
import type { KubeObject } from '@shiplog/api/kube-object'
import type { Reconciler } from '@shiplog/reconcile/reconciler'
import { viewFor } from '@shiplog/reconcile/runner'
import { createFakeCluster, type FakeCluster } from '@shiplog/testing/fake-cluster'
import { createFakeNodes, type FakeNodesOptions } from '@shiplog/testing/fake-nodes'
import type { SeededRandom } from '@shiplog/testing/seeded-random'

/** An action that changes nothing is chosen so often in a row only when nothing is left to do. */
const idleStepsMax = 4
const stepsMax = 20_000

interface Work {
  readonly reconciler: Reconciler
  readonly key: string
}

export interface Interleaving {
  readonly cluster: FakeCluster
  /** Does one thing of those that may happen next; false when there is none. */
  step(): boolean
  /** Lets everything happen that is left. */
  settle(): void
}

export function createInterleaving(
  reconcilers: readonly Reconciler[],
  random: SeededRandom,
  options: FakeNodesOptions = {},
): Interleaving {
  const nowMs = Date.parse('2026-01-01T00:00:00Z')
  const clock = {
    nowMs: () => nowMs,
    sleep: () => Promise.resolve(),
    after: () => ({ [Symbol.dispose]: () => undefined }),
  }
  const cluster = createFakeCluster(clock)
  const nodes = createFakeNodes(cluster, clock, options)
  const view = viewFor(reconcilers)
  const resources = new Set(view.groupResources)
  const woken = new Map<string, Work>()
  /** Commands on their way, by the key whose round sent them. */
  const onTheirWay = new Map<string, ApiRequest[]>()
  /** What the view must have seen before the key decides again. */
  const awaited = new Map<string, number>()

  const onChange = (change: ObjectChange, before: KubeObject | undefined): void => {
    for (const reconciler of reconcilers) {
      for (const watch of reconciler.resources) {
        if (watch.groupResource !== change.groupResource) continue
        for (const key of watch.keys(change, before, view)) woken.set(`${reconciler.name} ${key}`, { reconciler, key })
      }
    }
  }
  let seen = 0
  view.apply({ changes: [], sequence: 0, synced: true }, onChange)

  /** The view sees some of what has happened since. */
  const see = (count: number): void => {
    const part = cluster.changes.slice(seen, seen + count)
    seen += part.length
    const changes = part.filter(({ groupResource }) => resources.has(groupResource))
    if (part.length > 0) view.apply({ changes, sequence: part.at(-1)!.sequence, synced: true }, onChange)
  }

  const decide = (id: string, { reconciler, key }: Work): void => {
    woken.delete(id)
    const result = reconciler.reconcile(key, view, { nowMs, startedMs: nowMs, failures: [], usedNameRounds: 0 })
    if (result.commands?.length)
      onTheirWay.set(
        id,
        result.commands.map(({ request }) => request),
      )
  }

  const arrive = (id: string): void => {
    const requests = onTheirWay.get(id)!
    const [request] = requests.splice(random.below(requests.length), 1)
    const answer = cluster.execute(request!)
    // A refused command is decided anew. A deletion that found nothing is none.
    if (answer.ok) awaited.set(id, Math.max(awaited.get(id) ?? 0, answer.sequence))
    else if (!woken.has(id)) retry.add(id)
    if (requests.length === 0) onTheirWay.delete(id)
  }
  const retry = new Set<string>()

  const mayDecide = (id: string): boolean => !onTheirWay.has(id) && (awaited.get(id) ?? 0) <= view.sequence
  const known = new Map<string, Work>()

  const step = (): boolean => {
    for (const [id, work] of woken) known.set(id, work)
    for (const id of retry) {
      if (onTheirWay.has(id)) continue
      retry.delete(id)
      woken.set(id, known.get(id)!)
    }
    const ready = [...woken].filter(([id]) => mayDecide(id))
    const actions: (() => void)[] = [
      ...ready.map(
        ([id, work]) =>
          () =>
            decide(id, work),
      ),
      ...[...onTheirWay.keys()].map((id) => () => arrive(id)),
      ...(seen < cluster.changes.length ? [() => see(1 + random.below(4))] : []),
    ]
    if (actions.length === 0) return nodes.step()
    if (random.chance(0.1)) nodes.step()
    else random.pick(actions)()
    return true
  }

  return {
    cluster,
    step,
    settle: () => {
      let idle = 0
      for (let i = 0; i < stepsMax && idle < idleStepsMax; i++) idle = step() ? 0 : idle + 1
      if (idle < idleStepsMax) throw new Error('it does not settle')
    },
  }
}
