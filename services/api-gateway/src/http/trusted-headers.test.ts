import { wireHeader } from '@shiplog/api-client/wire/headers'
import { expect, test } from 'vitest'
import { readTrustedHeaders } from './trusted-headers.ts'

const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`
const headers = {
  traceparent,
  [wireHeader.cause]: '12',
  [wireHeader.basis]: 'x',
  [wireHeader.decision]: '{}',
  [wireHeader.onlyNew]: '1',
}

test('records what a component says, and of others the trace context alone', () => {
  expect(readTrustedHeaders({ headers }, true)).toEqual({
    provenance: { traceparent, cause: 12, decision: '{}' },
    onlyNew: true,
  })
  expect(readTrustedHeaders({ headers }, false)).toEqual({ provenance: { traceparent } })
})

test('drops a trace context that is none', () => {
  expect(readTrustedHeaders({ headers: { traceparent: '00-a-b-c' } }, false)).toEqual({ provenance: {} })
})
