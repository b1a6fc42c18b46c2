// Pods from their creation to Running on simulated nodes: once made by a Deployment, once created one by one over HTTPS.
import { openConnection, post } from '../api-connection.ts'
import { startCluster } from '../cluster.ts'
import { prepareLoad, runLoad } from '../load.ts'
import type { Part } from '../part.ts'
import { deploymentBody, monotonicMicros, podBody } from '../payloads.ts'
import type { Figure } from '../report.ts'
import { ensureServiceAccount } from '../service-account.ts'
import { percentile } from '../statistics.ts'
import { megabytes, usageOfTree } from '../usage.ts'

const nodes = 100
const timeoutMs = 180_000
const counts = [1_000, 10_000] as const
const ways = ['Deployment', 'HTTPS, 64 conn'] as const
/** For 10,000 pods. */
const limitsSeconds = { floor: 20, aim: 5 }

export const pods: Part = {
  name: 'pods',
  about: '1,000 and 10,000 pods, created to Running',
  async run(options) {
    const figures: Figure[] = []
    for (const log of options.logs) {
      for (const way of ways) {
        for (const count of counts) {
          options.progress(`pods: ${log}, ${count} pods by ${way}`)
          const cluster = await startCluster({ log, simulatedNodes: nodes, profile: options.profile })
          const { credentials, pid } = cluster
          const path = '/api/v1/namespaces/default/pods'
          const fromMicros = monotonicMicros()
          let toMicros = fromMicros
          try {
            await ensureServiceAccount(credentials)
            const watch = await prepareLoad({
              kind: 'running',
              credentials,
              path: `${path}?watch=1`,
              connections: 1,
              expected: count,
              timeoutMs,
            })
            const result = watch.run()
            if (way === 'Deployment') {
              const connection = await openConnection(credentials)
              const deployments = '/apis/apps/v1/namespaces/default/deployments'
              const code = await connection.exchange(post(credentials, deployments, deploymentBody('bench', count)))
              if (code !== 201) throw new Error(`the Deployment was answered with ${code}`)
              connection.close()
            } else {
              const body = podBody('default-scheduler')
              await runLoad({ kind: 'create', credentials, path, body, prefix: 'pod', connections: 64, count })
            }
            const seen = await result
            toMicros = monotonicMicros()
            const what = `${log}: ${count} pods by ${way}`
            if (seen.count < count) {
              const value = Number.NaN
              const note = `only ${seen.count} of ${count} ran within ${timeoutMs / 1_000} s`
              figures.push({ what, value, unit: 's', better: 'lower', ...limitsSeconds, note })
              continue
            }
            figures.push(
              {
                what: `${what}, all Running`,
                value: seen.milliseconds / 1_000,
                unit: 's',
                better: 'lower',
                ...(count === 10_000 ? limitsSeconds : {}),
                note: `${((count / seen.milliseconds) * 1_000).toFixed(0)} pods/s; RSS ${megabytes(usageOfTree(pid).rssBytes).toFixed(0)} MiB`,
              },
              {
                what: `${what}, created to Running p99`,
                value: percentile(seen.latenciesMs, 0.99),
                unit: 'ms',
                better: 'lower',
                note: `p50 ${percentile(seen.latenciesMs, 0.5).toFixed(0)} ms, as one watch sees it`,
              },
            )
          } finally {
            await cluster.remove({ title: `${count} pods by ${way}, ${log}`, fromMicros, toMicros })
          }
        }
      }
    }
    return figures
  },
}
