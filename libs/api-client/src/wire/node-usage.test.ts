import { expect, test } from 'vitest'
import { decodeUsage, encodeUsage, nodeOfUsage, type NodeUsage, usageSubject } from './node-usage.ts'

const usage: NodeUsage = {
  pods: [
    {
      ...{ uid: 'u-1', atMs: 1_000, windowMs: 500 },
      containers: [{ name: 'main', cpuNanoCores: 5, memoryWorkingSetBytes: 7 }],
    },
  ],
  ...{ atMs: 1_000, windowMs: 500, node: { cpuNanoCores: 9, memoryWorkingSetBytes: 11 } },
}

test('a report is read as it was sent', () => {
  expect(decodeUsage(encodeUsage(usage))).toEqual(usage)
  const { node: _, ...without } = usage
  expect(decodeUsage(encodeUsage(without))).toEqual(without)
})

test.each<[string, unknown]>([
  ['no JSON', undefined],
  ['no object', []],
  ['no pods', { atMs: 1, windowMs: 1 }],
  ['no time', { pods: [], windowMs: 1 }],
  ['a pod without a uid', { ...usage, pods: [{ ...usage.pods[0], uid: undefined }] }],
  ['a container without a name', { ...usage, pods: [{ ...usage.pods[0], containers: [{ cpuNanoCores: 1, memoryWorkingSetBytes: 1 }] }] }],
  ['less than nothing', { ...usage, node: { cpuNanoCores: -1, memoryWorkingSetBytes: 1 } }],
  ['no number', { ...usage, node: { cpuNanoCores: '1', memoryWorkingSetBytes: 1 } }],
])('%s is no report', (_what, value) => {
  const text = value === undefined ? '{' : JSON.stringify(value)
  expect(decodeUsage(Buffer.from(text))).toBeUndefined()
})

test('the subject says whose it is, in one spelling', () => {
  expect(nodeOfUsage(usageSubject('a.b.example'))).toBe('a.b.example')
  for (const subject of ['use.a.b', 'use.', 'tun.a', 'use.%61', 'use.%']) expect(nodeOfUsage(subject)).toBeUndefined()
})
