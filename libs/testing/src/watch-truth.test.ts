import { header } from '@shiplog/events/envelope'
import type { LogRecord } from '@shiplog/events/event-log'
import { expect, test } from 'vitest'
import { framesOf, judgeStretch, type WatchFrame } from './watch-truth.ts'

const record = (sequence: number, color: string, deleted = false): LogRecord => ({
  subject: 'evt.core.configmaps.default.a',
  sequence,
  timeMs: 0,
  headers: deleted ? { [header.deleted]: '1' } : {},
  payload: Buffer.from(JSON.stringify({ metadata: { name: 'a', labels: { color } } })),
})
const isRed = (object: any): boolean => object.metadata.labels.color === 'red'
const story = [record(1, 'red'), record(2, 'red'), record(4, 'blue'), record(5, 'red'), record(7, 'red', true)]
const truth = framesOf(story, isRed)
const short = (frames: readonly WatchFrame[]): string[] =>
  frames.map(({ type, object }) => `${type} ${object.metadata.resourceVersion} ${object.metadata.labels.color}`)

test('an object enters and leaves what is selected, and leaves as it last was inside', () => {
  expect(short(truth)).toEqual(['ADDED 1 red', 'MODIFIED 2 red', 'DELETED 4 red', 'ADDED 5 red', 'DELETED 7 red'])
})

test('a stretch is right when its frames are the next ones, and wrong when one is missing, twice or out of order', () => {
  expect(judgeStretch(truth, { from: 1, frames: truth.slice(1, 4) })).toBeUndefined()
  expect(judgeStretch(truth, { from: 3, frames: [] })).toBeUndefined()
  expect(judgeStretch(truth, { from: 1, frames: truth.slice(2) })).toContain('instead of MODIFIED a at 2')
  expect(judgeStretch(truth, { from: 0, frames: [truth[0]!, truth[0]!] })).toContain('instead of MODIFIED a at 2')
  expect(judgeStretch(truth, { from: 0, frames: [truth[1]!, truth[0]!] })).toContain('instead of ADDED a at 1')
  expect(judgeStretch(truth, { from: 7, frames: [truth[4]!] })).toContain('instead of nothing')
})

test('a bookmark promises everything before it, and frames carry the right object', () => {
  expect(judgeStretch(truth, { from: 0, frames: truth.slice(0, 3), through: 4 })).toBeUndefined()
  expect(judgeStretch(truth, { from: 0, frames: truth.slice(0, 3), through: 5 })).toContain('came before ADDED a at 5')
  const other = {
    ...truth[2]!,
    object: { ...truth[2]!.object, metadata: { ...truth[2]!.object.metadata, labels: {} } },
  }
  expect(judgeStretch(truth, { from: 2, frames: [other] })).toContain('another object')
})
