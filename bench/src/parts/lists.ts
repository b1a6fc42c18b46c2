// Lists of many pods: total time, first byte, and what sixteen at once cost in memory.
import { startCluster } from '../cluster.ts'
import { runLoad } from '../load.ts'
import type { Part } from '../part.ts'
import { monotonicMicros, podBody } from '../payloads.ts'
import type { Figure } from '../report.ts'
import { ensureServiceAccount } from '../service-account.ts'
import { median } from '../statistics.ts'
import { megabytes, usageOfTree } from '../usage.ts'

const sizes = [
  { pods: 5_000, aimMs: 20 },
  { pods: 50_000, aimMs: 120 },
] as const
const atOnce = 16
const sampleMs = 20
/** Lists are short: as many again as of other parts. */
const roundsFactor = 3

export const lists: Part = {
  name: 'lists',
  about: 'lists of 5,000 and 50,000 pods',
  async run(options) {
    const figures: Figure[] = []
    for (const log of options.logs) {
      const cluster = await startCluster({ log, profile: options.profile })
      const { credentials, pid } = cluster
      const path = '/api/v1/namespaces/default/pods'
      let fromMicros = 0
      let toMicros = 0
      let made = 0
      try {
        await ensureServiceAccount(credentials)
        for (const { pods, aimMs } of sizes) {
          options.progress(`lists: ${log}, creating pods up to ${pods}`)
          const body = podBody('bench-nobody')
          const prefix = `list-${pods}`
          await runLoad({ kind: 'create', credentials, path, body, prefix, connections: 64, count: pods - made })
          made = pods
          const results = []
          fromMicros = monotonicMicros()
          for (let round = 0; round < options.repeat * roundsFactor; round++)
            results.push(await runLoad({ kind: 'list', credentials, path, connections: 1 }))
          toMicros = monotonicMicros()
          const what = `${log}: LIST ${pods} pods`
          figures.push(
            {
              what,
              value: median(results.map(({ milliseconds }) => milliseconds)),
              unit: 'ms',
              better: 'lower',
              aim: aimMs,
              note: `${megabytes(results[0]!.bytes).toFixed(1)} MiB, ${results.length} rounds`,
            },
            {
              what: `${what}, first byte`,
              value: median(results.map(({ firstByteMs }) => firstByteMs![0]!)),
              unit: 'ms',
              better: 'lower',
              aim: 3,
            },
          )
          const before = usageOfTree(pid).rssBytes
          let most = before
          const sampler = setInterval(() => {
            most = Math.max(most, usageOfTree(pid).rssBytes)
          }, sampleMs)
          const many = await runLoad({ kind: 'list', credentials, path, connections: atOnce })
          clearInterval(sampler)
          figures.push(
            { what: `${what}, ${atOnce} at once`, value: many.milliseconds, unit: 'ms', better: 'lower' },
            {
              what: `${what}, ${atOnce} at once, RSS added`,
              value: megabytes(most - before),
              unit: 'MiB',
              better: 'lower',
              aim: 64,
              note: `before ${megabytes(before).toFixed(0)} MiB`,
            },
          )
        }
      } finally {
        await cluster.remove({ title: `lists one at a time, ${log}`, fromMicros, toMicros })
      }
    }
    return figures
  },
}
