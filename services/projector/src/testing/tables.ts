// What the tables must hold, as a fold of the log says: every version and every object, by the hash of their bytes.
import { createHash } from 'node:crypto'
import { servedBytes } from '@shiplog/api/codec'
import type { ClusterLog, LogRecord } from '@shiplog/events/event-log'
import type { createPool } from '@shiplog/read-model/database'
import { expect } from 'vitest'

type Pool = ReturnType<typeof createPool>

/** All records of objects in EVENTS, and the last of those that are there. */
export async function fold(log: ClusterLog): Promise<{ records: LogRecord[]; present: Map<string, LogRecord> }> {
  const records: LogRecord[] = []
  const present = new Map<string, LogRecord>()
  for await (const page of log.events.read({ subjects: ['evt.>'] })) {
    for (const record of page) {
      records.push(record)
      if (record.headers['Shiplog-Deleted'] === '1') present.delete(record.subject)
      else present.set(record.subject, record)
    }
  }
  return { records, present }
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

export async function expectTablesToBe(pool: Pool, log: ClusterLog): Promise<void> {
  const { records, present } = await fold(log)
  const versions = await pool.query<{ sequence: string; hash: string }>(
    `select sequence, encode(sha256, 'hex') as hash from v1.history order by sequence`,
  )
  expect(versions.rows.map(({ sequence, hash }) => `${sequence} ${hash}`)).toEqual(
    records.map(({ sequence, payload }) => `${sequence} ${sha256(payload)}`),
  )
  const objects = await pool.query<{ sequence: string; hash: string; served: string }>(
    `select sequence, encode(sha256, 'hex') as hash, encode(sha256(v1.served(payload, sequence)), 'hex') as served
     from v1.objects where group_resource not in ('events', 'leases.coordination.k8s.io') order by sequence`,
  )
  expect(objects.rows.map(({ sequence, hash, served }) => [Number(sequence), hash, served])).toEqual(
    [...present.values()]
      .sort((left, right) => left.sequence - right.sequence)
      .map(({ sequence, payload }) => [sequence, sha256(payload), sha256(servedBytes(payload, sequence))]),
  )
}
