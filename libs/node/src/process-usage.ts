// What processes of containers use, from the kernel's tables: those that bear a container's mark count for it. Only Linux
// tells; elsewhere nothing is known.
import { readFileSync } from 'node:fs'
import type { ContainerMeasure } from './container-runtime.ts'
import { markedProcesses } from './process-table.ts'

/** The kernel counts time in hundredths of a second for all programs, whatever it uses itself. */
const nanosPerTick = 10_000_000
/** The size of a page on the machines that we run on. */
const pageBytes = 4_096
/** Fields of /proc/<pid>/stat after the name in parentheses. */
const userTicksField = 11
const systemTicksField = 12

interface ProcessUse {
  readonly cpuTicks: number
  readonly residentBytes: number
}

export type ReadProcess = (pid: number) => ProcessUse | undefined

/** Undefined when the process has ended. */
export function readProcess(pid: number): ProcessUse | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const resident = readFileSync(`/proc/${pid}/statm`, 'latin1').split(' ')[1]
    return {
      cpuTicks: Number(fields[userTicksField]) + Number(fields[systemTicksField]),
      residentBytes: Number(resident) * pageBytes,
    }
  } catch {
    return undefined
  }
}

export interface UsageMeter {
  /** What these containers used since the last time; none for those that are measured for the first time. */
  measure(containers: ReadonlyMap<string, string>): readonly ContainerMeasure[]
}

/** `containers` of `measure` are pod uids by container id. */
export function createUsageMeter(deps: {
  readonly nowMs: () => number
  readonly processes?: (containerIDs: ReadonlySet<string>) => ReadonlyMap<string, readonly number[]>
  readonly read?: ReadProcess
}): UsageMeter {
  const { nowMs, processes = markedProcesses, read = readProcess } = deps
  let before = new Map<string, { readonly atMs: number; readonly ticks: ReadonlyMap<number, number> }>()
  return {
    measure(containers) {
      const atMs = nowMs()
      const measures: ContainerMeasure[] = []
      const now: typeof before = new Map()
      for (const [containerID, pids] of processes(new Set(containers.keys()))) {
        const last = before.get(containerID)
        const ticks = new Map<number, number>()
        let residentBytes = 0
        let used = 0
        for (const pid of pids) {
          const use = read(pid)
          if (!use) continue
          ticks.set(pid, use.cpuTicks)
          residentBytes += use.residentBytes
          // A process of which nothing was known began within the window.
          used += Math.max(0, use.cpuTicks - (last?.ticks.get(pid) ?? 0))
        }
        now.set(containerID, { atMs, ticks })
        if (!last || atMs <= last.atMs) continue
        const windowMs = atMs - last.atMs
        const cpuNanoCores = Math.round((used * nanosPerTick) / (windowMs / 1_000))
        const podUid = containers.get(containerID)!
        measures.push({ podUid, containerID, cpuNanoCores, memoryWorkingSetBytes: residentBytes, atMs, windowMs })
      }
      before = now
      return measures
    },
  }
}
