// `shiplog verify`: reads the whole log of a stopped cluster and checks that every record is what was once written.
import { resolve } from 'node:path'
import { lockDirectory } from '@shiplog/all-in-one/lock'
import { openLog, recordedLog } from '@shiplog/all-in-one/open-log'
import { checksumHeader, verifyRecord } from '@shiplog/events/checksum'
import { header } from '@shiplog/events/envelope'
import { type EventLog, LogDamaged } from '@shiplog/events/event-log'
import { systemClock } from '@shiplog/runtime/clock'
import { silentLogger } from '@shiplog/runtime/logger'
import { findNatsServer } from './find-nats-server.ts'

/** Gives the exit code. */
export async function verify(options: { readonly dataDir: string }): Promise<number> {
  const dataDir = resolve(options.dataDir)
  const say = (line: string): void => void process.stdout.write(`${line}\n`)
  if (recordedLog(dataDir) === undefined) throw new Error(`there is no log in ${dataDir}`)
  const lock = lockDirectory(dataDir)
  try {
    const opened = await openLog({
      choice: 'auto',
      dataDir,
      clock: systemClock,
      logger: silentLogger,
      progress: (line) => void process.stderr.write(`${line}\n`),
      findNatsServer: findNatsServer(() => undefined),
    })
    try {
      const { events, leases, objectEvents } = opened.log
      for (const [name, log] of Object.entries({ events, leases, objectEvents })) {
        const { records, subjects, lastSequence } = await verifyStream(log)
        say(`${name}: ${records} records of ${subjects} subjects up to sequence ${lastSequence}, all whole`)
      }
    } finally {
      await opened.log.close()
      await opened.stop()
    }
    return 0
  } catch (error) {
    if ((error as Error).name !== 'LogDamaged') throw error
    process.stderr.write(`shiplog: ${(error as Error).message}\n`)
    return 1
  } finally {
    lock.release()
  }
}

export interface Verified {
  readonly records: number
  readonly subjects: number
  readonly lastSequence: number
}

/**
 * Every record by itself, and each as the successor of its subject's record before it. The first record of a subject that
 * is still there may name one that was compacted away; every other link must lead to the record before it.
 */
export async function verifyStream(log: EventLog): Promise<Verified> {
  const newest = new Map<string, { checksum: string; sequence: number }>()
  let records = 0
  let lastSequence = 0
  for await (const page of log.read()) {
    for (const record of page) {
      if (record.sequence <= lastSequence) {
        throw new LogDamaged(`${record.subject} at sequence ${record.sequence} stands after sequence ${lastSequence}`)
      }
      lastSequence = record.sequence
      records++
      // Guards and markers carry no envelope of an object, hence no checksum.
      if (record.headers[header.checksum] === undefined && record.headers[header.type] === undefined) continue
      verifyRecord(record)
      const before = newest.get(record.subject)
      const chain = record.headers[header.chain] ?? ''
      const previous = Number(record.headers[header.previous] ?? 0)
      if (before !== undefined && previous !== 0 && previous !== before.sequence) {
        throw new LogDamaged(
          `${record.subject} at sequence ${record.sequence} follows sequence ${previous}, but the record before it is at ${before.sequence}`,
        )
      }
      if (before !== undefined && chain !== '' && chain !== before.checksum) {
        throw new LogDamaged(
          `${record.subject} at sequence ${record.sequence} is not chained to the record before it at ${before.sequence}`,
        )
      }
      newest.set(record.subject, { checksum: checksumHeader(record), sequence: record.sequence })
    }
  }
  const end = await log.lastSequence()
  if (end < lastSequence) throw new LogDamaged(`the log ends at sequence ${end}, but holds one at ${lastSequence}`)
  return { records, subjects: newest.size, lastSequence: end }
}
