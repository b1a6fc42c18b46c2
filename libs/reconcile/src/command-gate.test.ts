import { expect, test } from 'vitest'
import { createCommandGate } from './command-gate.ts'

test('runs at most so many at a time, in order, also after a failure', async () => {
  const gate = createCommandGate(2)
  const started: number[] = []
  const releases: (() => void)[] = []
  const run = (id: number): Promise<void> =>
    gate(async () => {
      started.push(id)
      await new Promise<void>((resolve, reject) => {
        releases[id] = id === 0 ? () => reject(new Error('failed')) : resolve
      })
    })
  const failed = run(0).catch((err: Error) => err.message)
  const rest = [run(1), run(2), run(3)]
  expect(started).toEqual([0, 1])
  releases[0]!()
  expect(await failed).toBe('failed')
  await Promise.resolve()
  expect(started).toEqual([0, 1, 2])
  releases[1]!()
  await rest[0]
  await Promise.resolve()
  expect(started).toEqual([0, 1, 2, 3])
  releases[2]!()
  releases[3]!()
  await Promise.all(rest)
})
