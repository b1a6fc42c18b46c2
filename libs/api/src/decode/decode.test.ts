import { Buffer } from 'node:buffer'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type DecodedBody, decodeBody, depthMax, normalize, strictErrors } from './decode.ts'
import { builtInRegistry } from '../schema/registry.ts'
import { isApiError } from '../status.ts'

const registry = builtInRegistry()
const definition = 'io.k8s.api.core.v1.Pod'
const decode = (text: string | Uint8Array, type: string | undefined = 'application/json'): DecodedBody =>
  decodeBody(Buffer.from(text as string), type, registry, { definition })
const refusal = (text: string | Uint8Array, type?: string): string => {
  try {
    decode(text, type)
  } catch (error) {
    if (!isApiError(error)) throw error
    return `${error.status.code} ${error.status.message}`
  }
  throw new Error('was not refused')
}

describe('a JSON body', () => {
  test('is read, whatever its parameters, and without a content type', () => {
    expect(decode('{"a":1}', 'application/json; charset=utf-8').value).toEqual({ a: 1 })
    expect(decode('{"a":1}', undefined).value).toEqual({ a: 1 })
    expect(decode('null').value).toEqual({})
  })

  test.each([
    ['', 'unexpected end of JSON input (<empty>)'],
    ['{', 'unexpected end of JSON input ({)'],
    ['{"a":}', `invalid character '}' looking for beginning of value ({"a":})`],
    ['{"a":1,}', `invalid character '}' looking for beginning of object key string ({"a":1,})`],
    ['{"a" 1}', `invalid character '1' after object key ({"a" 1})`],
    ['{"a":1 "b"}', `invalid character '"' after object key:value pair ({"a":1 "b"})`],
    ['[1 2]', `invalid character '2' after array element (5b3120325d)`],
    ['nul1', `invalid character '1' in literal null (expecting 'l') (6e756c31)`],
    ['{"a":"\\x"}', `invalid character 'x' in string escape code ({"a":"\\x"})`],
    ['{}x', `invalid character 'x' after top-level value ({}x)`],
  ])('that is broken gets the words of Go: %j', (text, words) => {
    expect(refusal(text)).toBe(
      `400 the object provided is unrecognized (must be of type Pod): couldn't get version/kind; json parse error: ${words}`,
    )
  })

  test.each([
    [
      '[]',
      'array into Go value of type struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" } (5b5d)',
    ],
    [
      '"x"',
      'string into Go value of type struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" } (227822)',
    ],
    ['{"kind":5}', 'number into Go struct field .kind of type string ({"kind":5})'],
    ['{"apiVersion":true}', 'bool into Go struct field .apiVersion of type string ({"apiVersion":true})'],
  ])('that names no kind as it should is refused: %j', (text, words) => {
    expect(refusal(text)).toBe(
      `400 the object provided is unrecognized (must be of type Pod): couldn't get version/kind; json parse error: json: cannot unmarshal ${words}`,
    )
    expect(decodeBody(Buffer.from(text), 'application/json', registry).value).toEqual(JSON.parse(text))
  })

  test('shows only the start of a long broken body', () => {
    expect(refusal(`{${' '.repeat(100)}`)).toMatch(/\({ {29} \.\.\.\)$/)
  })

  test('names keys that stand twice, with the path, and keeps the last', () => {
    const { value, duplicates } = decode(
      '{"spec":{"containers":[{"name":"a","name":"b"}],"x":{"a b":1,"a b":2}},"kind":1,"kind":"Pod"}',
    )
    expect(duplicates).toEqual([
      'duplicate field "spec.containers[0].name"',
      'duplicate field "spec.x.a b"',
      'duplicate field "kind"',
    ])
    expect(value['kind']).toBe('Pod')
  })

  test('tells strict faults in the order of the text, and none below an unknown field', () => {
    const body = decode('{"spec":{"odd":{"a":1,"a":2},"replicas":1,"replicas":2,"strange":1},"kind":1,"kind":"Pod"}')
    expect(strictErrors(body, ['spec.odd', 'spec.strange'])).toEqual([
      'unknown field "spec.odd"',
      'duplicate field "spec.replicas"',
      'unknown field "spec.strange"',
      'duplicate field "kind"',
    ])
    expect(strictErrors(decode('{"a":1}'), ['a'])).toEqual(['unknown field "a"'])
    const yaml = decodeBody(Buffer.from('a: 1\nb: 1\nb: 2\n'), 'application/yaml', registry)
    expect(strictErrors(yaml, ['a'])).toEqual([expect.stringContaining('"b" already set'), 'unknown field "a"'])
  })

  test('sees duplicates behind escapes, and none inside strings', () => {
    expect(decode('{"\\u0061":1,"a":2}').duplicates).toEqual(['duplicate field "a"'])
    expect(decode('{"a":"\\"a\\":1,\\\\","b":"{\\"a\\":1}"}').duplicates).toEqual([])
  })

  test('keeps integers of 64 bits exactly; larger ones are floating-point numbers, as in Go', () => {
    expect(decode('{"spec":{"a":[1,9007199254740993,-9223372036854775808]}}').value).toEqual({
      spec: { a: [1, 9007199254740993n, -9223372036854775808n] },
    })
    expect(decode('{"a":-12345678901234567890}').value).toEqual({ a: Number('-12345678901234567890') })
    expect(refusal('{"a":1e400}')).toContain('cannot unmarshal number 1e400 into Go value of type float64')
    expect(decode('{"a":9007199254740991,"b":0.10000000000000000000,"c":-0,"d":"12345678901234567890"}').value).toEqual(
      {
        a: 9007199254740991,
        b: 0.1,
        c: -0,
        d: '12345678901234567890',
      },
    )
  })

  test('may not nest without end', () => {
    const deep = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth)
    expect(refusal(deep(depthMax + 1))).toContain('exceeded max depth')
    expect(refusal(deep(200_000))).toContain('exceeded max depth')
    expect(refusal('{"a":'.repeat(100_000))).toContain('exceeded max depth')
    expect(decode(`{"a":${deep(depthMax - 1)}}`).duplicates).toEqual([])
  })

  test('half a surrogate pair becomes the replacement character, as in Go', () => {
    expect(decode('{"a":"\\ud800x","b":"\\ud83d\\ude00"}').value).toEqual({ a: '\ufffdx', b: '😀' })
  })

  test('keys such as __proto__ are data', () => {
    const { value } = decode('{"__proto__":{"polluted":1},"constructor":2}')
    expect(Object.keys(value)).toEqual(['__proto__', 'constructor'])
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
  })
})

