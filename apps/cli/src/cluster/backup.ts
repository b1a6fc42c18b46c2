// `shiplog backup` and `shiplog restore`. A backup is a data directory of its own with an embedded log: it can be verified,
// asked about its past, and started. It is read record by record, through the gateway of a running cluster or from the log
// of a stopped one, so it is the state after one sequence, and every checksum is checked before it is said to be done.
import { cpSync, existsSync, readdirSync, readFileSync, renameSync, rmdirSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { type LogChoice, openLog, recordedLog } from '@shiplog/all-in-one/open-log'
import { markFile } from '@shiplog/events/integrity/guarded-log'
import { checksumHeader } from '@shiplog/events/integrity/checksum'
import { copyRecords, leaveOut } from '@shiplog/events/integrity/copy-log'
import type { ClusterLog, EventLog, LogRecord } from '@shiplog/events/event-log'
import type { Mark } from '@shiplog/events/integrity/high-water-mark'
import { openSqliteClusterLog } from '@shiplog/events/sqlite/sqlite-log'
import { describeFinding, verifyAtStart, verifyLog } from '@shiplog/events/integrity/verify-log'
import { storedFormCodec } from '@shiplog/feed/record-codec'
import { configurationFileIn } from '@shiplog/encryption/configuration-file'
import { parseSavedKeys, restoreKeys } from '@shiplog/encryption/saved-keys'
import { systemClock } from '@shiplog/runtime/clock'
import { isAlive, lockHolder } from '@shiplog/runtime/directory-lock'
import { silentLogger } from '@shiplog/runtime/logger'
import { closeTree, secretDirectory, writeSecretFile } from '@shiplog/runtime/secret-files'
import { onEnd } from '../ending.ts'
import { findNatsServer } from './find-nats-server.ts'
import type { PastRecord } from '@shiplog/feed/history/past-records'
import { type HistorySource, logSource, withHistory } from '../history/history-source.ts'
import { streamEnds } from '../sql/sql-freshness.ts'
import { withStoppedLog } from './stopped-log.ts'

/** What is known of a backup besides its log. */
interface BackupNote {
  readonly takenAt: string
  /** The last sequence of each stream when it was taken. */
  readonly ends: { readonly events: number; readonly leases: number; readonly objectEvents: number }
}

const findingsShownMax = 5

const noteFile = (directory: string): string => join(directory, 'backup.json')
const say = (line: string): void => void process.stdout.write(`${line}\n`)
const tell = (line: string): void => void process.stderr.write(`${line}\n`)

export async function backup(options: { readonly dataDir: string; readonly out: string }): Promise<number> {
  const dataDir = resolve(options.dataDir)
  const out = resolve(options.out)
  if (existsSync(out)) throw new Error(`${out} exists: a backup is written to a place of its own`)
  const holder = lockHolder(dataDir)
  const running = holder !== undefined && isAlive(holder)
  const making = `${out}.new`
  rmSync(making, { recursive: true, force: true })
  secretDirectory(making)
  const forget = onEnd(() => rmSync(making, { recursive: true, force: true }))
  try {
    const ends = running ? await ofRunning(dataDir, making) : await ofStopped(dataDir, making)
    const pki = join(dataDir, 'pki')
    if (existsSync(pki)) cpSync(pki, join(making, 'pki'), { recursive: true })
    const note: BackupNote = { takenAt: new Date(systemClock.nowMs()).toISOString(), ends }
    writeSecretFile(noteFile(making), JSON.stringify(note))
    closeTree(making)
    renameSync(making, out)
    say(`${out}: everything up to sequence ${ends.events}, verified`)
    say('what Secrets hold is encrypted in it, and the keys are not: shiplog keys save keeps them')
    return 0
  } finally {
    await forget()
  }
}

async function ofRunning(dataDir: string, making: string): Promise<BackupNote['ends']> {
  return await withHistory({ dataDir, codec: storedFormCodec }, async (source) => {
    const ends = await streamEnds(dataDir)
    const { newest } = await source.ends()
    const of = (stream: 'leases' | 'objectEvents'): number => ends.get(stream) ?? 0
    return await write(source, making, { events: newest, leases: of('leases'), objectEvents: of('objectEvents') })
  })
}

async function ofStopped(dataDir: string, making: string): Promise<BackupNote['ends']> {
  return await withStoppedLog(dataDir, async ({ log, mark }) => {
    await verifyAtStart(log.events, mark)
    const [events, leases, objectEvents] = await Promise.all(
      [log.events, log.leases, log.objectEvents].map((one) => one.lastSequence()),
    )
    const source = logSource(log.events, () => Promise.resolve(), storedFormCodec)
    return await write(source, making, { events: events!, leases: leases!, objectEvents: objectEvents! })
  })
}

async function write(source: HistorySource, making: string, ends: BackupNote['ends']): Promise<BackupNote['ends']> {
  const log = await openSqliteClusterLog({ dataDir: making, clock: systemClock })
  try {
    const damaged: string[] = []
    const records = wholeRecords(source.read({ from: 1, to: ends.events }), damaged)
    await copyRecords(records, log.events, shownProgress('backup', ends.events))
    await log.events.skipTo(ends.events)
    await log.leases.skipTo(ends.leases)
    await log.objectEvents.skipTo(ends.objectEvents)
    await seal(log.events, making, damaged)
  } finally {
    await log.close()
  }
  writeSecretFile(join(making, 'log.json'), `${JSON.stringify({ log: 'embedded' })}\n`)
  return ends
}

/** Damaged records are left out; whether somebody has accepted that, the check of the copy tells. */
async function* wholeRecords(
  pages: AsyncIterable<readonly PastRecord[]>,
  damaged: string[],
): AsyncIterable<readonly LogRecord[]> {
  for await (const page of pages) {
    const whole: LogRecord[] = []
    for (const one of page) {
      if (one.kind === 'damaged') damaged.push(`sequence ${one.sequence}: ${one.problem}`)
      else whole.push(one.record)
    }
    yield whole
  }
}

/** Checks every record, and writes down where the log ends, so that a copy that was cut short is known as such. */
async function seal(log: EventLog, directory: string, damaged: readonly string[] = []): Promise<void> {
  const report = await verifyLog(log)
  if (!report.ok) {
    const found = damaged.length > 0 ? damaged : report.findings.map(describeFinding)
    for (const finding of found.slice(0, findingsShownMax)) tell(`shiplog: ${finding}`)
    throw new Error(
      `the log is damaged, and nothing was kept: shiplog repair, on the stopped cluster, says what it costs to accept that, and then a backup can be made`,
    )
  }
  const sequence = await log.lastSequence()
  const last = await log.get(sequence)
  const mark: Mark | undefined = last && {
    incarnation: log.incarnation,
    sequence,
    subject: last.subject,
    checksum: checksumHeader(last),
  }
  if (mark) writeSecretFile(markFile(directory), `${JSON.stringify(mark)}\n`)
}

export interface RestoreOptions {
  readonly dataDir: string
  readonly log: string
  /** Sequences that are left out behind the end of the backup; by default what may have been given out since. */
  readonly bump?: number
  /** Of `shiplog keys save`. */
  readonly keys?: string
}

export async function restore(from: string, options: RestoreOptions): Promise<number> {
  const dataDir = resolve(options.dataDir)
  const source = resolve(from)
  const { takenAt, ends } = noteOf(source)
  if (recordedLog(dataDir) !== undefined || (existsSync(dataDir) && readdirSync(dataDir).length > 0)) {
    throw new Error(`${dataDir} is not empty: restore to another --data-dir, or remove it (shiplog down --purge)`)
  }
  const making = `${dataDir}.restoring`
  rmSync(making, { recursive: true, force: true })
  secretDirectory(making)
  const forget = onEnd(() => rmSync(making, { recursive: true, force: true }))
  try {
    const end = await withStoppedLog(source, async ({ log, mark }) => {
      await verifyAtStart(log.events, mark)
      return await into(making, log, ends, options)
    })
    const pki = join(source, 'pki')
    if (existsSync(pki)) cpSync(pki, join(making, 'pki'), { recursive: true })
    if (existsSync(dataDir)) rmdirSync(dataDir)
    renameSync(making, dataDir)
    say(`${dataDir}: as it was at ${takenAt} (sequence ${ends.events}), verified; what is written now begins at ${end + 1}`)
    return 0
  } finally {
    await forget()
  }
}

async function into(
  making: string,
  backedUp: ClusterLog,
  ends: BackupNote['ends'],
  { log: choice, bump: asked, keys: keysFile }: RestoreOptions,
): Promise<number> {
  const saved = keysFile === undefined ? undefined : parseSavedKeys(readFileSync(resolve(keysFile), 'utf8'))
  const bump = asked ?? (await likelyGrowth(backedUp.events))
  const opened = await openLog({
    choice: choice as LogChoice,
    dataDir: making,
    clock: systemClock,
    logger: silentLogger,
    progress: tell,
    findNatsServer: findNatsServer(tell),
  })
  const close = onEnd(async () => {
    await opened.log.close()
    await opened.stop()
  })
  try {
    const { events, leases, objectEvents, keys } = opened.log
    if (saved) await restoreKeys(keys, saved)
    if (saved?.configuration !== undefined) writeSecretFile(configurationFileIn(making), saved.configuration)
    if ((await events.lastSequence()) > 0) throw new Error('the log that is to be restored to is not empty')
    tell(`log: ${opened.description}`)
    await copyRecords(backedUp.events.read(), events, shownProgress('restore', ends.events))
    await events.skipTo(ends.events)
    if (bump > 0) await leaveOut(events, bump)
    await leases.skipTo(ends.leases + bump)
    await objectEvents.skipTo(ends.objectEvents + bump)
    await seal(events, making)
    return await events.lastSequence()
  } finally {
    await close()
  }
}

const bumpMin = 10_000
/** A log is not equally busy at all times. */
const bumpFactor = 10
const lifeMsMin = 60_000

/** What the cluster may have given out after its backup: clients have seen it, so it is not given out again. */
async function likelyGrowth(events: EventLog): Promise<number> {
  const end = await events.lastSequence()
  const [first, last] = [await firstOf(events), await events.get(end)]
  if (first === undefined || last === undefined) return bumpMin
  const perMs = end / Math.max(lifeMsMin, last.timeMs - first.timeMs)
  return Math.ceil(bumpMin + bumpFactor * perMs * Math.max(0, systemClock.nowMs() - last.timeMs))
}

async function firstOf(events: EventLog): Promise<LogRecord | undefined> {
  for await (const records of events.read()) return records[0]
  return undefined
}

function noteOf(directory: string): BackupNote {
  try {
    return JSON.parse(readFileSync(noteFile(directory), 'utf8')) as BackupNote
  } catch (cause) {
    throw new Error(`${directory} is no backup: it has no readable backup.json`, { cause })
  }
}

const progressEveryMs = 2_000

/** A line every other second, for who waits. */
function shownProgress(what: string, end: number): (sequence: number) => void {
  let nextMs = systemClock.nowMs() + progressEveryMs
  return (sequence) => {
    if (systemClock.nowMs() < nextMs) return
    nextMs = systemClock.nowMs() + progressEveryMs
    tell(`${what}: ${sequence} of ${end}`)
  }
}
