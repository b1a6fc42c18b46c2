// One line of a container's log, as it lies on disk: the form that container runtimes have agreed on (CRI).
//
//   2026-11-23T19:46:13.123000000Z stdout F hello
//   <time, always 30 characters> <stdout|stderr> <F: the line ends here | P: it goes on> <text>
//
// We write the time in one width only; runtimes leave out the zeros at its end. Readers take both, and show the time in one
// width, as a kubelet does. Pure: bytes in, bytes out.

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

/** `2026-11-23T19:46:13Z`: the shortest time there is; the longest has nine decimals and the distance from UTC. */
const timeBytesMin = 20
const timeBytesMax = 35
/** ` stdout F `: what follows the time. */
const afterTimeBytes = logHeaderBytes - logTimestampBytes

export interface LogHeader {
  readonly stream: LogStream
  readonly whole: boolean
  /** How long the time is, and where the text begins. */
  readonly timeBytes: number
  readonly textAt: number
}

/** What stands before the text of a line that lies at [start, end) of some bytes; undefined when it is none of a container. */
export function readLogHeader(bytes: Uint8Array, start: number, end: number): LogHeader | undefined {
  const at = bytes.indexOf(space, start + timeBytesMin)
  const timeBytes = at - start
  if (timeBytes < timeBytesMin || timeBytes > timeBytesMax || end - at < afterTimeBytes) return undefined
  const stream = bytes[at + 4] === 0x6f ? 'stdout' : bytes[at + 4] === 0x65 ? 'stderr' : undefined
  const tag = bytes[at + 8]
  if (stream === undefined || (tag !== 0x46 && tag !== 0x50)) return undefined
  if (bytes[at + 7] !== space || bytes[at + 9] !== space) return undefined
  return { stream, whole: tag === 0x46, timeBytes, textAt: at + afterTimeBytes }
}

/** A line's time in the one width that clients get; it stays as it is when it is not in UTC. */
function timestampOf(bytes: Uint8Array, start: number, timeBytes: number): Uint8Array {
  const time = bytes.subarray(start, start + timeBytes)
  if (timeBytes === logTimestampBytes || time.at(-1) !== 0x5a) return time
  const digits = Buffer.from(time.subarray(0, -1)).toString('latin1')
  return Buffer.from(`${digits.includes('.') ? digits : `${digits}.`}`.padEnd(logTimestampBytes - 1, '0').concat('Z'))
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
   * What a client sees of the lines in `bytes`, which begin and end at a line's border: fresh bytes, which nobody else
   * holds.
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
      // A time may be longer than on disk.
      const longer = filter.timestamps ? newlinesIn(bytes) * (logTimestampBytes - timeBytesMin + 1) : 0
      const out = Buffer.allocUnsafe(bytes.length + longer)
      let length = 0
      for (let start = 0; start < bytes.length; ) {
        const end = bytes.indexOf(newline, start)
        if (end < 0) break
        const line = readLogHeader(bytes, start, end)
        if (line && (filter.stream ?? line.stream) === line.stream && !(since && isBefore(bytes, start, line.timeBytes, since))) {
          if (filter.timestamps && fresh) {
            const time = timestampOf(bytes, start, line.timeBytes)
            out.set(time, length)
            length += time.length
            out[length++] = space
          }
          out.set(bytes.subarray(line.textAt, end), length)
          length += end - line.textAt
          if (line.whole) out[length++] = newline
          fresh = line.whole
        }
        start = end + 1
      }
      return out.subarray(0, length)
    },
  }
}

function isBefore(bytes: Uint8Array, start: number, timeBytes: number, timestamp: Uint8Array): boolean {
  const own = timestampOf(bytes, start, timeBytes)
  if (own.length !== timestamp.length) {
    return Date.parse(Buffer.from(own).toString('latin1')) < Date.parse(Buffer.from(timestamp).toString('latin1'))
  }
  return Buffer.compare(own, timestamp) < 0
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
