// A process of its own that projects a SQLite log until somebody kills it: `node killed-projector.ts <log dir> <url>`.
import { openSqliteClusterLog } from '@shiplog/events/sqlite/sqlite-log'
import { createPool } from '@shiplog/read-model/database'
import { createPostgresReadModel } from '@shiplog/read-model/postgres-read-model'
import { systemClock } from '@shiplog/runtime/clock'
import { silentLogger } from '@shiplog/runtime/logger'
import { createProjector } from '../projector.ts'

const [dataDir, url] = process.argv.slice(2)
const log = await openSqliteClusterLog({ dataDir: dataDir! })
const pool = createPool({ url: url!, applicationName: 'killed-projector', statementTimeoutMs: 10_000 })
const projector = createProjector({
  log,
  model: createPostgresReadModel(pool),
  clock: systemClock,
  logger: silentLogger,
  batchRecordsMax: 25,
  standbyMs: 20,
})
await projector.start()
process.stdout.write('projecting\n')
await new Promise(() => setInterval(() => undefined, 1_000))
