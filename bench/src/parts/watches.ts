// A thousand watchers of one collection: does everyone get everything, how late, and how fast at most.
import { startCluster } from '../cluster.ts'
import { prepareLoad, runLoad } from '../load.ts'
import type { Part } from '../part.ts'
import { configMapBody, monotonicMicros } from '../payloads.ts'
import type { Figure } from '../report.ts'
import { percentile } from '../statistics.ts'
import { megabytes, usageOfTree } from '../usage.ts'

const watchers = 1_000
/** 1,005 changes for 1,000 watchers: the profile of k0smotron's churn test. */
const burstEvents = 1_005
const pacedEvents = 200
const pacedPerSecond = 40
const timeoutMs = 60_000

export const watches: Part = {
  name: 'watches',
  about: '1,000 watchers of one collection',
  async run(options) {
    const figures: Figure[] = []
    for (const log of options.logs) {
      const cluster = await startCluster({ log, profile: options.profile })
      const { credentials, pid } = cluster
      let fromMicros = 0
      let toMicros = 0
      const phase = async (namespace: string, events: number, perSecond?: number) => {
        const base = '/api/v1/namespaces'
        const path = `${base}/${namespace}/configmaps`
        const head = { kind: 'create', credentials, prefix: namespace } as const
        const namespaceBody = JSON.stringify({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } })
        await runLoad({ ...head, path: base, body: namespaceBody, connections: 1, count: 1 })
        const expected = watchers * events
        const watch = await prepareLoad({
          kind: 'watch',
          credentials,
          path: `${path}?watch=1`,
          connections: watchers,
          expected,
          timeoutMs,
        })
        const body = configMapBody()
        fromMicros = monotonicMicros()
        const result = watch.run()
        await runLoad({
          ...head,
          path,
          body,
          connections: 16,
          count: events,
          ...(perSecond ? { perSecond } : {}),
        })
        const got = await result
        toMicros = monotonicMicros()
        return { ...got, expected }
      }
      try {
        options.progress(`watches: ${log}, ${watchers} watchers, ${pacedPerSecond} changes a second`)
        const paced = await phase('watch-paced', pacedEvents, pacedPerSecond)
        options.progress(`watches: ${log}, ${watchers} watchers, ${burstEvents} changes at once`)
        const burst = await phase('watch-burst', burstEvents)
        const what = `${log}: ${watchers} watchers`
        const delivered = (result: typeof paced, name: string): Figure => ({
          what: `${what}, ${name}: delivered`,
          value: (result.count / result.expected) * 100,
          unit: '%',
          better: 'higher',
          aim: 100,
          note: `${result.count} of ${result.expected}, ${result.errors} errors`,
        })
        const lag = (result: typeof paced, name: string, share: number, aim?: number): Figure => ({
          what: `${what}, ${name}: lag p${share * 100}`,
          value: percentile(result.latenciesMs, share),
          unit: 'ms',
          better: 'lower',
          ...(aim === undefined ? {} : { aim }),
          note: 'from the sending of the create to the watcher',
        })
        const calm = `${pacedPerSecond} changes/s`
        figures.push(
          delivered(paced, calm),
          lag(paced, calm, 0.5),
          lag(paced, calm, 0.99, 250),
          delivered(burst, 'burst'),
          {
            what: `${what}, burst: deliveries`,
            value: (burst.count / burst.milliseconds) * 1_000,
            unit: '/s',
            better: 'higher',
            aim: 300_000,
            note: `${megabytes((burst.bytes / burst.milliseconds) * 1_000).toFixed(0)} MiB/s over TLS`,
          },
          lag(burst, 'burst', 0.5),
          lag(burst, 'burst', 0.99, 500),
          {
            what: `${what}: RSS after`,
            value: megabytes(usageOfTree(pid).rssBytes),
            unit: 'MiB',
            better: 'lower',
          },
        )
      } finally {
        await cluster.remove({ title: `burst to ${watchers} watchers, ${log}`, fromMicros, toMicros })
      }
    }
    return figures
  },
}
