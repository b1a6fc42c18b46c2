// Several replicas of the scheduler on little room, with answers that get lost, feeds that lag, replicas that are killed and come
// back. Everything happens by seed, on a clock that only the test moves.
import type { JsonObject } from '@shiplog/api/kube-object'
import { systemIds as ids } from '@shiplog/runtime/ids'
import { silentLogger as log } from '@shiplog/runtime/logger'
import { testNode, testPod } from '@shiplog/scheduling/testing/test-objects'
import { createFakeCluster, type FakeCluster, type Fate } from '@shiplog/testing/fake-cluster'
import { createManualClock, settle } from '@shiplog/testing/manual-clock'
import { seededRandom, type SeededRandom } from '@shiplog/testing/seeded-random'
import { createScheduler, type Scheduler } from '../scheduler.ts'
import { createBindChecker } from './bind-checker.ts'

export interface SeveralOutcome {
  readonly binds: number
  readonly kills: number
  /** Gangs of which pods were bound. */
  readonly gangs: number
  /** Bindings that were refused because another replica was faster. */
  readonly overtaken: number
  readonly violations: readonly string[]
}

const replicas = 3
const nodes = 12
const stepMs = 100
const leaseMs = 5_000
const podsAtOnce = 60
const gangSize = 4

interface Replica {
  scheduler: Scheduler
  isAlive: boolean
}

/** Runs until so many pods were bound. */
export async function runSeveralSchedulers(seed: number, bindsWanted: number): Promise<SeveralOutcome> {
  const chance = seededRandom(seed)
  const clock = createManualClock()
  const cluster = createFakeCluster(clock)
  const checker = createBindChecker()
  cluster.onChange((change) => checker.see(change))
  for (let node = 0; node < nodes; node++) cluster.put('nodes', nodeOf(node))
  const group = createGroup(cluster, clock, chance)
  await group.begin()
  let made = 0
  let kills = 0
  let revivalAtMs: number | undefined
  while (checker.binds < bindsWanted) {
    const waiting = cluster.list('pods').filter(({ spec }) => !spec.nodeName).length
    for (let more = waiting; more < podsAtOnce; more++) cluster.put('pods', podOf(`p${made++}`, chance))
    if (chance.chance(0.2)) putGang(cluster, `gang-${made++}`)
    for (const { metadata, spec } of cluster.list('pods')) {
      // What waits goes, too, now and then: it may be under way.
      if (chance.chance(spec.nodeName ? 0.1 : 0.01)) cluster.remove('pods', `default/${metadata.name}`)
    }
    if (revivalAtMs === undefined && chance.chance(0.01)) {
      kills++
      group.kill(chance.below(replicas))
      revivalAtMs = clock.nowMs() + leaseMs
    } else if (revivalAtMs !== undefined && clock.nowMs() >= revivalAtMs) {
      await group.share()
      revivalAtMs = undefined
    }
    await clock.advance(stepMs)
    await settle(1)
    // Nothing is half way here: the cluster carries a request out in one go.
    checker.checkGangs(gangSize)
  }
  await group.end()
  return { binds: checker.binds, kills, gangs: checker.gangs, overtaken: group.overtaken(), violations: checker.violations }
}

const nodeOf = (number: number) =>
  testNode(`n${number}`, { labels: { zone: `z${number % 4}` }, allocatable: { cpu: '2', pods: '6' } })

function podOf(name: string, chance: SeededRandom) {
  const apart = (topologyKey: string): JsonObject => ({
    podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey, labelSelector: { matchLabels: { app: 'apart' } } }] },
  })
  const kind = chance.below(8)
  const affinity = kind === 0 ? apart('zone') : kind === 1 ? apart('kubernetes.io/hostname') : {}
  return testPod(name, {
    requests: { cpu: chance.pick(['200m', '500m', '900m']) },
    metadata: { labels: { app: kind < 2 ? 'apart' : 'web' } },
    spec: { affinity },
  })
}

/** Now and then one pod more than is asked for. */
function putGang(cluster: FakeCluster, name: string): void {
  const extra = cluster.sequence % 2
  cluster.put('podgroups.scheduling.k8s.io', {
    ...{ apiVersion: 'scheduling.k8s.io/v1alpha2', kind: 'PodGroup', metadata: { name, namespace: 'default' } },
    spec: { schedulingPolicy: { gang: { minCount: gangSize } } },
  })
  for (let pod = 0; pod < gangSize + extra; pod++)
    cluster.put('pods', testPod(`${name}-${pod}`, { requests: { cpu: '600m' }, spec: { schedulingGroup: { podGroupName: name } } }))
}

type Clock = ReturnType<typeof createManualClock>

function createGroup(cluster: FakeCluster, clock: Clock, chance: SeededRandom) {
  const members: Replica[] = []
  /** Place of a uid among as many shares as there are replicas → the replica. */
  let owners = Array.from({ length: replicas }, (_, index) => index)
  const slotOf = (uid: string): number => [...uid].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) >>> 0, 0) % replicas
  let overtaken = 0

  const fateOf = (replica: Replica): Fate => {
    if (!replica.isAlive) return 'lose-request'
    if (chance.chance(0.02)) return 'lose-answer'
    return chance.chance(0.02) ? 'lose-request' : 'deliver'
  }

  const create = (index: number): Replica => {
    const replica = { isAlive: true } as Replica
    const client = cluster.client({ fate: () => fateOf(replica), latencyMs: 20 })
    const counting = {
      ...client,
      request: async (request: Parameters<typeof client.request>[0]) => {
        const result = await client.request(request)
        if (request.once && !result.ok && result.code === 409) overtaken++
        return result
      },
    }
    // Each sees the log a little later, and some a good while later at times.
    const feed = cluster.delayedFeed(() => (chance.chance(0.02) ? 2_000 : chance.below(60)))
    const shares = { owns: (uid: string) => owners[slotOf(uid)] === index }
    replica.scheduler = createScheduler({ feed, client: counting, clock, ids, log, shares })
    return replica
  }

  /** Time has to pass for what waits on it. */
  const passing = async (work: Promise<unknown>): Promise<void> => {
    let isDone = false
    void work.then(() => {
      isDone = true
    })
    while (!isDone) {
      await clock.advance(stepMs)
      await settle(1)
    }
  }

  const start = async (index: number): Promise<void> => {
    members[index] = create(index)
    await passing(members[index].scheduler.start())
  }

  return {
    async begin() {
      for (let index = 0; index < replicas; index++) await start(index)
      for (const { scheduler } of members) scheduler.gained()
    },
    kill(index: number) {
      members[index]!.isAlive = false
      void members[index]!.scheduler.stop()
    },
    /** The lease of a dead one is over: another has its pods first, and then its successor. */
    async share() {
      const dead = members.findIndex(({ isAlive }) => !isAlive)
      owners = owners.map((owner) => (owner === dead ? (dead + 1) % replicas : owner))
      members[(dead + 1) % replicas]!.scheduler.gained()
      await clock.advance(leaseMs)
      await start(dead)
      owners = Array.from({ length: replicas }, (_, index) => index)
      await passing(Promise.all(members.map(({ scheduler }) => scheduler.letGo())))
      for (const { scheduler } of members) scheduler.gained()
    },
    overtaken: () => overtaken,
    async end() {
      await passing(Promise.all(members.map(({ scheduler }) => scheduler.stop())))
    },
  }
}
