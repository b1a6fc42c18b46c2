import { expect, test } from 'vitest'
import { createUsageMeter, readProcess } from './process-usage.ts'

test('a container uses what its processes used since the last time, and what they hold now', () => {
  let nowMs = 0
  const ticks = new Map([
    [11, 100],
    [12, 50],
  ])
  let pids = [11]
  const meter = createUsageMeter({
    nowMs: () => nowMs,
    processes: () => new Map([['c', pids]]),
    read: (pid) => ({ cpuTicks: ticks.get(pid)!, residentBytes: 1_000 }),
  })
  const containers = new Map([['c', 'pod-uid']])
  expect(meter.measure(containers)).toEqual([])
  nowMs = 10_000
  ticks.set(11, 400)
  pids = [11, 12]
  // 3 s of the one, half a second of the other, which is new, within 10 s.
  expect(meter.measure(containers)).toEqual([
    {
      ...{ podUid: 'pod-uid', containerID: 'c', cpuNanoCores: 350_000_000, memoryWorkingSetBytes: 2_000 },
      ...{ atMs: 10_000, windowMs: 10_000 },
    },
  ])
  pids = [12]
  nowMs = 20_000
  expect(meter.measure(containers)[0]).toMatchObject({ cpuNanoCores: 0, memoryWorkingSetBytes: 1_000 })
})

test.runIf(process.platform === 'linux')('the kernel tells of this process, and not of one that ended', () => {
  const own = readProcess(process.pid)!
  expect(own.cpuTicks).toBeGreaterThan(0)
  expect(own.residentBytes / process.memoryUsage.rss()).toBeGreaterThan(0.5)
  expect(own.residentBytes / process.memoryUsage.rss()).toBeLessThan(2)
  expect(readProcess(2 ** 30)).toBeUndefined()
})
