import { createFakeCluster } from '@shiplog/testing/fake-cluster'
import { systemClock } from '@shiplog/runtime/clock'
import { describeTwoRunners } from './testing/two-runners-suite.ts'

// Views lag by up to 6 ms, each runner's by its own rhythm, so that they often act on different pasts.
describeTwoRunners('the fake cluster', {
  // A runner sends some 76 commands in this story: every one of them is tried.
  killAt: Array.from({ length: 78 }, (_, i) => i + 1),
  chaosSeeds: [1, 2, 3, 4, 5, 6],
  deadlineMs: 20_000,
  open: () => {
    const cluster = createFakeCluster(systemClock)
    const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'default' } }
    cluster.must({ verb: 'create', group: '', resource: 'namespaces', body: namespace })
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
