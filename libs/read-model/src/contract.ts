// The public contract: schema v1. For every built-in kind a view of the present, a view of its history and functions of
// its past; besides them what is of no kind. All of it is generated from the description of the kinds, with comments.
// Statements are `create or replace`: Postgres itself refuses a change that would break those who read.
import { hash } from 'node:crypto'
import { groupResourceOf, type ResourceInfo, type SchemaRegistry } from '@shiplog/api/schema/schema'
import { keepsOnlyLast } from '@shiplog/feed/stream-of'
import { kindColumns, metadataColumns, type ViewColumn } from './columns.ts'
import { projectorRole, readerRole } from './database.ts'
import { attemptsResource } from './rows.ts'

const identifier = (name: string): string => `"${name}"`
const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`

/** The object as clients see it; null when SQL cannot hold it. */
const withVersion = (object: string, sequence: string): string =>
  `jsonb_set(${object}, '{metadata,resourceVersion}', to_jsonb(${sequence}::text))`

interface Column {
  readonly name: string
  readonly type: string
  readonly expression: string
  readonly comment: string
}

/** A view as the contract knows it: what the reference prints, too. */
export interface ContractView {
  readonly name: string
  readonly comment: string
  readonly columns: readonly Column[]
  /** Everything behind the columns: `from …`. */
  readonly source: string
}

export interface ContractFunction {
  readonly name: string
  readonly arguments: string
  readonly returns: string
  readonly comment: string
  /** `%columns%` stands for the columns of `view`, in their order. */
  readonly definition: string
  readonly view?: string
}

/** The columns of the views that a database has already, in order, with their types. */
export type ExistingViews = ReadonlyMap<string, readonly { readonly name: string; readonly type: string }[]>

export interface Contract {
  readonly views: readonly ContractView[]
  readonly functions: readonly ContractFunction[]
}

const nameColumn: Column = { name: 'name', type: 'text', expression: 'o.name', comment: '.metadata.name' }
const namespaceColumn: Column = {
  name: 'namespace',
  type: 'text',
  expression: 'o.namespace',
  comment: '.metadata.namespace',
}

/** True for a row whose contents the asking role may not see. */
const hidden = (row: string): string => `${row}.group_resource = 'secrets' and not (select shiplog.reads_secrets())`

/** An object as the asking role may see it; `row` is the row that says what it is. */
const shown = (object: string, row: string): string =>
  `case when ${hidden(row)} then shiplog.without_secret(${object}) else ${object} end`

const endColumns = (object: string): readonly Column[] => [
  {
    name: 'object',
    type: 'jsonb',
    expression: withVersion(object, 'o.sequence'),
    comment: 'The whole object. jsonb orders keys its own way: the bytes themselves are in payload.',
  },
  {
    name: 'payload',
    type: 'bytea',
    expression: `case when ${hidden('v')} then null else v.payload end`,
    comment:
      "The bytes as the log holds them: the object's JSON without its resourceVersion; v1.served(payload, sequence) is what the API serves. Null for Secrets, unless the role may read them.",
  },
  {
    name: 'sha256',
    type: 'bytea',
    expression: `case when ${hidden('v')} then null else v.sha256 end`,
    comment: 'SHA-256 of payload, computed by Postgres; null where payload is.',
  },
  {
    name: 'unreadable',
    type: 'text',
    expression: 'v.unreadable',
    comment:
      'Why jsonb cannot hold this object, or that its record is damaged, else null; then all columns from the object are null.',
  },
]

const historyColumns: readonly Column[] = [
  { name: 'event_type', type: 'text', expression: 'v.type', comment: 'What happened, in the past tense: PodBound.' },
  {
    name: 'deleted',
    type: 'boolean',
    expression: 'v.deleted',
    comment: 'True for the event that ended the object; it carries the last object.',
  },
  { name: 'actor', type: 'text', expression: 'v.actor', comment: 'Who did it: the user name.' },
  { name: 'request_id', type: 'text', expression: 'v.request_id', comment: 'The request that did it.' },
  {
    name: 'cause',
    type: 'bigint',
    expression: 'v.cause',
    comment: 'Sequence of the event that made a controller do it.',
  },
  {
    name: 'basis',
    type: 'bigint',
    expression: 'v.basis',
    comment: 'Sequence up to which the decider had seen the log.',
  },
  {
    name: 'decision',
    type: 'text',
    expression: 'v.decision',
    comment: 'The decision itself, JSON, where there was one.',
  },
  {
    name: 'previous_sequence',
    type: 'bigint',
    expression: 'v.previous',
    comment: "Sequence of the object's event before; 0 for the first.",
  },
  { name: 'valid_from', type: 'timestamptz', expression: 'v.recorded_at', comment: 'When the log stored it.' },
  {
    name: 'valid_to',
    type: 'timestamptz',
    expression: 'case when v.deleted then v.recorded_at else next.recorded_at end',
    comment: 'When it ceased to hold; null while it does.',
  },
  {
    name: 'valid_to_sequence',
    type: 'bigint',
    expression: 'case when v.deleted then v.sequence else next.sequence end',
    comment: 'The event that ended it; null while it holds.',
  },
  {
    name: 'valid',
    type: 'tstzrange',
    expression: `case when v.deleted then 'empty'::tstzrange else tstzrange(v.recorded_at, greatest(next.recorded_at, v.recorded_at)) end`,
    comment: 'From valid_from (included) to valid_to (excluded); empty for a deletion.',
  },
]

/** The event after, of the same object; and the object, parsed once a row. */
const nextVersion = `left join lateral (
  select n.sequence, n.recorded_at from shiplog.versions n
  where n.group_resource = v.group_resource and n.namespace = v.namespace and n.name = v.name and n.sequence > v.sequence
  order by n.sequence limit 1) next on true`

const parsedVersion = `left join lateral (
  select v.sequence, v.namespace, v.name, ${shown('read.object', 'v')} as object from (
    select case when v.unreadable is null and length(v.payload) > 0
      then convert_from(coalesce(v.upgraded, v.payload), 'UTF8')::jsonb end as object) read
  offset 0) o on true`

/** The present objects, as the asking role may see them. */
const presentObjects = `(select p.group_resource, p.namespace, p.name, p.stream, p.sequence,
  ${shown('p.object', 'p')} as object from shiplog.objects p) o`

const columnOf = (column: ViewColumn): Column => ({ ...column, expression: column.expression })

interface KindViews {
  readonly present: ContractView
  readonly history?: ContractView
  readonly functions: readonly ContractFunction[]
}

function kindViews(registry: SchemaRegistry, resource: ResourceInfo, view: string): KindViews {
  const groupResource = groupResourceOf(resource.group, resource.resource)
  const ages = keepsOnlyLast(groupResource)
  const title = `${resource.kind} (${groupResource})`
  const head: readonly Column[] = [
    ...(resource.namespaced ? [namespaceColumn] : []),
    nameColumn,
    {
      name: 'sequence',
      type: 'bigint',
      expression: 'o.sequence',
      comment: 'Position in the log of its last event: the resourceVersion.',
    },
    {
      name: 'changed_at',
      type: 'timestamptz',
      expression: 'v.recorded_at',
      comment: 'When its last event was stored.',
    },
  ]
  const body = [...metadataColumns, ...kindColumns(registry, resource)].map(columnOf)
  const columns = [...head, ...body, ...endColumns('o.object')]
  const present: ContractView = {
    name: view,
    comment: `Every ${title} that exists now.`,
    columns,
    source: `from ${groupResource === 'secrets' ? presentObjects : 'shiplog.objects o'} left join shiplog.versions v on v.stream = o.stream and v.sequence = o.sequence
