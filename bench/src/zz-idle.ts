import { startCluster } from './zz-cluster.ts'
import { monotonicMicros } from './payloads.ts'
import { readdirSync, readFileSync } from 'node:fs'
const c = await startCluster({ log: 'jetstream', profile: true })
const stat = (pid: number) => { const x = readFileSync(`/proc/${pid}/stat`, 'utf8'); const f = x.slice(x.lastIndexOf(')') + 2).split(' '); return { ppid: Number(f[1]), cpu: (Number(f[11]) + Number(f[12])) * 10, name: x.slice(x.indexOf('('), x.lastIndexOf(')') + 1) } }
const tree = () => readdirSync('/proc').filter((e) => /^\d+$/.test(e)).map(Number).flatMap((p) => { try { const s = stat(p); return p === c.pid || s.ppid === c.pid ? [[`${s.name}${p}`, s.cpu] as const] : [] } catch { return [] } })
await new Promise((s) => setTimeout(s, 5000))
const a = new Map(tree()); const from = monotonicMicros()
await new Promise((s) => setTimeout(s, 40000))
for (const [k, v] of tree()) console.log(k, v - (a.get(k) ?? 0), 'ms in 40 s')
console.log('FROM=' + from + ' TO=' + monotonicMicros())
await c.remove({ title: 'idle', fromMicros: from, toMicros: monotonicMicros() })
