// GET of single pods, linearizable as kubectl asks for them, beside a bare node:https server that answers as many bytes.
import { startCluster } from '../cluster.ts'
import { perSecond, runLoad } from '../load.ts'
import type { LoadResult } from '../load-jobs.ts'
import type { Part } from '../part.ts'
import { monotonicMicros, nameOf, podBody } from '../payloads.ts'
import { startRawServer } from '../raw-gets.ts'
import { type Figure, formatNumber } from '../report.ts'
import { ensureServiceAccount } from '../service-account.ts'
import { median, percentile } from '../statistics.ts'
import { usageOfTree } from '../usage.ts'

const objects = 1_000
const roundMs = 3_000
const warmUpMs = 1_500

interface Round {
  readonly result: LoadResult
  /** CPU of the server for each answer. */
  readonly cpuMicros: number
}

export const gets: Part = {
  name: 'gets',
  about: 'GET of single pods beside a bare node:https server',
  async run(options) {
    const figures: Figure[] = []
    for (const log of options.logs) {
      const cluster = await startCluster({ log, profile: options.profile })
      const { credentials } = cluster
      const path = '/api/v1/namespaces/default/pods'
      const paths = Array.from({ length: objects }, (_, number) => `${path}/${nameOf('get', number)}`)
      const job = { kind: 'get', credentials, paths, milliseconds: roundMs } as const
      let fromMicros = 0
      let toMicros = 0
      const round = async (given: typeof job, pid: number, connections: number): Promise<Round> => {
        const before = usageOfTree(pid).cpuMs
        const result = await runLoad({ ...given, connections })
        return { result, cpuMicros: ((usageOfTree(pid).cpuMs - before) / result.count) * 1_000 }
      }
      try {
        await ensureServiceAccount(credentials)
        const body = podBody('bench-nobody')
        await runLoad({ kind: 'create', credentials, path, body, prefix: 'get', connections: 32, count: objects })
        const warm = await runLoad({ ...job, connections: 64, milliseconds: warmUpMs })
        const raw = await startRawServer(cluster, Math.round(warm.bytes / warm.count))
        const rawJob = { ...job, credentials: raw.credentials }
        await runLoad({ ...rawJob, connections: 64, milliseconds: warmUpMs })
        for (const connections of [1, 64]) {
          const ours: Round[] = []
          const beside: Round[] = []
          for (let number = 1; number <= options.repeat; number++) {
            options.progress(`gets: ${log}, ${connections} connections, round ${number}`)
            beside.push(await round(rawJob, raw.pid, connections))
            fromMicros = monotonicMicros()
            ours.push(await round(job, cluster.pid, connections))
            toMicros = monotonicMicros()
          }
          const rate = (rounds: readonly Round[]): number => median(rounds.map(({ result }) => perSecond(result)))
          const latency = (rounds: readonly Round[], share: number): number =>
            percentile(
              rounds.flatMap(({ result }) => result.latenciesMs),
              share,
            )
          const cpu = (rounds: readonly Round[]): number => median(rounds.map(({ cpuMicros }) => cpuMicros))
          const what = `${log}: GET, ${connections} conn`
          const many = connections > 1
          figures.push(
            {
              what,
              value: rate(ours),
              unit: '/s',
              better: 'higher',
              raw: rate(beside),
              ...(many ? { floor: 12_000, aim: 20_000 } : {}),
              note: `${ours.length} rounds: ${ours.map(({ result }) => formatNumber(perSecond(result))).join(', ')}`,
            },
            {
              what: `${what}, p50`,
              value: latency(ours, 0.5),
              unit: 'ms',
              better: 'lower',
              raw: latency(beside, 0.5),
              ...(many ? {} : { aim: 0.15 }),
            },
            {
              what: `${what}, p99`,
              value: latency(ours, 0.99),
              unit: 'ms',
              better: 'lower',
              raw: latency(beside, 0.99),
              ...(many ? { aim: 5 } : {}),
            },
            {
              what: `${what}, CPU of the server`,
              value: cpu(ours),
              unit: 'µs each',
              better: 'lower',
              raw: cpu(beside),
            },
          )
        }
        raw.close()
      } finally {
        await cluster.remove({ title: `GET at 64 connections, ${log}`, fromMicros, toMicros })
      }
    }
    return figures
  },
}
