// What more replicas of one consumer do to it and to the others: real processes on a real nats-server and a real
// PostgreSQL, one gateway, and a burst of pods that controllers make, schedulers place and projectors write down. Rates and
// lags are taken from the times in the log itself, so that whoever measures is not measured.
import { createObjectFeed } from '@shiplog/feed/object-feed-from-log'
import { systemClock as clock } from '@shiplog/runtime/clock'
import { type ApartCluster, type Replicas, type ServiceName, startApart } from '../apart.ts'
import type { Part } from '../part.ts'
import type { Figure } from '../report.ts'
import { percentile } from '../statistics.ts'
import { usageOfTree } from '../usage.ts'

const nodes = 50
const deployments = 20
const podsEach = 100
const podsWanted = deployments * podsEach
const timeoutMs = 120_000
/** Writes of somebody who has nothing to do with all that. */
const bystanderEveryMs = 20
const one: Replicas = { schedulers: 1, controllers: 1, projectors: 1 }
const choices: readonly Replicas[] = [
  one,
  { ...one, schedulers: 2 },
  { ...one, schedulers: 3 },
  { ...one, controllers: 2 },
  { ...one, controllers: 3 },
  { ...one, projectors: 2 },
  { ...one, projectors: 3 },
]

interface Measured {
  readonly madePerSecond: number
  readonly boundPerSecond: number
  readonly bindLagsMs: readonly number[]
  /** From the last event of the burst until it is in SQL. */
  readonly sqlLagMs: number
  readonly bystanderMs: readonly number[]
  readonly overtaken: number
  readonly cpuSeconds: Readonly<Record<ServiceName, number>>
}

const services: readonly ServiceName[] = ['api-gateway', 'scheduler', 'controllers', 'projector']

async function must(cluster: ApartCluster, request: Parameters<ApartCluster['admin']['request']>[0]): Promise<void> {
  const result = await cluster.admin.request(request)
  if (!result.ok && result.code !== 409) throw new Error(result.status.message)
}

async function prepare(cluster: ApartCluster): Promise<void> {
  for (let index = 0; index < nodes; index++) {
    const name = `node-${index}`
    const resources = { cpu: '64', memory: '256Gi', pods: '1000' }
    const status = {
      capacity: resources,
      allocatable: resources,
      conditions: [{ type: 'Ready', status: 'True', reason: 'KubeletReady', message: '' }],
    }
    const body = { apiVersion: 'v1', kind: 'Node', metadata: { name }, status }
    await must(cluster, { verb: 'create', group: '', resource: 'nodes', body })
  }
  // The account that pods get comes from a controller.
  const account = {
    verb: 'get',
    group: '',
    resource: 'serviceaccounts',
    namespace: 'default',
    name: 'default',
  } as const
  const deadlineMs = clock.nowMs() + timeoutMs
  while (!(await cluster.admin.request(account)).ok) {
    if (clock.nowMs() > deadlineMs) throw new Error('there is no default account')
    await clock.sleep(50)
  }
}

const deployment = (name: string) => ({
  metadata: { name },
  spec: {
    replicas: podsEach,
    selector: { matchLabels: { app: name } },
    template: {
      metadata: { labels: { app: name } },
      spec: { containers: [{ name: 'c', image: 'i', resources: { requests: { cpu: '100m', memory: '64Mi' } } }] },
    },
  },
})

