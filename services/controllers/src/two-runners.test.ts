import { createFakeCluster } from '@shiplog/testing/fake-cluster'
import { systemClock } from '@shiplog/runtime/clock'
import { describeTwoRunners } from './testing/two-runners-suite.ts'

// Views lag by up to 6 ms, each runner's by its own rhythm, so that they often act on different pasts.
describeTwoRunners('the fake cluster', {
  killAt: Array.from({ length: 24 }, (_, i) => i + 1),
  chaosSeeds: [1, 2, 3, 4, 5, 6],
  deadlineMs: 5_000,
  open: () => {
    const cluster = createFakeCluster(systemClock)
    let turn = 0
    return Promise.resolve({
      feed: () => {
        const rhythm = turn++ % 3
        let tick = 0
        return cluster.delayedFeed(() => (rhythm === 0 ? 0 : (tick++ * (rhythm + 1)) % 7))
      },
      client: () => cluster.client(),
      truth: () => cluster.feed,
      close: () => Promise.resolve(),
    })
  },
})