where o.group_resource = ${literal(groupResource)}`,
  }
  if (ages) return { present, functions: [] }
  const history: ContractView = {
    name: `${view}_history`,
    comment: `Every version of every ${title} that the log told of, with when it held, who made it and why.`,
    columns: [...columns, ...historyColumns],
    source: `from shiplog.versions v
${nextVersion}
${parsedVersion}
where v.stream = 1 and v.group_resource = ${literal(groupResource)}`,
  }
  const asOf = (argument: string, sequence: string): ContractFunction => ({
    name: `${view}_as_of`,
    arguments: argument,
    returns: `setof v1.${identifier(view)}`,
    comment: `The ${resource.kind} objects as they were at that ${argument.endsWith('bigint') ? 'sequence' : 'time'}; fails when the projection is not that far.`,
    view,
    definition: `select %columns% from v1.${identifier(history.name)} h
where h.sequence <= ${sequence} and not h.deleted and (h.valid_to_sequence is null or h.valid_to_sequence > ${sequence})`,
  })
  return {
    present,
    history,
    functions: [
      asOf('at_sequence bigint', '(select v1.reached(at_sequence))'),
      asOf('at_time timestamptz', '(select v1.sequence_at(at_time))'),
    ],
  }
}

const address: readonly Column[] = [
  {
    name: 'group_resource',
    type: 'text',
    expression: 'v.group_resource',
    comment: 'Resource and group: pods, deployments.apps.',
  },
  { name: 'namespace', type: 'text', expression: 'v.namespace', comment: "'' for what belongs to the cluster." },
  { name: 'name', type: 'text', expression: 'v.name', comment: '.metadata.name' },
  { name: 'sequence', type: 'bigint', expression: 'v.sequence', comment: 'Position in its stream.' },
]

function generalViews(): ContractView[] {
  const uid: Column = { name: 'uid', type: 'text', expression: 'v.uid', comment: '.metadata.uid' }
  const bytes = endColumns('o.object')
  return [
    {
      name: 'objects',
      comment: 'Every object of every kind that exists now, custom resources too.',
      columns: [
        ...address,
        {
          name: 'changed_at',
          type: 'timestamptz',
          expression: 'v.recorded_at',
          comment: 'When its last event was stored.',
        },
        uid,
        ...bytes,
      ],
      source: `from ${presentObjects} join shiplog.versions v on v.stream = o.stream and v.sequence = o.sequence`,
    },
    {
      name: 'history',
      comment: 'Every version of every durable object of every kind: the log itself, in SQL.',
      columns: [...address, uid, ...bytes, ...historyColumns],
      source: `from shiplog.versions v
