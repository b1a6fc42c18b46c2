import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { PodVolume, VolumeMount } from './container-runtime.ts'
import { rootDirectory, volumeDirectory } from './pod-directories.ts'
import { makeRoot, writeVolume } from './volume-files.ts'

let node: string
beforeEach(() => {
  node = mkdtempSync(join(tmpdir(), 'shiplog-volumes-'))
})
afterEach(() => rmSync(node, { recursive: true, force: true }))

let stamp = 0
const files = (content: Readonly<Record<string, string>>, secret = false, mode = 0o644): PodVolume => ({
  kind: 'files',
  name: 'config',
  secret,
  files: Object.entries(content).map(([path, text]) => ({ path, content: Buffer.from(text), mode })),
})
const write = (volume: PodVolume): boolean => writeVolume(node, 'uid', volume, String(++stamp))
const place = (...path: string[]): string => join(volumeDirectory(node, 'uid', 'config'), ...path)
const read = (...path: string[]): string => readFileSync(place(...path), 'utf8')

describe('files of a volume', () => {
  test('change all at once, and a reader that is inside keeps what it opened', () => {
    expect(write(files({ a: '1', 'deep/b': '2' }))).toBe(true)
    expect([read('a'), read('deep', 'b')]).toEqual(['1', '2'])
    expect(write(files({ a: '1', 'deep/b': '2' }))).toBe(false)
    expect(write(files({ a: '3', c: '4' }))).toBe(true)
    expect([read('a'), read('c'), existsSync(place('deep'))]).toEqual(['3', '4', false])
    // One directory of content, one link to it, one link a file.
    expect(readdirSync(place()).filter((name) => !name.startsWith('..'))).toEqual(['a', 'c'])
    expect(readdirSync(place()).filter((name) => name.startsWith('..'))).toHaveLength(2)
  })

  test('a mode alone is a change', () => {
    write(files({ a: '1' }))
    expect(write(files({ a: '1' }, false, 0o600))).toBe(true)
    expect(statSync(place('a')).mode & 0o777).toBe(0o600)
  })

  test('what a crash left half done is cleared away', () => {
    write(files({ a: '1' }))
    symlinkSync('nowhere', place('..data_new'))
    expect(() => write(files({ a: '2' }))).not.toThrow()
    expect(read('a')).toBe('2')
    expect(existsSync(place('..data_new'))).toBe(false)
  })

  test('secrets are in directories that nobody else enters', () => {
    write(files({ a: '1' }, true, 0o600))
    expect(statSync(place()).mode & 0o777).toBe(0o700)
    expect(statSync(place('a')).mode & 0o777).toBe(0o600)
  })

  test.each(['../x', '/x', 'a/../../x', ''])('the path %j leads nowhere', (path) => {
    expect(() => write(files({ [path]: 'x' }))).toThrow('invalid path')
  })
})

test('an emptyDir keeps what is in it', () => {
  const volume: PodVolume = { kind: 'empty', name: 'config' }
  expect(write(volume)).toBe(true)
  writeFileSync(place('x'), 'kept')
  expect(write(volume)).toBe(false)
  expect(read('x')).toBe('kept')
})

test('a hostPath is checked as upstream checks it', () => {
  const volume = (type: string, path: string): PodVolume => ({ kind: 'host', name: 'config', path, type })
  expect(() => write(volume('Directory', join(node, 'none')))).toThrow(
    /hostPath type check failed: .* is not a directory/,
  )
  write(volume('DirectoryOrCreate', join(node, 'made')))
  writeFileSync(join(node, 'made', 'x'), 'host')
  expect(read('x')).toBe('host')
})

describe('the root of a container', () => {
  const root = (mounts: readonly VolumeMount[], more = {}) =>
    makeRoot({
      node,
      podUid: 'uid',
      container: 'main',
      mounts,
      swapped: new Set(['config']),
      workingDir: '/work',
      terminationMessagePath: '/dev/termination-log',
      ...more,
    })
  const inside = (...path: string[]): string => join(rootDirectory(node, 'uid', 'main'), ...path)

  test('has volumes where they are mounted, and follows their changes', () => {
    write(files({ 'app.json': 'old' }))
    const made = root([{ volume: 'config', path: '/etc/config', subPath: '' }])
    expect(made.workingDirectory).toBe(inside('work'))
    expect(readFileSync(inside('etc', 'config', 'app.json'), 'utf8')).toBe('old')
    write(files({ 'app.json': 'new' }))
    expect(readFileSync(inside('etc', 'config', 'app.json'), 'utf8')).toBe('new')
  })

  test('a part of a ConfigMap is a copy that stays', () => {
    write(files({ 'app.json': 'old' }))
    root([{ volume: 'config', path: '/app.json', subPath: 'app.json' }])
    write(files({ 'app.json': 'new' }))
    expect(readFileSync(inside('app.json'), 'utf8')).toBe('old')
  })

  test('is made anew for every start, without touching volumes', () => {
    writeVolume(node, 'uid', { kind: 'empty', name: 'data' }, '1')
    const mounts = [{ volume: 'data', path: '/data', subPath: 'part' }]
    root(mounts)
    writeFileSync(inside('left'), 'x')
    writeFileSync(inside('data', 'kept'), 'x')
    root(mounts)
    expect(existsSync(inside('left'))).toBe(false)
    expect(existsSync(inside('data', 'kept'))).toBe(true)
  })

  test('no link in a volume leads a subPath out of it', () => {
    writeVolume(node, 'uid', { kind: 'empty', name: 'data' }, '1')
    symlinkSync('/etc', join(volumeDirectory(node, 'uid', 'data'), 'out'))
    expect(() => root([{ volume: 'data', path: '/data', subPath: 'out' }])).toThrow('failed to prepare subPath')
  })

  test('paths cannot leave it', () => {
    expect(root([], { workingDir: '/../../x' }).workingDirectory).toBe(inside('x'))
  })
})
