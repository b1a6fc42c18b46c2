import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  compileLabelSelector,
  escapeFieldValue,
  formatSelector,
  parseFieldSelector,
  parseLabelSelector,
  requiredFieldValue,
  requiredLabelValue,
  validateLabelSelector,
} from './selectors.ts'
import { isApiError } from './status.ts'

const refusal = (work: () => unknown): string => {
  try {
    work()
  } catch (error) {
    if (isApiError(error)) return `${error.status.code} ${error.status.message}`
    throw error
  }
  return 'accepted'
}

describe('label selectors', () => {
  test.each([
    ['', {}, true],
    ['app=web', { app: 'web' }, true],
    ['app==web', { app: 'web' }, true],
    ['app=web', { app: 'db' }, false],
    ['app=web', {}, false],
    ['app!=web', {}, true],
    ['app!=web', { app: 'web' }, false],
    [' app = web , tier in ( a , b ) ', { app: 'web', tier: 'b' }, true],
    ['tier in (a,b)', { tier: 'c' }, false],
    ['tier notin (a,b)', {}, true],
    ['tier notin (a,b)', { tier: 'a' }, false],
    ['x in (foo,,baz)', { x: '' }, true],
    ['x in ()', { x: '' }, true],
    ['x in (,)', { x: '' }, true],
    ['x in (a,)', { x: '' }, true],
    ['canary', { canary: '' }, true],
    ['!canary', { canary: '' }, false],
    ['! canary', {}, true],
    ['n>3', { n: '4' }, true],
    ['n>3', { n: 'x' }, false],
    ['n<3', { n: '-1' }, true],
    ['in in (in)', { in: 'in' }, true],
    ['a=,b', { a: '', b: 'x' }, true],
    ['constructor', {}, false],
    ['example.com/a=b', { 'example.com/a': 'b' }, true],
  ] as const)('%j on %j: %s', (text, labels, expected) => {
    expect(parseLabelSelector(text).matches(labels)).toBe(expected)
  })

  test.each([
    ['a b', "400 unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"],
    [',', "400 found ',', expected: !, identifier, or 'end of string'"],
    ['a,', "400 found '', expected: identifier after ','"],
    ['a=b c', "400 found 'c', expected: ',' or 'end of string'"],
    ['a=!', "400 unable to parse requirement: found '!', expected: identifier"],
    ['!', "400 unable to parse requirement: found '', expected: identifier"],
    ['a in b', "400 unable to parse requirement: found 'b' expected: '('"],
    ['a in (b', "400 unable to parse requirement: found '', expected: ',' or ')'"],
    ['a in (b c)', "400 unable to parse requirement: found 'c', expected: ',' or ')'"],
    ['a in (=)', "400 unable to parse requirement: found '=', expected: ',', ')' or identifier"],
    [
      'a>b',
      "400 unable to parse requirement: values[0]: Invalid value: \"b\": for 'Gt', 'Lt' operators, the value must be an integer",
    ],
    [
      '_a=b',
      "400 unable to parse requirement: <nil>: Invalid value: \"_a\": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
    ],
    [
      'a=b*',
      "400 unable to parse requirement: values[0][a]: Invalid value: \"b*\": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')",
    ],
  ])('%j is refused in upstream’s words', (text, sentence) => {
    expect(refusal(() => parseLabelSelector(text))).toBe(sentence)
  })

  test('too long names and values are refused', () => {
    expect(refusal(() => parseLabelSelector('a'.repeat(64)))).toContain('name part must be no more than 63 bytes')
    expect(refusal(() => parseLabelSelector(`a=${'b'.repeat(64)}`))).toContain('must be no more than 63 bytes')
    expect(refusal(() => parseLabelSelector('/a'))).toContain('prefix part must be non-empty')
    expect(refusal(() => parseLabelSelector('a/b/c'))).toContain("with an optional DNS subdomain prefix and '/'")
  })

  test('a selector tells the value it pins', () => {
    expect(requiredLabelValue(parseLabelSelector('a=b,c'), 'a')).toBe('b')
    expect(requiredLabelValue(parseLabelSelector('a!=b,c'), 'a')).toBeUndefined()
  })

  test('property: a formatted selector parses to the same requirements', () => {
    const word = fc.stringMatching(/^[a-z]([-a-z0-9.]{0,5}[a-z0-9])?$/)
    const requirement = fc.oneof(
      fc.tuple(word, fc.constantFrom('=', '==', '!='), word).map((parts) => parts.join('')),
      fc
        .tuple(word, fc.constantFrom(' in ', ' notin '), fc.uniqueArray(word, { minLength: 1, maxLength: 3 }))
        .map(([key, operator, values]) => `${key}${operator}(${values.sort().join(',')})`),
      word,
      word.map((key) => `!${key}`),
      fc.tuple(word, fc.constantFrom('<', '>'), fc.nat()).map(([key, op, n]) => `${key}${op}${n}`),
    )
    fc.assert(
      fc.property(fc.array(requirement, { minLength: 1, maxLength: 4 }), (terms) => {
        const selector = parseLabelSelector(terms.join(','))
        expect(parseLabelSelector(formatSelector(selector)).requirements).toEqual(selector.requirements)
        expect(selector.requirements).toHaveLength(terms.length)
      }),
    )
  })

  test('property: no text makes the parser fail other than by refusing', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('a', 'in', '(', ')', ',', '=', '!', '<', '>', ' ', '\0', 'é') }),
        (text) => {
          expect(refusal(() => parseLabelSelector(text))).toMatch(/^(400 .+|accepted)$/s)
        },
      ),
    )
  })
})

