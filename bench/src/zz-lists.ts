import { startCluster } from './zz-cluster.ts'
import { runLoad } from './load.ts'
import { monotonicMicros, podBody } from './payloads.ts'
import { ensureServiceAccount } from './service-account.ts'
import { usageOfTree } from './usage.ts'
const n = Number(process.argv[2] ?? 20000)
const profile = process.argv.includes('--profile')
const c = await startCluster({ log: 'embedded', profile })
const { credentials } = c
await ensureServiceAccount(credentials)
const path = '/api/v1/namespaces/default/pods'
await runLoad({ kind: 'create', credentials, path, body: podBody('bench-nobody'), connections: 64, prefix: 'p', count: n })
await new Promise((s) => setTimeout(s, 1000))
console.log('RSS before', (usageOfTree(c.pid).rssBytes / 1048576).toFixed(0))
const from = monotonicMicros()
const one: number[] = [], cpu: number[] = []
let bytes = 0
for (let i = 0; i < 10; i++) {
  const b = usageOfTree(c.pid).cpuMs
  const r = await runLoad({ kind: 'list', credentials, path, connections: 1 })
  one.push(Math.round(r.milliseconds)); cpu.push(usageOfTree(c.pid).cpuMs - b); bytes = r.bytes
}
console.log('one', (bytes / 1048576).toFixed(0), 'MiB ms', one.join(' '), 'cpu', cpu.join(' '))
for (let i = 0; i < 2; i++) {
  const before = usageOfTree(c.pid)
  let most = 0
  const t = setInterval(() => { most = Math.max(most, usageOfTree(c.pid).rssBytes) }, 50)
  const r = await runLoad({ kind: 'list', credentials, path, connections: 16 })
  clearInterval(t)
  console.log('16 at once ms', r.milliseconds.toFixed(0), 'cpu', usageOfTree(c.pid).cpuMs - before.cpuMs, 'RSS +', ((most - before.rssBytes) / 1048576).toFixed(0))
}
const to = monotonicMicros()
console.log('FROM=' + from + ' TO=' + to)
await c.remove({ title: 'lists', fromMicros: from, toMicros: to })
