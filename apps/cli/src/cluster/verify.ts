// `shiplog verify`: reads the whole log of a stopped cluster and checks that every record is what was once written, that
// none is missing, that every seal holds, and that the log reaches the high-water mark.
import { resolve } from 'node:path'
import { markOf } from '@shiplog/events/integrity/guarded-log'
import { lockDirectory } from '@shiplog/runtime/directory-lock'
import { openLog, recordedLog } from '@shiplog/all-in-one/open-log'
import { verifyRecord } from '@shiplog/events/integrity/checksum'
import { header } from '@shiplog/events/envelope'
import type { EventLog } from '@shiplog/events/event-log'
import { describeFinding, verifyAtStart, verifyLog } from '@shiplog/events/integrity/verify-log'
import { systemClock } from '@shiplog/runtime/clock'
import { silentLogger } from '@shiplog/runtime/logger'
import { findNatsServer } from './find-nats-server.ts'

/** Findings that are printed; more are only counted. */
const findingsShownMax = 20

/** Gives the exit code: 0 whole, 1 damaged. */
export async function verify(options: { readonly dataDir: string }): Promise<number> {
  const dataDir = resolve(options.dataDir)
  if (recordedLog(dataDir) === undefined) throw new Error(`there is no log in ${dataDir}`)
  const lock = lockDirectory(dataDir)
  try {
    const mark = await markOf(dataDir)
    const opened = await openLog({
      choice: 'auto',
      dataDir,
      clock: systemClock,
      logger: silentLogger,
      progress: (line) => void process.stderr.write(`${line}\n`),
      findNatsServer: findNatsServer(() => undefined),
      ...(mark ? { expectIncarnation: mark.incarnation } : {}),
    })
    try {
      const { events, leases, objectEvents } = opened.log
      const report = await verifyLog(events)
      if (!report.ok) {
        for (const finding of report.findings.slice(0, findingsShownMax)) {
          process.stderr.write(`shiplog: ${describeFinding(finding)}\n`)
        }
        process.stderr.write(`shiplog: the log is damaged: ${report.damaged} findings\n`)
        return 1
      }
      await verifyAtStart(events, mark)
      const compacted = report.compacted > 0 ? `, ${report.compacted} compacted` : ''
      process.stdout.write(
        `events: ${report.records} records${compacted}, ${report.seals} seals, up to sequence ${report.lastSequence}: all whole\n`,
      )
      process.stdout.write(`leases: ${await verifyRecords(leases)} records: all whole\n`)
      process.stdout.write(`event objects: ${await verifyRecords(objectEvents)} records: all whole\n`)
      return 0
    } finally {
      await opened.log.close()
      await opened.stop()
    }
  } finally {
    lock.release()
  }
}

/** Streams that age hold no unbroken chain: each record is checked by itself. Expiry markers carry nothing to check. */
async function verifyRecords(log: EventLog): Promise<number> {
  let count = 0
  for await (const page of log.read()) {
    for (const record of page) {
      count++
      if (record.headers[header.type] !== undefined) verifyRecord(record)
    }
  }
  return count
}
