// Finding moments in a log that has gaps, and how far back it can be trusted after compaction.
import type { Clock } from '@shiplog/runtime/clock'
import { systemClock } from '@shiplog/runtime/clock'
import { silentLogger } from '@shiplog/runtime/logger'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { sealRecord } from '../integrity/checksum.ts'
import { compactLog } from '../integrity/compactor.ts'
import { sample } from '../event-log.contract.ts'
import type { ClusterLog, EventLog } from '../event-log.ts'
import { endOfBatch, oldestWholeSequence, recordUpTo, sequenceAtTime } from './history.ts'
import { createSealer } from '../integrity/seals.ts'
import { openSqliteClusterLog } from '../sqlite/sqlite-log.ts'

const base = 1_795_000_000_000
let now = base
const clock: Clock = { ...systemClock, nowMs: () => now }
let cluster: ClusterLog
let log: EventLog

beforeEach(async () => {
  now = base
  cluster = await openSqliteClusterLog({ dataDir: ':memory:', clock })
  log = cluster.events
})
afterEach(() => cluster.close())

async function put(subject: string): Promise<number> {
  const before = await log.last(subject)
  const result = await log.append([
    sealRecord(sample(subject, before?.sequence ?? 0), before?.headers['Shiplog-Checksum']),
  ])
  if (!result.ok) throw new Error('conflict')
  return result.sequences[0]!
}

describe('times', () => {
  test('a time belongs to the newest record at or before it, whatever was forgotten around it', async () => {
    const times: number[] = []
    for (let i = 0; i < 60; i++) {
      now += i % 7 === 0 ? 0 : 1_000
      times[await put(i % 3 === 0 ? 'guard.a' : `evt.core.pods.default.p${i}`)] = now
    }
    const last = await log.lastSequence()
    const check = async (held: (sequence: number) => boolean): Promise<void> => {
      for (let at = base - 500; at < now + 1_500; at += 500) {
        let expected = 0
        for (let sequence = 1; sequence <= last; sequence++)
          if (held(sequence) && times[sequence]! <= at) expected = sequence
        expect(await sequenceAtTime(log, at, 1, last)).toBe(expected)
      }
    }
    await check(() => true)
    await log.compact('guard.a')
    const guards = new Set<number>()
    for (let sequence = 1; sequence <= last; sequence++) if (!(await log.get(sequence))) guards.add(sequence)
    expect(guards.size).toBe(19)
    await check((sequence) => !guards.has(sequence))
    for (const gap of guards) {
      let before = gap
      while (before > 0 && guards.has(before)) before--
      expect((await recordUpTo(log, gap))?.sequence).toBe(before === 0 ? undefined : before)
    }
  })
})

describe('how far back a log is whole', () => {
  test('compacted guards do not matter; compacted objects do, from the record on that tells of it', async () => {
    for (let i = 0; i < 10; i++) {
      await put('guard.a')
      await put('evt.core.pods.default.web')
    }
    const sealer = createSealer({ log, clock, logger: silentLogger, onStored: () => undefined })
    await sealer.start()
    await sealer.stop()
    await compactLog({ log, clock, subjects: ['guard.>'] })
    expect(await log.firstSequence()).toBe(2)
    expect(await oldestWholeSequence(log)).toBe(2)
    expect(await oldestWholeSequence(log)).toBe(2)
    const again = createSealer({ log, clock, logger: silentLogger, onStored: () => undefined })
    await put('evt.core.pods.default.web')
    await again.start()
    await again.stop()
    const before = await log.lastSequence()
    await compactLog({ log, clock, subjects: ['evt.core.pods.>'] })
    const oldest = await oldestWholeSequence(log)
    expect(oldest).toBeGreaterThan(before)
    expect((await log.get(oldest))?.subject).toBe('seal.compaction')
  })
})

test('the end of a batch is told by any of its members', () => {
  const record = (sequence: number, batch?: string) => ({
    ...sample('evt.core.pods.default.a', 0),
    sequence,
    timeMs: 0,
    headers: batch === undefined ? {} : { 'Shiplog-Batch': batch },
  })
  expect(endOfBatch(record(7))).toBe(7)
  expect(endOfBatch(record(7, 'b 1 3'))).toBe(9)
  expect(endOfBatch(record(9, 'b 3 3'))).toBe(9)
})