describe('a YAML body', () => {
  const yaml = (text: string): DecodedBody => decode(text, 'application/yaml')

  test('is read by the rules of YAML 1.1 as Go has them', () => {
    expect(
      yaml('a: yes\nb: off\nc: 0644\nd: 12:30\ne: 2001-01-01\nf: "yes"\ng: 1_000\nh: 1.5\ni: ~\n1: x\n').value,
    ).toEqual({ a: true, b: false, c: 420, d: '12:30', e: '2001-01-01', f: 'yes', g: 1000, h: 1.5, i: null, 1: 'x' })
    expect(yaml('a: 9223372036854775807\nb: -0x7fffffffffffffff\nc: 99999999999999999999\n').value).toEqual({
      a: 9223372036854775807n,
      b: -9223372036854775807n,
      c: 1e20,
    })
  })

  test('may be JSON, and is none under the name of apply', () => {
    expect(yaml('{"a":1,"a":2}')).toMatchObject({ value: { a: 2 }, duplicates: ['duplicate field "a"'] })
    expect(() => decode('{a: b}', 'application/apply-patch+yaml')).toThrow(/unknown format/)
  })

  test('reports the key that stands twice', () => {
    expect(yaml('a: 1\nb:\n  c: 1\n  c: 2\n')).toEqual({
      value: { a: 1, b: { c: 2 } },
      duplicates: ['yaml: unmarshal errors:\n  line 4: key "c" already set in map'],
    })
  })

  test('that is broken, or no JSON value, or several documents, is refused', () => {
    expect(refusal('a: [', 'application/yaml')).toContain("yaml: line 1: did not find expected ',' or ']'")
    expect(refusal('a: .nan', 'application/yaml')).toContain('unsupported value: NaN')
    expect(refusal('a: 1\n---\nb: 2', 'application/yaml')).toContain('single document')
    expect(refusal(`a: ${'['.repeat(5000)}`, 'application/yaml')).toMatch(/^400 /)
  })

  test('aliases are copied, and a bomb of them is refused', () => {
    expect(yaml('a: &x {b: 1}\nc: *x\nd:\n  <<: *x\n  e: 2\n').value).toEqual({
      a: { b: 1 },
      c: { b: 1 },
      d: { b: 1, e: 2 },
    })
    const bomb = ['a0: &a0 [x,x,x,x,x,x,x,x,x,x]']
    for (let i = 1; i < 9; i++)
      bomb.push(
        `a${i}: &a${i} [${Array(10)
          .fill(`*a${i - 1}`)
          .join(',')}]`,
      )
    expect(refusal(bomb.join('\n'), 'application/yaml')).toContain('excessive aliasing')
  })

  test('keys such as __proto__ are data', () => {
    expect(Object.keys(yaml('__proto__: {polluted: 1}').value)).toEqual(['__proto__'])
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
  })
})