describe('LabelSelector objects', () => {
  test('absent selects nothing, empty selects everything', () => {
    expect(compileLabelSelector(undefined).matches({})).toBe(false)
    expect(compileLabelSelector(null).matches({ a: 'b' })).toBe(false)
    expect(compileLabelSelector({}).matches({ a: 'b' })).toBe(true)
  })

  test('labels and expressions are ANDed', () => {
    const selector = compileLabelSelector({
      matchLabels: { app: 'web' },
      matchExpressions: [
        { key: 'tier', operator: 'In', values: ['a', 'b'] },
        { key: 'old', operator: 'DoesNotExist' },
      ],
    })
    expect(selector.matches({ app: 'web', tier: 'a' })).toBe(true)
    expect(selector.matches({ app: 'web', tier: 'a', old: '' })).toBe(false)
    expect(selector.matches({ app: 'web' })).toBe(false)
  })

  test('bad expressions are refused and named', () => {
    const bad = {
      matchLabels: { app: 'ok' },
      matchExpressions: [
        { key: 'a', operator: 'In', values: [] },
        { key: 'b', operator: 'Exists', values: ['x'] },
        { key: 'c', operator: 'Near', values: ['x'] },
      ],
    }
    expect(refusal(() => compileLabelSelector(bad))).toContain('"Near" is not a valid label selector operator')
    expect(validateLabelSelector(bad, 'spec.selector').map((cause) => `${cause.field}: ${cause.message}`)).toEqual([
      "spec.selector.matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'",
      "spec.selector.matchExpressions[1].values: Forbidden: may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
      'spec.selector.matchExpressions[2].operator: Invalid value: "Near": not a valid selector operator',
    ])
  })
})

describe('field selectors', () => {
  test.each([
    ['', {}, true],
    ['spec.nodeName=n1', { 'spec.nodeName': 'n1' }, true],
    ['spec.nodeName==n1,status.phase!=Failed', { 'spec.nodeName': 'n1', 'status.phase': 'Running' }, true],
    ['status.phase!=Failed', { 'status.phase': 'Failed' }, false],
    ['spec.nodeName=', {}, true],
    ['a=x\\,y\\=z\\\\', { a: 'x,y=z\\' }, true],
    ['a=b!c', { a: 'b!c' }, true],
    [',,a=b,', { a: 'b' }, true],
    ['!=', {}, true],
  ] as const)('%j on %j: %s', (text, fields, expected) => {
    expect(parseFieldSelector(text).matches(fields)).toBe(expected)
  })

  test.each([
    ['nothing', "400 invalid selector: 'nothing'; can't understand 'nothing'"],
    ['a=b\\n', '400 invalid field selector: invalid escape sequence: \\n'],
    ['a=b\\', '400 invalid field selector: invalid escape sequence: \\'],
    ['a=b=c', '400 invalid field selector: unescaped character in value: 61'],
  ])('%j is refused in upstream’s words', (text, sentence) => {
    expect(refusal(() => parseFieldSelector(text))).toBe(sentence)
  })

  test('property: any value survives escaping', () => {
    fc.assert(
      fc.property(fc.string(), (value) => {
        expect(requiredFieldValue(parseFieldSelector(`a=${escapeFieldValue(value)}`), 'a')).toBe(value)
      }),
    )
  })
})
