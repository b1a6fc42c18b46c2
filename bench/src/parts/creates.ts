// Durable creates over HTTPS, beside raw atomic appends of the same payload to a log of the same kind: the two take turns,
// so that a machine whose speed changes changes both.
import { type LogKind, startCluster, type TimeSpan } from '../cluster.ts'
import { perSecond, runLoad } from '../load.ts'
import type { LoadResult } from '../load-jobs.ts'
import type { Part, PartOptions } from '../part.ts'
import { configMapBody, monotonicMicros, payloadBytes, podBody } from '../payloads.ts'
import { openRawLog } from '../raw-appends.ts'
import { type Figure, formatNumber } from '../report.ts'
import { ensureServiceAccount } from '../service-account.ts'
import { median, percentile } from '../statistics.ts'
import { usageOfTree } from '../usage.ts'

const roundMs = 3_000
const warmUpMs = 1_500
const connectionCounts = [1, 64] as const

const kinds = [
  { kind: 'ConfigMap', path: '/api/v1/namespaces/default/configmaps', body: configMapBody() },
  // Nobody places them: what is measured is the write.
  { kind: 'Pod', path: '/api/v1/namespaces/default/pods', body: podBody('bench-nobody') },
] as const

async function measure(log: LogKind, options: PartOptions): Promise<Figure[]> {
  const cluster = await startCluster({ log, profile: options.profile })
  const raw = await openRawLog(log)
  const payload = Buffer.alloc(payloadBytes, 'x')
  const { credentials } = cluster
  const figures: Figure[] = []
  const spans: TimeSpan[] = []
  try {
    await ensureServiceAccount(credentials)
    for (const { kind, path, body } of kinds) {
      const job = { kind: 'create', credentials, path, body } as const
      await runLoad({ ...job, connections: 64, prefix: `warm-up-${kind.toLowerCase()}`, milliseconds: warmUpMs })
      for (const connections of connectionCounts) {
        const rounds: { ours: LoadResult; raw: { perSecond: number; latenciesMs: number[] }; cpuMs: number }[] = []
        for (let round = 0; round < options.repeat; round++) {
          options.progress(`creates: ${log}, ${kind}, ${connections} connections, round ${round + 1}`)
          const beside = await raw.measure(connections, payload, roundMs / 3)
          const prefix = `${kind.toLowerCase()}-${connections}-${round}`
          const begun = monotonicMicros()
          const cpuBefore = usageOfTree(cluster.pid).cpuMs
          const ours = await runLoad({ ...job, connections, prefix, milliseconds: roundMs })
          const title = `${kind} creates at ${connections} connections, ${log}, ${ours.count} of them`
          if (round === 0) spans.push({ title, fromMicros: begun, toMicros: monotonicMicros() })
          rounds.push({ ours, raw: beside, cpuMs: usageOfTree(cluster.pid).cpuMs - cpuBefore })
        }
        const rates = rounds.map(({ ours }) => perSecond(ours))
        const latencies = rounds.flatMap(({ ours }) => ours.latenciesMs)
        const rawLatencies = rounds.flatMap(({ raw: beside }) => beside.latenciesMs)
        const what = `${log}: ${kind} creates, ${connections} conn`
        figures.push(
          {
            what,
            value: median(rates),
            unit: '/s',
            better: 'higher',
            raw: median(rounds.map(({ raw: beside }) => beside.perSecond)),
            ...(connections === 64 ? { floor: 3_500, aim: 6_000 } : {}),
            note: `${rounds.length} rounds: ${rates.map(formatNumber).join(', ')}`,
          },
          {
            what: `${what}, p50`,
            value: percentile(latencies, 0.5),
            unit: 'ms',
            better: 'lower',
            raw: percentile(rawLatencies, 0.5),
            ...(connections === 1 ? { aim: 1.5 } : {}),
            note: connections === 1 ? '' : 'raw: one batch of 64',
          },
          {
            what: `${what}, p99`,
            value: percentile(latencies, 0.99),
            unit: 'ms',
            better: 'lower',
            raw: percentile(rawLatencies, 0.99),
            ...(connections === 64 ? { floor: 30, aim: 20 } : {}),
          },
          {
            what: `${what}, CPU of the server`,
            value: median(rounds.map(({ ours, cpuMs }) => (cpuMs / ours.count) * 1_000)),
            unit: 'µs each',
            better: 'lower',
            note: 'all its processes; what others do on the machine is not in it',
          },
        )
      }
    }
  } finally {
    await raw.close()
    await cluster.remove(...spans)
  }
  return figures
}

export const creates: Part = {
  name: 'creates',
  about: 'durable creates over HTTPS beside raw atomic appends',
  onBothLogs: true,
  async run(options) {
    const figures: Figure[] = []
    for (const log of options.logs) figures.push(...(await measure(log, options)))
    return figures
  },
}
