// Reads a container's log as clients want to see it: from some point on, filtered, and on demand following what is still
// being written, over the rotation of files. A reader asks for nothing before its output was taken, so whoever takes it
// slowly slows it down and nothing piles up.
import { type FileHandle, open, readdir, stat } from 'node:fs/promises'
import type { Clock } from '@shiplog/runtime/clock'
import { currentLogPath, rotatedLogPath, rotationsOf } from './container-log-files.ts'
import { createLogPrinter, createLogTail, type LogStream } from './container-log-line.ts'

/** One attempt of a container. */
export interface ContainerLog {
  /** The container's directory: `<dir>/pods/<namespace>_<name>_<uid>/<container>`. */
  readonly directory: string
  readonly restartCount: number
  /** Whether more may come. Must not turn false before the last output is in the file. */
  isRunning(): boolean
}

/** Which part of a log, as PodLogOptions says it. */
export interface ContainerLogQuery {
  /** Goes on with what is written from now on, until the container has ended. */
  readonly follow?: boolean
  /** Only the last lines of what there is. */
  readonly tailLines?: number
  readonly sinceMs?: number
  readonly timestamps?: boolean
  /** Ends after this many bytes. */
  readonly limitBytes?: number
  /** Undefined: both. */
  readonly stream?: LogStream
}

/** Pieces that a reader gives are at most this long. */
export const logChunkBytesMax = 64 * 1024
/** A follower looks for more after this long at first, and after the longer time when nothing has come for a while. */
const followDelayMinMs = 20
const followDelayMaxMs = 250

/** Files are opened anew when they were rotated meanwhile, so often at most. */
const openAttemptsMax = 10

/** An open file of the log. The handle keeps the file when its name is given to another or deleted. */
interface LogFile {
  readonly handle: FileHandle
  readonly inode: bigint
  /** Rises by one from file to file of an attempt: its rotation, or for the current one what that will be. */
  readonly number: number
  /** What was in it when it was opened. */
  readonly size: number
}

interface ReadDeps {
  readonly clock: Clock
  readonly signal?: AbortSignal
}

/**
 * Gives the wanted part of a log in pieces of at most 64 KiB, as they are taken. Ends at the end of what there was when
 * it began; with `follow` when the container has ended and everything was given. An abort ends it, too.
 */
export async function* readContainerLog(
  log: ContainerLog,
  query: ContainerLogQuery,
  deps: ReadDeps,
): AsyncGenerator<Buffer, void, undefined> {
  const follow = query.follow === true
  const { clock, signal } = deps
  const print = printerOf(query)
  let left = query.limitBytes ?? Number.POSITIVE_INFINITY
  /** Files to be read, in their order; all open, so that rotation takes nothing away from a slow reader. */
  let files = await openFiles(log, 0)
  try {
    while (files.length === 0) {
      if (!follow || !log.isRunning() || !(await pause(clock, followDelayMaxMs, signal))) return
      files = await openFiles(log, 0)
    }
    let at = await startOf(files, query)
    while (files.length > 0) {
      const file = files[0]!
      const last = files.length === 1
      const lines = linesOf(log, file, at, last && follow ? undefined : file.size, deps)
      at = 0
      for await (const some of lines) {
        const shown = print(some)
        if (shown.length > 0) yield shown.length > left ? shown.subarray(0, left) : shown
        left -= shown.length
        if (left <= 0 || signal?.aborted) return
      }
      if (signal?.aborted) return
      if (last && follow) {
        const next = await filesAfter(log, file, deps)
        files.push(...next)
        if (next[0] && next[0].number > file.number + 1) {
          yield lossNotice.subarray(0, Math.min(left, lossNotice.length))
          left -= lossNotice.length
          if (left <= 0) return
        }
      }
      files.shift()
      await file.handle.close()
    }
  } finally {
    await Promise.all(files.map((file) => file.handle.close()))
  }
}

const lossNotice = Buffer.from('[shiplog: a part of this log was rotated away before it could be read]\n')

function printerOf(query: ContainerLogQuery): (lines: Uint8Array) => Buffer {
  const printer = createLogPrinter({
    timestamps: query.timestamps === true,
    ...(query.stream ? { stream: query.stream } : {}),
    ...(query.sinceMs === undefined ? {} : { sinceMs: query.sinceMs }),
  })
  return (lines) => printer.print(lines)
}

/**
 * Whole lines of one file from `from`, up to `to`; without `to` until nothing more can come into this file. What it gives
 * is valid until the next piece is asked for.
 */