${nextVersion}
${parsedVersion}
where v.stream = 1 and v.group_resource <> ${literal(attemptsResource)}`,
    },
    {
      name: 'scheduling_attempts',
      comment: 'Attempts to schedule a pod that failed, as the scheduler recorded them.',
      columns: [
        { name: 'sequence', type: 'bigint', expression: 'v.sequence', comment: 'Position in the log.' },
        { name: 'recorded_at', type: 'timestamptz', expression: 'v.recorded_at', comment: 'When the log stored it.' },
        { name: 'scheduler', type: 'text', expression: 'v.scheduler', comment: "The scheduler's name." },
        { name: 'namespace', type: 'text', expression: 'v.namespace', comment: "The pod's namespace." },
        { name: 'pod', type: 'text', expression: 'v.name', comment: "The pod's name." },
        {
          name: 'basis',
          type: 'bigint',
          expression: 'v.basis',
          comment: 'Sequence up to which the scheduler had seen the log.',
        },
        {
          name: 'record',
          type: 'jsonb',
          expression: `case when v.unreadable is null and length(v.payload) > 0 then convert_from(v.payload, 'UTF8')::jsonb end`,
          comment: 'The attempt: configuration, seed, what each node lacked.',
        },
        {
          name: 'unreadable',
          type: 'text',
          expression: 'v.unreadable',
          comment: 'Why jsonb cannot hold the record, else null.',
        },
      ],
      source: `from shiplog.versions v where v.group_resource = ${literal(attemptsResource)}`,
    },
    {
      name: 'parked',
      comment:
        'Events that jsonb cannot hold (\\u0000, numbers beyond numeric, no JSON at all), with their bytes, and records that are damaged; the rest went on.',
      columns: [
        {
          name: 'stream',
          type: 'text',
          expression: `(array['events', 'leases', 'objectEvents'])[v.stream]`,
          comment: 'The stream of the log.',
        },
        ...address,
        { name: 'recorded_at', type: 'timestamptz', expression: 'v.recorded_at', comment: 'When the log stored it.' },
        { name: 'reason', type: 'text', expression: 'v.unreadable', comment: 'What Postgres said.' },
        {
          name: 'payload',
          type: 'bytea',
          expression: `case when ${hidden('v')} then null else v.payload end`,
          comment: 'The bytes as the log holds them; null for Secrets, unless the role may read them.',
        },
        {
          name: 'sha256',
          type: 'bytea',
          expression: `case when ${hidden('v')} then null else v.sha256 end`,
          comment: 'SHA-256 of payload.',
        },
      ],
      source: 'from shiplog.versions v where v.unreadable is not null',
    },
    {
      name: 'projection',
      comment: 'How far the projection is, a row a stream of the log.',
      columns: [
        {
          name: 'stream',
          type: 'text',
          expression: `(array['events', 'leases', 'objectEvents'])[s.stream]`,
          comment: 'The stream of the log.',
        },
        {
          name: 'position',
          type: 'bigint',
          expression: 's.position',
          comment: 'Everything up to this sequence is in these views.',
        },
        {
          name: 'position_time',
          type: 'timestamptz',
          expression: 's.position_time',
          comment: 'When the log stored that record.',
        },
        {
          name: 'updated_at',
          type: 'timestamptz',
          expression: 's.updated_at',
          comment: 'When the projector last wrote.',
        },
        { name: 'incarnation', type: 'text', expression: 's.incarnation', comment: 'Which log it is.' },
        {
          name: 'complete_until',
          type: 'timestamptz',
          expression: 's.complete_until',
          comment: 'Everything that the log stored up to this time is in these views; as_of(time) reaches up to it.',
        },
      ],
      source: 'from shiplog.streams s',
    },
  ]
}

/** Functions that views use: made before them. */
const baseFunctions: readonly ContractFunction[] = [
  {
    name: 'quantity',
    arguments: 'value text',
    returns: 'numeric',
    comment: "A Kubernetes quantity as a number: '250m' is 0.25, '1Gi' is 1073741824; null for what is none.",
    definition: `select case when value ~ '^[+-]?([0-9]{1,30}([.][0-9]{0,30})?|[.][0-9]{1,30})([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]{1,2})?$' then
  case when value ~ '[eE][+-]?[0-9]+$' then value::numeric
  else substring(value from '^[+-]?[0-9.]+')::numeric * case substring(value from '[A-Za-z]+$')
    when 'Ki' then 1024::numeric when 'Mi' then 1048576 when 'Gi' then 1073741824 when 'Ti' then 1099511627776
    when 'Pi' then 1125899906842624 when 'Ei' then 1152921504606846976
    when 'n' then 0.000000001 when 'u' then 0.000001 when 'm' then 0.001 when 'k' then 1000 when 'M' then 1000000
    when 'G' then 1000000000 when 'T' then 1000000000000 when 'P' then 1000000000000000
    when 'E' then 1000000000000000000 else 1 end end end`,
  },
  {
    name: 'served',
    arguments: 'payload bytea, sequence bigint',
    returns: 'bytea',
    comment: 'The bytes that the API serves for a stored payload: with the resourceVersion put in.',
    definition: `select overlay(payload placing convert_to('"resourceVersion":"' || sequence || '",', 'UTF8')
  from position(convert_to('"metadata":{', 'UTF8') in payload) + 12 for 0)`,
  },
]

/** Damage that is known to be of an object stands in its history; of the rest one is warned. */
const warnOfDamage = (sequence: string): string => `select string_agg(p.sequence::text, ', ' order by p.sequence) into damaged
    from v1.parked p where p.stream = 'events' and p.group_resource = '' and p.sequence <= ${sequence};
  if damaged is not null then
    raise warning 'the log is damaged at sequence %, and nothing tells of which object: what was then may not be whole', damaged;
  end if;`

/** These are plpgsql, because they have to be able to refuse: contractSql writes them as they stand. */
const refusingFunctions: readonly ContractFunction[] = [
  {
    name: 'reached',
    arguments: 'at_sequence bigint',
    returns: 'bigint',
    comment: 'Gives the sequence back; fails when the projection is not that far.',
    definition: `declare damaged text;
  position_now bigint := coalesce((select p.position from v1.projection p where p.stream = 'events'), 0);
