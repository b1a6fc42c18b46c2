// Filters: the wildcards of NATS, and what a consumer may be asked for at once.
import { expect, test } from 'vitest'
import { compileFilter, disjointFilters, literalPrefix } from './subject-filter.ts'

test('filters match as NATS would', () => {
  const cases: [string[], string, boolean][] = [
    [['evt.core.pods.>'], 'evt.core.pods.default.a', true],
    [['evt.core.pods.>'], 'evt.core.pods', false],
    [['evt.core.pods.>'], 'evt.core.podsx.a', false],
    [['evt.*.pods.*.a'], 'evt.core.pods.default.a', true],
    [['evt.*.pods.*.a'], 'evt.core.pods.default.b', false],
    [['evt.*.pods.>'], 'evt.core.pods', false],
    [['evt.core.pods.default.a'], 'evt.core.pods.default.a', true],
    [['a', 'b.>'], 'b.c', true],
    [['>'], 'anything.at.all', true],
    [[], 'anything', true],
  ]
  for (const [filters, subject, expected] of cases) {
    expect([filters, subject, compileFilter(filters)(subject)]).toEqual([filters, subject, expected])
  }
  expect(literalPrefix('evt.core.*.x')).toBe('evt.core.')
})

test('of overlapping filters the wider one stays; those that only cross are not asked for', () => {
  expect(disjointFilters(['evt.core.pods.>', 'evt.>', 'evt.core.pods.a.b'])).toEqual(['evt.>'])
  expect(disjointFilters(['a.b', 'a.b', 'c.>'])).toEqual(['a.b', 'c.>'])
  expect(disjointFilters(['a.*', 'a.b', 'a.b.c'])).toEqual(['a.*', 'a.b.c'])
  expect(disjointFilters(['a.*.x', 'a.b.*'])).toBeUndefined()
  expect(disjointFilters(['a.*.x', 'a.b.*.x'])).toEqual(['a.*.x', 'a.b.*.x'])
})
