import type { ClusterLog, EventLog, LogRecord } from '@shiplog/events/event-log'
import { createManualClock } from '@shiplog/testing/manual-clock'
import { expect, test } from 'vitest'
import { tellReading } from './reading-progress.ts'

const record = {} as LogRecord

test('a start that takes long tells what has been read, by whom, and falls silent when it is over', async () => {
  const clock = createManualClock()
  const lines: string[] = []
  async function* follow(): AsyncIterable<readonly LogRecord[]> {
    yield [record, record]
    yield []
    yield [record]
  }
  const source = { events: { follow } as unknown as EventLog } as ClusterLog
  const reading = tellReading(clock, (line) => lines.push(line))
  const log = reading.watch(source)
  const { signal } = new AbortController()
  await clock.advance(2_000)
  for (let who = 0; who < 2; who++) {
    for await (const _ of log.events.follow({ subjects: ['>'], signal })) {
      // Only what is told of it matters.
    }
    // Nothing new is not told again.
    await clock.advance(4_000)
  }
  reading[Symbol.dispose]()
  await clock.advance(10_000)
  expect(lines).toEqual([
    'checking the log (2 s)',
    'reading the log for the gateway: 2 objects (4 s)',
    'reading the log for the scheduler, controllers and agents: 2 objects (8 s)',
  ])
})
