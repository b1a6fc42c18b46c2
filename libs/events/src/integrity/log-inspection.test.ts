import { expect, test } from 'vitest'
import type { LogRecord } from '../event-log.ts'
import { type Damage, isDamage, sequencesText, withDamage } from './log-inspection.ts'
import { decodeLine, encodeDamageLine, encodeRecordLine } from '../history/record-lines.ts'

const record = (sequence: number): LogRecord => ({
  subject: 'evt.core.configmaps.default.x',
  sequence,
  timeMs: 0,
  headers: {},
  payload: Buffer.from('{}'),
})
const damage = (sequence: number, subject?: string): Damage => ({ sequence, subject, problem: 'the record is missing' })

async function* pages(...all: number[][]): AsyncIterable<readonly LogRecord[]> {
  for (const page of all) yield page.map(record)
}

test('damage stands where its record would, before, between and behind what there is', async () => {
  const merged: string[] = []
  const damages = [damage(1), damage(4), damage(5), damage(7), damage(9), damage(10)]
  for await (const page of withDamage(pages([2, 3], [6, 7, 8]), damages))
    for (const one of page) merged.push(`${isDamage(one) ? '!' : ''}${one.sequence}`)
  expect(merged).toEqual(['!1', '2', '3', '!4', '!5', '6', '!7', '8', '!9', '!10'])
})

test('a line tells of a record or of damage', () => {
  const line = (bytes: Buffer): Buffer => bytes.subarray(0, -1)
  expect(decodeLine(line(encodeDamageLine(damage(4, 'evt.a.b.c.d'))))).toEqual(damage(4, 'evt.a.b.c.d'))
  expect(decodeLine(line(encodeDamageLine(damage(4))))).toEqual(damage(4))
  expect(decodeLine(line(encodeRecordLine(record(3))))).toMatchObject({ sequence: 3, subject: record(3).subject })
})

test('many sequences are counted', () => {
  expect(sequencesText([3, 9].map((sequence) => damage(sequence)))).toBe('3, 9')
  expect(sequencesText(Array.from({ length: 14 }, (_, i) => damage(i)))).toMatch(/^0, 1, .*, 9 and 4 more$/)
})
