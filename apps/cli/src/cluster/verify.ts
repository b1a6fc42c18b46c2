// `shiplog verify`: reads the whole log of a stopped cluster and checks that every record is what was once written, that
// none is missing, that every seal holds, and that the log reaches the high-water mark.
import { resolve } from 'node:path'
import { verifyRecord } from '@shiplog/events/integrity/checksum'
import { header } from '@shiplog/events/envelope'
import type { EventLog } from '@shiplog/events/event-log'
import { describeFinding, isOnlyOfThePast, verifyAtStart, verifyLog } from '@shiplog/events/integrity/verify-log'
import { type StoppedLog, withStoppedLog } from './stopped-log.ts'

const say = (line: string): void => void process.stdout.write(`${line}\n`)
const tell = (line: string): void => void process.stderr.write(`${line}\n`)

/** Findings that are printed; more are only counted. */
const findingsShownMax = 20

/** Gives the exit code: 0 whole, 1 damaged. */
export const verify = (options: { readonly dataDir: string }): Promise<number> =>
  withStoppedLog(resolve(options.dataDir), verifyOpened)

async function verifyOpened({ log: { events, leases, objectEvents }, mark }: StoppedLog): Promise<number> {
  const report = await verifyLog(events)
  if (!report.ok) {
    for (const finding of report.findings.slice(0, findingsShownMax)) tell(`shiplog: ${describeFinding(finding)}`)
    const cure = isOnlyOfThePast(report)
      ? 'only the past is concerned: a cluster starts, and says so where it tells of it'
      : 'the present is concerned: no cluster starts before shiplog repair, or a backup, has mended it'
    tell(`shiplog: the log is damaged: ${report.damaged} findings; ${cure}`)
    return 1
  }
  await verifyAtStart(events, mark)
  for (const { sequence, subject, problem, gaveUp } of report.accepted)
    say(`accepted: ${describeFinding({ sequence, subject, message: problem, present: false })}; given up: ${gaveUp}`)
  const compacted = report.compacted > 0 ? `, ${report.compacted} compacted` : ''
  const but = report.accepted.length > 0 ? `but ${report.accepted.length} ` : ''
  say(
    `events: ${report.records} records${compacted}, ${report.seals} seals, up to sequence ${report.lastSequence}: all ${but}whole`,
  )
  say(`leases: ${await verifyRecords(leases)} records: all whole`)
  say(`event objects: ${await verifyRecords(objectEvents)} records: all whole`)
  return 0
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
