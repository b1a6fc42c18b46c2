import { expect, test } from 'vitest'
import type { ClusterLog, EventLog, FollowOptions, LogRecord } from '../event-log.ts'
import { shareSnapshots } from './shared-snapshot.ts'

const record = (sequence: number): LogRecord => ({
  subject: `evt.core.configmaps.default.c${sequence}`,
  sequence,
  timeMs: 0,
  headers: {},
  payload: new Uint8Array(1),
})

/** A log of records 1, 2, 3 in two pages, and whatever is added; it counts who asks for what. */
function source() {
  const asked: (number | undefined)[] = []
  const added: LogRecord[] = []
  let failures = 0
  async function* follow({ from }: FollowOptions): AsyncIterable<readonly LogRecord[]> {
    asked.push(from)
    if (from === undefined) {
      yield [record(1), record(2)]
      if (failures-- > 0) throw new Error('broken')
      yield [record(3)]
    }
    yield []
    yield* added.filter(({ sequence }) => sequence >= (from ?? 4)).map((one) => [one])
  }
  const events = { follow } as unknown as EventLog
  const log = { events, leases: events, objectEvents: events } as unknown as ClusterLog
  return { log, asked, added, fail: (times: number) => void (failures = times) }
}

const sequencesOf = async (log: EventLog, from?: number): Promise<(number | string)[]> => {
  const seen: (number | string)[] = []
  const { signal } = new AbortController()
  const options = { subjects: ['>'], signal, ...(from === undefined ? {} : { from }) }
  for await (const records of log.follow(options)) {
    if (records.length === 0) seen.push('whole')
    else seen.push(...records.map(({ sequence }) => sequence))
  }
  return seen
}

test('a follower that comes later gets the snapshot of the first, and every record after it once', async () => {
  const { log, asked, added } = source()
  const shared = shareSnapshots(log)
  const first = await sequencesOf(shared.log.events)
  added.push(record(4), record(5))
  expect(first).toEqual([1, 2, 3, 'whole'])
  expect(await sequencesOf(shared.log.events)).toEqual([1, 2, 3, 'whole', 4, 5])
  expect(asked).toEqual([undefined, 4])
})

test('a follower that comes while the first still reads waits for it', async () => {
  const { log, asked } = source()
  const shared = shareSnapshots(log)
  const [first, second] = await Promise.all([sequencesOf(shared.log.events), sequencesOf(shared.log.events)])
  expect(second).toEqual(first)
  expect(asked).toEqual([undefined, 4])
})

test('after the start, and after a reading that failed, the log is read itself', async () => {
  const { log, asked, fail } = source()
  const shared = shareSnapshots(log)
  fail(1)
  await expect(sequencesOf(shared.log.events)).rejects.toThrow('broken')
  expect(await sequencesOf(shared.log.events)).toEqual([1, 2, 3, 'whole'])
  shared.release()
  await sequencesOf(shared.log.events)
  await sequencesOf(shared.log.events, 4)
  expect(asked).toEqual([undefined, undefined, undefined, 4])
})
