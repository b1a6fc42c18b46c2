// Which of the machine's processes belong to a container. Most are in the process group of its first one; what has left
// that is found by a mark in its environment, which children inherit.
import { readdirSync, readFileSync } from 'node:fs'

/** The environment variable that every process of a container has: the container's id. */
export const markVariable = 'SHIPLOG_CONTAINER_ID'

/** Signals a process group; false when it is gone. */
export function signalGroup(pid: number, signal: NodeJS.Signals): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 1) return false
  try {
    process.kill(-pid, signal)
    return true
  } catch {
    return false
  }
}

/** Processes whose environment bears the mark of one of these containers. Only Linux can tell; elsewhere none. */
export function markedProcesses(containerIDs: ReadonlySet<string>): Map<string, number[]> {
  const found = new Map<string, number[]>()
  if (process.platform !== 'linux' || containerIDs.size === 0) return found
  for (const entry of readdirSync('/proc')) {
    const pid = Number(entry)
    if (!Number.isSafeInteger(pid) || pid <= 1 || pid === process.pid) continue
    let environment: string
    try {
      environment = readFileSync(`/proc/${pid}/environ`, 'latin1')
    } catch {
      continue
    }
    const at = environment.startsWith(`${markVariable}=`) ? 0 : environment.indexOf(`\0${markVariable}=`) + 1
    if (at === 0 && !environment.startsWith(`${markVariable}=`)) continue
    const end = environment.indexOf('\0', at)
    const containerID = environment.slice(at + markVariable.length + 1, end === -1 ? undefined : end)
    if (containerIDs.has(containerID)) found.set(containerID, [...(found.get(containerID) ?? []), pid])
  }
  return found
}

/** Kills whatever bears the mark of these containers, and gives how many processes that were. */
export function killMarked(containerIDs: ReadonlySet<string>): number {
  let killed = 0
  for (const pids of markedProcesses(containerIDs).values()) {
    for (const pid of pids) {
      try {
        process.kill(pid, 'SIGKILL')
        killed++
      } catch {
        // Gone by itself.
      }
    }
  }
  return killed
}
