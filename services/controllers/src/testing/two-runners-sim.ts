// Two runners on one fake cluster in one thread and in no time: what people do, what nodes do, what each view sees and when
// each command arrives come in an order drawn from a seed. One of the two can be killed at any of its commands, before it is
// sent or after it was stored; another takes its place that knows the cluster as it was at some time past. Whatever happens,
// the same story must end with the same children. What the runner promises (libs/reconcile) is kept, and nothing more.
import type { ApiRequest, ApiResult } from '@shiplog/api/api-client'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import type { ObjectChange } from '@shiplog/feed/object-feed'
import type { Command, Reconciler } from '@shiplog/reconcile/reconciler'
import { type Answered, KeyHistories, type KeyHistory, observeNow, outcomeOf } from '@shiplog/reconcile/round'
import { viewFor } from '@shiplog/reconcile/runner'
import { createFakeCluster, type FakeCluster } from '@shiplog/testing/fake-cluster'
import { createFakeNodes, type FakeNodesOptions } from '@shiplog/testing/fake-nodes'
import { seededRandom, type SeededRandom } from '@shiplog/testing/seeded-random'

const stepsMax = 50_000
/** When a key is tried again whose command was refused. */
const retryMs = 50

export interface Story {
  readonly reconcilers: readonly Reconciler[]
  readonly nodes?: FakeNodesOptions
  readonly startMs?: number
  /** What people do, each when everything before has come to rest. */
  readonly deeds: readonly ((cluster: FakeCluster) => void)[]
  /** Answers what an observation asks for in place of the cluster; undefined lets the cluster answer. */
  readonly answer?: (request: ApiRequest, cluster: FakeCluster) => ApiResult | undefined
  /** How long the cluster runs on after each deed. */
  readonly restMs?: number
}

export interface Death {
  /** The command of the first runner that is its last. */
  readonly at: number
  readonly when: 'before it is sent' | 'after it was stored'
}

export interface Played {
  readonly cluster: FakeCluster
  /** Names of all objects of a resource that were ever made, in order. */
  created(groupResource: string): readonly string[]
  /** Commands that the first runner sent. */
  readonly sent: number
}

interface Work {
  readonly reconciler: Reconciler
  readonly key: string
}

interface Round {
  /** Tells the rounds of both runners apart. */
  readonly name: string
  readonly work: Work
  readonly begun: KeyHistory
  readonly basis: number
  readonly waiting: Command[]
  readonly answered: Answered[]
  readonly requeueAfterMs: number | undefined
  readonly memory: JsonObject | undefined
}

interface World {
  readonly cluster: FakeCluster
  readonly random: SeededRandom
  readonly story: Story
  nowMs: number
  rounds: number
}

/** A runner, as far as its view and its rounds go. */
class SimulatedRunner {
  sent = 0
  isDead = false
  readonly timers = new Map<string, number>()
  readonly #world: World
  readonly #view
  readonly #startedMs: number
  readonly #woken = new Map<string, Work>()
  readonly #known = new Map<string, Work>()
  readonly #rounds = new Map<string, Round>()
  readonly #awaited = new Map<string, number>()
  readonly #histories = new KeyHistories()
  readonly #death: Death | undefined
  #seen: number

  /** `position`: how many of the cluster's changes its first snapshot holds. */
  constructor(world: World, position: number, death?: Death) {
    this.#world = world
    this.#death = death
    this.#startedMs = world.nowMs
    this.#view = viewFor(world.story.reconcilers)
    this.#seen = position
    const snapshot = new Map<string, ObjectChange>()
    for (const change of world.cluster.changes.slice(0, position)) {
      const id = `${change.groupResource} ${change.namespace}/${change.name}`
      snapshot.delete(id)
      if (!change.deleted) snapshot.set(id, change)
    }
    this.#apply([...snapshot.values()], world.cluster.changes[position - 1]?.sequence ?? 0)
  }