async function measure(cluster: ApartCluster): Promise<Measured> {
  await prepare(cluster)
  const feed = createObjectFeed(cluster.log)
  const ending = new AbortController()
  const made = new Map<string, number>()
  const bound = new Map<string, number>()
  const allBound = Promise.withResolvers<void>()
  let lastSequence = 0
  const following = (async () => {
    for await (const batch of feed.follow(['pods'], ending.signal)) {
      for (const { object, timeMs } of batch.changes) {
        const { uid } = object.metadata
        if (!made.has(uid)) made.set(uid, timeMs)
        if ((object['spec'] as { nodeName?: string }).nodeName && !bound.has(uid)) bound.set(uid, timeMs)
      }
      lastSequence = batch.sequence
      if (bound.size >= podsWanted) allBound.resolve()
    }
  })()
  const bystanderMs: number[] = []
  const bystander = (async () => {
    for (let turn = 0; !ending.signal.aborted; turn++) {
      const beganMs = performance.now()
      const body = { metadata: { name: `bystander-${turn}` }, data: { turn: String(turn) } }
      await must(cluster, { verb: 'create', group: '', resource: 'configmaps', namespace: 'default', body })
      bystanderMs.push(performance.now() - beganMs)
      await clock.sleep(bystanderEveryMs)
    }
  })()
  const cpuMs = (service: ServiceName): number =>
    cluster.pidsOf(service).reduce((sum, pid) => sum + usageOfTree(pid).cpuMs, 0)
  const before = new Map(services.map((service) => [service, cpuMs(service)]))
  try {
    const beganMs = clock.nowMs()
    await Promise.all(
      Array.from({ length: deployments }, (_, index) =>
        must(cluster, {
          verb: 'create',
          group: 'apps',
          resource: 'deployments',
          namespace: 'default',
          body: deployment(`burst-${index}`),
        }),
      ),
    )
    await Promise.race([
      allBound.promise,
      clock.sleep(timeoutMs).then(() => {
        throw new Error(`only ${bound.size} of ${podsWanted} pods were bound within ${timeoutMs / 1_000} s`)
      }),
    ])
    const wanted = lastSequence
    const seenMs = clock.nowMs()
    const position = /shiplog_projector_position\{[^}]*stream="events"[^}]*\} (\d+)/i
    for (;;) {
      const positions = await cluster.metric('projector', position)
      if (positions.some((at) => at >= wanted)) break
      if (clock.nowMs() - seenMs > timeoutMs) throw new Error(`SQL is at ${positions.join()} of ${wanted}`)
      await clock.sleep(10)
    }
    const sqlLagMs = clock.nowMs() - seenMs
    const cpuSeconds = Object.fromEntries(
      services.map((service) => [service, (cpuMs(service) - before.get(service)!) / 1_000]),
    ) as Record<ServiceName, number>
    const madeMs = [...made.values()]
    const boundMs = [...bound.values()]
    const perSecond = (fromMs: number, times: readonly number[]): number =>
      (podsWanted * 1_000) / Math.max(1, Math.max(...times) - fromMs)
    const overtaken = await cluster.metric('scheduler', /shiplog_scheduler_overtaken_bindings_total (\d+)/)
    return {
      madePerSecond: perSecond(beganMs, madeMs),
      boundPerSecond: perSecond(Math.min(...madeMs), boundMs),
      bindLagsMs: [...bound].map(([uid, timeMs]) => timeMs - made.get(uid)!),
      sqlLagMs,
      bystanderMs,
      overtaken: overtaken.reduce((sum, count) => sum + (Number.isNaN(count) ? 0 : count), 0),
      cpuSeconds,
    }
  } finally {
    ending.abort()
    await Promise.allSettled([following, bystander])
    feed.stop()
  }
}

export const replicas: Part = {
  name: 'replicas',
  about: `1, 2 and 3 schedulers, controller managers and projectors as processes; ${podsWanted} pods on ${nodes} nodes`,
  async run(options) {
    const figures: Figure[] = []
    for (const choice of choices) {
      const { schedulers, controllers, projectors } = choice
      const title = `${schedulers} sched, ${controllers} ctrl, ${projectors} proj`
      options.progress(`replicas: ${title}`)
      const cluster = await startApart(choice)
      let measured: Measured
      try {
        measured = await measure(cluster)
      } finally {
        await cluster.stop()
      }
      const { madePerSecond, boundPerSecond, bindLagsMs, sqlLagMs, bystanderMs, overtaken, cpuSeconds } = measured
      options.progress(`replicas: ${title}: ${madePerSecond.toFixed(0)} made/s, ${boundPerSecond.toFixed(0)} bound/s`)
      const cpu = services.map((service) => `${service} ${cpuSeconds[service].toFixed(1)}`).join(', ')
      figures.push(
        { what: `${title}: pods made`, value: madePerSecond, unit: '/s', better: 'higher', note: `CPU s: ${cpu}` },
        {
          what: `${title}: pods bound`,
          value: boundPerSecond,
          unit: '/s',
          better: 'higher',
          note: `made to bound p50 ${percentile(bindLagsMs, 0.5)} ms, p99 ${percentile(bindLagsMs, 0.99)} ms; ${overtaken} overtaken`,
        },
        { what: `${title}: SQL behind the last event`, value: sqlLagMs, unit: 'ms', better: 'lower' },
        {
          what: `${title}: a bystander's create p50`,
          value: percentile(bystanderMs, 0.5),
          unit: 'ms',
          better: 'lower',
          note: `p99 ${percentile(bystanderMs, 0.99).toFixed(0)} ms`,
        },
      )
    }
    return figures
  },
}
