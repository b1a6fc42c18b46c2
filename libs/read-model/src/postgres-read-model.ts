// The read model in Postgres. One connection a claimed stream: it holds the advisory lock, and every batch is one
// transaction that first moves the stream's position (which fences whoever else believes to own it) and then writes
// the rows. The commit does not wait for the disk: what a crash of the server takes, it takes with its position.
import { builtInRegistry } from '@shiplog/api/schema/registry'
import type { Damage } from '@shiplog/events/integrity/log-inspection'
import { type RecordCodec, recordCodec } from '@shiplog/feed/record-codec'
import { type StreamName, streamNames } from '@shiplog/feed/stream-of'
import { type Kysely, sql, type Transaction } from 'kysely'
import { contractHash, contractOf, contractSql } from './contract.ts'
import { definitionsResource, dropAllCustomViews, existingViews, syncCustomViews } from './custom-views.ts'
import { createDatabase, type Database, projectorRole } from './database.ts'
import { migrate } from './migrations.ts'
import {
  type ClaimedStream,
  type LogIdentity,
  PositionMoved,
  type GoneContent,
  type ReadModel,
} from './read-model.ts'
import { attemptsResource, damagedText, type Place, placeOfSubject, type RowColumns, rowsOf } from './rows.ts'
import type pg from 'pg'

/** First key of the advisory locks, so that they clash with nobody else's; the second is the stream. */
const lockSpace = 0x5091_0601
/** The type of a row that stands for a record which cannot be read. */
const damagedType = 'RecordDamaged'

/** Makes or brings up to date tables, views, comments and roles. */
export async function prepare(pool: pg.Pool): Promise<void> {
  const db = createDatabase(pool)
  await migrate(db)
  const contract = contractOf(builtInRegistry())
  const hash = contractHash(contractSql(contract))
  await db.transaction().execute(async (tx) => {
    await sql`select pg_advisory_xact_lock(${lockSpace}, 0)`.execute(tx)
    const known = await tx.selectFrom('shiplog.contract').select('hash').where('hash', '=', hash).executeTakeFirst()
    if (known) return
    await sql.raw(contractSql(contract, await existingViews(tx))).execute(tx)
    await tx.deleteFrom('shiplog.contract').execute()
    await tx.insertInto('shiplog.contract').values({ hash }).execute()
  })
}

/** Lets roles log in by themselves, with these passwords; for a server that is ours alone. */
export async function allowLogin(pool: pg.Pool, passwords: Readonly<Record<string, string>>): Promise<void> {
  const db = createDatabase(pool)
  for (const [role, password] of Object.entries(passwords)) {
    await sql`alter role ${sql.ref(role)} login password ${sql.lit(password)}`.execute(db)
  }
}

/**
 * Takes from everybody but the projector what a reader could hinder it with: its advisory locks, and temporary tables. For
 * a server that is ours alone; needs a superuser.
 */
export async function denyHindrance(pool: pg.Pool): Promise<void> {
  await sql`
    do $$
    declare routine regprocedure;
    begin
      for routine in
        select oid::regprocedure from pg_proc where pronamespace = 'pg_catalog'::regnamespace and proname like '%advisory%'
      loop
        execute format('revoke execute on function %s from public', routine);
        execute format('grant execute on function %s to ${sql.raw(projectorRole)}', routine);
      end loop;
      execute format('revoke temporary on database %I from public', current_database());
    end $$`.execute(createDatabase(pool))
}

/** The model over a pool; `prepare` must have run once. */
export function createPostgresReadModel(pool: pg.Pool, codec: RecordCodec = recordCodec): ReadModel {
  const db = createDatabase(pool)
  return {
    withStream: (stream, identity, work) =>
      db.connection().execute(async (connection) => {
        const number = streamNames.indexOf(stream) + 1
        await settings(connection)
        const lock = await sql<{
          locked: boolean
        }>`select pg_try_advisory_lock(${lockSpace}, ${number}) as locked`.execute(connection)
        if (!lock.rows[0]!.locked) return 'taken'
        try {
          await work(await claim(connection, stream, number, identity, codec))
        } finally {
          // A broken connection has no lock to give back.
          await sql`select pg_advisory_unlock(${lockSpace}, ${number}), set_config('role', 'none', false)`
            .execute(connection)
            .catch(() => undefined)
        }
        return 'done'
      }),
    close: () => db.destroy(),
  }
}

