// Seals, compaction, verification and the high-water mark on the embedded log's real file: what is whole passes, and each
// kind of damage stops start-up with a message that names subject and sequence.
import {
  copyFileSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { systemClock } from '@shiplog/runtime/clock'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { checksumHeader, sealRecord } from './checksum.ts'
import { compactLog } from './compactor.ts'
import { encodeEnvelope } from '../envelope.ts'
import type { ClusterLog, EventLog } from '../event-log.ts'
import { createGroupCommitter } from '../commit/group-committer.ts'
import { openHighWaterMark, readMark } from './high-water-mark.ts'
import { createSealer, type Seal } from './seals.ts'
import { openSqliteClusterLog } from '../sqlite/sqlite-log.ts'
import { describeFinding, verifyAtStart, verifying, verifyLog } from './verify-log.ts'

let dir: string
let cluster: ClusterLog
let log: EventLog
const lasts = new Map<string, { sequence: number; checksum: string }>()

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'shiplog-verify-'))
  cluster = await openSqliteClusterLog({ dataDir: dir })
  log = cluster.events
  lasts.clear()
})
afterEach(async () => {
  await cluster.close()
  rmSync(dir, { recursive: true, force: true })
})

const event = (subject: string, deleted = false) => {
  const last = lasts.get(subject)
  const previous = last?.sequence ?? 0
  const headers = encodeEnvelope({
    type: deleted ? 'PodDeleted' : 'PodUpdated',
    schema: 1,
    actor: 'tester',
    requestId: `r-${subject}-${previous}`,
    previous,
    deleted,
  })
  const payload = Buffer.from(JSON.stringify({ subject, previous, padding: 'x'.repeat(300) }))
  return sealRecord({ subject, expected: previous, headers, payload }, last?.checksum)
}

async function write(subject: string, deleted = false, into: EventLog = log): Promise<number> {
  const append = event(subject, deleted)
  const result = await into.append([append])
  if (!result.ok) throw new Error('conflict')
  lasts.set(subject, { sequence: result.sequences[0]!, checksum: checksumHeader(append) })
  return result.sequences[0]!
}

async function history(rounds = 20, pods = 5): Promise<void> {
  for (let round = 0; round < rounds; round += 1) {
    for (let pod = 0; pod < pods; pod += 1) await write(`evt.core.pods.default.pod-${pod}`)
  }
}

async function sealed(action: () => Promise<void>): Promise<void> {
  const sealer = createSealer({ log, clock: systemClock, recordsPerSeal: 30 })
  await sealer.start()
  await action()
  await sealer.stop()
}

const reopen = async (): Promise<void> => {
  cluster = await openSqliteClusterLog({ dataDir: dir })
  log = cluster.events
}

/** Changes the file while nobody has it open. */
async function damage(sql: string): Promise<void> {
  await cluster.close()
  const database = new DatabaseSync(join(dir, 'log.db'))
  database.exec(sql)
  database.close()
  await reopen()
}

test('a whole log verifies, with several seals, at start-up and as a whole', async () => {
  await sealed(() => history())
  const report = await verifyLog(log)
  expect(report.findings).toEqual([])
  expect(report.seals).toBeGreaterThanOrEqual(3)
  expect(report.records).toBe(report.lastSequence)
  await verifyAtStart(log, undefined)
  const seal = JSON.parse(Buffer.from((await log.last('seal.log'))!.payload).toString()) as Seal
  expect(seal.through).toBeGreaterThanOrEqual(100)
})

test('a second sealer continues from the last seal, and one that has nothing to seal writes nothing', async () => {
  await sealed(() => history(4))
  const end = await log.lastSequence()
  await sealed(async () => undefined)
  expect(await log.lastSequence()).toBe(end)
  await sealed(() => history(8))
  expect((await verifyLog(log)).findings).toEqual([])
})

test('two sealers at once seal one log', async () => {
  const other = createSealer({ log, clock: systemClock, recordsPerSeal: 20 })
  await other.start()
  await sealed(() => history())
  await other.stop()
  expect((await verifyLog(log)).findings).toEqual([])
})

