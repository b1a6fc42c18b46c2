// A real log for tests that run gateways in this process: a file of SQLite's, or a nats-server of its own with as many
// connections as there are gateways.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ClusterLog } from '@shiplog/events/event-log'
import { connectJetStreamClusterLog } from '@shiplog/events/jetstream/jetstream-log'
import { provideNatsServer } from '@shiplog/nats-server/nats-binary'
import { startNatsServer } from '@shiplog/nats-server/nats-child'
import { openSqliteClusterLog } from '@shiplog/events/sqlite/sqlite-log'

export type LogKind = 'embedded' | 'jetstream'

export interface RealLog {
  /** A way to the log for one more gateway: of JetStream a connection of its own. */
  connect(): Promise<ClusterLog>
  /** Closes all ways, ends the server, removes the data. */
  remove(): Promise<void>
}

export async function openRealLog(kind: LogKind): Promise<RealLog> {
  const dataDir = mkdtempSync(join(tmpdir(), `shiplog-faults-${kind}-`))
  const opened: ClusterLog[] = []
  const removeData = (): void => rmSync(dataDir, { recursive: true, force: true })
  if (kind === 'embedded') {
    const log = await openSqliteClusterLog({ dataDir })
    return {
      connect: () => Promise.resolve(log),
      async remove() {
        await log.close()
        removeData()
      },
    }
  }
  const binary = await provideNatsServer()
  if (!binary) throw new Error('there is no nats-server, and none could be provided')
  const server = await startNatsServer({ binary: binary.path, dataDir })
  return {
    async connect() {
      const log = await connectJetStreamClusterLog({
        servers: server.url,
        credentials: server.credentials.gateway,
      })
      opened.push(log)
      return log
    },
    async remove() {
      for (const log of opened) await log.close()
      await server.stop()
      removeData()
    },
  }
}
