import { describe, expect, test } from 'vitest'
import { readTable, type Row, type RowChange, type TableNews } from './table-reader.ts'
import { apply } from './table-store.ts'

interface Answer {
  readonly code?: number
  readonly json?: object
  /** Events of a watch. */
  readonly lines?: readonly object[]
}

const columnDefinitions = [{ name: 'Name', type: 'string', format: '', priority: 0, description: '' }]
const item = (name: string, resourceVersion: string) => ({ cells: [name], object: { metadata: { name, uid: name, resourceVersion } } })
const page = (names: readonly string[], resourceVersion: string, more = ''): Answer => ({
  json: { columnDefinitions, rows: names.map((name) => item(name, '1')), metadata: { resourceVersion, continue: more } },
})
const event = (type: string, name: string, version: string): object => ({ type, object: { rows: [item(name, version)] } })

/** Reads with these answers, one a request, until they are used up; tells what was asked and what the page was told. */
async function read(answers: readonly Answer[], live = true): Promise<{ readonly asked: readonly string[]; readonly told: readonly TableNews[]; readonly waits: readonly number[] }> {
  const ending = new AbortController()
  const [asked, told, waits]: [string[], TableNews[], number[]] = [[], [], []]
  const ask = async (path: string): Promise<Response> => {
    const answer = answers[asked.length]
    if (!answer) {
      ending.abort()
      throw new Error('over')
    }
    asked.push(path.replace('/pods?', ''))
    if (answer.code) throw Object.assign(new Error('refused'), { code: answer.code, status: {} })
    return new Response(answer.json ? JSON.stringify(answer.json) : answer.lines!.map((line) => `${JSON.stringify(line)}\n`).join(''))
  }
  const wait = async (ms: number): Promise<void> => void waits.push(ms)
  await readTable({ path: '/pods', live }, { ask, tell: (news) => told.push(news), wait, nowMs: () => 5 }, ending.signal)
  return { asked, told, waits }
}

const rowsOf = (told: readonly TableNews[]): readonly string[] => told.flatMap((news) => (news.is === 'rows' ? news.rows.map(({ name }) => name) : []))
const changesOf = (told: readonly TableNews[]): readonly RowChange[] => told.flatMap((news) => (news.is === 'changes' ? news.changes : []))

describe('a table is read', () => {
  test('page by page, a small one first, and then watched from where the list was', async () => {
    const { asked, told } = await read([page(['a'], '7', 'next'), page(['b', 'c'], '7'), { lines: [event('ADDED', 'd', '8'), event('DELETED', 'a', '9')] }])
    expect(asked).toEqual(['limit=200', 'limit=4000&continue=next', 'watch=true&resourceVersion=7&allowWatchBookmarks=true'])
    expect(rowsOf(told)).toEqual(['a', 'b', 'c'])
    expect(told.map(({ is }) => is)).toEqual(['rows', 'rows', 'whole', 'live', 'changes'])
    expect(changesOf(told)).toMatchObject([{ put: { name: 'd', touchedMs: 5 } }, { gone: '\u0000a' }])
  })

  test('once, of the past', async () => {
    const { asked } = await read([page(['a'], '7')], false)
    expect(asked).toEqual(['limit=200'])
  })

  test('in pieces that a page takes over in a moment', async () => {
    const { told } = await read([page(Array.from({ length: 1_200 }, (_, index) => `p${index}`), '7')], false)
    expect(told.map((news) => (news.is === 'rows' ? news.rows.length : news.is))).toEqual([500, 500, 200, 'whole'])
  })

  test('also when there is nothing', async () => {
    const { told } = await read([page([], '7')], false)
    expect(told.map(({ is }) => is)).toEqual(['rows', 'whole'])
  })
})

describe('a watch that ends', () => {
  test('goes on where it was, by a bookmark too, without another list', async () => {
    const { asked } = await read([page(['a'], '7'), { lines: [event('MODIFIED', 'a', '8'), event('BOOKMARK', '', '12')] }, { lines: [] }])
    expect(asked.slice(1)).toEqual(['watch=true&resourceVersion=7&allowWatchBookmarks=true', 'watch=true&resourceVersion=12&allowWatchBookmarks=true'])
  })

  test.each([
    ['an event says', { lines: [{ type: 'ERROR', object: { code: 410 } }] }],
    ['the answer says', { code: 410 }],
  ])('reads all again when %s that the moment is known no more', async (_what, answer) => {
    const { asked, told } = await read([page(['a'], '7'), answer, page(['b'], '20')])
    expect(asked[2]).toBe('limit=200')
    expect(told.filter(({ is }) => is === 'failed')).toEqual([])
  })

  test('by a failure is told, and tried again ever more seldom', async () => {
    const { told, waits } = await read([page(['a'], '7'), { code: 503 }, { code: 503 }, { code: 503 }])
    expect(told.filter(({ is }) => is === 'failed')).toHaveLength(3)
    expect(waits).toEqual([2_000, 4_000, 8_000])
  })

  test('by a refusal is told, and not tried again', async () => {
    const { asked, told } = await read([{ code: 403 }, page(['a'], '7')])
    expect(asked).toHaveLength(1)
    expect(told).toMatchObject([{ is: 'failed', code: 403 }])
  })
})

test('changes put rows where their keys belong, replace and remove them', () => {
  const rows = ['b', 'd'].map((key) => ({ key }) as Row)
  for (const key of ['c', 'a', 'e', 'c']) apply(rows, { put: { key, name: 'new' } as Row })
  for (const key of ['d', 'none']) apply(rows, { gone: key })
  expect(rows.map(({ key, name }) => `${key}${name ? '+' : ''}`)).toEqual(['a+', 'b', 'c+', 'e+'])
})