begin
  if at_sequence > position_now then
    raise exception 'the projection is at sequence %, not yet at %', position_now, at_sequence;
  end if;
  ${warnOfDamage('at_sequence')}
  return at_sequence;
end`,
  },
  {
    name: 'sequence_at',
    arguments: 'at_time timestamptz',
    returns: 'bigint',
    comment:
      'The last sequence of the log at a time, 0 before the first; fails when the projection may not have everything up to then.',
    definition: `declare damaged text;
  found bigint;
  until timestamptz := (select p.complete_until from v1.projection p where p.stream = 'events');
begin
  if until is null or at_time > until then
    raise exception 'the projection is complete up to %, not yet up to %', coalesce(until::text, 'no time at all'), at_time
      using hint = 'it follows within seconds; the views without as_of show the newest that is there';
  end if;
  found := coalesce((select h.sequence from v1.history h where h.valid_from <= at_time
    order by h.valid_from desc, h.sequence desc limit 1), 0);
  ${warnOfDamage('found')}
  return found;
end`,
  },
]

const generalAsOf = (argument: string, sequence: string): ContractFunction => ({
  name: 'as_of',
  arguments: argument,
  returns: 'setof v1.history',
  comment: `Every durable object of every kind as it was at that ${argument.endsWith('bigint') ? 'sequence' : 'time'}: the rows of v1.history that held then.`,
  definition: `select h.* from v1.history h
