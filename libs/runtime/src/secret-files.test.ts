import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync, closeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import {
  closeTree,
  openSecretFile,
  secretDirectory,
  withClosedUmask,
  writeSecretFile,
  writeSecretFileSoon,
} from './secret-files.ts'

let place = ''
let umask = 0
beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), 'shiplog-secret-'))
  umask = process.umask(0)
})
afterEach(() => {
  process.umask(umask)
  rmSync(place, { recursive: true, force: true })
})
const modeOf = (path: string): string => (statSync(path).mode & 0o777).toString(8)

test('a file is closed under any umask, also where an open one lay, and where a half-written one was left', async () => {
  for (const [name, write] of [
    ['now', async (path: string) => writeSecretFile(path, 'text')],
    ['soon', (path: string) => writeSecretFileSoon(path, 'text')],
    [
      'opened',
      async (path: string) => {
        const file = openSecretFile(path, 'w')
        writeFileSync(file, 'text')
        closeSync(file)
      },
    ],
  ] as const) {
    const path = join(place, name)
    await write(path)
    expect(modeOf(path), name).toBe('600')
    chmodSync(path, 0o644)
    writeFileSync(`${path}.new`, 'half', { mode: 0o666 })
    await write(path)
    expect(modeOf(path), name).toBe('600')
    expect(readFileSync(path, 'utf8')).toBe('text')
  }
})

test('a directory that was open is closed, and all that is in it', () => {
  const open = join(place, 'open')
  mkdirSync(join(open, 'below'), { recursive: true, mode: 0o755 })
  writeFileSync(join(open, 'below', 'key'), 'k', { mode: 0o644 })
  writeFileSync(join(place, 'elsewhere'), 'e', { mode: 0o644 })
  symlinkSync(join(place, 'elsewhere'), join(open, 'link'))
  mkdirSync(join(open, 'kept'), { mode: 0o755 })
  closeTree(open, ['kept'])
  expect([open, join(open, 'below'), join(open, 'below', 'key')].map(modeOf)).toEqual(['700', '700', '600'])
  expect(modeOf(join(open, 'kept'))).toBe('755')
  expect(modeOf(join(place, 'elsewhere'))).toBe('644')
})

test('a directory that everybody uses is not closed but refused', () => {
  const shared = join(place, 'shared')
  mkdirSync(shared)
  chmodSync(shared, 0o1777)
  expect(() => secretDirectory(shared)).toThrow('choose one of your own')
  expect(() => secretDirectory('/')).toThrow('choose one of your own')
  expect(modeOf(shared)).toBe('777')
})

test('a child makes closed files by its own defaults, and the umask is as it was', () => {
  const file = join(place, 'of-child')
  withClosedUmask(() => spawnSync('sh', ['-c', `: > ${file}`]))
  expect(modeOf(file)).toBe('600')
  expect(process.umask()).toBe(0)
})
