// TypeScript's view of the same description: one file of interfaces a group and version, types only, so that a misspelt
// field does not compile and nothing is loaded at run time. Pure.
import type { Definition, Field, FieldType, ResourceInfo } from '@shiplog/api/schema/schema'

/** File name under `libs/api/src/generated/types` → its text. */
export type TypeFiles = ReadonlyMap<string, string>

const header =
  '// Written by `npm run generate` from the same tables as kinds.json; see tools/generate/types.ts. Types only.\n'

/** Fields that requests may leave out and stored objects always have, for kinds and for what they hold alike. */
const isAlwaysThere = (field: Field): boolean => field.required === true || field.always === true

/** `io.k8s.api.core.v1.PodSpec` → module `core-v1`, name `PodSpec`. */
function placeOf(definition: string): { readonly module: string; readonly name: string } {
  const parts = definition.split('.')
  const [group = '', version = '', name = ''] = parts.slice(-3)
  return { module: `${group}-${version}`, name }
}

/** The name under which a module is imported: `core-v1` → `coreV1`. */
const aliasOf = (module: string): string => module.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase())

export function typeFiles(definitions: readonly Definition[], resources: readonly ResourceInfo[]): TypeFiles {
  const byModule = new Map<string, Definition[]>()
  for (const definition of definitions) {
    const { module } = placeOf(definition.name)
    byModule.set(module, [...(byModule.get(module) ?? []), definition])
  }
  const files = new Map<string, string>()
  for (const [module, members] of [...byModule].sort(([a], [b]) => (a < b ? -1 : 1))) {
    files.set(`${module}.ts`, moduleText(module, members))
  }
  files.set('resources.ts', resourcesText(resources))
  return files
}

function moduleText(module: string, members: readonly Definition[]): string {
  const imports = new Set<string>()
  const bodies = members.map((definition) => interfaceText(module, definition, imports))
  return `${header}${importLines(imports)}\n${bodies.join('\n')}`
}

function importLines(modules: ReadonlySet<string>): string {
  return [...modules]
    .sort()
    .map((module) =>
      module === 'kube-object'
        ? `import type { ObjectMeta as StoredObjectMeta } from '../../kube-object.ts'\n`
        : `import type * as ${aliasOf(module)} from './${module}.ts'\n`,
    )
    .join('')
}

function interfaceText(module: string, definition: Definition, imports: Set<string>): string {
  const lines = Object.entries(definition.fields).map(([name, field]) => fieldLine(module, definition, name, field, imports))
  return `export interface ${placeOf(definition.name).name} {\n${lines.join('')}}\n`
}

function fieldLine(
  module: string,
  definition: Definition,
  name: string,
  field: Field,
  imports: Set<string>,
): string {
  const gvk = definition.groupVersionKinds?.[0]
  const key = /^[A-Za-z_]\w*$/.test(name) ? name : JSON.stringify(name)
  if (gvk && name === 'kind') return `  kind: '${gvk.kind}'\n`
  if (gvk && name === 'apiVersion') return `  apiVersion: '${gvk.group === '' ? '' : `${gvk.group}/`}${gvk.version}'\n`
  if (gvk && name === 'metadata' && field.ref?.endsWith('.ObjectMeta')) {
    imports.add('kube-object')
    return '  metadata: StoredObjectMeta\n'
  }
  const type = typeText(module, field, field.enum, imports)
  return `  ${key}${isAlwaysThere(field) ? '' : '?'}: ${isNullWhenEmpty(field) ? `${type} | null` : type}\n`
}

/** A list that Go always writes: null when there is nothing in it. */
const isNullWhenEmpty = ({ type, omitZero, keepsEmpty }: Field): boolean =>
  type === 'array' && !omitZero && !keepsEmpty

function typeText(
  module: string,
  type: FieldType,
  values: readonly string[] | undefined,
  imports: Set<string>,
): string {
  switch (type.type) {
    case 'string':
      if (type.format === 'int-or-string') return 'number | string'
      return values ? values.map((value) => `'${value}'`).join(' | ') : 'string'
    case 'integer':
    case 'number':
      return 'number'
    case 'boolean':
      return 'boolean'
    case 'array': {
      const items = typeText(module, type.items!, values, imports)
      return items.includes('|') ? `(${items})[]` : `${items}[]`
    }
    case 'map':
      return `Record<string, ${typeText(module, type.items!, values, imports)}>`
    case 'ref': {
      const place = placeOf(type.ref!)
      if (place.module === module) return place.name
      imports.add(place.module)
      return `${aliasOf(place.module)}.${place.name}`
    }
    case 'any':
      return 'unknown'
  }
}

/** `ResourceTypes['deployments.apps']` is a Deployment: what stored objects of a resource are. */
function resourcesText(resources: readonly ResourceInfo[]): string {
  const imports = new Set<string>()
  const lines: string[] = []
  for (const resource of resources) {
    if (resource.stored === false || resource.version !== resource.storageVersion || resource.group !== resource.storageGroup)
      continue
    const { module, name } = placeOf(resource.definition)
    imports.add(module)
    const key = resource.group === '' ? resource.resource : `'${resource.resource}.${resource.group}'`
    lines.push(`  ${key}: ${aliasOf(module)}.${name}\n`)
  }
  return `${header}${importLines(imports)}\n/** Stored objects by group resource. */\nexport interface ResourceTypes {\n${lines.join('')}}\n`
}