test('an unknown media type is 415', () => {
  expect(refusal('{}', 'text/plain')).toBe(
    '415 the body of the request was in an unknown format - accepted media types include: application/json, application/yaml, application/vnd.kubernetes.protobuf',
  )
})

describe('hostile input', () => {
  const survives = (bytes: Uint8Array, type: string): void => {
    let decoded: DecodedBody
    try {
      decoded = decodeBody(bytes, type, registry, { definition })
    } catch (error) {
      if (!isApiError(error)) throw error
      return
    }
    if (typeof decoded.value !== 'object' || Array.isArray(decoded.value)) return
    normalize(registry, definition, decoded.value)
  }

  test('any text as JSON or YAML gives a value or a Status', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string(), fc.json(), fc.string({ unit: fc.constantFrom(...'{}[]":,\\ \n-&*a1eu0.') })),
        (text) => {
          survives(Buffer.from(text), 'application/json')
          survives(Buffer.from(text), 'application/yaml')
        },
      ),
    )
  })

  test('any JSON is read as JSON.parse reads it, with duplicates found exactly when there are some', () => {
    fc.assert(
      fc.property(fc.json({ noUnicodeString: false }), (text) => {
        const value = JSON.parse(text) as unknown
        fc.pre(typeof value === 'object' && value !== null && !Array.isArray(value) && !/\d{16}|\\u[dD]/.test(text))
        const decoded = decode(text)
        expect(decoded.value).toEqual(value)
        expect(decoded.duplicates).toEqual([])
        const doubled = decode(`{"x":${text},"x":${text}}`)
        expect(doubled.duplicates).toContain('duplicate field "x"')
      }),
    )
  })

  test('any bytes as protobuf give a value or a Status', () => {
    const magic = Buffer.from([0x6b, 0x38, 0x73, 0x00])
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        survives(Buffer.concat([magic, bytes]), 'application/vnd.kubernetes.protobuf')
        // As a Pod's message: 2 (raw), length, bytes.
        const length = [0x12, (bytes.length & 0x7f) | 0x80, bytes.length >> 7]
        survives(Buffer.concat([magic, Buffer.from(length), bytes]), 'application/vnd.kubernetes.protobuf')
      }),
      { numRuns: 2000 },
    )
  })
})
