// Memory of a busy hour is given back in a quiet one. V8 collects when something is allocated: a process that has become idle
// keeps the garbage, and the room for more of it, for as long as nobody asks anything. And glibc keeps what was freed in
// the middle of its heap until it is told to give it back: after 300 watchers of a 1 MB object that was 62 of 197 MiB.
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { Clock } from './clock.ts'

const lookEveryMs = 20_000
/** Of one core: less is idle. */
const idleCpuShare = 0.05
/** Giving back is worth its pause when at least so much may come of it, */
const worthBytes = 32 * 1024 * 1024
/** and a collection is no longer short on a heap of more than this. */
const heapBytesMax = 512 * 1024 * 1024

type Collect = (options: { readonly type: 'major'; readonly flavor: 'last-resort' }) => void

/** What of the platform a test replaces. */
export interface MemoryPlatform {
  /** Resident memory, in bytes. */
  rss(): number
  /** Gives freed memory back to the system, where that can be asked for. */
  trim(): void
}

/** Looks now and then whether the process is idle, and gives back once after each time that it was busy. */
export function giveBackMemory(clock: Clock, platform: MemoryPlatform = thisProcess()): Disposable {
  let cpu = process.cpuUsage()
  let lookedMs = clock.nowMs()
  /** Heap and buffers after the last collection of ours. */
  let keptBytes = 0
  /** Resident memory after the last look at an idle process. */
  let residentBytes = 0
  return clock.every(lookEveryMs, () => {
    const { user, system } = process.cpuUsage(cpu)
    cpu = process.cpuUsage()
    const share = (user + system) / 1_000 / Math.max(1, clock.nowMs() - lookedMs)
    lookedMs = clock.nowMs()
    if (share > idleCpuShare) return
    const { heapTotal, external } = process.memoryUsage()
    if (heapTotal <= heapBytesMax && heapTotal + external >= keptBytes + worthBytes) {
      collect()
      const after = process.memoryUsage()
      keptBytes = after.heapTotal + after.external
    }
    if (platform.rss() < residentBytes + worthBytes) return
    platform.trim()
    residentBytes = platform.rss()
  })
}

let collector: Collect | undefined

function collect(): void {
  if (!collector) {
    setFlagsFromString('--expose-gc')
    collector = runInNewContext('gc') as Collect
  }
  collector({ type: 'major', flavor: 'last-resort' })
}

/** With Node's FFI (see tools/run.mjs) and glibc. */
function thisProcess(): MemoryPlatform {
  return { rss: () => process.memoryUsage.rss(), trim: mallocTrim }
}

let trimHeap: ((pad: bigint) => unknown) | undefined

/** `malloc_trim(0)`: nothing in Node calls it. A process without FFI, or on another C library, keeps what it has. */
function mallocTrim(): void {
  if (process.platform !== 'linux' || !process.execArgv.includes('--experimental-ffi')) return
  try {
    trimHeap ??= process.getBuiltinModule('node:ffi').dlopen('libc.so.6', {
      malloc_trim: { arguments: ['uint64'], return: 'int32' },
    }).functions.malloc_trim as (pad: bigint) => unknown
    trimHeap(0n)
  } catch {
    trimHeap = () => undefined
  }
}
