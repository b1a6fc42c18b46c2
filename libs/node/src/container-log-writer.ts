// Writes what a container prints into its log: lines with time and stream, in files that are rotated. It writes at once
// and in order, so whoever reads the files afterwards sees all that was handed over before; and it never throws, because
// a full disk must not stop the process that prints: what could not be written is counted, and the log says so as soon as
// it can be written again.
import * as fs from 'node:fs'
import type { Clock } from '@shiplog/runtime/clock'
import {
  currentLogPath,
  logFileBytesMax,
  logFilesMax,
  parseLogFileName,
  rotatedLogPath,
  rotationsOf,
} from './container-log-files.ts'
import { createLogLines, logLineBytesMax, logTimestamp, type LogStream } from './container-log-line.ts'

export interface ContainerLogWriterOptions {
  /** The directory of this container: `<dir>/pods/<namespace>_<name>_<uid>/<container>`. Made when it is not there. */
  readonly directory: string
  /** The attempt whose output this is. Logs of attempts before the previous one are deleted. */
  readonly restartCount: number
  readonly clock: Pick<Clock, 'nowMs'>
  readonly fileBytesMax?: number
  readonly filesMax?: number
  /** For tests of broken disks. */
  readonly disk?: Pick<typeof fs, 'writeSync'>
}

export interface ContainerLogWriter {
  /** Appends output. Never throws. */
  write(stream: LogStream, bytes: Uint8Array): void
  /** Writes what has no newline yet and closes the file. Never throws; safe to call twice. */
  close(): void
  /** Bytes of output that could not be written and of which the log does not tell yet. */
  readonly droppedBytes: number
}

/** Output is written in pieces of this size, so that a file never outgrows its bound by more than one of them. */
const pieceBytesMax = 64 * 1024

/** Continues the log of this attempt when there is one: a new supervisor writes on where the old one ended. */
export function createContainerLogWriter(options: ContainerLogWriterOptions): ContainerLogWriter {
  const { directory, restartCount, clock, fileBytesMax = logFileBytesMax, filesMax = logFilesMax } = options
  const writeSync = options.disk?.writeSync ?? fs.writeSync
  const path = currentLogPath(directory, restartCount)
  const lines = { stdout: createLogLines('stdout'), stderr: createLogLines('stderr') }
  let file: number | undefined
  let size = 0
  let closed = false
  let droppedBytes = 0
  let fault = ''

  /** Throws when there is no way to have a file. */
  function open(): number {
    if (file !== undefined) return file
    fs.mkdirSync(directory, { recursive: true, mode: 0o700 })
    file = fs.openSync(path, 'a+', 0o600)
    size = wholeLinesOf(file)
    return file
  }

  function shut(): void {
    if (file === undefined) return
    const old = file
    file = undefined
    try {
      fs.closeSync(old)
    } catch {
      // It was only read and appended to: nothing hangs on it.
    }
  }

  function rotate(): void {
    const rotations = rotationsOf(fs.readdirSync(directory), restartCount)
    const excess = rotations.length - Math.max(0, filesMax - 2)
    for (const old of rotations.slice(0, Math.max(0, excess))) {
      fs.rmSync(rotatedLogPath(directory, restartCount, old), { force: true })
    }
    // A reader takes the name as a sign that nothing more comes into this file: it is renamed after its last line.
    fs.renameSync(path, rotatedLogPath(directory, restartCount, (rotations.at(-1) ?? 0) + 1))
    shut()
  }

  /** All or nothing: a line that was written by half is taken back. */
  function append(bytes: Uint8Array): void {
    if (open() !== undefined && size > 0 && size + bytes.length > fileBytesMax) rotate()
    const target = open()
    try {
      for (let done = 0; done < bytes.length; ) done += writeSync(target, bytes, done)
      size += bytes.length
    } catch (error) {
      try {
        fs.ftruncateSync(target, size)
      } catch {
        // The reader skips half a line, and a new file is begun or this one repaired when it is opened again.
        shut()
      }
      throw error
    }
  }

  /** Appends lines that `outputBytes` of output became. */
  function keep(bytes: Buffer, outputBytes: number): void {
    if (bytes.length === 0) return
    try {
      if (droppedBytes > 0) {
        append(noticeOf(droppedBytes, fault, clock.nowMs()))
        droppedBytes = 0
      }
      append(bytes)
    } catch (error) {
      droppedBytes += outputBytes
      fault = error instanceof Error ? error.message : String(error)
    }
  }

  try {
    open()
    deleteAttemptsBefore(directory, restartCount - 1)
  } catch {
    // Said with the first output that has no place.
  }

  return {
    write(stream, bytes) {
      if (closed) return
      for (let at = 0; at < bytes.length; at += pieceBytesMax) {
        const piece = bytes.subarray(at, at + pieceBytesMax)
        keep(lines[stream].push(piece, clock.nowMs()), piece.length)
      }
    },
    close() {
      if (closed) return
      closed = true
      for (const stream of ['stdout', 'stderr'] as const) {
        const rest = lines[stream].end(clock.nowMs())
        keep(rest, rest.length)
      }
      if (droppedBytes > 0) {
        try {
          append(noticeOf(droppedBytes, fault, clock.nowMs()))
          droppedBytes = 0
        } catch {
          // Nowhere is left to say it, but here: droppedBytes.
        }
      }
      shut()
    },
    get droppedBytes() {
      return droppedBytes
    },
  }
}

/** Cuts off half a line, which a killed writer left behind. Gives the size that is left. */
function wholeLinesOf(file: number): number {
  const { size } = fs.fstatSync(file)
  if (size === 0) return 0
  const end = Buffer.alloc(Math.min(size, logLineBytesMax + 1))
  const read = fs.readSync(file, end, 0, end.length, size - end.length)
  const whole = size - read + end.subarray(0, read).lastIndexOf(0x0a) + 1
  if (whole < size) fs.ftruncateSync(file, whole)
  return whole
}

const noticeOf = (bytes: number, fault: string, nowMs: number): Buffer =>
  Buffer.from(
    `${logTimestamp(nowMs)} stderr F [shiplog: ${bytes} bytes of output could not be written here and are lost: ${fault.replaceAll('\n', ' ')}]\n`,
  )

function deleteAttemptsBefore(directory: string, restartCount: number): void {
  for (const name of fs.readdirSync(directory)) {
    const file = parseLogFileName(name)
    if (file && file.restartCount < restartCount) fs.rmSync(`${directory}/${name}`, { force: true })
  }
}
