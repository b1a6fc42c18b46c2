import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parseRegistryMirror, placeMirrors, writeMirrors } from './registry-mirrors.ts'

test.each([
  ['http://127.0.0.1:5000', { registry: '_default', url: 'http://127.0.0.1:5000' }],
  ['https://mirror.example/hub/', { registry: '_default', url: 'https://mirror.example/hub' }],
  ['docker.io=https://mirror.example', { registry: 'docker.io', url: 'https://mirror.example' }],
  ['reg.example:5000=http://localhost', { registry: 'reg.example:5000', url: 'http://localhost' }],
])('%s is a mirror', (text, expected) => expect(parseRegistryMirror(text)).toEqual(expected))

test.each(['', 'mirror.example', 'ftp://a', '../x=http://a', 'a/b=http://a', 'http://joe:pw@a', 'http://a/?b=c', 'https://localhost:5000', 'http://localhost/x'])(
  '%j is none',
  (text) => expect(() => parseRegistryMirror(text)).toThrow(/please|registry/),
)

test('what is on the loopback of the machine is behind a port of the door, once', () => {
  const mirrors = ['http://127.0.0.1:5000', 'docker.io=http://127.0.0.1:5000', 'ghcr.io=http://[::1]', 'quay.io=https://m.example'].map(parseRegistryMirror)
  const placed = placeMirrors(mirrors)
  expect(placed.ports).toEqual([
    { insidePort: 5001, host: '127.0.0.1', port: 5000 },
    { insidePort: 5002, host: '::1', port: 80 },
  ])
  expect(placed.mirrors.map(({ url }) => url)).toEqual(['http://172.30.0.1:5001', 'http://172.30.0.1:5001', 'http://172.30.0.1:5002', 'https://m.example'])
})

test('files of an earlier life are replaced', () => {
  const directory = mkdtempSync(join(tmpdir(), 'mirrors-'))
  try {
    writeMirrors(directory, [parseRegistryMirror('docker.io=https://a.example')])
    writeMirrors(directory, [parseRegistryMirror('https://b.example')])
    expect(existsSync(join(directory, 'docker.io'))).toBe(false)
    expect(readFileSync(join(directory, '_default', 'hosts.toml'), 'utf8')).toContain('[host."https://b.example"]\n')
  } finally {
    rmSync(directory, { recursive: true })
  }
})
