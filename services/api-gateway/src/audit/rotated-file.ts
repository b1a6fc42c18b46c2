// A file of lines that is rotated by its size, old ones going by age and number. Whoever writes never waits and is never failed:
// what cannot be written (a full disk, a directory that is gone) is counted, and the file is opened again after a while.
import { createWriteStream, existsSync, mkdirSync, openSync, readdirSync, renameSync, statSync, unlinkSync, type WriteStream } from 'node:fs'
import { basename, dirname, extname, join } from 'node:path'
import type { Clock } from '@shiplog/runtime/clock'
import type { Logger } from '@shiplog/runtime/logger'

export interface RotationOptions {
  readonly path: string
  /** Days; 0: whatever their age. */
  readonly maxAgeDays?: number
  /** 0: whatever their number. */
  readonly maxBackups?: number
  /** Mebibytes; default 100. */
  readonly maxSizeMb?: number
}

export interface RotatedFile {
  write(line: Buffer): void
  close(): Promise<void>
}

const dayMs = 24 * 60 * 60 * 1_000
const defaultMaxSizeMb = 100
/** Bytes that wait to be written. */
const waitingBytesMax = 64 * 1024 * 1024
/** Until a file that failed is tried again. */
const retryAfterMs = 5_000

/** Throws when the file cannot be opened now: then the setting is wrong. `onLost` is called for each line that is not written. */
export function openRotatedFile(
  options: RotationOptions & { readonly clock: Clock; readonly logger: Logger; readonly onLost: () => void },
): RotatedFile {
  const { path, clock, logger, onLost } = options
  const sizeMax = (options.maxSizeMb || defaultMaxSizeMb) * 1024 * 1024
  let size = 0
  let failedMs: number | undefined

  function failed(err: unknown): void {
    if (failedMs === undefined) logger.error({ err, path }, 'a log file cannot be written')
    failedMs = clock.nowMs()
  }
  function open(): WriteStream {
    mkdirSync(dirname(path), { recursive: true })
    size = existsSync(path) ? statSync(path).size : 0
    const opened = createWriteStream(path, { fd: openSync(path, 'a', 0o600) })
    // Of one that was replaced meanwhile nobody needs to know more.
    return opened.on('error', (err) => stream === opened && failed(err))
  }
  let stream = open()

  /** Whether there is a file to write to. */
  function isOpen(): boolean {
    if (failedMs === undefined) return true
    if (clock.nowMs() - failedMs < retryAfterMs) return false
    try {
      stream.destroy()
      stream = open()
      failedMs = undefined
      logger.info({ path }, 'a log file is written again')
      return true
    } catch (err) {
      failed(err)
      return false
    }
  }
  function rotate(): void {
    try {
      renameSync(path, backupName(path, clock.nowMs()))
      removeOld(options, clock.nowMs())
      const before = stream
      stream = open()
      before.end()
    } catch (err) {
      // It goes on in the file that there is, and is tried again with the next one's worth of lines.
      logger.error({ err, path }, 'a log file cannot be rotated')
      size = 0
    }
  }

  return {
    write(line) {
      if (!isOpen() || stream.writableLength > waitingBytesMax || line.length > sizeMax) return onLost()
      if (size > 0 && size + line.length > sizeMax) rotate()
      size += line.length
      stream.write(line, (error) => error && onLost())
    },
    close: () => new Promise((resolve) => (stream.destroyed ? resolve() : stream.end(() => resolve()))),
  }
}

/** `audit-2026-11-30T23-59-59.000.log`, as lumberjack names them. */
function backupName(path: string, nowMs: number): string {
  const extension = extname(path)
  const stamp = new Date(nowMs).toISOString().replace('Z', '').replaceAll(':', '-')
  return join(dirname(path), `${basename(path, extension)}-${stamp}${extension}`)
}

function removeOld({ path, maxAgeDays = 0, maxBackups = 0 }: RotationOptions, nowMs: number): void {
  const extension = extname(path)
  const start = `${basename(path, extension)}-`
  const backups = readdirSync(dirname(path))
    .filter((name) => name.startsWith(start) && name.endsWith(extension) && name !== basename(path))
    .sort()
    .reverse()
  for (const [index, name] of backups.entries()) {
    const whole = join(dirname(path), name)
    const isOld = maxAgeDays > 0 && nowMs - statSync(whole).mtimeMs > maxAgeDays * dayMs
    if (isOld || (maxBackups > 0 && index >= maxBackups)) unlinkSync(whole)
  }
}
