// Views of custom resources: made with their CustomResourceDefinition, in the transaction that projects it, and dropped with
// it. Their columns are typed by the schema of the version that is stored.
import type {
  CustomResourceDefinition,
  CustomResourceDefinitionVersion,
  JSONSchemaProps,
} from '@shiplog/api/generated/types/apiextensions-v1'
import { builtInRegistry, layeredRegistry } from '@shiplog/api/schema/registry'
import type { Definition, Field, ResourceInfo } from '@shiplog/api/schema/schema'
import { type Kysely, sql, type Transaction } from 'kysely'
import { contractOf, customMark, customViewsSql, type ExistingViews } from './contract.ts'
import type { Database } from './database.ts'

export const definitionsResource = 'customresourcedefinitions.apiextensions.k8s.io'

/** An identifier of PostgreSQL has at most 63 bytes; `_history` goes behind the name of a view. */
const viewNameBytesMax = 54

const builtInNames: () => ReadonlySet<string> = () =>
  (builtInViews ??= new Set(contractOf(builtInRegistry()).views.map(({ name }) => name)))
let builtInViews: ReadonlySet<string> | undefined

/** Brings the views of these definitions up to date with what is stored of them. */
export async function syncCustomViews(tx: Transaction<Database>, names: Iterable<string>): Promise<void> {
  for (const name of new Set(names)) {
    const { rows } = await sql<{ object: CustomResourceDefinition | null }>`
      select object from shiplog.objects where group_resource = ${definitionsResource} and name = ${name}`.execute(tx)
    const crd = rows[0]?.object
    if (crd) await makeViews(tx, crd)
    else await dropViews(tx, name)
  }
}

/** Drops the views of all definitions: another log has its own. */
export async function dropAllCustomViews(tx: Kysely<Database>): Promise<void> {
  for (const view of await customViews(tx)) await sql.raw(`drop view if exists v1."${view.name}" cascade`).execute(tx)
}

interface CustomView {
  readonly name: string
  readonly comment: string
}

async function customViews(tx: Kysely<Database>): Promise<readonly CustomView[]> {
  const { rows } = await sql<CustomView>`
    select c.relname as name, obj_description(c.oid, 'pg_class') as comment
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = 'v1' and c.relkind = 'v' and obj_description(c.oid, 'pg_class') like ${`%${customMark('')}`.replace('()', '(%)')}`.execute(tx)
  return rows
}

async function dropViews(tx: Kysely<Database>, groupResource: string): Promise<void> {
  for (const { name, comment } of await customViews(tx))
    if (comment.endsWith(customMark(groupResource))) await sql.raw(`drop view if exists v1."${name}" cascade`).execute(tx)
}

async function makeViews(tx: Kysely<Database>, crd: CustomResourceDefinition): Promise<void> {
  const version = crd.spec.versions?.find(({ storage }) => storage)
  if (!version) return
  const groupResource = crd.metadata.name
  const statements = async (existing: ExistingViews): Promise<string> => {
    const taken = (await customViews(tx)).filter(({ comment }) => !comment.endsWith(customMark(groupResource)))
    const name = viewName(crd, new Set([...builtInNames(), ...taken.map((view) => view.name)]))
    const { registry, resource } = describe(crd, version)
    return customViewsSql(registry, resource, name, existing)
  }
  await sql`savepoint custom_view`.execute(tx)
  try {
    await sql.raw(await statements(await existingViews(tx))).execute(tx)
  } catch {
    // A column has another type now, or is gone: PostgreSQL has to be told anew. What cannot be a view is in v1.objects.
    await sql`rollback to savepoint custom_view`.execute(tx)
    try {
      await dropViews(tx, groupResource)
      await sql.raw(await statements(new Map())).execute(tx)
    } catch {
      await sql`rollback to savepoint custom_view`.execute(tx)
    }
  }
  await sql`release savepoint custom_view`.execute(tx)
}

function viewName({ spec }: CustomResourceDefinition, taken: ReadonlySet<string>): string {
  const plain = spec.names.plural
  const name = taken.has(plain) ? `${plain}_${spec.group.replaceAll(/[^a-z0-9]/g, '_')}` : plain
  return name.slice(0, viewNameBytesMax)
}

export async function existingViews(tx: Kysely<Database>): Promise<ExistingViews> {
  const { rows } = await sql<{ view: string; name: string; type: string }>`
    select c.relname as view, a.attname as name, format_type(a.atttypid, a.atttypmod) as type
    from pg_class c join pg_namespace n on n.oid = c.relnamespace join pg_attribute a on a.attrelid = c.oid
    where n.nspname = 'v1' and c.relkind = 'v' and a.attnum > 0 and not a.attisdropped
    order by c.relname, a.attnum`.execute(tx)
  return Map.groupBy(rows, ({ view }) => view)
}

/** The stored version of a kind as far as columns need it: the fields at the top, and those of spec and status. */
function describe(crd: CustomResourceDefinition, version: CustomResourceDefinitionVersion) {
  const { group, names, scope } = crd.spec
  const root = `custom.${names.kind}`
  const definitions: Definition[] = []
  const partOf = (key: string, props: JSONSchemaProps): Field => {
    if (props.type !== 'object' || !props.properties) return scalarOf(props)
    const name = `${root}.${key}`
    const fields = Object.entries(props.properties).map(([field, inner]) => [field, scalarOf(inner)])
    definitions.push({ name, fields: Object.fromEntries(fields) })
    return { type: 'ref', ref: name }
  }
  const properties = Object.entries(version.schema?.openAPIV3Schema?.properties ?? {})
  definitions.push({
    name: root,
    fields: Object.fromEntries(
      properties.map(([key, props]) => [key, key === 'spec' || key === 'status' ? partOf(key, props) : scalarOf(props)]),
    ),
  })
  const resource: ResourceInfo = {
    ...{ group, version: version.name, storageVersion: version.name, storageGroup: group },
    ...{ resource: names.plural, singular: names.singular ?? '', kind: names.kind, listKind: names.listKind ?? '' },
    ...{ namespaced: scope === 'Namespaced', shortNames: [], categories: [], verbs: [], subresources: [] },
    ...{ definition: root, stored: true },
  }
  return { registry: layeredRegistry(builtInRegistry(), () => definitions, [resource]), resource }
}

const scalars: ReadonlySet<string | undefined> = new Set(['string', 'integer', 'number', 'boolean'])

const scalarOf = ({ type, format, 'x-kubernetes-int-or-string': either }: JSONSchemaProps): Field => {
  if (either) return { type: 'string', format: 'int-or-string' }
  if (!scalars.has(type)) return { type: 'any' }
  return { type: type as 'string', ...(format === 'date-time' ? { format } : {}) }
}
