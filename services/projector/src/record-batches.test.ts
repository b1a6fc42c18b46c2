// What one transaction takes: whole batches of the log, within bounds, and the end of a snapshot in its place.
import { header } from '@shiplog/events/envelope'
import type { LogRecord } from '@shiplog/events/event-log'
import { describe, expect, test } from 'vitest'
import { type Gathered, type GatherOptions, gather } from './record-batches.ts'

const record = (sequence: number, batch?: string, bytes = 1): LogRecord => ({
  subject: `evt.core.pods.default.p-${sequence}`,
  sequence,
  timeMs: 0,
  headers: batch === undefined ? {} : { [header.batch]: batch },
  payload: new Uint8Array(bytes),
})

const roomy: GatherOptions = { recordsMax: 100, bytesMax: 1_000, waitingMax: 1_000 }

const shape = (gathered: Gathered): string =>
  'snapshotEnd' in gathered ? 'end' : gathered.records.map(({ sequence }) => sequence).join(' ')

async function collect(
  pages: readonly (readonly LogRecord[])[],
  options: Partial<GatherOptions> = {},
): Promise<string[]> {
  async function* source(): AsyncIterable<readonly LogRecord[]> {
    for (const page of pages) {
      yield page
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
  const all: string[] = []
  for await (const gathered of gather(source(), { ...roomy, ...options })) all.push(shape(gathered))
  return all
}

describe('records are gathered', () => {
  test('as they come, after the end of the snapshot', async () => {
    expect(await collect([[], [record(1), record(2)], [record(3)]])).toEqual(['end', '1 2', '3'])
  })

  test('up to the bound of records and of bytes', async () => {
    const records = [1, 2, 3, 4, 5].map((sequence) => record(sequence))
    expect(await collect([[], records], { recordsMax: 2 })).toEqual(['end', '1 2', '3 4', '5'])
    const heavy = [1, 2, 3].map((sequence) => record(sequence, undefined, 600))
    expect(await collect([[], heavy])).toEqual(['end', '1', '2', '3'])
  })

  test('with no batch of the log cut, not even by the bound or by a page', async () => {
    const batch = [1, 2, 3, 4].map((index) => record(index + 1, `b ${index} 4`))
    expect(await collect([[], [record(1), ...batch, record(6)]], { recordsMax: 3 })).toEqual([
      'end',
      '1',
      '2 3 4 5',
      '6',
    ])
    expect(await collect([[], [record(1), ...batch.slice(0, 2)], batch.slice(2)])).toEqual(['end', '1', '2 3 4 5'])
  })

  test('and a batch of which a part was compacted away ends where another begins', async () => {
    expect(
      await collect([[], [record(1, 'a 1 3'), record(2, 'b 1 2'), record(3, 'b 2 2')]], { recordsMax: 1 }),
    ).toEqual(['end', '1', '2 3'])
  })

  test('alone while they are of a snapshot, whose batches have holes', async () => {
    expect(await collect([[record(2, 'a 1 3'), record(7, 'b 1 2')], [], [record(9)]])).toEqual(['2 7', 'end', '9'])
  })

  test('until the source fails, and what came before is not lost', async () => {
    async function* failing(): AsyncIterable<readonly LogRecord[]> {
      yield []
      yield [record(1)]
      throw new Error('the log is gone')
    }
    const seen: string[] = []
    await expect(async () => {
      for await (const gathered of gather(failing(), roomy)) seen.push(shape(gathered))
    }).rejects.toThrow('the log is gone')
    expect(seen).toEqual(['end', '1'])
  })

  test('no further than the bound while nobody takes them', async () => {
    let given = 0
    async function* endless(): AsyncIterable<readonly LogRecord[]> {
      yield []
      for (;;) {
        given += 1
        yield [record(given)]
      }
    }
    const gathering = gather(endless(), { ...roomy, waitingMax: 10 })
    await gathering.next()
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(given).toBeLessThanOrEqual(11)
    await gathering.return(undefined)
  })
})
