import { describe, expect, test } from 'vitest'
import type { EventLog, LogRecord } from '@shiplog/events/event-log'
import { systemClock } from '@shiplog/runtime/clock'
import { type HistoryLimits, keyOf, type ProjectionOptions, ResourceTable, StreamProjection } from './projection.ts'
import { noBytes, Version } from './version.ts'

const version = (namespace: string, name: string, sequence: number): Version =>
  new Version({
    key: keyOf(namespace, name),
    namespace,
    name,
    sequence,
    timeMs: 0,
    deleted: false,
    previousSequence: 0,
    checksum: '',
    bytes: noBytes,
    previous: undefined,
  })

const shown = (table: ResourceTable, namespace: string): string[] =>
  table.list(namespace).map(({ key, sequence }) => `${key}@${sequence}`)

describe('lists of a table', () => {
  test('show what was put, replaced and removed after the list before', () => {
    const table = new ResourceTable('pods')
    expect(shown(table, '')).toEqual([])
    table.put(version('b', 'x', 1))
    table.put(version('a', 'x', 2))
    expect(shown(table, '')).toEqual(['a/x@2', 'b/x@1'])
    expect(shown(table, 'b')).toEqual(['b/x@1'])
    table.put(version('b', 'x', 3))
    expect(shown(table, 'b')).toEqual(['b/x@3'])
    table.remove('b/x')
    expect(shown(table, 'b')).toEqual([])
    expect(shown(table, '')).toEqual(['a/x@2'])
  })
  test('are made once for all who ask between two changes', () => {
    const table = new ResourceTable('pods')
    table.put(version('a', 'x', 1))
    const first = table.list('a')
    expect(table.list('a')).toBe(first)
    table.put(version('a', 'y', 2))
    expect(table.list('a')).not.toBe(first)
    expect(first).toHaveLength(1)
  })
  test('stay right when more namespaces are listed than are kept', () => {
    const table = new ResourceTable('pods')
    for (let i = 0; i < 200; i++) table.put(version(`n${i}`, 'x', i))
    for (let i = 0; i < 200; i++) expect(shown(table, `n${i}`)).toEqual([`n${i}/x@${i}`])
  })
})

describe('a snapshot that names a subject again', () => {
  const record = (name: string, sequence: number, deleted = false): LogRecord => ({
    subject: `evt.core.configmaps.default.${name}`,
    sequence,
    timeMs: 0,
    headers: { 'Shiplog-Schema': '1', ...(deleted ? { 'Shiplog-Deleted': '1' } : {}) },
    payload: Buffer.from(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"${name}","namespace":"default"}}`),
  })
  const projectionOf = async (
    options: Partial<ProjectionOptions>,
    ...batches: (readonly LogRecord[])[]
  ): Promise<StreamProjection> => {
    async function* follow(): AsyncGenerator<readonly LogRecord[]> {
      yield* batches
      await new Promise(() => undefined)
    }
    const log = { follow, lastSequence: () => Promise.resolve(6) } as unknown as EventLog
    const projection = new StreamProjection(log, { clock: systemClock, ...options })
    await projection.start(new AbortController().signal)
    return projection
  }

  test('of a log whose last records have all expired is up to its end', async () => {
    const projection = await projectionOf({}, [record('stays', 3)], [])
    expect(await projection.barrier()).toBe(true)
  })

  test('shows the last that it said: deleted while it was read is gone, made again is there', async () => {
    const snapshot = [record('gone', 1), record('back', 2, true), record('stays', 3), record('gone', 4, true)]
    const projection = await projectionOf({}, snapshot, [record('back', 5), record('stays', 6)], [])
    const table = projection.table('configmaps')
    expect(table.list('default').map(({ name, sequence }) => `${name}@${sequence}`)).toEqual(['back@5', 'stays@6'])
    expect(projection.tombstone('evt.core.configmaps.default.gone')?.sequence).toBe(4)
    expect(projection.tombstone('evt.core.configmaps.default.back')).toBeUndefined()
  })

  test('keeps as much of the past as it may, by events and by bytes', async () => {
    const later = Array.from({ length: 6 }, (_, index) => record('stays', 4 + index))
    const keeping = async (history: HistoryLimits): Promise<number[]> => {
      const projection = await projectionOf({ history }, [record('stays', 3)], [], later)
      await projection.waitFor(9)
      const since = projection.table('configmaps').since(projection.windowFloor)
      return [projection.windowFloor, ...since.map(({ sequence }) => sequence)]
    }
    expect(await keeping({ events: 100, bytes: 1_000_000 })).toEqual([6, 7, 8, 9])
    expect(await keeping({ events: 2, bytes: 1_000_000 })).toEqual([7, 8, 9])
    expect(await keeping({ events: 100, bytes: 150 })).toEqual([8, 9])
  })
})