test('compaction forgets what is superseded and long deleted, and the log still verifies', async () => {
  await sealed(async () => {
    await history()
    for (let take = 0; take < 10; take += 1) await write('guard.room.node-1')
    await write('evt.core.pods.default.pod-4', true)
  })
  const before = await log.recordCount()
  await write('evt.core.pods.default.pod-0')
  const report = await compactLog({
    log,
    clock: { ...systemClock, nowMs: () => Date.now() + 60_000 },
    subjects: ['evt.>', 'guard.>'],
    tombstonesOlderThanMs: 1000,
  })
  expect(report).toEqual({ subjects: 6, forgotten: 19 * 4 + 21 + 9, purged: 1 })
  expect(await log.recordCount()).toBe(before + 2 - report.forgotten)
  expect(await log.last('evt.core.pods.default.pod-4')).toBeUndefined()
  lasts.delete('evt.core.pods.default.pod-4')
  await write('evt.core.pods.default.pod-4')
  await write('evt.core.pods.default.pod-0')
  const whole = await verifyLog(log)
  expect(whole.findings.map(describeFinding)).toEqual([])
  expect(whole.compacted).toBe(report.forgotten)
  await verifyAtStart(log, undefined)
  await sealed(async () => undefined)
  expect((await verifyLog(log)).ok).toBe(true)
  const again = await compactLog({ log, clock: systemClock, subjects: ['evt.>', 'guard.>'] })
  expect(again.forgotten).toBe(2)
  expect((await verifyLog(log)).findings.map(describeFinding)).toEqual([])
  await verifyAtStart(log, undefined)
})

test('compaction under load leaves compare-and-set and verification intact', async () => {
  await sealed(async () => {
    await history(4)
    const compacting = (async () => {
      for (let round = 0; round < 10; round += 1) {
        await compactLog({ log, clock: systemClock, subjects: ['evt.>'] })
      }
    })()
    await history(40)
    await compacting
  })
  await compactLog({ log, clock: systemClock, subjects: ['evt.>'] })
  expect((await verifyLog(log)).findings.map(describeFinding)).toEqual([])
  await verifyAtStart(log, undefined)
  await history(1)
})

