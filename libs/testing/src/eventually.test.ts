import { expect, test } from 'vitest'
import { eventually } from './eventually.ts'

test('gives the first value that is there, whatever failed before', async () => {
  let asked = 0
  const look = (): number | undefined => {
    asked++
    if (asked === 1) throw new Error('not yet')
    return asked < 3 ? undefined : asked
  }
  expect(await eventually('three', look)).toBe(3)
})

test('says what never came, with the last error and what the caller adds', async () => {
  const options = { withinMs: 10, everyMs: 1, details: () => 'output of the process' }
  const failing = eventually('a pod', () => Promise.reject(new Error('refused')), options)
  await expect(failing).rejects.toThrow('not within 10 ms: a pod\noutput of the process')
  await expect(failing).rejects.toMatchObject({ cause: { message: 'refused' } })
  await expect(eventually(() => 1 > 2, { withinMs: 5 })).rejects.toThrow('1 > 2')
})
