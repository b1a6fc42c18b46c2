// What clients were promised, and whether it is there: every acknowledged write with its sequence, and every write whose
// answer was lost, which may have happened or not. After a crash the ledger judges what is found. One writer at a time
// per object; it goes on only after what is unknown has been settled.
import { header } from '@shiplog/events/envelope'
import type { LogRecord } from '@shiplog/events/event-log'

/** A write: it leaves the object at a step (unique per write), or gone. */
export interface Write {
  /** The subject of the object in the log. */
  readonly subject: string
  readonly step: string | undefined
}

/** An object as a read shows it; undefined when there is none. */
export type Found = { readonly step: string; readonly sequence: number } | undefined

export interface PendingWrite {
  /** The write was acknowledged; `sequence` is undefined when the answer does not tell it (deletions). */
  acknowledged(sequence: number | undefined): void
  /** The write was refused: it must not be there. */
  refused(): void
  /** No answer came, or one that leaves it open. */
  unknown(): void
}

export interface WriteLedger {
  begin(write: Write): PendingWrite
  /** True when a write of the object is unknown: it must be settled before the next one. */
  isOpen(subject: string): boolean
  /** What the object is known to be. */
  known(subject: string): Found
  /**
   * Judges the object as found after a crash, and takes it as known from here on. Returns the violation, if any. With
   * `others`, other writers change the object's status: its sequence may be later than the step's.
   */
  settle(subject: string, found: Found, others: boolean): string | undefined
  /** Judges the whole log: every acknowledged write at its sequence, no acknowledged deletion undone. */
  judge(records: readonly LogRecord[], stepOf: (payload: any) => string | undefined): readonly string[]
  readonly subjects: readonly string[]
  /** The highest sequence that was acknowledged so far. */
  readonly highest: number
  readonly counts: { readonly acknowledged: number; readonly refused: number; readonly unknown: number }
  /** Violations found as acknowledgements came in: sequences that went back. */
  readonly violations: readonly string[]
}

interface Entry {
  found: Found
  /** Writes whose outcome is unknown, since `found` was. */
  open: Write[]
}

interface Acknowledged {
  readonly write: Write
  readonly sequence: number | undefined
  /** Sequence of the object's acknowledged write before this one; 0 for the first. */
  readonly after: number
}

export function createWriteLedger(): WriteLedger {
  const entries = new Map<string, Entry>()
  const promises: Acknowledged[] = []
  const violations: string[] = []
  const counts = { acknowledged: 0, refused: 0, unknown: 0 }
  let highest = 0

  const entryOf = (subject: string): Entry => {
    let entry = entries.get(subject)
    if (!entry) {
      entry = { found: undefined, open: [] }
      entries.set(subject, entry)
    }
    return entry
  }
  const floors = new Map<string, number>()

  return {
    begin(write) {
      const { subject, step } = write
      const entry = entryOf(subject)
      const highestBefore = highest
      return {
        acknowledged(sequence) {
          counts.acknowledged++
          promises.push({ write, sequence, after: floors.get(subject) ?? 0 })
          if (sequence !== undefined) {
            if (sequence <= highestBefore) {
              violations.push(`${subject} ${step} got sequence ${sequence}, though ${highestBefore} was acknowledged`)
            }
            highest = Math.max(highest, sequence)
            floors.set(subject, sequence)
          }
          entry.found = step === undefined ? undefined : { step, sequence: sequence ?? 0 }
          entry.open = []
        },
        refused() {
          counts.refused++
        },
        unknown() {
          counts.unknown++
          entry.open.push(write)
        },
      }
    },
    isOpen: (subject) => (entries.get(subject)?.open.length ?? 0) > 0,
    known: (subject) => entries.get(subject)?.found,
    settle(subject, found, others) {
      const entry = entryOf(subject)
      const { found: known, open } = entry
      entry.found = found
      entry.open = []
      const tell = (state: Found): string => (state ? `step ${state.step} at ${state.sequence}` : 'nothing')
      const before = floors.get(subject) ?? 0
      if (found) floors.set(subject, Math.max(before, found.sequence))
      if (found?.step === known?.step) {
        if (!found || !known) return undefined
        if (found.sequence === known.sequence || (others && found.sequence > known.sequence)) return undefined
      } else if (open.some((write) => write.step === found?.step)) {
        if (!found || found.sequence > before) return undefined
      }
      const perhaps = open.map((write) => write.step ?? 'nothing').join(', ')
      return `${subject}: found ${tell(found)}, acknowledged ${tell(known)}, perhaps ${perhaps || 'nothing else'}`
    },
    judge(records, stepOf) {
      const found: string[] = []
      const bySequence = new Map<number, LogRecord>()
      const deletions = new Map<string, number[]>()
      for (const record of records) {
        bySequence.set(record.sequence, record)
        if (record.headers[header.deleted] !== '1') continue
        const list = deletions.get(record.subject)
        if (list) list.push(record.sequence)
        else deletions.set(record.subject, [record.sequence])
      }
      for (const { write, sequence, after } of promises) {
        const { subject, step } = write
        if (step === undefined) {
          if (!deletions.get(subject)?.some((at) => at > after))
            found.push(`${subject}: its deletion is not in the log`)
          continue
        }
        const record = bySequence.get(sequence!)
        const stored = record && stepOf(JSON.parse(Buffer.from(record.payload).toString('utf8')))
        if (record?.subject !== subject || stored !== step) {
          found.push(
            `${subject}: step ${step} was acknowledged at ${sequence}, which holds ${record?.subject} ${stored}`,
          )
        }
      }
      return found
    },
    get subjects() {
      return [...entries.keys()]
    },
    get highest() {
      return highest
    },
    counts,
    violations,
  }
}
