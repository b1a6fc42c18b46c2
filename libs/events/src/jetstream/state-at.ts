// The last record of every subject as of a sequence, with direct gets of many subjects at once.
import { type LogRecord, LogUnavailable } from '../event-log.ts'
import { compileFilter } from '../subject-filter.ts'
import type { DirectGet } from './direct-get.ts'
import { pageRecordsMax } from './read.ts'
import type { StreamHandle } from './stream-handle.ts'
import type { JetStreamRecord } from './wire.ts'

/** Subjects of one request (the server gives at most 1,024), and requests at the same time. */
const subjectsPerRequest = 1000
const requestsInFlight = 2
/** Requests for one subject at the same time, where a record is damaged. */
const singleRequestsInFlight = 128

type Server = Pick<StreamHandle, 'name' | 'countBySubject'>
type Get = Pick<DirectGet, 'many'>

/** The last record of each subject as of a sequence, in sequence order; filters may have wildcards. */
export async function* stateAt(
  stream: Server,
  directGet: Get,
  sequence: number,
  filters: readonly string[],
): AsyncIterable<readonly LogRecord[]> {
  const few = await lastOfEach(stream, directGet, filters, sequence)
  if (few !== undefined) {
    if (few.length > 0) yield few.toSorted(bySequence)
    return
  }
  const records = await lastOfMany(stream, directGet, await subjectsOf(stream, filters), sequence)
  records.sort(bySequence)
  for (let index = 0; index < records.length; index += pageRecordsMax) {
    yield records.slice(index, index + pageRecordsMax)
  }
}

const bySequence = (a: LogRecord, b: LogRecord): number => a.sequence - b.sequence

/** Undefined when there are more than the server gives at once. */
export async function lastOfEach(
  stream: Server,
  directGet: Get,
  filters: readonly string[],
  sequence: number,
): Promise<readonly JetStreamRecord[] | undefined> {
  // To the server, 0 means "no bound".
  if (sequence < 1) return []
  const { tooMany, records, short } = await directGet.many({ multi_last: filters, up_to_seq: sequence })
  if (tooMany) return undefined
  return short ? await lastOfEachAlone(stream, directGet, filters, sequence) : records
}

/** The answer ended at a record that the server cannot read: asked one by one, it gives all the others. */
async function lastOfEachAlone(
  stream: Server,
  directGet: Get,
  filters: readonly string[],
  sequence: number,
): Promise<readonly JetStreamRecord[]> {
  const subjects = await subjectsOf(stream, filters)
  const found: JetStreamRecord[] = []
  for (let index = 0; index < subjects.length; index += singleRequestsInFlight) {
    const some = subjects.slice(index, index + singleRequestsInFlight)
    const answers = await Promise.all(
      some.map((subject) => directGet.many({ multi_last: [subject], up_to_seq: sequence })),
    )
    for (const { records } of answers) found.push(...records)
  }
  return found
}

async function lastOfMany(
  stream: Server,
  directGet: Get,
  subjects: readonly string[],
  sequence: number,
): Promise<JetStreamRecord[]> {
  const found: JetStreamRecord[] = []
  for (let index = 0; index < subjects.length; index += subjectsPerRequest * requestsInFlight) {
    const parts = Array.from({ length: requestsInFlight }, (_, part) => {
      const from = index + part * subjectsPerRequest
      return subjects.slice(from, from + subjectsPerRequest)
    }).filter((part) => part.length > 0)
    for (const records of await Promise.all(parts.map((part) => lastOfEach(stream, directGet, part, sequence)))) {
      if (records === undefined) {
        throw new LogUnavailable(`Stream ${stream.name} gives no state of so many subjects`, { ambiguous: false })
      }
      for (const record of records) found.push(record)
    }
  }
  return found
}

/** The subjects that the server's index knows for these filters. */
async function subjectsOf(stream: Server, filters: readonly string[]): Promise<readonly string[]> {
  const matches = compileFilter(filters)
  const subjects = new Set<string>()
  for (const filter of filters) for (const subject of (await stream.countBySubject(filter)).keys()) subjects.add(subject)
  return [...subjects].filter(matches)
}
