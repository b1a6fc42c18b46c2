import { linkSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { cgroupStats, processIn } from './cgroup-stats.ts'
import { directoryUse, fileSystemStats, machineStats, networkStats } from './machine-stats.ts'

let mount = ''
beforeEach(() => {
  mount = mkdtempSync(join(tmpdir(), 'stats-'))
})
afterEach(() => rmSync(mount, { recursive: true, force: true }))

const put = (path: string, text: string): void => {
  mkdirSync(dirname(join(mount, path)), { recursive: true })
  writeFileSync(join(mount, path), text)
}

const expected = {
  cpuNanoseconds: 5_000_000,
  memory: { usageBytes: 1_000, workingSetBytes: 900, rssBytes: 300, pageFaults: 7, majorPageFaults: 1 },
  processes: 3,
}

test('a cgroup of version 1 is read from its hierarchies', () => {
  put('cpuacct/pods/a/cpuacct.usage', '5000000\n')
  put('memory/pods/a/memory.usage_in_bytes', '1000\n')
  put('memory/pods/a/memory.stat', 'inactive_file 1\ntotal_inactive_file 100\ntotal_rss 300\ntotal_pgfault 7\ntotal_pgmajfault 1\n')
  put('pids/pods/a/pids.current', '3\n')
  put('pids/pods/a/cgroup.procs', '')
  put('pids/pods/a/one/cgroup.procs', '42\n43\n')
  expect(cgroupStats('/pods/a', mount)).toEqual(expected)
  expect(processIn('/pods/a', mount)).toBe(42)
})

test('a cgroup of version 2 is read from its one directory', () => {
  put('cgroup.controllers', 'cpu memory pids\n')
  put('pods/a/cpu.stat', 'usage_usec 5000\nuser_usec 1\n')
  put('pods/a/memory.current', '1000\n')
  put('pods/a/memory.stat', 'anon 300\ninactive_file 100\npgfault 7\npgmajfault 1\n')
  put('pods/a/pids.current', '3\n')
  expect(cgroupStats('/pods/a', mount)).toEqual(expected)
})

test('what is not there is told as nothing', () => {
  expect(cgroupStats('/pods/none', mount)).toBeUndefined()
  expect(processIn('/pods/none', mount)).toBeUndefined()
  expect(networkStats(0)).toBeUndefined()
})

test('a directory holds what du counts: blocks of files and folders, each file once', async () => {
  put('home/a', 'x'.repeat(10_000))
  put('home/sub/b', '')
  linkSync(join(mount, 'home/a'), join(mount, 'home/sub/same'))
  const { usedBytes, inodesUsed } = await directoryUse(join(mount, 'home'))
  expect(inodesUsed).toBe(4)
  expect(usedBytes).toBeGreaterThanOrEqual(10_000)
  expect(usedBytes).toBeLessThan(30_000)
  expect(await directoryUse(join(mount, 'nothing'))).toEqual({ usedBytes: 0, inodesUsed: 0 })
})

test('the machine tells what it has, and not less than what is used', () => {
  const { memory, processes, processesMax, cpuNanoseconds, startedAtMs } = machineStats()
  expect(memory.capacityBytes).toBeGreaterThan(memory.workingSetBytes)
  expect(memory.availableBytes + memory.workingSetBytes).toBe(memory.capacityBytes)
  expect(processesMax).toBeGreaterThan(processes)
  expect(cpuNanoseconds).toBeGreaterThan(0)
  expect(startedAtMs).toBeLessThan(Date.now())
  const { capacityBytes, availableBytes, inodes, inodesFree, inodesUsed } = fileSystemStats(mount)
  expect(capacityBytes).toBeGreaterThan(availableBytes)
  expect(inodesFree + inodesUsed).toBe(inodes)
})
