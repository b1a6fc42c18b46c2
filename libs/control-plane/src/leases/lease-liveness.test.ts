import { expect, test } from 'vitest'
import { createLeaseLiveness, missedBeatsMax } from './lease-liveness.ts'

let version = 0
const next = (): string => String(++version)

test('a Lease that was found says nothing yet; renewed it lives, and left alone for some of our own renewals it is dead', () => {
  const liveness = createLeaseLiveness('me')
  liveness.found('other', next())
  liveness.found('me', next())
  expect(liveness.of('other')).toBe('unknown')
  liveness.renewed('other', next())
  expect(liveness.of('other')).toBe('alive')
  for (let beat = 1; beat < missedBeatsMax; beat++) liveness.renewed('me', next())
  expect(liveness.of('other')).toBe('alive')
  liveness.renewed('me', next())
  expect(liveness.of('other')).toBe('dead')
  liveness.renewed('other', next())
  expect(liveness.of('other')).toBe('alive')
})

test('one that was found and stays as it is turns out to be dead', () => {
  const liveness = createLeaseLiveness('me')
  liveness.found('other', next())
  for (let beat = 0; beat < missedBeatsMax; beat++) liveness.renewed('me', next())
  expect(liveness.of('other')).toBe('dead')
  expect(liveness.of('me')).toBe('alive')
})

test('renewals of others are no measure: an observer that does not write judges nobody', () => {
  const liveness = createLeaseLiveness('me')
  liveness.renewed('other', next())
  for (let beat = 0; beat < 100; beat++) liveness.renewed('third', next())
  expect(liveness.of('other')).toBe('alive')
})

test('after a break of the feed what has changed meanwhile lives, and the same again tells nothing new', () => {
  const liveness = createLeaseLiveness('me')
  const stale = next()
  liveness.found('stale', stale)
  liveness.found('other', next())
  for (let beat = 0; beat < missedBeatsMax; beat++) liveness.renewed('me', next())
  liveness.found('stale', stale)
  liveness.found('other', next())
  expect([liveness.of('stale'), liveness.of('other')]).toEqual(['dead', 'alive'])
})

test('a deleted Lease is forgotten', () => {
  const liveness = createLeaseLiveness('me')
  liveness.renewed('other', next())
  liveness.deleted('other')
  expect(liveness.of('other')).toBe('unknown')
})
