// The rules in a real kernel, in a network namespace of the test's own: the kernel takes whatever policies ask for, and lists
// it as it was written, so that a start over right rules writes nothing. Needs root and nft.
import { type ChildProcess, spawn } from 'node:child_process'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { whyNoContainerdNodes } from '@shiplog/node/containerd/containerd-nodes'
import { provideNodePrograms } from '@shiplog/node/containerd/programs'
import { readListing } from '@shiplog/node/packet-filter/listing'
import { createNft } from '@shiplog/node/packet-filter/nft'
import type { PacketFilter } from '@shiplog/node/packet-filter/packet-filter'
import { changesBetween, type Command, emptyRuleset, type Ruleset } from '@shiplog/node/packet-filter/ruleset'
import { systemClock } from '@shiplog/runtime/clock'
import { families, policyTable } from './base-rules.ts'
import { randomTurns } from './testing/random-worlds.ts'
import { playedWorld } from './testing/world.ts'

const programs = whyNoContainerdNodes() === undefined ? await provideNodePrograms().catch(() => undefined) : undefined
if (programs === undefined) process.stderr.write('left out: policies in a kernel: no root, or no nft\n')

describe.skipIf(programs === undefined)('policies in a kernel', () => {
  let holder: ChildProcess
  let filter: PacketFilter

  beforeAll(async () => {
    holder = spawn('unshare', ['--net', 'sleep', '300'], { stdio: 'ignore' })
    await systemClock.sleep(200)
    filter = createNft({ nft: programs!.nft, namespacePid: holder.pid! })
  })
  afterAll(() => void holder?.kill('SIGKILL'))

  const listed = async (): Promise<Ruleset> => {
    const texts = await Promise.all(families.map((family) => filter.list(family, policyTable)))
    return readListing(...texts.filter((text) => text !== undefined))
  }
  const copyOf = ({ chains, sets, elements }: Ruleset): Ruleset => ({ chains: new Map(chains), sets: new Map(sets), elements: new Map(elements) })

  test('are taken whatever they ask for, one change after the other, and are listed as they were written', async () => {
    let written = 0
    await fc.assert(
      fc.asyncProperty(randomTurns, async (turns) => {
        const world = playedWorld()
        const rules = world.desired.get('one')!.all
        let before = emptyRuleset
        for (const family of families) {
          const table: Command = { add: { table: { family, name: policyTable } } }
          await filter.apply([table, { delete: { table: { family, name: policyTable } } }])
        }
        for (const { acts } of turns) {
          for (const act of acts) act(world)
          const commands = changesBetween(before, rules)
          if (commands.length > 0) await filter.apply(commands)
          written += commands.length
          before = copyOf(rules)
        }
        expect(changesBetween(await listed(), rules)).toEqual([])
      }),
      { numRuns: 8 },
    )
    expect(written).toBeGreaterThan(50)
  }, 60_000)
})
