import type { ImageMessage } from '@shiplog/node/cri/cri-messages'
import { silentLogger } from '@shiplog/runtime/logger'
import { createManualClock } from '@shiplog/testing/manual-clock'
import { expect, test } from 'vitest'
import { createImageCollector, type ImageCollectionPolicy } from './image-collector.ts'

const image = (id: string, more: Partial<ImageMessage> = {}): ImageMessage => ({ id, repoTags: [`${id}:1`], repoDigests: [], size: '10', uid: null, username: '', ...more })

function world(policy: Partial<ImageCollectionPolicy> = {}, availableBytes = 1_000) {
  const clock = createManualClock()
  const state = { images: ['old', 'used', 'mounted', 'pinned', 'new'].map((id) => image(id, { pinned: id === 'pinned' })), inUse: ['used'], availableBytes }
  const [removed, told, kept]: [string[], string[], string[][]] = [[], [], []]
  const collector = createImageCollector({
    ...{ clock, log: silentLogger, policy: { highPercent: 85, lowPercent: 80, ageMsMin: 120_000, unusedMsMax: 0, ...policy } },
    client: {
      listImages: async () => state.images,
      listContainers: async () => state.inUse.map((imageRef) => ({ imageRef, image: null }) as never),
      imageStatus: async (name) => state.images.find(({ repoTags }) => repoTags.includes(name)),
      removeImage: async (id) => {
        removed.push(id)
        state.images = state.images.filter((one) => one.id !== id)
        state.availableBytes += 10
      },
    },
    mounted: () => ['mounted:1'],
    fileSystem: () => ({ capacityBytes: 1_000, availableBytes: state.availableBytes, usedBytes: 0, inodes: 0, inodesFree: 0, inodesUsed: 0 }),
    records: { prune: (ids) => void kept.push([...ids]) },
    tell: (_type, reason, message) => void told.push(`${reason}: ${message}`),
  })
  return { clock, collector, state, removed, told, kept }
}

test('nothing goes while the disk has room', async () => {
  const { clock, collector, removed } = world({}, 200)
  await collector.collect()
  await clock.advance(600_000)
  expect(removed).toEqual([])
  collector[Symbol.dispose]()
})

test('a disk that is nearly full loses what was used longest ago, as much as is wanted, and nothing that came just now', async () => {
  const { clock, collector, state, removed, kept } = world({}, 1_000)
  state.images = state.images.filter(({ id }) => id !== 'new')
  await collector.collect()
  // Used once, and then not: it goes after what never was.
  state.inUse = []
  await clock.advance(200_000)
  state.images.push(image('new'))
  state.availableBytes = 140
  await clock.advance(100_000)
  expect(removed).toEqual(['old', 'used'])
  expect(kept.at(-1)?.sort()).toEqual(['mounted', 'new', 'pinned'])
  collector[Symbol.dispose]()
})

test('a disk that stays full is told in the words of upstream', async () => {
  const { clock, collector, removed, told } = world({ ageMsMin: 0 }, 50)
  await collector.collect()
  expect(removed).toEqual(['old', 'new'])
  expect(told).toEqual([expect.stringMatching(/^FreeDiskSpaceFailed: Insufficient free disk space on the node's image filesystem \(95% of 1000\.0 B used\)\. Failed to free sufficient space by deleting unused images \(freed 20 bytes\)\. /)])
  expect(clock.nowMs()).toBeGreaterThanOrEqual(0)
  collector[Symbol.dispose]()
})

test('a node that is short of disk loses all that nobody uses; an age goes by itself', async () => {
  const { clock, collector, removed } = world({ highPercent: 100, unusedMsMax: 3_600_000 })
  await collector.removeUnused()
  expect(removed).toEqual([])
  await clock.advance(130_000)
  await collector.removeUnused()
  expect(removed).toEqual(['old', 'new'])
  const other = world({ highPercent: 100, unusedMsMax: 3_600_000 })
  await other.clock.advance(3_300_000)
  expect(other.removed).toEqual([])
  await other.clock.advance(1_000_000)
  expect(other.removed).toEqual(['old', 'new'])
})
