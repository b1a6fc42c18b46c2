// Three nats-servers with three copies of each stream, by the configuration of the compose file, and the services on them:
// the server that leads the log is killed with -9 under load. Nothing acknowledged is lost, the cluster goes on, and the
// server that is away is not ready in kube-system.
import { systemClock as clock } from '@shiplog/runtime/clock'
import { seededRandom } from '@shiplog/testing/seeded-random'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Apart, startApart } from './apart.ts'
import { converged, judge } from './apart-checks.ts'
import { startWorkload } from './apart-workload.ts'
import { isFull, seed, sized, tell } from './size.ts'

const deployments = 3
const replicas = 12
const startTimeoutMs = 90_000
/** Elections take some seconds; the machine may be busy. */
const goesOnWithinMs = 60_000
/** A server that has come back is given this long to catch up before the next one dies: two away are too many. */
const catchUpMs = 5_000

const deaths = sized(1, 6)
const pauseMs = 20_000

let apart: Apart

const isReady = async (name: string): Promise<boolean | undefined> => {
  const pods = await apart.list('pods', '', 'kube-system')
  return pods.find(({ metadata }) => metadata.name === apart.podOf(name))?.['status']?.containerStatuses?.[0]?.ready
}

beforeAll(async () => {
  apart = await startApart({
    natsServers: 3,
    gateways: 2,
    schedulers: 1,
    controllers: 1,
    nodes: 1,
    agents: 1,
    projectors: 1,
  })
  for (const name of apart.names) {
    await apart.until(`${name} is ready`, startTimeoutMs, () => apart.isReady(name))
  }
}, 120_000)

afterAll(() => apart?.end())

test('the server that leads the log may die: what was acknowledged stays', { timeout: 600_000 }, async () => {
  for (const name of apart.names) {
    await apart.until(`${name} is shown`, startTimeoutMs, async () => await isReady(name))
  }
  const workload = await startWorkload({
    client: apart.admin,
    random: seededRandom(seed),
    deployments,
    replicas,
    writers: 8,
  })
  const acknowledged = (): number => workload.ledger.counts.acknowledged
  const gapsMs: number[] = []
  for (let death = 0; death < deaths; death++) {
    await clock.sleep(1_000)
    const name = await apart.until('the log has a leader', goesOnWithinMs, apart.leader)
    apart.kill(name)
    const beganMs = clock.nowMs()
    const before = acknowledged()
    await apart.until('writes are acknowledged again', goesOnWithinMs, async () => acknowledged() > before + 20)
    gapsMs.push(clock.nowMs() - beganMs)
    await apart.until(
      `${name} is not ready in kube-system`,
      goesOnWithinMs,
      async () => (await isReady(name)) === false,
    )
    await apart.restart(name)
    await apart.until(`${name} is back`, goesOnWithinMs, async () => await isReady(name))
    await clock.sleep(catchUpMs)
  }
  if (isFull) {
    // A leader that was paused wakes up as one that believes to lead still.
    const name = await apart.until('the log has a leader', goesOnWithinMs, apart.leader)
    const beganMs = clock.nowMs()
    const before = acknowledged()
    apart.pause(name)
    const gap = apart
      .until('writes are acknowledged again', goesOnWithinMs, async () => acknowledged() > before + 20)
      .then(() => gapsMs.push(clock.nowMs() - beganMs))
    await clock.sleep(pauseMs)
    apart.resume(name)
    await gap
    await clock.sleep(catchUpMs)
  }
  await workload.end()
  await converged(apart, { deployments, replicas })
  const { violations, records } = await judge(apart, workload)
  const { counts } = workload.ledger
  tell(
    `three log servers, seed ${seed}: ${records} records, ${counts.acknowledged} writes acknowledged, ${counts.unknown} ` +
      `unknown, gaps ${gapsMs.map((ms) => (ms / 1_000).toFixed(1)).join(', ')} s, ${violations.length} violations`,
  )
  expect(violations.slice(0, 20)).toEqual([])
})
