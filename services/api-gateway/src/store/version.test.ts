import { servedBytes } from '@shiplog/api/codec'
import { describe, expect, test } from 'vitest'
import { framings, Version, watchFrame } from './version.ts'

const stored = Buffer.from('{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"ä"},"data":{"a":"b"}}')
const served = '{"kind":"ConfigMap","apiVersion":"v1","metadata":{"resourceVersion":"42","name":"ä"},"data":{"a":"b"}}'
const types = ['ADDED', 'MODIFIED', 'DELETED'] as const

const versionOf = (framed: (typeof types)[number] | undefined): Version =>
  new Version({
    key: 'default/ä',
    namespace: 'default',
    name: 'ä',
    sequence: 42,
    timeMs: 0,
    deleted: false,
    previousSequence: 0,
    checksum: '',
    bytes: servedBytes(stored, 42, framed && framings[framed]),
    previous: undefined,
    ...(framed ? { framed } : {}),
  })

describe.each([...types, undefined])('a version whose bytes lie in a frame of %s', (framed) => {
  test('serves the object and nothing around it', () => {
    expect(versionOf(framed).bytes.toString()).toBe(served)
    expect(versionOf(framed).parse().metadata.resourceVersion).toBe('42')
  })

  test.each(types)('gives the frame %s', (type) => {
    const version = versionOf(framed)
    expect(version.frame(type).toString()).toBe(`{"type":"${type}","object":${served}}\n`)
    expect(version.frame(type).equals(watchFrame(type, version.bytes))).toBe(true)
    expect(version.bytes.toString()).toBe(served)
  })
})
