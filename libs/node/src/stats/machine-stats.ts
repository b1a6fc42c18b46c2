// What the machine under a node has and uses: processors, memory, processes, file systems, network.
import { readFileSync, statfsSync } from 'node:fs'
import { opendir, lstat } from 'node:fs/promises'
import { join } from 'node:path'
import type { MemoryStats } from './cgroup-stats.ts'

export interface MachineStats {
  readonly cpuNanoseconds: number
  readonly memory: MemoryStats & { readonly capacityBytes: number; readonly availableBytes: number }
  readonly processesMax: number
  readonly processes: number
  readonly startedAtMs: number
}

export interface FileSystemStats {
  readonly capacityBytes: number
  readonly availableBytes: number
  readonly usedBytes: number
  readonly inodes: number
  readonly inodesFree: number
  readonly inodesUsed: number
}

export interface InterfaceStats {
  readonly name: string
  readonly rxBytes: number
  readonly rxErrors: number
  readonly txBytes: number
  readonly txErrors: number
}

const text = (path: string): string => readFileSync(path, 'latin1')
/** The kernel's unit of processor time in /proc: a hundredth of a second. */
const tickNanoseconds = 10_000_000

export function machineStats(): MachineStats {
  const [user, nice, system, , , irq, softirq, steal] = /^cpu +(.*)$/m.exec(text('/proc/stat'))![1]!.split(' ').map(Number) as number[]
  const ticks = [user, nice, system, irq, softirq, steal].reduce((sum: number, part) => sum + (part ?? 0), 0)
  const meminfo = text('/proc/meminfo')
  const kilobytes = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(meminfo)?.[1] ?? 0) * 1_024
  const capacityBytes = kilobytes('MemTotal')
  const usageBytes = capacityBytes - kilobytes('MemFree')
  const workingSetBytes = Math.max(0, usageBytes - kilobytes('Inactive\\(file\\)'))
  const vmstat = text('/proc/vmstat')
  const count = (name: string): number => Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(vmstat)?.[1] ?? 0)
  return {
    cpuNanoseconds: ticks * tickNanoseconds,
    memory: {
      ...{ capacityBytes, usageBytes, workingSetBytes, availableBytes: capacityBytes - workingSetBytes },
      rssBytes: kilobytes('AnonPages'),
      pageFaults: count('pgfault'),
      majorPageFaults: count('pgmajfault'),
    },
    processesMax: Number(text('/proc/sys/kernel/pid_max').trim()),
    // `running/all` threads.
    processes: Number(text('/proc/loadavg').split(' ')[3]?.split('/')[1] ?? 0),
    startedAtMs: Number(/^btime (\d+)$/m.exec(text('/proc/stat'))?.[1] ?? 0) * 1_000,
  }
}

/** Of the file system that a path is on. */
export function fileSystemStats(path: string): FileSystemStats {
  const { bsize, blocks, bfree, bavail, files, ffree } = statfsSync(path)
  return {
    capacityBytes: bsize * blocks,
    availableBytes: bsize * bavail,
    usedBytes: bsize * (blocks - bfree),
    inodes: files,
    inodesFree: ffree,
    inodesUsed: files - ffree,
  }
}

/** Interfaces of the network that a process is in; undefined when it is gone. */
export function networkStats(pid: number): readonly InterfaceStats[] | undefined {
  try {
    return text(`/proc/${pid}/net/dev`)
      .split('\n')
      .flatMap((line) => {
        const [, name, rest] = /^\s*(\S+):\s*(.*)$/.exec(line) ?? []
        if (name === undefined || rest === undefined || name === 'lo') return []
        const [rxBytes = 0, , rxErrors = 0, , , , , , txBytes = 0, , txErrors = 0] = rest.split(/\s+/).map(Number)
        return [{ name, rxBytes, rxErrors, txBytes, txErrors }]
      })
  } catch {
    return undefined
  }
}

export interface DirectoryUse {
  readonly usedBytes: number
  readonly inodesUsed: number
}

/** Files that are looked at in one directory: what is beyond is not counted. */
const entriesMax = 500_000
const blockBytes = 512

/** What a directory holds on its own file system, as `du -x` counts it; links to one file count once. */
export async function directoryUse(path: string): Promise<DirectoryUse> {
  const seen = new Set<number>()
  const state = { usedBytes: 0, inodesUsed: 0, seen, device: -1 }
  await addDirectory(path, state)
  return { usedBytes: state.usedBytes, inodesUsed: state.inodesUsed }
}

async function addDirectory(path: string, state: { usedBytes: number; inodesUsed: number; readonly seen: Set<number>; device: number }): Promise<void> {
  const found = await lstat(path).catch(() => undefined)
  if (found === undefined || state.inodesUsed >= entriesMax) return
  if (state.device === -1) state.device = found.dev
  if (found.dev !== state.device || state.seen.has(found.ino)) return
  if (found.nlink > 1) state.seen.add(found.ino)
  state.usedBytes += found.blocks * blockBytes
  state.inodesUsed++
  if (!found.isDirectory()) return
  const directory = await opendir(path).catch(() => undefined)
  if (directory === undefined) return
  try {
    for await (const entry of directory) await addDirectory(join(path, entry.name), state)
  } catch {
    // What went while it was read counts no more.
  }
}
