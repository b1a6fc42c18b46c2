import { startCluster } from './zz-cluster.ts'
import { runLoad } from './load.ts'
import { podBody } from './payloads.ts'
import { ensureServiceAccount } from './service-account.ts'
import { usageOfTree } from './usage.ts'
const nodes = Number(process.argv[2]), pods = Number(process.argv[3]), log = (process.argv[4] ?? 'embedded') as any
const c = await startCluster({ log, simulatedNodes: nodes })
await ensureServiceAccount(c.credentials)
const mb = () => (usageOfTree(c.pid).rssBytes / 1048576).toFixed(0)
console.log('empty', mb())
for (let i = 0; i < 5; i++) {
  await runLoad({ kind: 'create', credentials: c.credentials, path: '/api/v1/namespaces/default/pods', body: podBody('bench-nobody'), connections: 16, prefix: `p${i}`, count: pods / 5 })
  console.log((i + 1) * pods / 5, 'pods', mb())
}
for (let i = 0; i < 3; i++) { await new Promise((s) => setTimeout(s, 5000)); console.log('after', mb()) }
await c.remove()
