// The last record of every subject, from an ordered push consumer: exact as of the consumer's beginning, and the quickest
// way to read a stream (DESIGN.md, "Traps of JetStream"). The server is answered only when its records have been taken, so
// a slow reader slows it down.
import type { FollowOptions, LogRecord } from '../event-log.ts'
import { patiently } from '../commit/patience.ts'
import { compileFilter, disjointFilters } from '../subject-filter.ts'
import type { DirectGet } from './direct-get.ts'
import { createOrderedConsumer } from './ordered-consumer.ts'
import { auditSnapshot } from './snapshot-audit.ts'
import { createSnapshotInbox } from './snapshot-inbox.ts'
import type { StreamHandle } from './stream-handle.ts'

/** In ascending order; ends when everything as of its beginning has been handed over. */
export async function* readSnapshot(
  stream: StreamHandle,
  directGet: DirectGet,
  { subjects, signal }: FollowOptions,
): AsyncIterable<readonly LogRecord[]> {
  const filters = disjointFilters(subjects)
  const inbox = createSnapshotInbox(compileFilter(subjects))
  const consumer = createOrderedConsumer({
    stream,
    subjects: filters === undefined || filters.includes('>') ? [] : filters,
    start: 'last-per-subject',
    onBegin: inbox.begin,
    onRecord: inbox.put,
    onIdle: inbox.idle,
    onFlowControl: inbox.owe,
    onError: inbox.fail,
  })
  signal.addEventListener('abort', inbox.wake)
  try {
    while (!signal.aborted) {
      const { records, answers, ended, short } = inbox.take()
      if (records.length > 0) yield records
      for (const answer of answers) answer()
      if (!ended) await inbox.changed()
      else {
        if (short) await patiently(stream.clock, () => auditSnapshot(stream, directGet, subjects), signal)
        return
      }
    }
  } finally {
    signal.removeEventListener('abort', inbox.wake)
    consumer.stop()
  }
}