/** What the session runs with. A user who is no member of the role writes under its own name. */
async function settings(connection: Kysely<Database>): Promise<void> {
  await sql`select set_config('synchronous_commit', 'off', false), set_config('work_mem', '64MB', false),
    set_config('role', case when exists (select from pg_roles where rolname = ${projectorRole})
      and pg_has_role(${projectorRole}, 'member') then ${projectorRole} else 'none' end, false)`.execute(connection)
}

async function claim(
  connection: Kysely<Database>,
  stream: StreamName,
  number: number,
  identity: LogIdentity,
  codec: RecordCodec,
): Promise<ClaimedStream> {
  let position = await connection.transaction().execute(async (tx) => {
    const known = await tx
      .selectFrom('shiplog.streams')
      .select(['incarnation', 'position', 'reading'])
      .where('stream', '=', number)
      .forUpdate()
      .executeTakeFirst()
    const same = known?.incarnation === identity.incarnation && known.reading === codec.reading
    if (same && Number(known.position) <= identity.lastSequence) return Number(known.position)
    // Another log, or one that was cut, or rows that were read by other schema versions: they are no longer true.
    await tx.deleteFrom('shiplog.versions').where('stream', '=', number).execute()
    await tx.deleteFrom('shiplog.objects').where('stream', '=', number).execute()
    await tx.deleteFrom('shiplog.streams').where('stream', '=', number).execute()
    if (stream === 'events') await dropAllCustomViews(tx)
    await tx
      .insertInto('shiplog.streams')
      .values({
        stream: number,
        incarnation: identity.incarnation,
        position: '0',
        position_time: null,
        complete_until: null,
        reading: codec.reading,
      })
      .execute()
    return 0
  })

  /** One transaction at a time on the one connection. */
  let last: Promise<unknown> = Promise.resolve()
  const inTransaction = (
    change: { readonly through: number; readonly timeMs?: number | undefined; readonly completeUntilMs?: number },
    write: (tx: Transaction<Database>) => Promise<void>,
  ): Promise<void> => {
    const move = async (): Promise<void> => {
      const next = Math.max(position, change.through)
      const { timeMs } = change
      // More records may come with the time of the last one.
      const completeUntilMs = change.completeUntilMs ?? (timeMs === undefined ? undefined : timeMs - 1)
      await connection.transaction().execute(async (tx) => {
        const moved = await tx
          .updateTable('shiplog.streams')
          .set({
            position: String(next),
            updated_at: sql<Date>`now()`,
            ...(timeMs === undefined ? {} : { position_time: sql<Date>`to_timestamp(${timeMs} / 1000.0)` }),
            ...(completeUntilMs === undefined
              ? {}
              : { complete_until: sql<Date>`greatest(complete_until, to_timestamp(${completeUntilMs} / 1000.0))` }),
          })
          .where('stream', '=', number)
          .where('incarnation', '=', identity.incarnation)
          .where('position', '=', String(position))
          .executeTakeFirst()
        if (Number(moved.numUpdatedRows) !== 1) {
          throw new PositionMoved(`another projector moved the position of ${stream} from ${position}`)
        }
        await write(tx)
      })
      position = next
    }
    const moving = last.then(move, move)
    last = moving
    return moving
  }

  const write = async (tx: Transaction<Database>, rows: RowColumns, careful: boolean): Promise<void> => {
    await writeRows(tx, number, rows, careful)
    await syncCustomViews(tx, rows.name.filter((_, at) => rows.groupResource[at] === definitionsResource))
  }

  return {
    get position() {
      return position
    },
    async apply(records, through) {
      const change = { through, timeMs: records.at(-1)?.timeMs }
      const rows = await rowsOf(records, codec)
      const careful = rows.problem.some((problem) => problem !== null)
      try {
        await inTransaction(change, (tx) => write(tx, rows, careful))
      } catch (error) {
        if (!isDataProblem(error)) throw error
        // Something in here is no jsonb: the same batch again, each payload tried by itself.
        await inTransaction(change, (tx) => write(tx, rows, true))
      }
    },
    completeUntil: (timeMs) => inTransaction({ through: position, completeUntilMs: timeMs }, () => Promise.resolve()),
    markDamage: (damages) => inTransaction({ through: position }, (tx) => writeDamage(tx, number, damages)),
    forgetContents: (gone) => inTransaction({ through: position }, (tx) => forgetContents(tx, number, gone)),
    keepOnly: (sequences, through) =>
      inTransaction({ through }, async (tx) => {
        for (const table of ['shiplog.objects', 'shiplog.versions'] as const) {
          await tx
            .deleteFrom(table)
            .where('stream', '=', number)
            .where('sequence', '<=', String(through))
            .where(sql<boolean>`sequence <> all(${[...sequences]}::bigint[])`)
            .execute()
        }
      }),
  }
}

