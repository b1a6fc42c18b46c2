// Memory of a busy hour is given back in a quiet one. V8 collects when something is allocated: a process that has become idle
// keeps the garbage, and the room for more of it, for as long as nobody asks anything.
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { Clock } from './clock.ts'

const lookEveryMs = 20_000
/** Of one core: less is idle. */
const idleCpuShare = 0.05
/** A collection is worth its pause when at least so much may come of it, */
const worthBytes = 32 * 1024 * 1024
/** and is no longer short on a heap of more than this. */
const heapBytesMax = 512 * 1024 * 1024

type Collect = (options: { readonly type: 'major'; readonly flavor: 'last-resort' }) => void

/** Looks now and then whether the process is idle, and collects once after each time that it was busy. */
export function giveBackMemory(clock: Clock): Disposable {
  let collect: Collect | undefined
  let cpu = process.cpuUsage()
  let lookedMs = clock.nowMs()
  /** Heap and buffers after the last collection of ours. */
  let keptBytes = 0
  return clock.every(lookEveryMs, () => {
    const { user, system } = process.cpuUsage(cpu)
    cpu = process.cpuUsage()
    const share = (user + system) / 1_000 / Math.max(1, clock.nowMs() - lookedMs)
    lookedMs = clock.nowMs()
    const { heapTotal, external } = process.memoryUsage()
    if (share > idleCpuShare || heapTotal > heapBytesMax || heapTotal + external < keptBytes + worthBytes) return
    if (!collect) {
      setFlagsFromString('--expose-gc')
      collect = runInNewContext('gc') as Collect
    }
    collect({ type: 'major', flavor: 'last-resort' })
    const after = process.memoryUsage()
    keptBytes = after.heapTotal + after.external
  })
}
