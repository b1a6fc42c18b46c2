// The columns of a kind's view, told from the kind's description: every scalar of spec and status (and of the top level
// where a kind has neither) becomes a typed column, every list and map a jsonb one. Names are snake_case; a field of the
// status that the spec has too, or a name that all views use, gets its parent's name in front.
import type { Field, FieldType, ResourceInfo, SchemaRegistry } from '@shiplog/api/schema/schema'

export interface ViewColumn {
  readonly name: string
  readonly type: 'text' | 'bigint' | 'double precision' | 'boolean' | 'timestamptz' | 'jsonb' | 'numeric'
  /** An SQL expression over `object`, the whole object as jsonb. */
  readonly expression: string
  readonly comment: string
}

/** `podIPs` → `pod_ips`, `clusterIP` → `cluster_ip`. */
export const snakeCase = (name: string): string =>
  name
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replace(/([A-Z]+)([A-Z][a-z])(?!$|s$)/g, '$1_$2')
    .replace(/[^A-Za-z0-9_]/g, '_')
    .toLowerCase()

const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`

const scalarTypes: Readonly<Record<string, ViewColumn['type']>> = {
  string: 'text',
  integer: 'bigint',
  number: 'double precision',
  boolean: 'boolean',
}

/** Definitions that JSON writes as one value: their type in SQL. */
const scalarDefinitions: readonly (readonly [RegExp, ViewColumn['type']])[] = [
  [/\.(Micro)?Time$/, 'timestamptz'],
  [/\.(Quantity|IntOrString)$/, 'text'],
]

function typeOf(field: FieldType): ViewColumn['type'] {
  if (field.format === 'date-time' || field.format === 'micro-time') return 'timestamptz'
  if (field.format === 'quantity' || field.format === 'int-or-string') return 'text'
  if (field.type === 'ref') {
    return scalarDefinitions.find(([pattern]) => pattern.test(field.ref ?? ''))?.[1] ?? 'jsonb'
  }
  return scalarTypes[field.type] ?? 'jsonb'
}

/** The value at a path as a type of SQL; null when it is not there or is something else. */
export function valueAt(path: readonly string[], type: ViewColumn['type'], object = 'object'): string {
  const parents = path.slice(0, -1).map((key) => `->${quoted(key)}`)
  const last = quoted(path.at(-1)!)
  const json = `${object}${parents.join('')}->${last}`
  const text = `${object}${parents.join('')}->>${last}`
  switch (type) {
    case 'text':
      return `(${text})`
    case 'bigint':
      return `shiplog.to_bigint(${json})`
    case 'double precision':
      return `shiplog.to_double(${json})`
    case 'boolean':
      return `shiplog.to_boolean(${json})`
    case 'timestamptz':
      return `shiplog.to_time(${text})`
    default:
      return `(${json})`
  }
}

const atPath = (name: string, type: ViewColumn['type'], path: readonly string[], remark = ''): ViewColumn => ({
  name,
  type,
  expression: valueAt(path, type),
  comment: `${path.map((key) => `.${key}`).join('')}${remark}`,
})

const controller = (field: string): string =>
  `jsonb_path_query_first(object, '$.metadata.ownerReferences[*] ? (@.controller == true)')->>'${field}'`

/** What every object has, besides its name, namespace and sequence. */
export const metadataColumns: readonly ViewColumn[] = [
  atPath('uid', 'text', ['metadata', 'uid']),
  atPath('labels', 'jsonb', ['metadata', 'labels']),
  atPath('annotations', 'jsonb', ['metadata', 'annotations']),
  atPath('created_at', 'timestamptz', ['metadata', 'creationTimestamp']),
  atPath('deletion_requested_at', 'timestamptz', ['metadata', 'deletionTimestamp']),
  atPath('generation', 'bigint', ['metadata', 'generation']),
  {
    name: 'controller_kind',
    type: 'text',
    expression: controller('kind'),
    comment: 'Kind of the owner that controls it.',
  },
  {
    name: 'controller_name',
    type: 'text',
    expression: controller('name'),
    comment: 'Name of the owner that controls it.',
  },
]

/** Names that no column of a kind may take. */
export const reservedNames: ReadonlySet<string> = new Set([
  ...metadataColumns.map((column) => column.name),
  'namespace',
  'name',
  'sequence',
  'changed_at',
  'object',
  'payload',
  'sha256',
  'unreadable',
  'event_type',
  'deleted',
  'actor',
  'request_id',
  'cause',
  'basis',
  'decision',
  'previous_sequence',
  'valid_from',
  'valid_to',
  'valid_to_sequence',
  'valid',
])

const images = (template: string): ViewColumn => ({
  name: 'images',
  type: 'jsonb',
  expression: `jsonb_path_query_array(object, '$.${template}.containers[*].image')`,
  comment: `The images of the containers of .${template}.`,
})

const sumOf = (path: string): string =>
  `(select sum(shiplog.to_bigint(value)) from jsonb_path_query(object, '${path}') value)::bigint`

const conditionStatus = (type: string): string =>
  `jsonb_path_query_first(object, '$.status.conditions[*] ? (@.type == "${type}")')->>'status' = 'True'`

const quantity = (name: string, path: readonly string[], comment: string): ViewColumn => ({
  name,
  type: 'numeric',
  expression: `v1.quantity(${valueAt(path, 'text')})`,
  comment,
})

/** Columns that people ask for and no single field holds. */
const derived: Readonly<Record<string, readonly ViewColumn[]>> = {
  pods: [
    images('spec'),
    { name: 'ready', type: 'boolean', expression: conditionStatus('Ready'), comment: 'Whether the pod is Ready.' },
    {
      name: 'restarts',
      type: 'bigint',
      expression: `coalesce(${sumOf('$.status.containerStatuses[*].restartCount')}, 0)`,
      comment: 'How often its containers were started again.',
    },
    {
      name: 'waiting_reason',
      type: 'text',
      expression: `jsonb_path_query_first(object, '$.status.containerStatuses[*].state.waiting.reason') #>> '{}'`,
      comment: 'Why the first container that waits does so: CrashLoopBackOff, ImagePullBackOff.',
    },
    {
      name: 'cpu_requests',
      type: 'numeric',
      expression: `(select sum(v1.quantity(value #>> '{}')) from jsonb_path_query(object, '$.spec.containers[*].resources.requests.cpu') value)`,
      comment: 'Requested CPUs, all containers together.',
    },
    {
      name: 'memory_requests',
      type: 'numeric',
      expression: `(select sum(v1.quantity(value #>> '{}')) from jsonb_path_query(object, '$.spec.containers[*].resources.requests.memory') value)`,
      comment: 'Requested bytes of memory, all containers together.',
    },
  ],
  nodes: [
    { name: 'ready', type: 'boolean', expression: conditionStatus('Ready'), comment: 'Whether the node is Ready.' },
    quantity('allocatable_cpu', ['status', 'allocatable', 'cpu'], 'CPUs for pods.'),
    quantity('allocatable_memory', ['status', 'allocatable', 'memory'], 'Bytes of memory for pods.'),
    quantity('allocatable_pods', ['status', 'allocatable', 'pods'], 'How many pods it takes.'),
  ],
  'deployments.apps': [images('spec.template.spec')],
  'replicasets.apps': [images('spec.template.spec')],
  'statefulsets.apps': [images('spec.template.spec')],
  'daemonsets.apps': [images('spec.template.spec')],
  'jobs.batch': [images('spec.template.spec')],
  'cronjobs.batch': [images('spec.jobTemplate.spec.template.spec')],
}

