// Memory against events: rounds of what test suites do, and what the server still holds when they are over.
import { startCluster } from '../cluster.ts'
import { runLoad } from '../load.ts'
import { type Memory, readMemory } from '../metrics.ts'
import type { Part } from '../part.ts'
import type { Figure } from '../report.ts'
import { formatNumber } from '../report.ts'
import { megabytes } from '../usage.ts'

const legs = 6
const legMs = 30_000
const workers = 8
const idleMs = 60_000

const line = ({ events, rssBytes, heapUsedBytes, externalBytes }: Memory): string =>
  `${events} events: RSS ${megabytes(rssBytes).toFixed(0)} MiB, heap ${megabytes(heapUsedBytes).toFixed(0)}, outside it ${megabytes(externalBytes).toFixed(0)}`

export const soak: Part = {
  name: 'soak',
  about: 'memory against events while namespaces, workloads and watches come and go',
  onBothLogs: true,
  async run(options) {
    const figures: Figure[] = []
    for (const log of options.logs) {
      const cluster = await startCluster({ log, profile: options.profile })
      const { credentials } = cluster
      const add = (what: string, memory: Memory): void => {
        options.progress(`soak: ${log}, ${line(memory)}`)
        const note = `heap ${formatNumber(megabytes(memory.heapUsedBytes))} MiB, outside it ${formatNumber(megabytes(memory.externalBytes))} MiB`
        figures.push({
          what: `${log}: ${what}, RSS`,
          value: megabytes(memory.rssBytes),
          unit: 'MiB',
          better: 'lower',
          note,
        })
      }
      try {
        add('before', await readMemory(credentials))
        for (let leg = 0; leg < legs; leg++) {
          const work = { credentials, connections: workers, prefix: `soak-${leg}`, from: 0, milliseconds: legMs }
          await runLoad({ kind: 'churn', ...work })
          const memory = await readMemory(credentials)
          add(`after ${memory.events} events`, memory)
        }
        await new Promise((resolve) => setTimeout(resolve, idleMs))
        add(`idle for ${idleMs / 1_000} s`, await readMemory(credentials))
      } finally {
        await cluster.remove()
      }
    }
    return figures
  },
}
