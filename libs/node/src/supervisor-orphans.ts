// What a supervisor that was killed left running, or did not see the end of.
import type { Clock } from '@shiplog/runtime/clock'
import { isAlive } from '@shiplog/runtime/directory-lock'
import type { Logger } from '@shiplog/runtime/logger'
import type { ContainerEnd } from './container-records.ts'
import { killMarked, signalGroup } from './process-table.ts'
import type { RecordKeeper } from './record-keeper.ts'

/** Kills orphans, since nobody reads their output, and records how each ended. */
export function endOrphans(deps: { readonly clock: Clock; readonly log: Logger }, records: RecordKeeper): void {
  const orphans = records.all().filter(({ ended }) => ended === undefined)
  if (orphans.length === 0) return
  const alive = new Set<string>()
  for (const { pid, processStart, containerID } of orphans) {
    if (pid === undefined || !isAlive({ pid, startTime: processStart ?? '' })) continue
    alive.add(containerID)
    signalGroup(pid, 'SIGKILL')
  }
  killMarked(new Set(orphans.map(({ containerID }) => containerID)))
  const finishedAtMs = deps.clock.nowMs()
  for (const record of orphans) records.end(record, orphanEnd(alive.has(record.containerID), finishedAtMs))
  deps.log.warn({ killed: alive.size, lost: orphans.length - alive.size }, 'previous supervisor was killed')
}

/** How the end of an orphan is told: `wasAlive` until it was killed just now. */
export const orphanEnd = (wasAlive: boolean, finishedAtMs: number): ContainerEnd => ({
  exitCode: 137,
  reason: wasAlive ? 'Error' : 'ContainerStatusUnknown',
  message: wasAlive
    ? 'The process that supervised this one and read its output was killed, so it was ended'
    : 'The process ended while nothing supervised it (the supervisor was killed, or the machine was restarted)',
  finishedAtMs,
})
