// The read model without a database: the same promises, kept in memory, for tests of what writes it. One instance of
// `MemoryTables` stands for the database; any number of models over it stand for the projectors that share it.
import type { LogRecord } from '@shiplog/events/event-log'
import { recordCodec } from '@shiplog/feed/record-codec'
import type { StreamName } from '@shiplog/feed/stream-of'
import { type ClaimedStream, type LogIdentity, PositionMoved, type ReadModel } from './read-model.ts'
import { attemptsResource, rowsOf } from './rows.ts'

export interface MemoryVersion {
  readonly stream: StreamName
  readonly sequence: number
  readonly groupResource: string
  readonly namespace: string
  readonly name: string
  readonly type: string
  readonly deleted: boolean
  readonly payload: Uint8Array
}

interface Position {
  readonly identity: LogIdentity
  position: number
  completeUntilMs: number | undefined
}

/** What the models over it hold; tests look into it. */
export interface MemoryTables {
  readonly positions: Map<StreamName, Position>
  readonly versions: Map<string, MemoryVersion>
  /** The newest version of each object that is not deleted. */
  readonly objects: Map<string, MemoryVersion>
  readonly owned: Set<StreamName>
}

export const createMemoryTables = (): MemoryTables => ({
  positions: new Map(),
  versions: new Map(),
  objects: new Map(),
  owned: new Set(),
})

const objectKey = ({ groupResource, namespace, name }: MemoryVersion): string => `${groupResource}/${namespace}/${name}`
const versionKey = (stream: StreamName, sequence: number): string => `${stream} ${sequence}`

export function createMemoryReadModel(tables: MemoryTables): ReadModel {
  return {
    async withStream(stream, identity, work) {
      if (tables.owned.has(stream)) return 'taken'
      tables.owned.add(stream)
      try {
        await work(claim(tables, stream, identity))
      } finally {
        tables.owned.delete(stream)
      }
      return 'done'
    },
    close: () => Promise.resolve(),
  }
}

function claim(tables: MemoryTables, stream: StreamName, identity: LogIdentity): ClaimedStream {
  const known = tables.positions.get(stream)
  if (known?.identity.incarnation !== identity.incarnation || known.position > identity.lastSequence) {
    for (const table of [tables.versions, tables.objects]) {
      for (const [key, version] of table) if (version.stream === stream) table.delete(key)
    }
    tables.positions.set(stream, { identity, position: 0, completeUntilMs: undefined })
  }
  let position = tables.positions.get(stream)!.position

  const moved = (through: number, completeUntilMs: number | undefined): void => {
    const now = tables.positions.get(stream)
    if (now === undefined || now.identity.incarnation !== identity.incarnation || now.position !== position) {
      throw new PositionMoved(`another projector moved the position of ${stream} from ${position}`)
    }
    position = Math.max(position, through)
    now.position = position
    if (completeUntilMs !== undefined) now.completeUntilMs = Math.max(now.completeUntilMs ?? 0, completeUntilMs)
  }

  return {
    get position() {
      return position
    },
    async apply(records, through) {
      const last = records.at(-1)
      moved(through, last === undefined ? undefined : last.timeMs - 1)
      await write(tables, stream, records)
    },
    async completeUntil(timeMs) {
      moved(position, timeMs)
    },
    markDamage: () => Promise.resolve(),
    // It has no keys: it never knew any.
    forgetContents: () => Promise.resolve(),
    async keepOnly(sequences, through) {
      moved(through, undefined)
      const kept = new Set(sequences)
      for (const table of [tables.versions, tables.objects]) {
        for (const [key, version] of table) {
          if (version.stream === stream && version.sequence <= through && !kept.has(version.sequence)) table.delete(key)
        }
      }
    },
  }
}

async function write(tables: MemoryTables, stream: StreamName, records: readonly LogRecord[]): Promise<void> {
  const rows = await rowsOf(records, recordCodec)
  const ages = stream !== 'events'
  for (const [index, sequence] of rows.sequence.entries()) {
    const at = rows.at[index]! - 1
    const version: MemoryVersion = {
      stream,
      sequence,
      groupResource: rows.groupResource[index]!,
      namespace: rows.namespace[index]!,
      name: rows.name[index]!,
      type: rows.type[index]!,
      deleted: rows.deleted[index]!,
      payload: rows.payloads.subarray(at, at + rows.length[index]!),
    }
    const key = objectKey(version)
    if (!ages) tables.versions.set(versionKey(stream, sequence), version)
    if (version.groupResource === attemptsResource) continue
    const before = tables.objects.get(key)
    if (before !== undefined && before.sequence >= sequence) continue
    if (ages && before !== undefined) tables.versions.delete(versionKey(stream, before.sequence))
    if (version.deleted) tables.objects.delete(key)
    else {
      tables.objects.set(key, version)
      if (ages) tables.versions.set(versionKey(stream, sequence), version)
    }
  }
}
