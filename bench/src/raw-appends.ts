// The raw primitive: the same bytes appended to a log of the same kind without an API in front, in this process.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sealRecord } from '@shiplog/events/integrity/checksum'
import { encodeEnvelope } from '@shiplog/events/envelope'
import type { Append, ClusterLog } from '@shiplog/events/event-log'
import { systemClock } from '@shiplog/runtime/clock'
import { silentLogger } from '@shiplog/runtime/logger'
import type { LogKind } from './cluster.ts'
import { monotonicMicros, nameOf } from './payloads.ts'

export interface RawLog {
  /** Atomic batches of `members`, one after the other, for so long; records a second. */
  measure(
    members: number,
    payload: Uint8Array,
    milliseconds: number,
  ): Promise<{ perSecond: number; latenciesMs: number[] }>
  close(): Promise<void>
}

export async function openRawLog(kind: LogKind): Promise<RawLog> {
  const dataDir = mkdtempSync(join(tmpdir(), 'shiplog-bench-raw-'))
  const { log, stop } = await open(kind, dataDir)
  let serial = 0
  return {
    async measure(members, payload, milliseconds) {
      const latenciesMs: number[] = []
      const begun = monotonicMicros()
      let count = 0
      for (let now = begun; now - begun < milliseconds * 1_000; ) {
        const result = await log.events.append(Array.from({ length: members }, () => member(serial++, payload)))
        if (!result.ok) throw new Error(`raw append refused: ${result.conflict.subject}`)
        const after = monotonicMicros()
        latenciesMs.push((after - now) / 1_000)
        now = after
        count += members
      }
      return { perSecond: (count / (monotonicMicros() - begun)) * 1_000_000, latenciesMs }
    },
    async close() {
      await log.close()
      await stop()
      rmSync(dataDir, { recursive: true, force: true })
    },
  }
}

const member = (number: number, payload: Uint8Array): Append =>
  sealRecord({
    subject: `evt.core.configmaps.default.${nameOf('raw', number)}`,
    expected: 0,
    payload,
    headers: encodeEnvelope({
      type: 'ConfigMapCreated',
      schema: 1,
      actor: 'kubernetes-admin',
      requestId: String(number),
      previous: 0,
      deleted: false,
    }),
  })

async function open(kind: LogKind, dataDir: string): Promise<{ log: ClusterLog; stop: () => Promise<void> }> {
  if (kind === 'embedded') {
    const { openSqliteClusterLog } = await import('@shiplog/events/sqlite/sqlite-log')
    return { log: await openSqliteClusterLog({ dataDir, clock: systemClock }), stop: () => Promise.resolve() }
  }
  const { startNatsServer } = await import('@shiplog/nats-server/nats-child')
  const { connectJetStreamClusterLog } = await import('@shiplog/events/jetstream/jetstream-log')
  const { provideNatsServer } = await import('../../tools/nats-server/provide.ts')
  const binary = await provideNatsServer()
  if (!binary) throw new Error('no nats-server to be had on this machine: --log embedded measures without one')
  const server = await startNatsServer({ binary: binary.path, dataDir, clock: systemClock, logger: silentLogger })
  const log = await connectJetStreamClusterLog({
    servers: server.url,
    credentials: server.credentials.gateway,
    clock: systemClock,
    name: 'shiplog-bench',
  })
  return { log, stop: () => server.stop() }
}
