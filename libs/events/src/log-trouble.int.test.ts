// A log that hangs and a log whose disk is full: whoever asks is told in time and told why, and when the trouble is over
// writes come back by themselves.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '@shiplog/runtime/clock'
import { afterEach, describe, expect, test } from 'vitest'
import { sample } from './event-log.contract.ts'
import type { ClusterLog, EventLog, LogUnavailable } from './event-log.ts'
import { connectJetStreamClusterLog } from './jetstream/jetstream-log.ts'
import { requireNatsServer } from '@shiplog/nats-server/nats-binary'
import { type NatsChild, startNatsServer } from '@shiplog/nats-server/nats-child'
import { openSqliteClusterLog } from './sqlite/sqlite-log.ts'

const server = await requireNatsServer()
const diskBytes = 24 * 1024 * 1024
const comeBackMs = 10_000
const retryMs = 100

/** Whether this process may mount a small disk; without one these tests say so in their name. */
const canMount = ((): boolean => {
  const directory = mkdtempSync(join(tmpdir(), 'shiplog-mount-'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', directory], { stdio: 'ignore' })
    execFileSync('umount', [directory], { stdio: 'ignore' })
    return true
  } catch {
    return false
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
})()

const undo: (() => Promise<void> | void)[] = []
afterEach(async () => {
  for (const each of undo.splice(0).reverse()) await each()
})

async function jetStream(dataDir: string): Promise<{ log: ClusterLog; child: NatsChild }> {
  const child = await startNatsServer({ binary: server!.path, dataDir })
  undo.push(() => child.stop())
  const log = await connectJetStreamClusterLog({
    servers: child.url,
    credentials: child.credentials.gateway,
    disk: child.disk,
  })
  undo.push(() => log.close())
  return { log, child }
}

function directory(): string {
  const made = mkdtempSync(join(tmpdir(), 'shiplog-trouble-'))
  undo.push(() => rmSync(made, { recursive: true, force: true }))
  return made
}

function smallDisk(): string {
  const made = directory()
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${diskBytes},mode=0700`, 'tmpfs', made])
  undo.push(() => void execFileSync('umount', ['-l', made]))
  return made
}

/** Fills the disk to the last byte; what it gives back makes room again. */
function fill(disk: string): () => void {
  const file = join(disk, 'filler')
  try {
    writeFileSync(file, Buffer.alloc(2 * diskBytes))
  } catch (error) {
    expect((error as NodeJS.ErrnoException).code).toBe('ENOSPC')
  }
  return () => rmSync(file)
}

interface Failure {
  readonly error: LogUnavailable
  readonly tookMs: number
}

async function failureOf(ask: () => Promise<unknown>): Promise<Failure> {
  const begunMs = systemClock.nowMs()
  const error = await ask().then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(error).toMatchObject({ name: 'LogUnavailable' })
  return { error: error as LogUnavailable, tookMs: systemClock.nowMs() - begunMs }
}

/** How long it takes until an append is stored. */
async function backAfterMs(log: EventLog, subject: string): Promise<number> {
  const begunMs = systemClock.nowMs()
  for (;;) {
    const result = await log.append([sample(subject, undefined)]).catch(() => undefined)
    if (result?.ok) return systemClock.nowMs() - begunMs
    expect(systemClock.nowMs() - begunMs).toBeLessThan(2 * comeBackMs)
    await systemClock.sleep(retryMs)
  }
}

describe('nats-server that hangs', () => {
  test('reads and appends end in time, those that come later at once, and all is well when it goes on', async () => {
    const { log, child } = await jetStream(directory())
    await log.events.append([sample('evt.core.pods.a.before', 0)])
    process.kill(child.pid, 'SIGSTOP')
    try {
      // On a busy machine the signal takes a moment.
      while (!/\) T /.test(readFileSync(`/proc/${child.pid}/stat`, 'utf8'))) await systemClock.sleep(5)
      // Two that share a round trip, and two that come while it is under way.
      const reads = [log.events.lastSequence(), log.events.lastSequence(), log.events.get(1)]
      const first = await Promise.all(reads.map((read) => failureOf(() => read)))
      for (const { tookMs } of first) expect(tookMs).toBeLessThan(7_500)
      for (const ask of [() => log.events.lastSequence(), () => log.events.get(1), () => log.leases.lastSequence()])
        expect((await failureOf(ask)).tookMs).toBeLessThan(2_500)
      const append = await failureOf(() => log.events.append([sample('evt.core.pods.a.late', 0)]))
      expect(append.tookMs).toBeLessThan(2_500)
      // It was not even sent: whoever asked may ask again.
      expect(append.error.ambiguous).toBe(false)
      expect(append.error.message).toMatch(/nats-server gives no answer|NATS cannot be reached at nats:/)
    } finally {
      process.kill(child.pid, 'SIGCONT')
    }
    expect(await backAfterMs(log.events, 'evt.core.pods.a.after')).toBeLessThan(comeBackMs)
    expect(await log.events.last('evt.core.pods.a.late')).toBeUndefined()
  }, 40_000)
})

describe.runIf(canMount)('a full disk', () => {
  test('of JetStream: the message names it, the cure helps, and nobody restarts anything', async () => {
    const disk = smallDisk()
    const { log } = await jetStream(disk)
    await log.events.append([sample('evt.core.pods.a.before', 0)])
    const makeRoom = fill(disk)
    // Larger than what is left of the last page.
    const full = { ...sample('evt.core.pods.a.full', 0), payload: Buffer.alloc(256 * 1024) }
    const { error, tookMs } = await failureOf(() => log.events.append([full]))
    expect(tookMs).toBeLessThan(17_500)
    expect(error.message).toContain(`the disk of ${join(disk, 'nats', 'store')} has 0.0 MB of 24.0 MB free`)
    expect(error.message).toContain('make room there')
    // It is known now: nobody waits for it any more.
    const again = await failureOf(() => log.events.append([sample('evt.core.pods.a.again', 0)]))
    expect(again.tookMs).toBeLessThan(1_000)
    expect(again.error).toMatchObject({ ambiguous: false })
    expect(await log.events.last('evt.core.pods.a.before')).toBeDefined()
    makeRoom()
    expect(await backAfterMs(log.events, 'evt.core.pods.a.after')).toBeLessThan(comeBackMs)
    expect(await log.events.last('evt.core.pods.a.before')).toBeDefined()
  }, 60_000)

  test('of JetStream up to the limit of its store: refused at once, and more room is taken as soon as there is some', async () => {
    const disk = smallDisk()
    const ballast = join(disk, 'ballast')
    writeFileSync(ballast, Buffer.alloc(diskBytes - 8 * 1024 * 1024))
    const { log } = await jetStream(disk)
    const large = Buffer.alloc(1024 * 1024)
    let refused: Failure | undefined
    for (let i = 0; i < 10 && !refused; i++) {
      const record = { ...sample(`evt.core.pods.a.large-${i}`, 0), payload: large }
      const ok = await log.events.append([record]).then(
        () => true,
        () => false,
      )
      if (!ok) refused = await failureOf(() => log.events.append([record]))
    }
    expect(refused!.tookMs).toBeLessThan(5_000)
    expect(refused!.error.message).toMatch(/\(100(23|47)\): the disk of .*store has .* MB free; make room there/)
    rmSync(ballast)
    const record = { ...sample('evt.core.pods.a.after', undefined), payload: large }
    const begunMs = systemClock.nowMs()
    while (!(await log.events.append([record]).catch(() => undefined))?.ok) {
      expect(systemClock.nowMs() - begunMs).toBeLessThan(comeBackMs)
      await systemClock.sleep(retryMs)
    }
  }, 60_000)

  test('of the embedded log: the message names it, and the next append is stored when there is room', async () => {
    const disk = smallDisk()
    const log = await openSqliteClusterLog({ dataDir: disk })
    undo.push(() => log.close())
    await log.events.append([sample('evt.core.pods.a.before', 0)])
    // A record that expires while nothing can be written.
    await log.objectEvents.append([{ ...sample('oev.a.expiring', 0), ttlSeconds: 1 }])
    const makeRoom = fill(disk)
    const full = { ...sample('evt.core.pods.a.full', 0), payload: Buffer.alloc(256 * 1024) }
    const { error, tookMs } = await failureOf(() => log.events.append([full]))
    expect(tookMs).toBeLessThan(1_000)
    expect(error.message).toContain(`the disk of ${disk} has `)
    await systemClock.sleep(2_500)
    expect(await log.events.last('evt.core.pods.a.before')).toBeDefined()
    makeRoom()
    expect(await log.events.append([full])).toMatchObject({ ok: true })
  }, 30_000)
})
