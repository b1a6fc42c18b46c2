// From an empty data directory to all nodes Ready as kubectl sees them: the program of `npm start`, with Node's compile
// cache warm, as it is from the second start on.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { provideKubectl } from '../../../tools/kubectl/provide.ts'
import { startCluster } from '../cluster.ts'
import type { Part } from '../part.ts'
import { monotonicMicros } from '../payloads.ts'
import { type Figure, formatNumber } from '../report.ts'
import { median, percentile } from '../statistics.ts'

const starts = 10
/** Three simulated nodes and the machine itself. */
const nodes = 4
const readyTimeoutMs = 10_000
const limitsSeconds = { embedded: 1, jetstream: 1.5 } as const

export const coldStart: Part = {
  name: 'cold-start',
  about: 'empty data directory to all nodes Ready',
  onBothLogs: true,
  async run(options) {
    const { kubectl } = await provideKubectl()
    const figures: Figure[] = []
    for (const log of options.logs) {
      const readySeconds: number[] = []
      const kubectlSeconds: number[] = []
      for (let start = 0; start <= starts; start++) {
        options.progress(`cold-start: ${log}, ${start === 0 ? 'warming the compile cache' : `start ${start}`}`)
        const profile = options.profile && start === starts
        const cluster = await startCluster({ log, simulatedNodes: nodes - 1, profile })
        try {
          waitForNodes(kubectl, cluster.kubeconfig)
          if (start === 0 || profile) continue
          readySeconds.push(cluster.readyMs / 1_000)
          kubectlSeconds.push((monotonicMicros() - cluster.startedMicros) / 1_000_000)
        } finally {
          const toMicros = cluster.startedMicros + cluster.readyMs * 1_000
          await cluster.remove({ title: `cold start, ${log}`, fromMicros: cluster.startedMicros, toMicros })
        }
      }
      const spread = (seconds: readonly number[]): string =>
        `${seconds.length} starts, ${formatNumber(percentile(seconds, 0))} to ${formatNumber(percentile(seconds, 1))}`
      figures.push(
        {
          what: `${log}: cold start to all nodes Ready in kubectl`,
          value: median(kubectlSeconds),
          unit: 's',
          better: 'lower',
          aim: limitsSeconds[log],
          note: `${spread(kubectlSeconds)}; kubectl's own run is in it`,
        },
        {
          what: `${log}: cold start to "Shiplog is ready"`,
          value: median(readySeconds),
          unit: 's',
          better: 'lower',
          note: spread(readySeconds),
        },
      )
    }
    return figures
  },
}

/** Returns when kubectl, with no cache of its own, shows all nodes as Ready. */
function waitForNodes(kubectl: string, kubeconfig: string): void {
  const end = monotonicMicros() + readyTimeoutMs * 1_000
  const cacheDir = mkdtempSync(join(tmpdir(), 'shiplog-bench-kubectl-'))
  try {
    for (;;) {
      const args = ['get', 'nodes', '--no-headers', '--kubeconfig', kubeconfig, '--cache-dir', cacheDir]
      const { stdout, stderr } = spawnSync(kubectl, args, { encoding: 'utf8' })
      const ready = stdout.split('\n').filter((line) => /\sReady\s/.test(line)).length
      if (ready === nodes) return
      if (monotonicMicros() > end) throw new Error(`${ready} of ${nodes} nodes are Ready:\n${stdout}${stderr}`)
    }
  } finally {
    rmSync(cacheDir, { recursive: true, force: true })
  }
}