where h.sequence <= ${sequence} and not h.deleted and (h.valid_to_sequence is null or h.valid_to_sequence > ${sequence})`,
})

/** All of v1, for these kinds. */
export function contractOf(registry: SchemaRegistry): Contract {
  const views = generalViews()
  const functions: ContractFunction[] = [
    ...refusingFunctions,
    generalAsOf('at_sequence bigint', '(select v1.reached(at_sequence))'),
    generalAsOf('at_time timestamptz', '(select v1.sequence_at(at_time))'),
  ]
  const names = new Set(views.map((view) => view.name))
  for (const resource of registry.resources) {
    const stored =
      resource.stored && resource.version === resource.storageVersion && resource.group === resource.storageGroup
    if (!stored) continue
    const name = names.has(resource.resource)
      ? `${resource.resource}_${resource.group.replaceAll(/[^a-z0-9]/g, '_')}`
      : resource.resource
    names.add(name)
    const kind = kindViews(registry, resource, name)
    views.push(kind.present, ...(kind.history ? [kind.history] : []))
    functions.push(...kind.functions)
  }
  return { views, functions }
}

const viewSql = (view: ContractView): string => {
  const columns = view.columns.map((column) => `  ${bound(column)} as ${identifier(column.name)}`)
  const comments = view.columns.map(
    (column) =>
      `comment on column v1.${identifier(view.name)}.${identifier(column.name)} is ${literal(column.comment)};`,
  )
  return `create or replace view v1.${identifier(view.name)} as select\n${columns.join(',\n')}\n${view.source};
