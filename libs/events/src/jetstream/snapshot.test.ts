import { expect, test } from 'vitest'
import { compileFilter } from '../subject-filter.ts'
import { consumerConfig } from './ordered-consumer.ts'
import { groupSizes } from './purge.ts'
import { auditSnapshot } from './snapshot-audit.ts'
import { createSnapshotInbox } from './snapshot-inbox.ts'
import { JetStreamRecord } from './wire.ts'

const record = (sequence: number, subject = `evt.${sequence}`): JetStreamRecord =>
  new JetStreamRecord(subject, sequence, 0, '', new Uint8Array(0))
const sequences = (records: readonly { sequence: number }[]): number[] => records.map(({ sequence }) => sequence)
const everything = compileFilter(['>'])

test('a snapshot ends when as many records came as its beginning promised', () => {
  const inbox = createSnapshotInbox(everything)
  inbox.begin(2)
  inbox.put(record(3), 1)
  expect(inbox.take()).toMatchObject({ ended: false, short: false })
  inbox.put(record(5), 0)
  const { records, ended, short } = inbox.take()
  expect([sequences(records), ended, short]).toEqual([[5], true, false])
})

test('a consumer that begins again sends everything again: what was taken does not come twice', () => {
  const inbox = createSnapshotInbox(everything)
  inbox.begin(3)
  inbox.put(record(3), 2)
  inbox.put(record(5), 1)
  inbox.take()
  inbox.begin(3)
  for (const [index, sequence] of [3, 5, 8].entries()) inbox.put(record(sequence), 2 - index)
  const { records, ended } = inbox.take()
  expect([sequences(records), ended]).toEqual([[8], true])
})

test('fewer records than promised end it short: at the last one, or when the server has nothing more', () => {
  for (const end of [() => undefined, (inbox: ReturnType<typeof createSnapshotInbox>) => inbox.idle()]) {
    const inbox = createSnapshotInbox(everything)
    inbox.begin(5)
    inbox.put(record(3), end.length === 0 ? 0 : 1)
    end(inbox)
    expect(inbox.take()).toMatchObject({ ended: true, short: true })
  }
})

test('records that no filter wants count, and are left out', () => {
  const inbox = createSnapshotInbox(compileFilter(['evt.3']))
  inbox.begin(2)
  inbox.put(record(3), 1)
  inbox.put(record(5), 0)
  const { records, ended } = inbox.take()
  expect([sequences(records), ended]).toEqual([[3], true])
})

test('flow control is answered by whoever takes the records, once', () => {
  const inbox = createSnapshotInbox(everything)
  inbox.owe(() => undefined)
  expect(inbox.take().answers).toHaveLength(1)
  expect(inbox.take().answers).toHaveLength(0)
})

test('a failure is thrown to the reader, and wakes it', async () => {
  const inbox = createSnapshotInbox(everything)
  const woken = inbox.changed()
  inbox.fail(new Error('gone'))
  await woken
  expect(() => inbox.take()).toThrow('gone')
  await inbox.changed()
})

test('a subject of the index without a last record is damage, unless it has gone since', async () => {
  const stream = (...subjects: string[][]) => {
    let asked = 0
    return {
      name: 'EVENTS',
      countBySubject: async () => new Map(subjects[asked++]!.map((subject) => [subject, 1])),
    }
  }
  const lasts = { last: async (subject: string) => (subject === 'evt.lost' ? undefined : record(1, subject)) }
  await auditSnapshot(stream(['evt.a', 'evt.b']), lasts, ['>'])
  await auditSnapshot(stream(['evt.a', 'evt.lost'], ['evt.a']), lasts, ['>'])
  await auditSnapshot(stream(['evt.a', 'evt.lost']), lasts, ['evt.a'])
  const damaged = auditSnapshot(stream(['evt.a', 'evt.lost'], ['evt.a', 'evt.lost']), lasts, ['>'])
  await expect(damaged).rejects.toThrow('the last record of evt.lost cannot be read')
})

test('a consumer asks for the last record of every subject, or for everything behind a sequence', () => {
  const last = consumerConfig('c', 'inbox', 'last-per-subject', [])
  expect(last).toMatchObject({ deliver_policy: 'last_per_subject', filter_subject: '>' })
  const tail = consumerConfig('c', 'inbox', { after: 41 }, [])
  expect(tail).toMatchObject({ deliver_policy: 'by_start_sequence', opt_start_seq: 42 })
  expect(tail).not.toHaveProperty('filter_subject')
  const two = consumerConfig('c', 'inbox', { after: 41 }, ['evt.a.>', 'evt.b.>'])
  expect(two).toMatchObject({ filter_subjects: ['evt.a.>', 'evt.b.>'] })
})

test('padding comes in full groups and a rest', () => {
  expect(groupSizes(2500)).toEqual([1000, 1000, 500])
  expect(groupSizes(1000)).toEqual([1000])
  expect(groupSizes(0)).toEqual([])
})
