import { startCluster } from './cluster.ts'
import { runLoad } from './load.ts'
import { podBody } from './payloads.ts'
import { ensureServiceAccount } from './service-account.ts'
import { openConnection, requestHead } from './api-connection.ts'
import { writeFileSync } from 'node:fs'
const c = await startCluster({ log: 'embedded' })
await ensureServiceAccount(c.credentials)
await runLoad({ kind: 'create', credentials: c.credentials, path: '/api/v1/namespaces/default/pods', body: podBody('bench-nobody'), connections: 1, prefix: 'x', count: 1 })
const con = await openConnection(c.credentials)
const parts: Buffer[] = []
await con.exchange(requestHead(c.credentials, 'GET', '/api/v1/namespaces/default/pods/x-00000000'), { onBody: (b) => void parts.push(Buffer.from(b)) })
con.close()
writeFileSync('/tmp/perf/pod.json', Buffer.concat(parts))
await c.remove()
