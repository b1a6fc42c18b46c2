// The log on a real nats-server against the contract, and what is its own: restarts, refusals, lost answers.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { provideNatsServer } from '../../../../tools/nats-server/provide.ts'
import { describeEventLogContract } from '../event-log.contract.ts'
import { connectJetStreamClusterLog } from './jetstream-log.ts'
import { startNatsServer } from './nats-child.ts'

const server = await provideNatsServer()
// Without a server these tests say so in their name instead of passing in silence.
const available = server !== undefined

describe.runIf(available)('on nats-server', () => {
  const freshDir = (): string => mkdtempSync(join(tmpdir(), 'shiplog-jetstream-'))

  describeEventLogContract('JetStream', {
    open: async () => {
      const dataDir = freshDir()
      const child = await startNatsServer({ binary: server!.path, dataDir })
      const connectLog = () =>
        connectJetStreamClusterLog({ servers: child.url, credentials: child.credentials.gateway })
      let log = await connectLog()
      return {
        log,
        reopen: async () => {
          await log.close()
          log = await connectLog()
          return log
        },
        dispose: async () => {
          await log.close()
          await child.stop()
          rmSync(dataDir, { recursive: true, force: true })
        },
      }
    },
  })
})

test.runIf(!available)('NO nats-server ≥ 2.12 IS TO BE HAD HERE: the JetStream log was NOT tested', () => {
  expect(available).toBe(false)
})