async function* linesOf(
  log: ContainerLog,
  file: LogFile,
  from: number,
  to: number | undefined,
  deps: ReadDeps,
): AsyncGenerator<Buffer, void, undefined> {
  const buffer = Buffer.allocUnsafe(logChunkBytesMax)
  let at = from
  let delayMs = followDelayMinMs
  while (!deps.signal?.aborted) {
    // Asked before reading: what was written before the end is there by then.
    const final = to !== undefined || !log.isRunning() || (await isReplaced(log, file))
    const { bytesRead } = await file.handle.read(buffer, 0, Math.min(buffer.length, (to ?? Infinity) - at), at)
    const whole = bytesRead === 0 ? 0 : buffer.lastIndexOf(0x0a, bytesRead - 1) + 1
    if (whole > 0) {
      yield buffer.subarray(0, whole)
      at += whole
      delayMs = followDelayMinMs
    } else if (bytesRead === buffer.length) {
      // No line is as long as this: it is none of our writer's.
      at += bytesRead
    } else {
      if (final || !(await pause(deps.clock, delayMs, deps.signal))) return
      delayMs = Math.min(delayMs * 2, followDelayMaxMs)
      // A writer whose disk is full takes lines back.
      at = Math.min(at, (await file.handle.stat()).size)
    }
  }
}

/** Waits; false when it was aborted. */
async function pause(clock: Clock, ms: number, signal: AbortSignal | undefined): Promise<boolean> {
  try {
    await clock.sleep(ms, signal)
    return true
  } catch {
    return false
  }
}

/** Where the wanted lines begin. Files before that are closed and left out of `files`. */
async function startOf(files: LogFile[], query: ContainerLogQuery): Promise<number> {
  if (query.tailLines === undefined) return 0
  const tail = createLogTail(query.tailLines, query.stream)
  for (let index = files.length - 1; index >= 0; index--) {
    const found = await findBackwards(files[index]!, (lines) => tail.look(lines))
    if (found === undefined) continue
    await Promise.all(files.splice(0, index).map((file) => file.handle.close()))
    return found
  }
  return 0
}

/** Shows a file's whole lines from its end to its beginning, until `look` has found something in them. */
async function findBackwards(
  file: LogFile,
  look: (lines: Uint8Array) => number | undefined,
): Promise<number | undefined> {
  const buffer = Buffer.allocUnsafe(logChunkBytesMax)
  for (let end = file.size; end > 0; ) {
    const start = Math.max(0, end - buffer.length)
    const { bytesRead } = await file.handle.read(buffer, 0, end - start, start)
    if (bytesRead === 0) return undefined
    const block = buffer.subarray(0, bytesRead)
    const first = start === 0 ? 0 : block.indexOf(0x0a) + 1
    const last = block.lastIndexOf(0x0a) + 1
    const found = last > first ? look(block.subarray(first, last)) : undefined
    if (found !== undefined) return start + first + found
    end = start + first < end ? start + first : start
  }
  return undefined
}

/** What comes after a file that is at its end: none when the container has ended. */
async function filesAfter(log: ContainerLog, file: LogFile, deps: ReadDeps): Promise<LogFile[]> {
  while (true) {
    const running = log.isRunning()
    const next = await openFiles(log, file.number)
    // A writer may need a moment, or room on its disk, between two files.
    if (next.length > 0 || !running || !(await pause(deps.clock, followDelayMaxMs, deps.signal))) return next
  }
}

/** Opens the files of an attempt that come after the one with this number, oldest first. */
async function openFiles(log: ContainerLog, after: number): Promise<LogFile[]> {
  for (let attempt = 1; ; attempt++) {
    const files: LogFile[] = []
    const path = currentLogPath(log.directory, log.restartCount)
    let current: LogFile | undefined
    let settled = false
    try {
      current = await openFile(path, 0)
      const rotations = rotationsOf(await namesIn(log.directory), log.restartCount)
      for (const rotation of rotations) {
        if (rotation <= after) continue
        const file = await openFile(rotatedLogPath(log.directory, log.restartCount, rotation), rotation)
        if (file) files.push(file)
      }
      // Rotated in between: which number is whose could not be told.
      settled = attempt >= openAttemptsMax || (await inodeOf(path)) === current?.inode
      const number = (rotations.at(-1) ?? 0) + 1
      if (settled && current && number > after) {
        files.push({ ...current, number })
        current = undefined
      }
      if (settled) return files
    } finally {
      await current?.handle.close()
      if (!settled) await Promise.all(files.map((file) => file.handle.close()))
    }
  }
}

async function openFile(path: string, number: number): Promise<LogFile | undefined> {
  const handle = await open(path, 'r').catch(unlessMissing)
  if (handle === undefined) return undefined
  try {
    const { ino, size } = await handle.stat({ bigint: true })
    return { handle, inode: ino, number, size: Number(size) }
  } catch (error) {
    await handle.close()
    throw error
  }
}

const namesIn = async (directory: string): Promise<string[]> => (await readdir(directory).catch(unlessMissing)) ?? []

/** Whether another file, or none, has the name of this one: it was rotated. */
const isReplaced = async (log: ContainerLog, file: LogFile): Promise<boolean> =>
  (await inodeOf(currentLogPath(log.directory, log.restartCount))) !== file.inode

const inodeOf = async (path: string): Promise<bigint | undefined> =>
  (await stat(path, { bigint: true }).catch(unlessMissing))?.ino

function unlessMissing(error: unknown): undefined {
  if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
  throw error
}
