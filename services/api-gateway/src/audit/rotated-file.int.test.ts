import { mkdtempSync, readFileSync, rmSync, symlinkSync, unlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { silentLogger } from '@shiplog/runtime/logger'
import { eventually } from '@shiplog/testing/eventually'
import { createManualClock } from '@shiplog/testing/manual-clock'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openRotatedFile } from './rotated-file.ts'

let directory: string
beforeEach(() => void (directory = mkdtempSync(join(tmpdir(), 'shiplog-rotated-'))))
afterEach(() => rmSync(directory, { recursive: true, force: true }))

const openHere = (maxSizeMb = 1) => {
  const path = join(directory, 'audit.log')
  const clock = createManualClock()
  const counted = { lost: 0 }
  const open = () => openRotatedFile({ path, maxSizeMb, clock, logger: silentLogger, onLost: () => void (counted.lost += 1) })
  return { path, clock, counted, open }
}

test('lines that a full disk refuses are counted, and the file is written again when there is room', async () => {
  const { path, clock, counted, open } = openHere()
  symlinkSync('/dev/full', path)
  const file = open()
  file.write(Buffer.from('lost 1\n'))
  await eventually(() => counted.lost === 1)
  file.write(Buffer.from('lost 2\n'))
  await eventually(() => counted.lost === 2)
  unlinkSync(path)
  await clock.advance(5_000)
  file.write(Buffer.from('kept\n'))
  await file.close()
  expect(counted.lost).toBe(2)
  expect(readFileSync(path, 'utf8')).toBe('kept\n')
})

test('a file that cannot be set aside goes on', async () => {
  const { path, counted, open } = openHere(0.00001)
  const file = open()
  file.write(Buffer.from('first\n'))
  // What is not there cannot be renamed.
  unlinkSync(path)
  file.write(Buffer.from('second\n'))
  await file.close()
  expect(counted.lost).toBe(0)
})
