import { describe, expect, test } from 'vitest'
import { judgeLedger, type Told } from './ledger.ts'

const line = (text: string): Told => {
  const [event, name, version] = text.split(' ') as [Told['event'], string, string]
  return { event, name, version }
}
const judge = (told: string[], done: string[], cache: Record<string, string>): string[] =>
  judgeLedger(told.map(line), done.map(line), cache)

describe('the ledger of an informer', () => {
  const done = ['add a 1', 'update a 2', 'add b 3', 'delete b 4']

  test('that tells every change once is good', () => {
    expect(judge(done, done, { a: '2' })).toEqual([])
    expect(judge(['add a 1', 'update a 2', 'add b 3', 'delete b 3'], done, { a: '2' })).toEqual([])
  })

  test.each([
    ['a change lost', ['add a 1', 'add b 3', 'delete b 4'], 'lost: update a at 2'],
    ['a deletion lost', ['add a 1', 'update a 2', 'add b 3'], 'lost: delete b'],
    ['an object added twice', ['add a 1', 'update a 2', 'add a 2', 'add b 3', 'delete b 4'], 'added twice'],
    ['an update told twice', ['add a 1', 'update a 2', 'update a 2', 'add b 3', 'delete b 4'], 'told twice at 2'],
    ['an order turned round', ['add a 2', 'update a 1', 'add b 3', 'delete b 4'], 'went back'],
    ['something nobody did', ['update c 9', ...done], 'updated before'],
  ])('with %s is not', (_what, told, fault) => {
    expect(judge(told, done, { a: '2' }).join('\n')).toContain(fault)
  })

  test('is not enough when the cache is another', () => {
    expect(judge(done, done, { a: '1' }).join()).toContain('the cache is')
  })
})