/** The columns of one kind, after those that all have. */
export function kindColumns(registry: SchemaRegistry, resource: ResourceInfo): readonly ViewColumn[] {
  const columns: ViewColumn[] = []
  const taken = new Set(reservedNames)
  const add = (column: ViewColumn): void => {
    taken.add(column.name)
    columns.push(column)
  }
  const addFields = (fields: Readonly<Record<string, Field>>, parents: readonly string[]): void => {
    for (const [key, field] of Object.entries(fields)) {
      const plain = snakeCase(key)
      const name = taken.has(plain) ? [...(parents.length === 0 ? ['field'] : parents), plain].join('_') : plain
      add(atPath(name, typeOf(field), [...parents, key], field.type === 'ref' ? '' : remarkOn(field)))
    }
  }
  const fields = registry.definition(resource.definition).fields
  const structOf = (key: string): Readonly<Record<string, Field>> | undefined => {
    const field = fields[key]
    if (field?.type !== 'ref' || field.ref === undefined) return undefined
    const definition = registry.definitions.get(field.ref)
    return definition && !definition.open && Object.keys(definition.fields).length > 0 ? definition.fields : undefined
  }
  const group = resource.group === '' ? resource.resource : `${resource.resource}.${resource.group}`
  for (const column of derived[group] ?? []) taken.add(column.name)
  const rest = Object.fromEntries(
    Object.entries(fields).filter(([key]) => !['kind', 'apiVersion', 'metadata', 'spec', 'status'].includes(key)),
  )
  for (const key of ['spec', 'status']) {
    const struct = structOf(key)
    if (struct) addFields(struct, [key])
    else if (fields[key]) addFields({ [key]: fields[key] }, [])
  }
  addFields(rest, [])
  for (const column of derived[group] ?? []) columns.push(column)
  return columns
}

const remarkOn = (field: Field): string => (field.enum && field.enum.length > 0 ? `: ${field.enum.join(', ')}` : '')
