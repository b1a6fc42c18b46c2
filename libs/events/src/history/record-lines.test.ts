import { describe, expect, test } from 'vitest'
import { decodeRecordLine, encodeRecordLine } from './record-lines.ts'

describe('records as lines', () => {
  test.each([
    ['an object', '{"a":"ü","payload":{"b":",\\"payload\\":"}}'],
    ['a guard', 'uid-1'],
    ['nothing', ''],
  ])('%s comes back byte for byte', (_what, text) => {
    const record = {
      sequence: 7,
      timeMs: 1_795_000_000_123,
      subject: 'evt.core.pods.default.web',
      headers: { 'Shiplog-Type': 'PodBound', 'Shiplog-Decision': '{"payload":1,"x":"a,\\"payload\\":b"}' },
      payload: Buffer.from(text),
    }
    const line = encodeRecordLine(record)
    expect(line.indexOf(0x0a)).toBe(line.length - 1)
    expect(decodeRecordLine(line.subarray(0, -1))).toEqual(record)
  })
})
