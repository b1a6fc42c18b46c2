// One line of a container's log, as it lies on disk: the form that container runtimes have agreed on (CRI).
//
//   2026-11-23T19:46:13.123000000Z stdout F hello
//   <time, always 30 characters> <stdout|stderr> <F: the line ends here | P: it goes on> <text>
//
// We write the time in one width only, so the text of every line begins at the same byte: a reader finds it, and compares
// times, without parsing. Pure: bytes in, bytes out.

export type LogStream = 'stdout' | 'stderr'

/** Text of one line on disk, as container runtimes cut it; a longer line of output becomes P, P, …, F. */
export const logTextBytesMax = 16 * 1024
/** Bytes before the text. */
export const logHeaderBytes = 40
/** A line on disk with its newline is no longer than this. */
export const logLineBytesMax = logHeaderBytes + logTextBytesMax + 1
/** Width of the time. */
export const logTimestampBytes = 30

const newline = 0x0a
const space = 0x20

/** The time of a line: RFC 3339 with nine decimals, in UTC. Times in this form sort as text. */
export const logTimestamp = (ms: number): string => `${new Date(ms).toISOString().slice(0, 23)}000000Z`

export interface LogLines {
  /** The whole lines that this output makes, as bytes for the file; what has no newline yet is kept for the next call. */
  push(bytes: Uint8Array, nowMs: number): Buffer
  /** What was kept: the output ended without a newline. */
  end(nowMs: number): Buffer
}

/** Turns the output of one stream into lines. Holds at most one line's text. */
export function createLogLines(stream: LogStream): LogLines {
  let kept: Buffer | undefined
  let keptBytes = 0

  const header = (nowMs: number, tag: 'F' | 'P'): Buffer => Buffer.from(`${logTimestamp(nowMs)} ${stream} ${tag} `)

  return {
    push(bytes, nowMs) {
      const full = header(nowMs, 'F')
      const partial = header(nowMs, 'P')
      const lines = newlinesIn(bytes) + Math.floor((keptBytes + bytes.length) / logTextBytesMax) + 1
      const out = Buffer.allocUnsafe(keptBytes + bytes.length + lines * (logHeaderBytes + 1))
      let length = 0
      let start = 0
      const emit = (head: Buffer, end: number): void => {
        length += head.copy(out, length)
        if (keptBytes > 0) length += kept!.copy(out, length, 0, keptBytes)
        keptBytes = 0
        out.set(bytes.subarray(start, end), length)
        length += end - start
        out[length++] = newline
      }
      while (start < bytes.length) {
        const found = bytes.indexOf(newline, start)
        const end = found < 0 ? bytes.length : found
        while (keptBytes + end - start > logTextBytesMax) {
          const cut = start + logTextBytesMax - keptBytes
          emit(partial, cut)
          start = cut
        }
        if (found < 0) {
          kept ??= Buffer.allocUnsafeSlow(logTextBytesMax)
          kept.set(bytes.subarray(start, end), keptBytes)
          keptBytes += end - start
          break
        }
        emit(full, end)
        start = end + 1
      }
      return out.subarray(0, length)
    },
    end(nowMs) {
      if (keptBytes === 0) return Buffer.alloc(0)
      const rest = Buffer.concat([header(nowMs, 'P'), kept!.subarray(0, keptBytes), Buffer.of(newline)])
      keptBytes = 0
      return rest
    },
  }
}

function newlinesIn(bytes: Uint8Array): number {
  let count = 0
  for (let at = bytes.indexOf(newline); at >= 0; at = bytes.indexOf(newline, at + 1)) count++
  return count
}

/** Where a line that lies at [start, end) of some bytes (its newline left out) belongs; undefined when it is none of ours. */
export function readLogHeader(
  bytes: Uint8Array,
  start: number,
  end: number,
): { readonly stream: LogStream; readonly whole: boolean } | undefined {
  if (end - start < logHeaderBytes) return undefined
  const stream = bytes[start + 34] === 0x6f ? 'stdout' : bytes[start + 34] === 0x65 ? 'stderr' : undefined
  const tag = bytes[start + 38]
  if (stream === undefined || (tag !== 0x46 && tag !== 0x50)) return undefined
  if (bytes[start + 30] !== space || bytes[start + 37] !== space || bytes[start + 39] !== space) return undefined
  return { stream, whole: tag === 0x46 }
}

/** Which part of a log somebody wants to see, line by line. */
export interface LogLineFilter {
  /** Undefined: both. */
  readonly stream?: LogStream
  /** Only lines of this moment or later. */
  readonly sinceMs?: number
  /** Puts its time before each line. */
  readonly timestamps: boolean
}

export interface LogPrinter {
  /**
   * What a client sees of the lines in `bytes`, which begin and end at a line's border. At most as long as they are; fresh
   * bytes, which nobody else holds.
   */
  print(bytes: Uint8Array): Buffer
}

/** Turns lines on disk into what clients see. Remembers whether the last line goes on. */
export function createLogPrinter(filter: LogLineFilter): LogPrinter {
  const since = filter.sinceMs === undefined ? undefined : Buffer.from(logTimestamp(filter.sinceMs))
  /** The next line begins a line of output: only such a one gets its time. */
  let fresh = true
  return {
    print(bytes) {
      const out = Buffer.allocUnsafe(bytes.length)
      let length = 0
      for (let start = 0; start < bytes.length; ) {
        const end = bytes.indexOf(newline, start)
        if (end < 0) break
        const line = readLogHeader(bytes, start, end)
        if (line && (filter.stream ?? line.stream) === line.stream && !(since && isBefore(bytes, start, since))) {
          if (filter.timestamps && fresh) {
            out.set(bytes.subarray(start, start + logTimestampBytes), length)
            length += logTimestampBytes
            out[length++] = space
          }
          out.set(bytes.subarray(start + logHeaderBytes, end), length)
          length += end - start - logHeaderBytes
          if (line.whole) out[length++] = newline
          fresh = line.whole
        }
        start = end + 1
      }
      return out.subarray(0, length)
    },
  }
}

function isBefore(bytes: Uint8Array, start: number, timestamp: Uint8Array): boolean {
  for (let i = 0; i < logTimestampBytes; i++) {
    const difference = bytes[start + i]! - timestamp[i]!
    if (difference !== 0) return difference < 0
  }
  return false
}

/** Counts lines of output from the end of a log backwards. */
export interface LogTail {
  /**
   * Looks at whole lines in `bytes`, the last first. Gives where in them the wanted lines begin, or undefined when they
   * begin before these bytes.
   */
  look(bytes: Uint8Array): number | undefined
}

/** Finds where the last `lines` lines of output begin. */
export function createLogTail(lines: number, stream: LogStream | undefined): LogTail {
  let seen = 0
  let atEnd = true
  return {
    look(bytes) {
      let end = bytes.length - 1
      while (end >= 0) {
        const start = end === 0 ? 0 : bytes.lastIndexOf(newline, end - 1) + 1
        const line = readLogHeader(bytes, start, end)
        if (line && (stream ?? line.stream) === line.stream) {
          // A line of output ends with F; the very last may not have ended yet.
          if (line.whole || atEnd) {
            if (seen === lines) return end + 1
            seen++
          }
          atEnd = false
        }
        end = start - 1
      }
      return undefined
    },
  }
}
