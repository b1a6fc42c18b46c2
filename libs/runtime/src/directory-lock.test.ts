import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { DirectoryLocked, lockDirectory, lockFile, lockHolder } from './directory-lock.ts'

let directory = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'shiplog-lock-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

test('a directory has one holder, who is named to the second', () => {
  const lock = lockDirectory(directory)
  expect(lock.takenOverFrom).toBeUndefined()
  expect(() => lockDirectory(directory)).toThrow(DirectoryLocked)
  expect(() => lockDirectory(directory)).toThrow(`process ${process.pid}`)
  lock.release()
  expect(readdirSync(directory)).toEqual([])
  lockDirectory(directory).release()
})

test('the lock of a process that was killed is taken over', async () => {
  const script = `import { lockDirectory } from ${JSON.stringify(join(import.meta.dirname, 'directory-lock.ts'))}
    lockDirectory(${JSON.stringify(directory)}); console.log('locked'); setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', script])
  await new Promise((resolve) => child.stdout.once('data', resolve))
  expect(() => lockDirectory(directory)).toThrow(`process ${child.pid}`)
  child.kill('SIGKILL')
  await new Promise((resolve) => child.once('exit', resolve))
  const lock = lockDirectory(directory)
  expect(lock.takenOverFrom?.pid).toBe(child.pid)
  expect(lockHolder(directory)?.pid).toBe(process.pid)
  lock.release()
})

test('a process id that was given to another process is not the holder', () => {
  writeFileSync(lockFile(directory), JSON.stringify({ pid: process.ppid, startTime: 'another boot 1' }))
  expect(lockDirectory(directory).takenOverFrom?.pid).toBe(process.ppid)
})

test('a lock file that was cut off holds nothing', () => {
  writeFileSync(lockFile(directory), '{"pid":')
  lockDirectory(directory).release()
})

test('what a process left that was killed while it took the lock is swept away', () => {
  writeFileSync(`${lockFile(directory)}.4194999`, '')
  writeFileSync(`${lockFile(directory)}.stale.4194999`, '')
  const lock = lockDirectory(directory)
  expect(readdirSync(directory)).toEqual(['lock'])
  lock.release()
})

test('releasing twice, or after somebody took it over, leaves the lock of the other alone', () => {
  const lock = lockDirectory(directory)
  lock.release()
  const other = { pid: process.ppid, startTime: '' }
  writeFileSync(lockFile(directory), JSON.stringify(other))
  lock.release()
  expect(lockHolder(directory)).toEqual(other)
})
