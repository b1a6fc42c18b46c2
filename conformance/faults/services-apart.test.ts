// All services as real processes on a real nats-server and a real PostgreSQL: two gateways, schedulers and controller
// managers, agents and a projector, with 300 pods that are scaled, rolled out and deleted, while one process of each
// kind is killed with -9 or paused, NATS included. It converges; no pod is made twice; nothing acknowledged is lost;
// SQL is what the gateways serve; and who is dead is not ready in kube-system within 15 seconds.
import { systemClock as clock } from '@shiplog/runtime/clock'
import { seededRandom } from '@shiplog/testing/seeded-random'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Apart, startApart } from './apart.ts'
import { converged, judge } from './apart-checks.ts'
import { startWorkload, type Workload } from './apart-workload.ts'
import { isFull, seed, sized, tell } from './size.ts'

const deployments = 6
const replicas = 50
const nodes = 30
const pauseMs = sized(9_000, 20_000)
const notReadyWithinMs = 15_000
/** After a death or a pause everything is well again within this. */
const readyWithinMs = 40_000
const startTimeoutMs = 60_000

let apart: Apart
let workload: Workload
const noticedMs: number[] = []

interface Shown {
  readonly ready: boolean
  readonly reason: string | undefined
  readonly restarts: number
}

async function shown(name: string): Promise<Shown | undefined> {
  const pods = await apart.list('pods', '', 'kube-system')
  const status = pods.find(({ metadata }) => metadata.name === apart.podOf(name))?.['status']
  if (status === undefined) return undefined
  const condition = status.conditions?.find(({ type }: { type: string }) => type === 'Ready')
  return {
    ready: condition?.status === 'True',
    reason: condition?.reason,
    restarts: status.containerStatuses?.[0]?.restartCount ?? 0,
  }
}

async function isNoticed(name: string, sinceMs: number): Promise<void> {
  const left = notReadyWithinMs - (clock.nowMs() - sinceMs)
  await apart.until(`${name} is not ready in kube-system`, left, async () => {
    const found = await shown(name)
    return found?.ready === false && found.reason === 'HeartbeatMissed'
  })
  noticedMs.push(clock.nowMs() - sinceMs)
}

const isWell = (name: string, restarts?: number): Promise<unknown> =>
  apart.until(`${name} is ready in kube-system`, readyWithinMs, async () => {
    const found = await shown(name)
    return found?.ready && (restarts === undefined || found.restarts >= restarts)
  })

/** The ports at which the Service `kubernetes` has endpoints. */
async function endpointPorts(): Promise<number[]> {
  const endpoints = (await apart.list('endpoints')).find(({ metadata }) => metadata.name === 'kubernetes')
  return (endpoints!['subsets'] as any[]).flatMap(({ ports }) => ports.map(({ port }: { port: number }) => port)).sort()
}

/** Kills these one after the other, sees that each is noticed, and starts them again. */
async function killed(...names: string[]): Promise<void> {
  const before = new Map<string, number>()
  for (const name of names) before.set(name, (await shown(name))?.restarts ?? 0)
  const sinceMs = new Map<string, number>()
  for (const name of names) {
    apart.kill(name)
    sinceMs.set(name, clock.nowMs())
    await clock.sleep(300)
  }
  for (const name of names) await isNoticed(name, sinceMs.get(name)!)
  const left = apart.gatewayPorts.filter((_, index) => !names.includes(`gateway-${index}`))
  await apart.until('only gateways that live are endpoints', notReadyWithinMs, async () => {
    return String(await endpointPorts()) === String([...left].sort())
  })
  await Promise.all(names.map((name) => apart.restart(name)))
  for (const name of names) await isWell(name, before.get(name)! + 1)
}

/** Pauses one, sees that it is noticed, and lets it go on. */
async function paused(name: string): Promise<void> {
  const sinceMs = clock.nowMs()
  apart.pause(name)
  try {
    await isNoticed(name, sinceMs)
    await clock.sleep(Math.max(0, pauseMs - (clock.nowMs() - sinceMs)))
  } finally {
    apart.resume(name)
  }
  await isWell(name)
}

/** The only server of the log: nobody can tell of it while it is away. */
async function logServerKilled(): Promise<void> {
  const before = (await shown('nats-1'))?.restarts ?? 0
  apart.kill('nats-1')
  await clock.sleep(1_000)
  await apart.restart('nats-1')
  await isWell('nats-1', before + 1)
}

async function logServerPaused(): Promise<void> {
  apart.pause('nats-1')
  try {
    for (const name of ['gateway-0', 'gateway-1']) {
      await apart.until(`${name} says that it is not ready`, notReadyWithinMs, async () => !(await apart.isReady(name)))
    }
    await clock.sleep(pauseMs)
  } finally {
    apart.resume('nats-1')
  }
  await isWell('nats-1')
}

beforeAll(async () => {
  apart = await startApart({
    natsServers: 1,
    gateways: 2,
    schedulers: 2,
    controllers: 2,
    nodes,
    agents: 3,
    projectors: 1,
  })
  for (const name of apart.names) {
    await apart.until(`${name} is ready`, startTimeoutMs, () => apart.isReady(name))
  }
}, 120_000)

afterAll(() => apart?.end())

describe('services that run apart', { timeout: isFull ? 900_000 : 240_000 }, () => {
  test('all show as ready pods in kube-system', async () => {
    for (const name of apart.names) await isWell(name)
    const pods = await apart.list('pods', '', 'kube-system')
    expect(pods.map(({ metadata }) => metadata.name).sort()).toEqual(apart.names.map(apart.podOf).sort())
    // The simulated ones, and that which carries these pods.
    expect(await apart.list('nodes', '', '')).toHaveLength(nodes + 1)
  })

  test('converge after deaths and pauses of each kind, with nothing lost and nothing twice', async () => {
    workload = await startWorkload({
      client: apart.admin,
      random: seededRandom(seed),
      deployments,
      replicas,
      writers: 4,
    })
    const kinds = ['gateway-1', 'scheduler-0', 'controllers-0', 'agent-0', 'projector-0']
    if (isFull) {
      for (const name of kinds) await killed(name)
      await logServerKilled()
      for (const name of ['gateway-0', 'scheduler-1', 'controllers-1', 'agent-1', 'projector-0']) await paused(name)
      await logServerPaused()
    } else {
      await killed(...kinds)
      await logServerKilled()
      await paused('controllers-1')
    }
    await workload.end()
    expect(await endpointPorts()).toEqual([...apart.gatewayPorts].sort())
    await converged(apart, { deployments, replicas })
    const { violations, records, podNames, objects } = await judge(apart, workload)
    const { counts } = workload.ledger
    tell(
      `services apart, seed ${seed}: ${records} records, ${podNames} pods ever made, ${workload.counts.scaled} scaled, ` +
        `${workload.counts.rolledOut} rolled out, ${workload.counts.deleted} pods deleted; ${counts.acknowledged} writes ` +
        `acknowledged, ${counts.unknown} unknown; ${objects} objects compared; deaths noticed after ` +
        `${noticedMs.map((ms) => (ms / 1_000).toFixed(1)).join(', ')} s; ${violations.length} violations`,
    )
    expect(violations.slice(0, 20)).toEqual([])
    expect(counts.acknowledged).toBeGreaterThan(50)
    expect(podNames).toBeGreaterThan(deployments * replicas)
  })

  test('take their pods with them when they end in order', async () => {
    await apart.terminate('scheduler-1')
    await apart.until('its pod is gone', readyWithinMs, async () => (await shown('scheduler-1')) === undefined)
  })
})