describe('damage', () => {
  const subject = 'evt.core.pods.default.pod-3'

  test('a flipped bit in a payload is named, by verify, by the tail at start-up and by the snapshot', async () => {
    await sealed(() => history())
    const old = (
      await log
        .read({ subjects: [subject] })
        [Symbol.asyncIterator]()
        .next()
    ).value![0]!.sequence
    const { sequence } = lasts.get(subject)!
    const flip = `payload = CAST(replace(CAST(payload AS TEXT), 'padding', 'paddinG') AS BLOB)`
    await damage(`UPDATE events SET ${flip} WHERE sequence IN (${old}, ${sequence})`)
    const report = await verifyLog(log)
    expect(report.findings.map(({ subject: where, sequence: at }) => [where, at])).toEqual([
      [subject, old],
      [subject, sequence],
    ])
    const snapshot = (async () => {
      for await (const batch of verifying(log).follow({ subjects: ['>'], signal: AbortSignal.timeout(1000) }))
        void batch
    })()
    await expect(snapshot).rejects.toThrow(`${subject} at sequence ${sequence} is damaged`)
    const fresh = await write('evt.core.pods.default.fresh')
    await damage(`UPDATE events SET ${flip} WHERE sequence = ${fresh}`)
    await expect(verifyAtStart(log, undefined)).rejects.toThrow(`evt.core.pods.default.fresh at sequence ${fresh}`)
  })

  test('a record that is gone from the middle is named', async () => {
    await sealed(() => history())
    const all: number[] = []
    for await (const page of log.read({ subjects: [subject] })) all.push(...page.map((record) => record.sequence))
    await damage(`DELETE FROM events WHERE sequence = ${all[5]}`)
    await expect(verifyAtStart(log, undefined)).rejects.toThrow(
      `${subject} at sequence ${all[5]}: the record is missing`,
    )
  })

  test("a record in another's place breaks the chain", async () => {
    await sealed(() => history())
    const { sequence } = lasts.get(subject)!
    await damage(
      `UPDATE events SET subject = '${subject}', headers = (SELECT headers FROM events WHERE sequence = 4), payload = (SELECT payload FROM events WHERE sequence = 4) WHERE sequence = ${sequence}`,
    )
    const report = await verifyLog(log)
    expect(report.findings.some((finding) => finding.subject === subject && finding.sequence === sequence)).toBe(true)
    expect(report.findings.some((finding) => finding.subject === 'seal.log')).toBe(true)
  })

  test('a shortened log is below its high-water mark', async () => {
    const file = join(dir, 'high-water-mark.json')
    const mark = openHighWaterMark({ file, log, clock: systemClock })
    const committer = createGroupCommitter(log, { onStored: mark.observe })
    await history(2)
    const result = await committer.commit([event(subject)])
    await mark.stop()
    const sequence = result.ok ? result.sequences[0]! : 0
    expect(await readMark(file)).toMatchObject({ subject, sequence, incarnation: log.incarnation })
    await verifyAtStart(log, await readMark(file))
    await damage(`DELETE FROM events WHERE sequence > 7; UPDATE stream SET last_sequence = 7 WHERE name = 'events'`)
    const known = await readMark(file)
    await expect(verifyAtStart(log, known)).rejects.toThrow(
      `ends at sequence 7, but ${subject} was acknowledged at sequence ${sequence}`,
    )
    // Sequences that were given again to others are told apart, too.
    while ((await log.lastSequence()) < sequence) await write(`evt.core.pods.other.pod-${await log.lastSequence()}`)
    await expect(verifyAtStart(log, known)).rejects.toThrow(
      `sequence ${sequence} now holds another evt.core.pods.other`,
    )
    await expect(verifyAtStart(log, { ...known!, incarnation: 'other' })).rejects.toThrow('another one')
  })

  test('a mark that was compacted away is no damage', async () => {
    await sealed(() => history(3))
    const first = (await log.get(1))!
    const mark = { incarnation: log.incarnation, sequence: 1, subject: first.subject, checksum: checksumHeader(first) }
    await compactLog({ log, clock: systemClock, subjects: ['evt.>'] })
    expect(await log.get(1)).toBeUndefined()
    await verifyAtStart(log, mark)
  })

  test('a cut file and a flipped page stop start-up', async () => {
    await history(60)
    const { incarnation } = log
    const mark = { incarnation, sequence: await log.lastSequence(), subject, checksum: lasts.get(subject)!.checksum }
    await cluster.close()
    const file = join(dir, 'log.db')
    copyFileSync(file, `${file}.good`)
    const start = async (): Promise<void> => {
      await reopen()
      await verifyAtStart(log, mark)
      await verifyLog(log).then((report) => {
        if (!report.ok) throw new Error(describeFinding(report.findings[0]!))
      })
    }
    truncateSync(file, Math.floor(statSync(file).size / 2))
    await expect(start()).rejects.toThrow(/damaged|sequence/)
    await cluster.close()
    let told = 0
    for (const place of [0.2, 0.4, 0.6, 0.8]) {
      const bytes = readFileSync(`${file}.good`)
      const at = Math.floor(bytes.length * place)
      writeFileSync(file, bytes)
      const handle = openSync(file, 'r+')
      writeSync(handle, Buffer.from([bytes[at]! ^ 0x10]), 0, 1, at)
      await start().then(
        () => undefined,
        (error: Error) => {
          expect(error.message).toMatch(/damaged|sequence/)
          told += 1
        },
      )
      await cluster.close().catch(() => undefined)
    }
    expect(told).toBeGreaterThan(0)
    copyFileSync(`${file}.good`, file)
    await reopen()
  })
})
