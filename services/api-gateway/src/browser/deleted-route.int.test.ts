import { afterEach, beforeEach, expect, test } from 'vitest'
import { header } from '@shiplog/events/envelope'
import type { Append, ClusterLog, EventLog } from '@shiplog/events/event-log'
import { openSqliteClusterLog } from '@shiplog/events/sqlite/sqlite-log'
import { deletionsBefore } from './deleted-route.ts'

let log: ClusterLog
let events: EventLog
beforeEach(async () => {
  log = await openSqliteClusterLog({ dataDir: ':memory:' })
  events = log.events
})
afterEach(() => log.close())

const maps = 'evt.core.configmaps.>'
const subjectOf = (name: string): string => `evt.core.configmaps.default.${name}`
const record = (subject: string, isDeleted: boolean): Append => ({
  ...{ subject, expected: undefined, payload: Buffer.from('{}') },
  headers: { 'Shiplog-Type': 'X', 'Shiplog-Actor': 'alice', ...(isDeleted ? { [header.deleted]: '1' } : {}) },
})
/** In groups, each of which holds a subject once. */
async function append(records: readonly Append[]): Promise<void> {
  let group: Append[] = []
  const subjects = new Set<string>()
  for (const one of records) {
    if (subjects.has(one.subject) || group.length === 500) {
      await events.append(group)
      group = []
      subjects.clear()
    }
    subjects.add(one.subject)
    group.push(one)
  }
  await events.append(group)
}
const died = (name: string): readonly Append[] => [record(subjectOf(name), false), record(subjectOf(name), true)]

test('what is gone is told, the latest first, and not what was made again', async () => {
  await append([...died('a'), ...died('b'), ...died('c'), record(subjectOf('b'), false), record(subjectOf('alive'), false)])
  const { items, before } = await deletionsBefore(events, maps, Number.MAX_SAFE_INTEGER)
  expect(items.map(({ name, sequence, last, actor }) => [name, sequence, last, actor])).toEqual([['c', 6, 5, 'alice'], ['a', 2, 1, 'alice']])
  expect(before).toBeUndefined()
})

test('a deletion of another kind or namespace is none of it', async () => {
  await append([...died('a'), record('evt.core.secrets.default.a', true), record('evt.core.configmaps.other.a', true)])
  const { items } = await deletionsBefore(events, 'evt.core.configmaps.default.*', Number.MAX_SAFE_INTEGER)
  expect(items.map(({ namespace, name }) => `${namespace}/${name}`)).toEqual(['default/a'])
})

test('many are told page by page: each once, none left out, nothing of what was made again later', async () => {
  const count = 9_000
  const names = Array.from({ length: count }, (_, index) => `m${index}`)
  await append([...names.map((name) => record(subjectOf(name), false)), ...names.map((name) => record(subjectOf(name), true)), ...names.slice(0, 100).map((name) => record(subjectOf(name), false))])
  const found: string[] = []
  let before = Number.MAX_SAFE_INTEGER
  let pages = 0
  for (;;) {
    const page = await deletionsBefore(events, maps, before)
    found.push(...page.items.map(({ name }) => name))
    pages++
    if (page.before === undefined) break
    expect(page.before).toBeLessThan(before)
    before = page.before
  }
  expect(pages).toBeGreaterThan(2)
  expect(found).toEqual(names.slice(100).reverse())
})

test('one request looks back a bounded way, and says from where to look on', async () => {
  await append(died('old'))
  await append(Array.from({ length: 30_000 }, (_, index) => record(subjectOf(`busy-${index % 500}`), false)))
  const read: number[] = []
  const counting = Object.create(events) as EventLog
  counting.read = async function* (options) {
    for await (const records of events.read(options)) {
      read.push(records.length)
      yield records
    }
  }
  const first = await deletionsBefore(counting, maps, Number.MAX_SAFE_INTEGER)
  expect(read.reduce((sum, some) => sum + some, 0)).toBeLessThan(25_000)
  expect(first.items).toEqual([])
  const second = await deletionsBefore(events, maps, first.before!)
  expect(second).toMatchObject({ items: [{ name: 'old' }] })
  expect(second.before).toBeUndefined()
})
