// One process per data directory. The lock is a file that names its holder; a holder that is no more (kill -9, a crash,
// a reboot) is told by its process id and start time, and its lock is taken over.
import { linkSync, readdirSync, readFileSync, renameSync, rmSync, unlinkSync } from 'node:fs'
import { join } from 'node:path'
import { writeSecretFile } from './secret-files.ts'

export interface LockHolder {
  readonly pid: number
  /** The kernel's start time of the process, where it can be told: process ids are used again. */
  readonly startTime: string
}

export interface DirectoryLock {
  /** The process that held the directory before and did not give it back. */
  readonly takenOverFrom: LockHolder | undefined
  release(): void
}

/** Another process holds the directory. */
export class DirectoryLocked extends Error {
  override readonly name = 'DirectoryLocked'
  readonly holder: LockHolder
  constructor(dataDir: string, holder: LockHolder) {
    super(`another shiplog (process ${holder.pid}) runs on ${dataDir}`)
    this.holder = holder
  }
}

const attemptsMax = 5

export const lockFile = (dataDir: string): string => join(dataDir, 'lock')

/** Takes the directory, or throws DirectoryLocked. */
export function lockDirectory(dataDir: string): DirectoryLock {
  const path = lockFile(dataDir)
  const mine: LockHolder = { pid: process.pid, startTime: startTimeOf(process.pid) ?? '' }
  const candidate = `${path}.${process.pid}`
  writeSecretFile(candidate, `${JSON.stringify(mine)}\n`)
  let takenOverFrom: LockHolder | undefined
  try {
    for (let attempt = 1; ; attempt++) {
      try {
        linkSync(candidate, path)
        break
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || attempt === attemptsMax) throw error
      }
      const holder = lockHolder(dataDir)
      if (holder !== undefined && isAlive(holder)) throw new DirectoryLocked(dataDir, holder)
      takenOverFrom = holder ?? takenOverFrom
      setAside(path, holder, dataDir)
    }
  } finally {
    unlinkSync(candidate)
  }
  sweep(dataDir)
  return {
    takenOverFrom,
    release() {
      const holder = lockHolder(dataDir)
      if (holder?.pid === mine.pid && holder.startTime === mine.startTime) unlinkSync(path)
    },
  }
}

/** Leftovers of a process that was killed while it took the lock. */
function sweep(dataDir: string): void {
  for (const file of readdirSync(dataDir)) {
    const pid = /^lock\.(?:stale\.)?(\d+)$/.exec(file)?.[1]
    if (pid !== undefined && !isAlive({ pid: Number(pid), startTime: '' })) rmSync(join(dataDir, file), { force: true })
  }
}

/** The holder that the lock names, alive or not. */
export function lockHolder(dataDir: string): LockHolder | undefined {
  try {
    return holderIn(readFileSync(lockFile(dataDir), 'utf8'))
  } catch {
    return undefined
  }
}

/** A lock that cannot be read (the machine went down while it was written) has no holder. */
function holderIn(text: string): LockHolder | undefined {
  try {
    const { pid, startTime } = JSON.parse(text) as LockHolder
    return Number.isSafeInteger(pid) && pid > 0 ? { pid, startTime: String(startTime) } : undefined
  } catch {
    return undefined
  }
}

/** Whether the process that took the lock still runs: the same id, started at the same moment. */
export function isAlive(holder: LockHolder): boolean {
  try {
    process.kill(holder.pid, 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false
  }
  if (isZombie(holder.pid)) return false
  const startTime = startTimeOf(holder.pid)
  return startTime === undefined || holder.startTime === '' || startTime === holder.startTime
}

/** Moves a stale lock away. Renaming is atomic: of two that do this at once, one finds that it moved a fresh lock, and puts it back. */
function setAside(path: string, stale: LockHolder | undefined, dataDir: string): void {
  const aside = `${path}.stale.${process.pid}`
  try {
    renameSync(path, aside)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
    throw error
  }
  const moved = holderIn(readFileSync(aside, 'utf8'))
  const fresh = moved !== undefined && (moved.pid !== stale?.pid || moved.startTime !== stale.startTime)
  if (fresh && isAlive(moved)) {
    linkSync(aside, path)
    unlinkSync(aside)
    throw new DirectoryLocked(dataDir, moved)
  }
  unlinkSync(aside)
}

/** Dead, and nobody has asked how it ended: in a container without an init process it may stay so. */
function isZombie(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat[stat.lastIndexOf(')') + 2] === 'Z'
  } catch {
    return false
  }
}

/** Field 22 of /proc/<pid>/stat with the boot it belongs to; undefined where there is no such file. */
export function startTimeOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
    return `${boot} ${fields[19]}`
  } catch {
    return undefined
  }
}
