import { describe, expect, test } from 'vitest'
import { arranger, compare, type ShownColumn } from './arrange.ts'
import type { Column, Row } from './table-reader.ts'

const column = (name: string): Column => ({ name, type: 'string', format: '', priority: 0, description: '' })
const columns: readonly ShownColumn[] = ['Name', 'Restarts', 'IP', 'Age'].map((title, index) => ({ title, index, column: column(title) }))
const row = (name: string, { restarts = '0', ip = '10.0.0.1', createdMs = 0, version = '1', uid = name } = {}): Row => ({
  ...{ key: `ns\u0000${name}`, uid, namespace: 'ns', name, cells: [name, restarts, ip, ''], createdMs, version, isLeaving: false, touchedMs: 0 },
})
const names = (rows: readonly { readonly row: Row }[]): string => rows.map(({ row: { name } }) => name).join(' ')

describe('the order of rows', () => {
  const shown = compare([row('a', { restarts: '10', createdMs: 5 }), row('b', { restarts: '9 (3d ago)', createdMs: 9 }), row('c', { restarts: '9', ip: '10.0.0.10', createdMs: 1 })], undefined)
  test.each([
    ['', 'a b c'],
    ['1', 'b c a'],
    ['~1', 'a b c'],
    // Addresses are texts.
    ['2', 'a b c'],
    ['3', 'b a c'],
    ['~3', 'c a b'],
    ['nonsense', 'a b c'],
  ])('by "%s" is %s', (sort, wanted) => {
    expect(names(arranger()(shown, { filter: '', sort, columns }))).toBe(wanted)
  })
})

test('words all have to stand in a row; behind ! in none', () => {
  const shown = compare([row('web-1'), row('web-2'), row('db-1')], undefined)
  const arrange = arranger()
  expect(names(arrange(shown, { filter: 'WEB 1', sort: '', columns }))).toBe('web-1 web-2')
  expect(names(arrange(shown, { filter: 'web-2', sort: '', columns }))).toBe('web-2')
  expect(names(arrange(shown, { filter: '!web', sort: '', columns }))).toBe('db-1')
})

test('what was arranged step by step is what would be arranged at once', () => {
  let seed = 7
  const random = (below: number): number => {
    seed = (seed * 48_271) % 2_147_483_647
    return seed % below
  }
  const rows = new Map<string, Row>()
  const arrange = arranger()
  for (let step = 0; step < 120; step++) {
    // Few at a time, and now and then so many that all is sorted anew.
    for (let change = 0; change < (step % 10 === 0 ? 200 : 6); change++) {
      const name = `pod-${random(200)}`
      if (random(4) === 0) rows.delete(name)
      else rows.set(name, row(name, { restarts: String(random(12)), version: String(step) }))
    }
    const all = [...rows.values()].sort((a, b) => (a.key < b.key ? -1 : 1))
    for (const filter of step % 20 < 15 ? [''] : ['1', '']) {
      const arrangement = { filter, sort: step % 40 < 20 ? '1' : '~1', columns }
      const shown = compare(all, undefined)
      expect(names(arrange(shown, arrangement))).toBe(names(arranger()(shown, arrangement)))
    }
  }
})

test('a comparison tells what was added, changed, removed, and made anew under the same name', () => {
  const before = [row('gone'), row('same'), row('other', { version: '1' }), row('anew', { uid: 'one' })]
  const now = [row('same'), row('other', { version: '2' }), row('anew', { uid: 'two' }), row('fresh')]
  expect(compare(now, before).map(({ row: { name }, change }) => [name, change])).toEqual([['other', 'changed'], ['anew', 'added'], ['fresh', 'added'], ['gone', 'removed']])
})
