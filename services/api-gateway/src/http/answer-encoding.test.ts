import { expect, test } from 'vitest'
import fc from 'fast-check'
import { acceptsGzip, wantsIndent } from './answer-encoding.ts'
import { createJsonIndenter, indentedPieces } from './indent-json.ts'

test('any JSON, however it is cut into pieces, is indented as JSON.stringify does it', () => {
  fc.assert(
    fc.property(fc.json(), fc.integer({ min: 1, max: 9 }), (text, size) => {
      const value: unknown = JSON.parse(text)
      const bytes = Buffer.from(JSON.stringify(value))
      const pieces: Buffer[] = []
      for (let at = 0; at < bytes.length; at += size) pieces.push(bytes.subarray(at, at + size))
      expect(Buffer.concat([...indentedPieces(pieces)]).toString()).toBe(JSON.stringify(value, null, 2))
    }),
  )
})

test('what is indented already, and keys and numbers, stay as they are', () => {
  const indent = (text: string): string => createJsonIndenter().next(Buffer.from(text)).toString()
  const text = '{\n  "b": {},\n  "2": [],\n  "1": 12345678901234567890,\n  "x": "a\\\\\\",{}[]: \\u0041"\n}'
  expect(indent(text)).toBe(text)
})

test.each<[string, string | undefined, string | undefined, boolean]>([
  ['', 'curl/8.5', undefined, true],
  ['', 'Wget/1.21', undefined, true],
  ['', 'Mozilla/5.0 (X11)', '*/*', true],
  ['', 'kubectl/v1.36', 'application/json', false],
  ['', 'kubectl/v1.36', 'application/json;pretty=1, */*', true],
  ['pretty=true', 'kubectl/v1.36', undefined, true],
  ['pretty=1', undefined, undefined, true],
  ['pretty=false', 'curl/8.5', undefined, false],
  ['pretty=yes', 'curl/8.5', undefined, false],
  ['pretty=', 'curl/8.5', undefined, true],
])('?%s, user agent %s, accept %s: %s', (query, userAgent, accept, expected) => {
  expect(wantsIndent({ query: new URLSearchParams(query), userAgent, accept })).toBe(expected)
})

test('gzip is asked for by its plain name', () => {
  expect([undefined, '', 'deflate, gzip', 'gzip;q=1', 'br'].map(acceptsGzip)).toEqual([
    false,
    false,
    true,
    false,
    false,
  ])
})
