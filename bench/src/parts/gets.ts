// GET of single pods, linearizable as kubectl asks for them.
import { startCluster } from '../cluster.ts'
import { perSecond, runLoad } from '../load.ts'
import type { Part } from '../part.ts'
import { monotonicMicros, nameOf, podBody } from '../payloads.ts'
import { type Figure, formatNumber } from '../report.ts'
import { ensureServiceAccount } from '../service-account.ts'
import { median, percentile } from '../statistics.ts'
import { usageOfTree } from '../usage.ts'

const objects = 1_000
const roundMs = 3_000

export const gets: Part = {
  name: 'gets',
  about: 'GET of single pods',
  async run(options) {
    const figures: Figure[] = []
    for (const log of options.logs) {
      const cluster = await startCluster({ log, profile: options.profile })
      const { credentials } = cluster
      const path = '/api/v1/namespaces/default/pods'
      const paths = Array.from({ length: objects }, (_, number) => `${path}/${nameOf('get', number)}`)
      let fromMicros = 0
      let toMicros = 0
      try {
        await ensureServiceAccount(credentials)
        const body = podBody('bench-nobody')
        await runLoad({ kind: 'create', credentials, path, body, prefix: 'get', connections: 32, count: objects })
        await runLoad({ kind: 'get', credentials, paths, connections: 64, milliseconds: 1_500 })
        for (const connections of [1, 64]) {
          const results = []
          const cpuBefore = usageOfTree(cluster.pid).cpuMs
          for (let round = 0; round < options.repeat; round++) {
            options.progress(`gets: ${log}, ${connections} connections, round ${round + 1}`)
            fromMicros = monotonicMicros()
            results.push(await runLoad({ kind: 'get', credentials, paths, connections, milliseconds: roundMs }))
            toMicros = monotonicMicros()
          }
          const cpuMs = usageOfTree(cluster.pid).cpuMs - cpuBefore
          const rates = results.map(perSecond)
          const latencies = results.flatMap((result) => result.latenciesMs)
          const what = `${log}: GET, ${connections} conn`
          figures.push({
            what,
            value: median(rates),
            unit: '/s',
            better: 'higher',
            ...(connections === 64 ? { floor: 12_000, aim: 20_000 } : {}),
            note: `${rates.length} rounds: ${rates.map(formatNumber).join(', ')}`,
          })
          if (connections === 1)
            figures.push({
              what: `${what}, p50`,
              value: percentile(latencies, 0.5),
              unit: 'ms',
              better: 'lower',
              aim: 0.15,
            })
          figures.push({
            what: `${what}, p99`,
            value: percentile(latencies, 0.99),
            unit: 'ms',
            better: 'lower',
            ...(connections === 64 ? { aim: 5 } : {}),
          })
          figures.push({
            what: `${what}, CPU of the server`,
            value: (cpuMs / latencies.length) * 1_000,
            unit: 'µs each',
            better: 'lower',
          })
        }
      } finally {
        await cluster.remove({ title: `GET at 64 connections, ${log}`, fromMicros, toMicros })
      }
    }
    return figures
  },
}
