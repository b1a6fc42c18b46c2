// `shiplog compact`: forgets the past of a stopped cluster that is older than somebody wants to keep. What it gives up is
// said first, and asked for.
import { resolve } from 'node:path'
import { recordedLog } from '@shiplog/all-in-one/open-log'
import { compactLog } from '@shiplog/events/integrity/compactor'
import { systemClock } from '@shiplog/runtime/clock'
import { agreed } from './agreed.ts'
import { diskBytesOf, humanBytes } from './log-growth.ts'
import { withStoppedLog } from './stopped-log.ts'

export interface CompactOptions {
  readonly dataDir: string
  /** Milliseconds. */
  readonly keep: number
  readonly yes?: boolean
}

const hourMs = 3_600_000
/** Everything that grows: objects, decisions of the scheduler, guards. */
const subjects = ['evt.>', 'dec.>', 'guard.>']

/** Gives the exit code. */
export async function compact({ dataDir: given, keep, yes }: CompactOptions): Promise<number> {
  const dataDir = resolve(given)
  const age = keep % (24 * hourMs) === 0 ? `${keep / (24 * hourMs)} days` : `${keep / hourMs} hours`
  process.stderr.write(
    `What is older than ${age} is forgotten: earlier versions of objects that changed since, objects that were deleted, and\n` +
      'attempts to schedule. History, diff, /at/ and replay no longer reach back there; the present state stays as it is.\n',
  )
  if (!yes && !(await agreed())) {
    process.stderr.write('shiplog: nothing was changed\n')
    return 1
  }
  const before = diskBytesOf(dataDir)
  const report = await withStoppedLog(dataDir, async ({ log }) => {
    const clock = systemClock
    return await compactLog({ log: log.events, clock, subjects, olderThanMs: keep, tombstonesOlderThanMs: keep })
  })
  if (recordedLog(dataDir) === 'embedded') {
    const { shrinkSqliteLog } = await import('@shiplog/events/sqlite/shrink')
    shrinkSqliteLog(dataDir)
  }
  const after = diskBytesOf(dataDir)
  process.stdout.write(
    `forgotten: ${report.forgotten} records of ${report.subjects} objects, ${report.purged} of them whole; ` +
      `on disk ${humanBytes(before)} before, ${humanBytes(after)} now\n`,
  )
  return 0
}
