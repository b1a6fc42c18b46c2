// What the kernel counts for a cgroup, of version 1 or 2: processors, memory, processes.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

export interface CgroupStats {
  /** Of all cores together since the cgroup was made. */
  readonly cpuNanoseconds: number
  readonly memory: MemoryStats
  readonly processes: number
}

export interface MemoryStats {
  readonly usageBytes: number
  /** Without file pages that nobody used for long: what cannot be had back without harm. */
  readonly workingSetBytes: number
  readonly rssBytes: number
  readonly pageFaults: number
  readonly majorPageFaults: number
}

const defaultMount = '/sys/fs/cgroup'

/** Where a controller's files of a cgroup are; `path` is absolute: `/kubepods/pod1`. */
const directoryOf = (mount: string, controller: string, path: string): string =>
  isVersion2(mount) ? join(mount, path) : join(mount, controller, path)

const isVersion2 = (mount: string): boolean => existsSync(join(mount, 'cgroup.controllers'))

/** Undefined when there is no such cgroup. */
export function cgroupStats(path: string, mount: string = defaultMount): CgroupStats | undefined {
  try {
    return isVersion2(mount) ? ofVersion2(join(mount, path)) : ofVersion1(mount, path)
  } catch {
    return undefined
  }
}

const numberIn = (file: string): number => Number(readFileSync(file, 'latin1').trim())

/** Lines of a name and a number. */
function fieldsIn(file: string): (name: string) => number {
  const fields = new Map(readFileSync(file, 'latin1').split('\n').map((line) => line.split(' ') as [string, string]))
  return (name) => Number(fields.get(name) ?? 0)
}

function ofVersion1(mount: string, path: string): CgroupStats {
  const memory = directoryOf(mount, 'memory', path)
  const field = fieldsIn(join(memory, 'memory.stat'))
  const usageBytes = numberIn(join(memory, 'memory.usage_in_bytes'))
  return {
    cpuNanoseconds: numberIn(join(directoryOf(mount, 'cpuacct', path), 'cpuacct.usage')),
    memory: {
      usageBytes,
      workingSetBytes: Math.max(0, usageBytes - field('total_inactive_file')),
      rssBytes: field('total_rss'),
      pageFaults: field('total_pgfault'),
      majorPageFaults: field('total_pgmajfault'),
    },
    processes: numberIn(join(directoryOf(mount, 'pids', path), 'pids.current')),
  }
}

function ofVersion2(directory: string): CgroupStats {
  const memory = fieldsIn(join(directory, 'memory.stat'))
  const usageBytes = numberIn(join(directory, 'memory.current'))
  return {
    cpuNanoseconds: fieldsIn(join(directory, 'cpu.stat'))('usage_usec') * 1_000,
    memory: {
      usageBytes,
      workingSetBytes: Math.max(0, usageBytes - memory('inactive_file')),
      rssBytes: memory('anon'),
      pageFaults: memory('pgfault'),
      majorPageFaults: memory('pgmajfault'),
    },
    processes: numberIn(join(directory, 'pids.current')),
  }
}

/** A process of the cgroup or of one below it; undefined when nothing runs there. */
export function processIn(path: string, mount: string = defaultMount): number | undefined {
  return firstProcess(directoryOf(mount, 'pids', path), 2)
}

function firstProcess(directory: string, depth: number): number | undefined {
  try {
    const [pid] = readFileSync(join(directory, 'cgroup.procs'), 'latin1').split('\n')
    if (pid) return Number(pid)
    if (depth === 0) return undefined
    for (const entry of readdirSync(directory, { withFileTypes: true })) {
      const found = entry.isDirectory() ? firstProcess(join(directory, entry.name), depth - 1) : undefined
      if (found !== undefined) return found
    }
  } catch {
    // Gone while it was read.
  }
  return undefined
}
