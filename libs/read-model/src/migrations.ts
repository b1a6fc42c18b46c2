// The private tables' migrations: ordered, forward only, run under Kysely's lock. A migration that has landed is never
// changed; the next one is added below it. The views of schema v1 are no migrations: contract.ts makes them.
import { type Kysely, sql } from 'kysely'
import { type Migration, type MigrationProvider, Migrator } from 'kysely/migration'
import { type Database, privateSchema, projectorRole, readerRole, secretReaderRole } from './database.ts'

/** Statements that may not be allowed to this user, or not be known to this server: done when possible. */
const ifPossible = (statement: string): string =>
  `do $do$ begin ${statement}; exception when insufficient_privilege or feature_not_supported or duplicate_object
     or invalid_parameter_value or undefined_object then raise notice '%', sqlerrm; end $do$;`

const tables = `
create table shiplog.streams (
  stream smallint primary key check (stream between 1 and 3),
  incarnation text not null,
  position bigint not null,
  position_time timestamptz,
  updated_at timestamptz not null default now()
);
create table shiplog.versions (
  stream smallint not null,
  sequence bigint not null,
  recorded_at timestamptz not null,
  group_resource text collate "C" not null,
  "namespace" text collate "C" not null,
  name text collate "C" not null,
  uid text,
  scheduler text,
  type text not null,
  actor text not null,
  request_id text not null,
  previous bigint not null,
  cause bigint,
  basis bigint,
  decision text,
  schema integer not null,
  deleted boolean not null,
  checksum text,
  payload bytea not null,
  sha256 bytea not null generated always as (sha256(payload)) stored,
  unreadable text,
  primary key (stream, sequence)
);
create index versions_by_object on shiplog.versions (group_resource, namespace, name, sequence);
create index versions_by_time on shiplog.versions (recorded_at, sequence) where stream = 1;
create index versions_unreadable on shiplog.versions (stream, sequence) where unreadable is not null;
create table shiplog.objects (
  group_resource text collate "C" not null,
  "namespace" text collate "C" not null,
  name text collate "C" not null,
  stream smallint not null,
  sequence bigint not null,
  object jsonb,
  primary key (group_resource, namespace, name)
) with (fillfactor = 80);
create table shiplog.contract (hash text primary key, made_at timestamptz not null default now());
`

/** Functions over untrusted JSON never fail: a value of another type than promised is null. */
const functions = `
create function shiplog.problem_of(payload bytea) returns text language plpgsql immutable as $fn$
begin
  perform convert_from(payload, 'UTF8')::jsonb;
  return null;
exception when others then
  return sqlerrm;
end $fn$;
create function shiplog.to_bigint(value jsonb) returns bigint language sql immutable as $fn$
  select case when jsonb_typeof(value) = 'number'
    then case when value::numeric between -9223372036854775808 and 9223372036854775807
      then trunc(value::numeric)::bigint end end
$fn$;
create function shiplog.to_double(value jsonb) returns double precision language sql immutable as $fn$
  select case when jsonb_typeof(value) = 'number'
    then case when value::numeric = 0 or abs(value::numeric) between 1e-307 and 1e308
      then value::numeric::double precision end end
$fn$;
create function shiplog.to_boolean(value jsonb) returns boolean language sql immutable as $fn$
  select case when jsonb_typeof(value) = 'boolean' then value::boolean end
$fn$;
create function shiplog.to_time(value text) returns timestamptz language sql stable as $fn$
  select case when value ~ '^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.][0-9]+)?(Z|[+-][01][0-9]:[0-5][0-9])$'
      or value ~ '^[0-9]{4}-((01|03|05|07|08|10|12)-(29|30|31)|(04|06|09|11)-(29|30))T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.][0-9]+)?(Z|[+-][01][0-9]:[0-5][0-9])$'
      or value ~ '^[0-9]{2}([02468][048]|[13579][26])-02-29T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.][0-9]+)?(Z|[+-][01][0-9]:[0-5][0-9])$'
        and value !~ '^(0000|[0-9]{2}00)'
    then value::timestamptz end
$fn$;
`

const roles = [
  ifPossible(`create role ${projectorRole} nologin`),
  ifPossible(`create role ${readerRole} nologin`),
  ifPossible(`grant ${projectorRole}, ${readerRole} to current_user`),
  ifPossible(`alter role ${readerRole} set default_transaction_read_only = on`),
  ifPossible(`alter role ${readerRole} set statement_timeout = '60s'`),
  `do $do$ begin
     if exists (select from pg_roles where rolname = '${projectorRole}') then
       grant usage on schema shiplog to ${projectorRole};
       grant select, insert, update, delete on all tables in schema shiplog to ${projectorRole};
     end if;
   end $do$;`,
].join('\n')

/** What Secrets hold is shown to members of one role; to others a Secret is its metadata and type. */
const secrets = `
create function shiplog.reads_secrets() returns boolean language sql stable as $fn$
  select exists (select from pg_roles where rolname = '${secretReaderRole}' and pg_has_role(current_user, oid, 'member'))
$fn$;
create function shiplog.without_secret(object jsonb) returns jsonb language sql immutable as $fn$
  select (object - 'data' - 'stringData') #- '{metadata,annotations,kubectl.kubernetes.io/last-applied-configuration}'
$fn$;
`

const secretRoles = [
  ifPossible(`create role ${secretReaderRole} nologin`),
  ifPossible(`grant ${readerRole} to ${secretReaderRole}`),
  ifPossible(`grant ${secretReaderRole} to current_user`),
  ifPossible(`alter role ${secretReaderRole} set default_transaction_read_only = on`),
  ifPossible(`alter role ${secretReaderRole} set statement_timeout = '60s'`),
].join('\n')

const migrations: Readonly<Record<string, Migration>> = {
  '0001-tables': {
    async up(db: Kysely<unknown>): Promise<void> {
      await sql.raw(tables).execute(db)
      await sql.raw(functions).execute(db)
      // Compression by lz4 is three times as fast as the default; a server may have been built without it.
      for (const column of ['versions alter column payload', 'objects alter column object']) {
        await sql.raw(ifPossible(`alter table shiplog.${column} set compression lz4`)).execute(db)
      }
      await sql.raw(roles).execute(db)
    },
  },
  '0002-completeness-upgrades-secrets': {
    async up(db: Kysely<unknown>): Promise<void> {
      await sql
        .raw(`alter table shiplog.streams add complete_until timestamptz, add reading text not null default '';
          alter table shiplog.versions add upgraded bytea;`)
        .execute(db)
      await sql.raw(secrets).execute(db)
      await sql.raw(secretRoles).execute(db)
    },
  },
}

const provider: MigrationProvider = { getMigrations: () => Promise.resolve({ ...migrations }) }

/** Brings the private tables to the present version. Safe to call from several processes at once. */
export async function migrate(db: Kysely<Database>): Promise<void> {
  // Two that find it missing at the same moment both create it, "if not exists" or not, and one of them fails.
  await sql
    .raw(`do $$ begin create schema if not exists ${privateSchema};
      exception when unique_violation or duplicate_schema then null; end $$`)
    .execute(db)
  const migrator = new Migrator({ db, provider, migrationTableSchema: privateSchema })
  const { error } = await migrator.migrateToLatest()
  if (error !== undefined) throw error
}