comment on view v1.${identifier(view.name)} is ${literal(view.comment)};
${comments.join('\n')}`
}

/** Expressions of kinds speak of `object`; in a view it is a column of `o`. */
const bound = (column: Column): string =>
  /^[ov]\.\w+$/.test(column.expression) || column.expression.includes('o.object')
    ? column.expression
    : column.expression.replaceAll(/(?<![\w.'"$])object\b(?!')/g, 'o.object')

/**
 * A view as it must be made where an older one stands: PostgreSQL lets columns be added at the end alone, so those that are
 * there keep their places, and one that the kind has no longer stays, empty.
 */
const arranged = (view: ContractView, existing: ExistingViews): ContractView => {
  const before = existing.get(view.name)
  if (before === undefined) return view
  const byName = new Map(view.columns.map((column) => [column.name, column]))
  const known = new Set(before.map(({ name }) => name))
  const kept = before.map(
    ({ name, type }): Column =>
      byName.get(name) ?? {
        name,
        type,
        expression: `null::${type}`,
        comment: 'Always null: the kind has it no longer.',
      },
  )
  return { ...view, columns: [...kept, ...view.columns.filter(({ name }) => !known.has(name))] }
}

const functionSql = (made: ContractFunction): string =>
  `create or replace function v1.${identifier(made.name)}(${made.arguments}) returns ${made.returns} language ${
    refusingFunctions.includes(made) ? 'plpgsql' : 'sql'
  } ${made.name === 'quantity' || made.name === 'served' ? 'immutable' : 'stable'} as $fn$ ${made.definition} $fn$;
comment on function v1.${identifier(made.name)}(${made.arguments}) is ${literal(made.comment)};`

/** Functions with the columns of the views that they give rows of. */
function functionsOver(functions: readonly ContractFunction[], views: readonly ContractView[]): ContractFunction[] {
  const columnsOf = new Map(
    views.map((view) => [view.name, view.columns.map(({ name }) => `h.${identifier(name)}`).join(', ')]),
  )
  return functions.map((made) =>
    made.view === undefined
      ? made
      : { ...made, definition: made.definition.replace('%columns%', () => columnsOf.get(made.view!) ?? '') },
  )
}

/** The statements that make the contract, in order, over what a database has of it already. */
export function contractSql(contract: Contract, existing: ExistingViews = new Map()): string {
  const views = contract.views.map((view) => arranged(view, existing))
  const functions = functionsOver(contract.functions, views)
  const grants = `do $do$ begin
  if exists (select from pg_roles where rolname = '${readerRole}') then
    grant usage on schema v1 to ${readerRole};
    grant usage on schema shiplog to ${readerRole};
    grant select on all tables in schema v1 to ${readerRole};
  end if;
  if exists (select from pg_roles where rolname = '${projectorRole}') then
    grant usage, create on schema v1 to ${projectorRole};
    grant select on all tables in schema v1 to ${projectorRole};
  end if;
end $do$;`
  return [
    'create schema if not exists v1;',
    `comment on schema v1 is 'Shiplog: the cluster in SQL, present and past. Public: what is here stays.';`,
    ...baseFunctions.map(functionSql),
    ...views.slice(0, generalViews().length).map(viewSql),
    ...views.slice(generalViews().length).map(viewSql),
    ...functions.map(functionSql),
    grants,
  ].join('\n')
}

/** What the comment of a custom resource's view ends with: how it is known as one, and as whose. */
export const customMark = (groupResource: string): string => ` Made with its CustomResourceDefinition (${groupResource}).`

/** The statements that make the views of a custom resource, over what a database has of them already. */
export function customViewsSql(
  registry: SchemaRegistry,
  resource: ResourceInfo,
  name: string,
  existing: ExistingViews,
): string {
  const kind = kindViews(registry, resource, name)
  const mark = customMark(groupResourceOf(resource.group, resource.resource))
  const views = [kind.present, kind.history!].map((view) =>
    arranged({ ...view, comment: `${view.comment}${mark}` }, existing),
  )
  return [
    ...views.map(viewSql),
    ...functionsOver(kind.functions, views).map(functionSql),
    grantsTo(views.map((view) => `v1.${identifier(view.name)}`).join(', ')),
  ].join('\n')
}

const grantsTo = (tables: string): string => `do $do$ begin
  if exists (select from pg_roles where rolname = '${readerRole}') then
    grant select on ${tables} to ${readerRole};
  end if;
end $do$;`

export const contractHash = (text: string): string => hash('sha256', text, 'hex')
