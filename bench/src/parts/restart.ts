// How long a cluster that holds many objects takes to be ready again, and what its process uses for that.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BenchCluster, type LogKind, startCluster } from '../cluster.ts'
import { runLoad } from '../load.ts'
import type { Part, PartOptions } from '../part.ts'
import { configMapBody, monotonicMicros } from '../payloads.ts'
import { type Figure, formatNumber } from '../report.ts'
import { median, percentile } from '../statistics.ts'
import { megabytes, usageOfTree } from '../usage.ts'

const objectsMin = 50_000
const fillMs = 4_000
const aimSeconds = 3

/** Writes until there are enough objects; says how many there are. */
async function fill(cluster: BenchCluster, options: PartOptions): Promise<number> {
  let objects = 0
  for (let round = 0; objects < objectsMin; round++) {
    options.progress(`restart: ${objects} of ${objectsMin} objects`)
    const { count } = await runLoad({
      kind: 'create',
      credentials: cluster.credentials,
      path: '/api/v1/namespaces/default/configmaps',
      body: configMapBody(),
      connections: 64,
      prefix: `restart-${round}`,
      milliseconds: fillMs,
    })
    objects += count
  }
  return objects
}

async function measure(log: LogKind, options: PartOptions): Promise<Figure[]> {
  const directory = mkdtempSync(join(tmpdir(), 'shiplog-bench-restart-'))
  try {
    const first = await startCluster({ log, directory })
    let objects: number
    try {
      objects = await fill(first, options)
    } finally {
      await first.stop()
    }
    const seconds: number[] = []
    const cpuSeconds: number[] = []
    const rssMegabytes: number[] = []
    for (let start = 1; start <= options.repeat; start++) {
      const profile = options.profile && start === options.repeat
      const cluster = await startCluster({ log, directory, profile })
      const usage = usageOfTree(cluster.pid)
      options.progress(`restart: ${log}, start ${start}: ${(cluster.readyMs / 1_000).toFixed(2)} s`)
      seconds.push(cluster.readyMs / 1_000)
      cpuSeconds.push(usage.cpuMs / 1_000)
      rssMegabytes.push(megabytes(usage.rssBytes))
      await cluster.remove({ title: `restart, ${log}`, fromMicros: cluster.startedMicros, toMicros: monotonicMicros() })
    }
    const spread = `${objects} objects; ${formatNumber(percentile(seconds, 0))} to ${formatNumber(percentile(seconds, 1))}`
    const what = `${log}: restart`
    return [
      { what: `${what}, ready`, value: median(seconds), unit: 's', better: 'lower', aim: aimSeconds, note: spread },
      { what: `${what}, CPU until ready`, value: median(cpuSeconds), unit: 's', better: 'lower', note: 'all its processes' },
      { what: `${what}, RSS when ready`, value: median(rssMegabytes), unit: 'MiB', better: 'lower' },
    ]
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

export const restart: Part = {
  name: 'restart',
  about: 'a cluster of 50,000 objects, stopped and started again, until it is ready',
  onBothLogs: true,
  async run(options) {
    const figures: Figure[] = []
    for (const log of options.logs) figures.push(...(await measure(log, options)))
    return figures
  },
}
