// A process that holds an embedded PostgreSQL until it is killed: `node postgres-holder.ts <data dir>` prints the URL.
import { systemClock } from '@shiplog/runtime/clock'
import { systemIds } from '@shiplog/runtime/ids'
import { startEmbeddedPostgres } from '../embedded-postgres.ts'

const server = await startEmbeddedPostgres({ dataDir: process.argv[2]!, clock: systemClock, ids: systemIds })
process.stdout.write(`${server.adminUrl}\n`)
await new Promise(() => setInterval(() => undefined, 1_000))
