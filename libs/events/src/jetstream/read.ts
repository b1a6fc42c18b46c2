// Reads ranges of a stream page by page, with direct gets.
import type { LogRecord, ReadOptions } from '../event-log.ts'
import { compileFilter } from '../subject-filter.ts'
import type { DirectGet } from './direct-get.ts'
import type { StreamHandle } from './stream-handle.ts'

/** Records and bytes of one page of a read. */
export const pageRecordsMax = 512
const pageBytesMax = 2 * 1024 * 1024

/** Records in order, up to `to` or the end of the stream as of now. */
export async function* readRange(
  stream: Pick<StreamHandle, 'lastSequence'>,
  directGet: Pick<DirectGet, 'many'>,
  options: ReadOptions = {},
): AsyncIterable<readonly LogRecord[]> {
  const { subjects } = options
  const to = options.to ?? (await stream.lastSequence())
  let from = Math.max(1, options.from ?? 1)
  // The server filters by one subject; by several we do.
  const filter = subjects?.length === 1 ? subjects[0]! : '>'
  const matches = compileFilter(subjects)
  while (from <= to) {
    const query = { seq: from, batch: pageRecordsMax, max_bytes: pageBytesMax, next_by_subj: filter }
    const { records, pending } = await directGet.many(query)
    if (records.length === 0) return
    const wanted = records.filter((record) => record.sequence <= to && matches(record.subject))
    if (wanted.length > 0) yield wanted
    from = records.at(-1)!.sequence + 1
    if (pending === 0) return
  }
}
