// The suite "exactly N children, never a duplicate" on what it is about: two gateways on a real log, and runners that hear
// of everything late, each in its own rhythm.
import { describeTwoRunners } from '@shiplog/controllers/testing/two-runners-suite'
import { createObjectFeed, type LogObjectFeed } from '@shiplog/feed/object-feed-from-log'
import { systemClock } from '@shiplog/runtime/clock'
import { laggingLog } from '@shiplog/testing/lagging-log'
import { makeNamespace, startGateway } from './gateways.ts'
import { type LogKind, openRealLog } from './real-log.ts'
import { isFull } from './size.ts'

/** Commands of a rollout of 4 pods and an update, each a moment to be killed at. */
const everyStep = Array.from({ length: 24 }, (_, step) => step + 1)
const someSteps: Readonly<Record<LogKind, readonly number[]>> = {
  embedded: [1, 2, 5, 9, 12, 14, 16, 18, 20],
  jetstream: [1, 4, 8, 14],
}

for (const kind of ['embedded', 'jetstream'] as const) {
  describeTwoRunners(`two gateways on the ${kind} log`, {
    killAt: isFull ? everyStep : someSteps[kind],
    chaosSeeds: isFull ? Array.from({ length: 20 }, (_, seed) => seed + 1) : [1],
    deadlineMs: 20_000,
    open: async () => {
      const log = await openRealLog(kind)
      const gateways = [await startGateway(await log.connect()), await startGateway(await log.connect())]
      await makeNamespace(gateways[0]!.client, 'default')
      const direct = await log.connect()
      const truth = createObjectFeed(direct)
      const feeds: LogObjectFeed[] = [truth]
      let turn = 0
      let clients = 0
      return {
        feed: () => {
          const rhythm = turn++ % 3
          let tick = 0
          const feed = createObjectFeed(
            laggingLog(direct, systemClock, () => (rhythm === 0 ? 0 : (tick++ * (rhythm + 1)) % 11)),
          )
          feeds.push(feed)
          return feed
        },
        client: () => gateways[clients++ % 2]!.client,
        truth: () => truth,
        close: async () => {
          for (const feed of feeds) feed.stop()
          for (const { gateway } of gateways) await gateway.stop()
          await log.remove()
        },
      }
    },
  })
}
