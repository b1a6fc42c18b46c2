import { header } from '@shiplog/events/envelope'
import type { LogRecord } from '@shiplog/events/event-log'
import { expect, test } from 'vitest'
import { createWriteLedger } from './write-ledger.ts'

const subject = 'evt.core.configmaps.default.a'

const record = (sequence: number, step: string, deleted = false): LogRecord => ({
  subject,
  sequence,
  timeMs: 0,
  headers: deleted ? { [header.deleted]: '1' } : {},
  payload: Buffer.from(JSON.stringify({ step })),
})
const stepOf = (payload: { step: string }): string => payload.step

test('what was acknowledged must be found, at its sequence', () => {
  const ledger = createWriteLedger()
  ledger.begin({ subject, step: 'one' }).acknowledged(5)
  expect(ledger.settle(subject, { step: 'one', sequence: 5 }, false)).toBeUndefined()
  expect(ledger.settle(subject, { step: 'one', sequence: 6 }, true)).toBeUndefined()
  expect(ledger.settle(subject, { step: 'one', sequence: 7 }, false)).toContain('acknowledged step one at 6')
  expect(ledger.settle(subject, undefined, false)).toContain('found nothing')
})

test('what was acknowledged as deleted must not come back', () => {
  const ledger = createWriteLedger()
  ledger.begin({ subject, step: 'one' }).acknowledged(5)
  ledger.begin({ subject, step: undefined }).acknowledged(undefined)
  expect(ledger.settle(subject, { step: 'one', sequence: 5 }, false)).toContain('acknowledged nothing')
})

test('an unknown write may be there or not, but not before what was acknowledged', () => {
  const ledger = createWriteLedger()
  const opened = (): void => {
    ledger.settle(subject, { step: 'one', sequence: 5 }, false)
    ledger.begin({ subject, step: 'two' }).unknown()
  }
  opened()
  expect(ledger.isOpen(subject)).toBe(true)
  expect(ledger.settle(subject, { step: 'one', sequence: 5 }, false)).toBeUndefined()
  opened()
  expect(ledger.settle(subject, { step: 'two', sequence: 9 }, false)).toBeUndefined()
  ledger.begin({ subject, step: 'three' }).unknown()
  expect(ledger.settle(subject, { step: 'three', sequence: 8 }, false)).toContain('found step three at 8')
})

test('sequences must not go back', () => {
  const ledger = createWriteLedger()
  ledger.begin({ subject, step: 'one' }).acknowledged(5)
  ledger.begin({ subject, step: 'two' }).acknowledged(5)
  expect(ledger.violations).toHaveLength(1)
})

test('the log must hold every acknowledged write and deletion', () => {
  const ledger = createWriteLedger()
  ledger.begin({ subject, step: 'one' }).acknowledged(5)
  ledger.begin({ subject, step: undefined }).acknowledged(undefined)
  expect(ledger.judge([record(5, 'one'), record(6, 'one', true)], stepOf)).toEqual([])
  expect(ledger.judge([record(5, 'one')], stepOf)).toHaveLength(1)
  expect(ledger.judge([record(4, 'one'), record(6, 'one', true)], stepOf)).toHaveLength(1)
  expect(ledger.judge([record(5, 'two'), record(6, 'one', true)], stepOf)).toHaveLength(1)
})
