// The past: single pods and whole lists as of a moment that lies so far back that no gateway remembers it.
import { openConnection, requestHead } from '../api-connection.ts'
import { startCluster } from '../cluster.ts'
import type { Credentials } from '../credentials.ts'
import { perSecond, runLoad } from '../load.ts'
import type { Part } from '../part.ts'
import { monotonicMicros, nameOf, podBody } from '../payloads.ts'
import type { Figure } from '../report.ts'
import { ensureServiceAccount } from '../service-account.ts'
import { median, percentile } from '../statistics.ts'

const pods = 5_000
/** More bytes than a gateway keeps of the recent past. */
const podsSince = 17_000
const roundMs = 3_000
const path = '/api/v1/namespaces/default/pods'

/** Sends one request; gives the resourceVersion that the answer begins with. */
async function ask(credentials: Credentials, method: string, target: string): Promise<number> {
  const connection = await openConnection(credentials)
  try {
    let text = ''
    const code = await connection.exchange(requestHead(credentials, method, target), {
      onBody: (bytes) => {
        text += bytes.toString('latin1')
      },
    })
    if (code !== 200) throw new Error(`${method} ${target}: ${code} ${text.slice(0, 300)}`)
    return Number(/"resourceVersion":"(\d+)"/.exec(text)?.[1] ?? 0)
  } finally {
    connection.close()
  }
}

export const past: Part = {
  name: 'past',
  about: `the past: single pods and lists of ${pods.toLocaleString('en-US')}, read back from the log`,
  onBothLogs: true,
  async run(options) {
    const figures: Figure[] = []
    for (const log of options.logs) {
      const cluster = await startCluster({ log, profile: options.profile })
      const { credentials } = cluster
      const create = { kind: 'create', credentials, path, body: podBody('bench-nobody'), connections: 64 } as const
      let fromMicros = 0
      let toMicros = 0
      try {
        await ensureServiceAccount(credentials)
        options.progress(`past: ${log}, ${pods} pods, gone again, and ${podsSince} after them`)
        await runLoad({ ...create, prefix: 'then', count: pods })
        const moment = await ask(credentials, 'GET', `${path}?limit=1`)
        await ask(credentials, 'DELETE', path)
        await runLoad({ ...create, prefix: 'since', count: podsSince })

        fromMicros = monotonicMicros()
        // Every moment is another one: the first question about each is answered from the log.
        const first: number[] = []
        const again: number[] = []
        for (let round = 0; round < options.repeat * 2; round++) {
          const job = { kind: 'list', credentials, path: `/at/${moment - round}${path}`, connections: 1 } as const
          for (const times of [first, again]) {
            const answer = await runLoad(job)
            times.push(answer.milliseconds)
          }
        }
        const names = Array.from({ length: pods }, (_, number) => nameOf('then', number))
        const paths = names.map((name) => `/at/${moment}${path}/${name}`)
        const got = await runLoad({ kind: 'get', credentials, paths, connections: 1, milliseconds: roundMs })
        toMicros = monotonicMicros()
        const list = `${log}: LIST ${pods} pods of the past`
        figures.push(
          { what: `${list}, first time`, value: median(first), unit: 'ms', better: 'lower', aim: 150 },
          { what: `${list}, again`, value: median(again), unit: 'ms', better: 'lower' },
          {
            what: `${log}: GET of the past, p50`,
            value: percentile(got.latenciesMs, 0.5),
            unit: 'ms',
            better: 'lower',
            note: `${perSecond(got).toFixed(0)}/s on one connection`,
          },
          {
            what: `${log}: GET of the past, p99`,
            value: percentile(got.latenciesMs, 0.99),
            unit: 'ms',
            better: 'lower',
            aim: 5,
          },
        )
      } finally {
        await cluster.remove({ title: `the past, ${log}`, fromMicros, toMicros })
      }
    }
    return figures
  },
}
