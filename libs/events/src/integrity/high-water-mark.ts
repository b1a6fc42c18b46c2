// The high-water mark: what was last acknowledged, kept outside the log. A damaged file can silently shorten a stream, and
// the next append would then reuse sequences that clients have seen; a gateway that finds the log below its mark stops.
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Clock } from '@shiplog/runtime/clock'
import { checksumHeader } from './checksum.ts'
import { type Append, type EventLog, LogDamaged } from '../event-log.ts'

/** How long an acknowledgement may stay unwritten. */
const writeDelayMs = 250

/** The last acknowledged record that this process knows of. */
export interface Mark {
  /** Of the EVENTS stream. */
  readonly incarnation: string
  readonly sequence: number
  readonly subject: string
  readonly checksum: string
}

export interface HighWaterMark {
  /** Fits a committer's `onStored`. */
  observe(group: readonly Append[], sequences: readonly number[]): void
  /** Writes what is not written yet, now. */
  flush(): Promise<void>
  stop(): Promise<void>
}

/** The mark of an earlier run, undefined when there was none. */
export async function readMark(file: string): Promise<Mark | undefined> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  try {
    const mark = JSON.parse(text) as Mark
    if (typeof mark.incarnation === 'string' && Number.isSafeInteger(mark.sequence)) return mark
  } catch {
    // Told below.
  }
  throw new LogDamaged(`The high-water mark ${file} cannot be read`)
}

/** Keeps the mark of a log in a file. */
export function openHighWaterMark(options: { file: string; log: EventLog; clock: Clock; mark?: Mark }): HighWaterMark {
  const { file, log, clock } = options
  let newest: Mark = options.mark ?? { incarnation: log.incarnation, sequence: 0, subject: '', checksum: '' }
  let written: Mark | undefined = options.mark
  let timer: Disposable | undefined
  let writing: Promise<void> = Promise.resolve()

  const write = async (): Promise<void> => {
    if (written === newest) return
    const mark = newest
    await mkdir(dirname(file), { recursive: true })
    await writeFile(`${file}.new`, `${JSON.stringify(mark)}\n`, { mode: 0o600 })
    await rename(`${file}.new`, file)
    written = mark
  }
  const flush = (): Promise<void> => {
    timer?.[Symbol.dispose]()
    timer = undefined
    writing = writing.catch(() => undefined).then(write)
    return writing
  }
  return {
    observe(group, sequences) {
      const sequence = sequences.at(-1)!
      if (sequence <= newest.sequence) return
      const last = group.at(-1)!
      newest = { incarnation: log.incarnation, sequence, subject: last.subject, checksum: checksumHeader(last) }
      // A mark that could not be written is tried again with the next acknowledgement.
      timer ??= clock.after(writeDelayMs, () => void flush().catch(() => undefined))
    },
    flush,
    stop: flush,
  }
}

/** Throws LogDamaged when the log is not the one that acknowledged the mark, or no longer holds it. */
export async function checkMark(
  log: EventLog,
  mark: Mark,
  wasCompacted: (sequence: number) => Promise<boolean>,
): Promise<void> {
  if (mark.incarnation !== log.incarnation) {
    throw new LogDamaged(`The log is another one (${log.incarnation}) than the one known here (${mark.incarnation})`)
  }
  if (mark.sequence === 0) return
  const end = await log.lastSequence()
  const what = `${mark.subject} was acknowledged at sequence ${mark.sequence}`
  if (end < mark.sequence) throw new LogDamaged(`The log was shortened: it ends at sequence ${end}, but ${what}`)
  const record = await log.get(mark.sequence)
  if (record === undefined) {
    if (await wasCompacted(mark.sequence)) return
    throw new LogDamaged(`The log is damaged: ${what}, and is not there any more`)
  }
  if (record.subject !== mark.subject || checksumHeader(record) !== mark.checksum) {
    throw new LogDamaged(
      `The log is damaged: ${what}, but sequence ${mark.sequence} now holds another ${record.subject}`,
    )
  }
}
