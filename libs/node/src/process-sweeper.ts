// Kills what has left its process group but bears the mark of a container that ended.
import type { Clock } from '@shiplog/runtime/clock'
import { killMarked } from './process-table.ts'

export interface ProcessSweeper {
  /** Resolves when nothing of the container is left. Containers that end at the same time are swept together. */
  sweep(containerID: string): Promise<void>
}

const sweepDelayMs = 10
/** What forks while it is being killed is looked for again. */
const sweepsMax = 5

export function createProcessSweeper(
  clock: Pick<Clock, 'sleep'>,
  kill: (containerIDs: ReadonlySet<string>) => number = killMarked,
): ProcessSweeper {
  let swept = Promise.resolve()
  let due = new Set<string>()
  return {
    sweep(containerID) {
      due.add(containerID)
      if (due.size === 1) {
        swept = clock.sleep(sweepDelayMs).then(() => {
          const containerIDs = due
          due = new Set()
          for (let tries = 0; tries < sweepsMax && kill(containerIDs) > 0; tries++);
        })
      }
      return swept
    },
  }
}
