// What processes use, as Linux counts it: resident memory and CPU time of a process and all its children.
import { readdirSync, readFileSync } from 'node:fs'

export interface Usage {
  readonly rssBytes: number
  readonly cpuMs: number
}

/** Ticks a second of /proc: 100 on every Linux that Node runs on. */
const ticksPerSecond = 100
const pageBytes = 4_096

interface Stat {
  readonly parent: number
  readonly cpuMs: number
  readonly rssBytes: number
}

function stat(pid: number): Stat | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The name, in parentheses, may hold spaces.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    return {
      parent: Number(fields[1]),
      cpuMs: ((Number(fields[11]) + Number(fields[12])) / ticksPerSecond) * 1_000,
      rssBytes: Number(fields[21]) * pageBytes,
    }
  } catch {
    return undefined
  }
}

/** Of the process and its descendants that run now. */
export function usageOfTree(pid: number): Usage {
  const all = new Map<number, Stat>()
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue
    const found = stat(Number(entry))
    if (found) all.set(Number(entry), found)
  }
  const belongs = (candidate: number): boolean => {
    for (let at = candidate; at > 1; at = all.get(at)?.parent ?? 0) if (at === pid) return true
    return false
  }
  let rssBytes = 0
  let cpuMs = 0
  for (const [candidate, found] of all) {
    if (!belongs(candidate)) continue
    rssBytes += found.rssBytes
    cpuMs += found.cpuMs
  }
  return { rssBytes, cpuMs }
}

export const megabytes = (bytes: number): number => bytes / 1_048_576
