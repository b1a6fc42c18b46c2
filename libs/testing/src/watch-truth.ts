// What a watch must have shown, told from the log alone by the plainest code: one object after the other, before and
// after. A stretch of a watch is right when its frames are exactly the next ones after the version that it began from.
import { header } from '@shiplog/events/envelope'
import type { LogRecord } from '@shiplog/events/event-log'

export interface WatchFrame {
  readonly type: string
  readonly object: any
}

/** One connection of a watcher. */
export interface WatchStretch {
  /** The resourceVersion that it asked to begin after. */
  readonly from: number
  readonly frames: readonly WatchFrame[]
  /** Everything up to here was promised to have come: a bookmark's resourceVersion. */
  readonly through?: number
}

/** All frames of a watch over these records (of one resource, in order), from the very first. */
export function framesOf(records: readonly LogRecord[], matches: (object: any) => boolean): readonly WatchFrame[] {
  const current = new Map<string, any>()
  const frames: WatchFrame[] = []
  for (const record of records) {
    const before = current.get(record.subject)
    const object = JSON.parse(Buffer.from(record.payload).toString('utf8'))
    object.metadata.resourceVersion = String(record.sequence)
    const deleted = record.headers[header.deleted] === '1'
    if (deleted) current.delete(record.subject)
    else current.set(record.subject, object)
    const was = before !== undefined && matches(before)
    const is = !deleted && matches(object)
    if (is) frames.push({ type: was ? 'MODIFIED' : 'ADDED', object })
    else if (was && deleted) frames.push({ type: 'DELETED', object })
    else if (was) {
      const left = { ...before, metadata: { ...before.metadata, resourceVersion: String(record.sequence) } }
      frames.push({ type: 'DELETED', object: left })
    }
  }
  return frames
}

const sequenceOf = (frame: WatchFrame): number => Number(frame.object.metadata.resourceVersion)

const describe = (frame: WatchFrame | undefined): string =>
  frame ? `${frame.type} ${frame.object.metadata.name} at ${sequenceOf(frame)}` : 'nothing'

/** What is wrong with a stretch, undefined when nothing is. */
export function judgeStretch(truth: readonly WatchFrame[], stretch: WatchStretch): string | undefined {
  let next = 0
  let high = truth.length
  while (next < high) {
    const middle = (next + high) >>> 1
    if (sequenceOf(truth[middle]!) <= stretch.from) next = middle + 1
    else high = middle
  }
  for (const frame of stretch.frames) {
    const wanted = truth[next++]
    if (!wanted || wanted.type !== frame.type || sequenceOf(wanted) !== sequenceOf(frame)) {
      return `after ${stretch.from}: ${describe(frame)} instead of ${describe(wanted)}`
    }
    if (canonical(frame.object) !== canonical(wanted.object)) return `${describe(frame)} shows another object`
  }
  const missing = truth[next]
  if (stretch.through !== undefined && missing && sequenceOf(missing) <= stretch.through) {
    return `after ${stretch.from}: a bookmark at ${stretch.through} came before ${describe(missing)}`
  }
  return undefined
}

/** Equal texts for equal objects, whatever the order of their fields. */
function canonical(value: any): string {
  return JSON.stringify(value, (_key, inner) =>
    inner && typeof inner === 'object' && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  )
}