/** SQLSTATE classes of values that cannot be: 22 (data exception) and 54 (beyond a limit of the program). */
const isDataProblem = (error: unknown): boolean => {
  const code = (error as { code?: unknown } | undefined)?.code
  return typeof code === 'string' && (code.startsWith('22') || code.startsWith('54'))
}

/** All rows of a batch in one statement. With `careful`, what jsonb refuses is kept as bytes, and why. */
async function writeRows(tx: Transaction<Database>, stream: number, rows: RowColumns, careful: boolean): Promise<void> {
  if (rows.sequence.length === 0) return
  const problem = careful
    ? sql`coalesce(i.problem, case when i.length > 0 then shiplog.problem_of(coalesce(i.upgraded, i.payload)) end)`
    : sql`null::text`
  const ages = stream !== 1
  await sql`
with cut as materialized (
  select i.sequence, to_timestamp(i.time_ms / 1000.0) as recorded_at, i.group_resource, i.namespace, i.name, i.scheduler,
    i.type, i.actor, i.request_id, i.previous, i.cause, i.basis, i.decision, i.schema, i.deleted, i.checksum, i.length,
    i.problem, i.upgraded, substring(${rows.payloads}::bytea from i.at for i.length) as payload
  from unnest(${rows.sequence}::bigint[], ${rows.timeMs}::bigint[], ${rows.groupResource}::text[], ${rows.namespace}::text[],
    ${rows.name}::text[], ${rows.scheduler}::text[], ${rows.type}::text[], ${rows.actor}::text[], ${rows.requestId}::text[],
    ${rows.previous}::bigint[], ${rows.cause}::bigint[], ${rows.basis}::bigint[], ${rows.decision}::text[],
    ${rows.schema}::integer[], ${rows.deleted}::boolean[], ${rows.checksum}::text[], ${rows.at}::integer[],
    ${rows.length}::integer[], ${rows.upgraded}::bytea[], ${rows.problem}::text[])
    as i(sequence, time_ms, group_resource, namespace, name, scheduler, type, actor, request_id, previous, cause, basis,
      decision, schema, deleted, checksum, at, length, upgraded, problem)
), judged as materialized (
  select i.*, ${problem} as unreadable from cut i
), parsed as materialized (
  select j.*, case when j.length > 0 and j.unreadable is null 
    then convert_from(coalesce(j.upgraded, j.payload), 'UTF8')::jsonb end as object
  from judged j
), latest as materialized (
  select distinct on (group_resource, namespace, name) group_resource, namespace, name, sequence, deleted, object
  from parsed where group_resource <> ${attemptsResource}
  order by group_resource, namespace, name, sequence desc
), versioned as (
  insert into shiplog.versions (stream, sequence, recorded_at, group_resource, namespace, name, uid, scheduler, type, actor,
    request_id, previous, cause, basis, decision, schema, deleted, checksum, payload, upgraded, unreadable)
  select ${stream}::smallint, p.sequence, p.recorded_at, p.group_resource, p.namespace, p.name,
    p.object->'metadata'->>'uid', p.scheduler, p.type, p.actor, p.request_id, p.previous, p.cause, p.basis, p.decision,
    p.schema, p.deleted, p.checksum, p.payload, p.upgraded, p.unreadable
  from parsed p ${ages ? sql`join latest l on l.sequence = p.sequence and not l.deleted` : sql``}
  order by p.sequence
  ${ages ? sql`on conflict (stream, sequence) do nothing` : sql``}
), superseded as (
  delete from shiplog.versions v using latest l
  where ${ages}::boolean and v.stream = ${stream}::smallint and v.group_resource = l.group_resource
    and v.namespace = l.namespace and v.name = l.name and v.sequence < l.sequence
), gone as (
  delete from shiplog.objects o using latest l
  where l.deleted and o.group_resource = l.group_resource and o.namespace = l.namespace and o.name = l.name
    and o.sequence < l.sequence
)
insert into shiplog.objects as o (group_resource, namespace, name, stream, sequence, object)
select group_resource, namespace, name, ${stream}::smallint, sequence, object from latest where not deleted
on conflict (group_resource, namespace, name) do update
  set stream = excluded.stream, sequence = excluded.sequence, object = excluded.object
  where o.sequence < excluded.sequence`.execute(tx)
}

