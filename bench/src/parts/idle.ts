// What a cluster uses when nobody asks anything of it: heartbeats, and nothing else.
import { startCluster } from '../cluster.ts'
import type { Part } from '../part.ts'
import { monotonicMicros } from '../payloads.ts'
import type { Figure } from '../report.ts'
import { megabytes, usageOfTree } from '../usage.ts'

const settleMs = 5_000
const observedMs = 30_000

const sleep = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds))

export const idle: Part = {
  name: 'idle',
  about: 'RSS and CPU of an idle cluster',
  onBothLogs: true,
  async run(options) {
    const figures: Figure[] = []
    for (const log of options.logs) {
      options.progress(`idle: ${log}, ${(settleMs + observedMs) / 1_000} s`)
      const cluster = await startCluster({ log, profile: options.profile })
      const fromMicros = monotonicMicros()
      try {
        await sleep(settleMs)
        const before = usageOfTree(cluster.pid)
        await sleep(observedMs)
        const after = usageOfTree(cluster.pid)
        figures.push(
          {
            what: `${log}: idle RSS, all processes`,
            value: megabytes(after.rssBytes),
            unit: 'MiB',
            better: 'lower',
            aim: 160,
          },
          {
            what: `${log}: idle CPU, of one core`,
            value: ((after.cpuMs - before.cpuMs) / observedMs) * 100,
            unit: '%',
            better: 'lower',
            aim: 1,
            note: `${observedMs / 1_000} s, ticks of 10 ms`,
          },
        )
      } finally {
        await cluster.remove({ title: `idle, ${log}`, fromMicros, toMicros: monotonicMicros() })
      }
    }
    return figures
  },
}