  /** What it may do next, of which one is drawn. */
  actions(): (() => void)[] {
    const ready = [...this.#woken].filter(
      ([id]) => !this.#rounds.has(id) && (this.#awaited.get(id) ?? 0) <= this.#view.sequence,
    )
    return [
      ...ready.map(
        ([id, work]) =>
          () =>
            this.#decide(id, work),
      ),
      ...[...this.#rounds.keys()].map((id) => () => this.#arrive(id)),
      ...(this.#seen < this.#world.cluster.changes.length ? [() => this.#see()] : []),
    ]
  }

  /** Wakes the keys whose time has come. */
  wakeDue(): void {
    for (const [id, atMs] of [...this.timers]) {
      if (atMs > this.#world.nowMs) continue
      this.timers.delete(id)
      this.#woken.set(id, this.#known.get(id)!)
    }
  }

  #apply(changes: readonly ObjectChange[], sequence: number): void {
    const followed = changes.filter(({ groupResource }) => this.#view.follows(groupResource))
    this.#view.apply({ changes: followed, sequence, synced: true }, (change, before) => this.#wake(change, before))
  }

  #wake(change: ObjectChange, before: KubeObject | undefined): void {
    for (const reconciler of this.#world.story.reconcilers) {
      for (const watch of reconciler.resources) {
        if (watch.groupResource !== change.groupResource) continue
        for (const key of watch.keys(change, before, this.#view)) this.#enqueue({ reconciler, key })
      }
    }
  }

  #enqueue(work: Work): void {
    const id = `${work.reconciler.name} ${work.key}`
    this.#woken.set(id, work)
    this.#known.set(id, work)
  }

  #see(): void {
    const part = this.#world.cluster.changes.slice(this.#seen, this.#seen + 1 + this.#world.random.below(4))
    this.#seen += part.length
    this.#apply(part, part.at(-1)!.sequence)
  }

  #decide(id: string, work: Work): void {
    this.#woken.delete(id)
    this.timers.delete(id)
    const begun = this.#histories.begin(id)
    const { failures, usedNameRounds, memory } = begun
    const { nowMs, cluster, story } = this.#world
    const ask = (request: ApiRequest): ApiResult => story.answer?.(request, cluster) ?? cluster.execute(request)
    const observed = observeNow(work.reconciler.observe?.(work.key, this.#view, { nowMs, memory }), ask)
    const context = { nowMs, startedMs: this.#startedMs, failures, usedNameRounds, observed, memory }
    const result = work.reconciler.reconcile(work.key, this.#view, context)
    const { commands = [], requeueAfterMs } = result
    const name = `${++this.#world.rounds}`
    const round = {
      name,
      work,
      begun,
      basis: this.#view.sequence,
      waiting: [...commands],
      answered: [],
      requeueAfterMs,
      memory: result.memory,
    }
    this.#rounds.set(id, round)
    if (commands.length === 0) this.#conclude(id, round)
  }

  /** One of the round's commands reaches the cluster. */
  #arrive(id: string): void {
    const round = this.#rounds.get(id)!
    const [command] = round.waiting.splice(this.#world.random.below(round.waiting.length), 1)
    this.sent++
    this.isDead = this.sent === this.#death?.at
    if (this.isDead && this.#death?.when === 'before it is sent') return
    const { onceFor } = command!
    const once = onceFor === undefined ? undefined : { matter: onceFor, round: round.name }
    const request: ApiRequest = { basis: round.basis, ...command!.request, ...(once ? { once } : {}) }
    round.answered.push([command!, this.#world.cluster.execute(request)])
    if (round.waiting.length === 0) this.#conclude(id, round)
  }

  #conclude(id: string, { work, begun, answered, requeueAfterMs, memory }: Round): void {
    this.#rounds.delete(id)
    const { nowMs, cluster } = this.#world
    const { sequence, failures, usedNames } = outcomeOf(answered)
    for (const used of usedNames) this.#view.noteDeleted(used.groupResource, used.key, nowMs)
    const metUsedName = usedNames.length > 0
    this.#awaited.set(id, metUsedName ? cluster.sequence : Math.max(sequence, this.#awaited.get(id) ?? 0))
    this.#histories.conclude(id, begun, failures, metUsedName)
    this.#histories.remember(id, memory)
    if (failures.length > 0) this.timers.set(id, nowMs + retryMs)
    else if (metUsedName) this.#enqueue(work)
    else if (requeueAfterMs !== undefined) this.timers.set(id, nowMs + Math.max(1, requeueAfterMs))
  }
}

/** Plays a story; `death` kills the first runner on the way. */
export function playStory(story: Story, seed: number, death?: Death): Played {
  const clock = {
    nowMs: () => world.nowMs,
    sleep: () => Promise.resolve(),
    after: () => ({ [Symbol.dispose]: () => undefined }),
  }
  const cluster = createFakeCluster(clock)
  const random = seededRandom(seed)
  const world: World = { cluster, random, story, nowMs: story.startMs ?? Date.parse('2026-01-01T00:00:00Z'), rounds: 0 }
  const nodes = createFakeNodes(cluster, clock, story.nodes ?? {})
  const victim = new SimulatedRunner(world, 0, death)
  const runners = [victim, new SimulatedRunner(world, 0)]
  const deeds = [...story.deeds]
  let restUntilMs = world.nowMs

  /** Nothing is left that may happen now: time passes, or people do the next thing. False at the end. */
  const goOn = (): boolean => {
    const due = Math.min(...runners.flatMap((runner) => [...runner.timers.values()]))
    if (due <= restUntilMs) {
      world.nowMs = Math.max(world.nowMs, due)
      for (const runner of runners) runner.wakeDue()
      return true
    }
    world.nowMs = Math.max(world.nowMs, restUntilMs)
    const deed = deeds.shift()
    deed?.(cluster)
    restUntilMs = world.nowMs + (story.restMs ?? retryMs * 100)
    return deed !== undefined
  }

  for (let step = 0; ; step++) {
    if (step > stepsMax) throw new Error(`the story does not end (seed ${seed})`)
    const actions = runners.flatMap((runner) => runner.actions())
    if (random.chance(0.1)) nodes.step()
    else if (actions.length > 0) random.pick(actions)()
    else if (!nodes.step() && !goOn()) break
    if (runners[0]!.isDead) runners[0] = new SimulatedRunner(world, random.below(cluster.changes.length + 1))
  }
  return {
    cluster,
    sent: victim.sent,
    created: (groupResource) => {
      const seen = new Set<string>()
      const made: string[] = []
      for (const { object, name, ...change } of cluster.changes) {
        if (change.groupResource !== groupResource || seen.has(object.metadata.uid)) continue
        seen.add(object.metadata.uid)
        made.push(name)
      }
      return made
    },
  }
}

/**
 * Plays a story undisturbed, then with every possible death of a runner, and hands each ending to `judge`. A seed that
 * fails is named by the error.
 */
export function playWithEveryDeath(story: Story, judge: (played: Played) => void, seeds = 1): void {
  for (let seed = 1; seed <= seeds; seed++) {
    const calm = playStory(story, seed)
    judge(calm)
    for (let at = 1; at <= calm.sent; at++) {
      for (const when of ['before it is sent', 'after it was stored'] as const) {
        try {
          judge(playStory(story, seed, { at, when }))
        } catch (cause) {
          throw new Error(`killed at command ${at}, ${when}, seed ${seed}`, { cause })
        }
      }
    }
  }
}