/** One row a damage, with the time of what was stored before it. What the log told of while it still could stays. */
async function writeDamage(tx: Transaction<Database>, stream: number, damages: readonly Damage[]): Promise<void> {
  if (damages.length === 0) return
  const places = damages.map(({ subject }) => parsePlace(subject))
  await sql`
insert into shiplog.versions (stream, sequence, recorded_at, group_resource, namespace, name, type, actor, request_id,
  previous, schema, deleted, payload, unreadable)
select ${stream}::smallint, i.sequence, coalesce((select v.recorded_at from shiplog.versions v
    where v.stream = ${stream}::smallint and v.sequence < i.sequence order by v.sequence desc limit 1), to_timestamp(0)),
  i.group_resource, i.namespace, i.name, ${damagedType}, '', '', 0, 1, false, '', i.problem
from unnest(${damages.map(({ sequence }) => sequence)}::bigint[], ${places.map(({ groupResource }) => groupResource)}::text[],
  ${places.map(({ namespace }) => namespace)}::text[], ${places.map(({ name }) => name)}::text[],
  ${damages.map(({ problem }) => damagedText(problem))}::text[]) as i(sequence, group_resource, namespace, name, problem)
on conflict (stream, sequence) do nothing`.execute(tx)
}

/** What is known of objects beside what they held goes with their keys; that they were there stays. */
async function forgetContents(db: Transaction<Database>, stream: number, gone: readonly GoneContent[]): Promise<void> {
  const places = gone.map(({ subject }) => parsePlace(subject))
  await sql`
update shiplog.versions v set upgraded = null, unreadable = i.problem
from unnest(${places.map(({ groupResource }) => groupResource)}::text[], ${places.map(({ namespace }) => namespace)}::text[],
  ${places.map(({ name }) => name)}::text[], ${gone.map(({ uid }) => uid)}::text[],
  ${gone.map(({ problem }) => problem)}::text[]) as i(group_resource, namespace, name, uid, problem)
where v.stream = ${stream}::smallint and v.group_resource = i.group_resource and v.namespace = i.namespace and v.name = i.name
  and v.uid = i.uid and v.upgraded is not null`.execute(db)
}

/** Of nobody knows whom: a row without a name. */
const noPlace: Place = { groupResource: '', namespace: '', name: '' }

const parsePlace = (subject: string | undefined): Place =>
  (subject === undefined ? undefined : placeOfSubject(subject)) ?? noPlace

/** How far each stream is, for those who wait. */
export async function positionsOf(pool: pg.Pool): Promise<ReadonlyMap<StreamName, number>> {
  const { rows } = await pool.query<{ stream: StreamName; position: string }>(
    'select stream, position from v1.projection',
  )
  return new Map(rows.map(({ stream, position }) => [stream, Number(position)]))
}
