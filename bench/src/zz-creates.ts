import { startCluster } from './zz-cluster.ts'
import { runLoad } from './load.ts'
import { configMapBody, monotonicMicros, podBody } from './payloads.ts'
import { ensureServiceAccount } from './service-account.ts'
import { usageOfTree } from './usage.ts'
import { percentile } from './statistics.ts'
const log = (process.argv[2] ?? 'embedded') as any
const kind = process.argv[3] ?? 'pod'
const profile = process.argv.includes('--profile')
const rounds = Number(process.argv[4] ?? 3)
const count = Number(process.argv[5] ?? 4000)
const c = await startCluster({ log, profile })
await ensureServiceAccount(c.credentials)
const path = `/api/v1/namespaces/default/${kind === 'pod' ? 'pods' : 'configmaps'}`
const body = kind === 'pod' ? podBody('bench-nobody') : configMapBody()
const job = { kind: 'create', credentials: c.credentials, path, body, connections: 64 } as const
await runLoad({ ...job, prefix: 'warm', count: 4000 })
let from = 0, to = 0
import { readdirSync, readFileSync } from 'node:fs'
const faults = () => { const x = readFileSync(`/proc/${c.pid}/stat`, 'utf8'); const f = x.slice(x.lastIndexOf(')') + 2).split(' '); return [Number(f[7]), Number(f[11]), Number(f[12])] as const }
const threads = () => { const m = new Map<string, number>(); for (const t of readdirSync(`/proc/${c.pid}/task`)) { const x = readFileSync(`/proc/${c.pid}/task/${t}/stat`, 'utf8'); const f = x.slice(x.lastIndexOf(')') + 2).split(' '); m.set(x.slice(x.indexOf('('), x.lastIndexOf(')') + 1) + t, (Number(f[11]) + Number(f[12])) * 10) } return m }
for (let r = 0; r < rounds; r++) {
  const before = usageOfTree(c.pid).cpuMs
  const t0 = threads(), f0 = faults()
  from ||= monotonicMicros()
  const res = await runLoad({ ...job, prefix: `r${r}`, count })
  to = monotonicMicros()
  await new Promise((s) => setTimeout(s, 100))
  const f1 = faults(); console.log('minor faults each', ((f1[0] - f0[0]) / res.count).toFixed(1), 'user µs', ((f1[1] - f0[1]) / res.count * 1e4).toFixed(0), 'sys µs', ((f1[2] - f0[2]) / res.count * 1e4).toFixed(0)); const t1 = threads(); console.log([...t1].map(([k, v]) => [k, ((v - (t0.get(k) ?? 0)) / res.count * 1000)] as const).filter(([, v]) => v > 1).map(([k, v]) => `${k} ${v.toFixed(0)}`).join(' '))
  const cpu = usageOfTree(c.pid).cpuMs - before
  console.log(`${log} ${kind}: ${(res.count / res.milliseconds * 1000).toFixed(0)}/s p50 ${percentile(res.latenciesMs, .5).toFixed(1)} p99 ${percentile(res.latenciesMs, .99).toFixed(1)} ms; server CPU ${(cpu / res.count * 1000).toFixed(0)} µs each`)
}
console.log('FROM='+from+' TO='+to)
console.log('RSS', (usageOfTree(c.pid).rssBytes / 1048576).toFixed(0), 'MiB')
await c.remove({ title: 'creates', fromMicros: from, toMicros: to })
