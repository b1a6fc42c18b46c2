// Wrong values, made systematically: every valid manifest, with one field at a time left out, emptied, doubled, or set to
// what hardly any field may hold. Whether the result is wrong at all is not decided here: upstream is the judge.
import { builtInRegistry } from '@shiplog/api/schema/registry'
import type { Field, FieldType, ResourceInfo } from '@shiplog/api/schema/schema'
import type { Any } from '../src/case.ts'
import { type ValidManifest, validManifests } from './valid-manifests.ts'

export interface WrongValue {
  /** `pods full: spec.containers[0].ports[0].containerPort = -1`. */
  readonly name: string
  readonly manifest: ValidManifest
  readonly resource: ResourceInfo
  readonly object: Any
}

const registry = builtInRegistry()

/** What no rule of upstream looks at, or what the gateway fills in itself. */
const skipped = new Set(['status', 'kind', 'apiVersion', 'managedFields', 'creationTimestamp', 'deletionTimestamp'])
const skippedMetadata = new Set(['name', 'namespace', 'uid', 'resourceVersion', 'generation', 'selfLink'])

type Change = readonly [how: string, value: unknown]
const absent = Symbol('absent')

/** What a value that is there is changed to. */
function changesOf(field: FieldType, value: unknown): Change[] {
  const removed: Change = ['absent', absent]
  switch (field.type) {
    case 'string':
      if (field.format === 'quantity') return [removed, ['"-1"', '-1'], ['"0"', '0'], ['"1500m"', '1500m']]
      if (field.format === 'int-or-string')
        return [removed, ['-1', -1], ['70000', 70_000], ['"150%"', '150%'], ['"Wrong value!"', 'Wrong value!']]
      if (field.format === 'date-time' || field.format === 'micro-time' || field.format === 'byte') return [removed]
      return [
        removed,
        ['""', ''],
        ['"Wrong value!"', 'Wrong value!'],
        ['"../x"', '../x'],
        ['70 times a', 'a'.repeat(70)],
      ]
    case 'integer':
      return [removed, ['-1', -1], ['0', 0], ['99999', 99_999]]
    case 'number':
      return [removed, ['-1', -1]]
    case 'boolean':
      return [[String(!value), !value]]
    case 'array':
      return Array.isArray(value) && value.length > 0
        ? [
            removed,
            ['doubled', [...value, value[0]]],
            ...(field.items?.type === 'ref' ? [['[{}]', [{}]] as Change] : []),
          ]
        : []
    case 'map':
      return [removed, ['{"a b": …}', { 'a b': Object.values(value as Any)[0] ?? 'x' }]]
    case 'ref':
      return [removed, ...(Object.keys(value as Any).length > 0 ? [['{}', {}] as Change] : [])]
    default:
      return []
  }
}

/** What a field that is not there is set to. */
function additionsOf(field: FieldType): Change[] {
  switch (field.type) {
    case 'string':
      if (field.format === 'quantity') return [['"-1"', '-1']]
      if (field.format === 'int-or-string') return [['-1', -1]]
      if (field.format === 'date-time' || field.format === 'micro-time' || field.format === 'byte') return []
      return [['"Wrong value!"', 'Wrong value!']]
    case 'integer':
      return [
        ['-1', -1],
        ['0', 0],
      ]
    case 'ref':
      return [['{}', {}]]
    case 'array':
      if (field.items?.type === 'ref') return [['[{}]', [{}]]]
      return field.items?.type === 'string' && !field.items.format ? [['["Wrong value!"]', ['Wrong value!']]] : []
    default:
      return []
  }
}

/** All that is made of one manifest. A fault of a field is made once for a kind: `known` holds those that were. */
function wrongValuesOf(manifest: ValidManifest, known: Set<string>): WrongValue[] {
  const [group, version] = manifest.object.apiVersion.includes('/')
    ? manifest.object.apiVersion.split('/')
    : ['', manifest.object.apiVersion]
  const resource = registry.byKind(group, version, manifest.object.kind)!
  const made: WrongValue[] = []
  const add = (path: readonly (string | number)[], [how, value]: Change): void => {
    const fault = `${resource.definition} ${textOf(path).replace(/\[\d+\]/g, '[]')} ${how}`
    if (known.has(fault)) return
    known.add(fault)
    const object = JSON.parse(JSON.stringify(manifest.object))
    let at = object
    for (const step of path.slice(0, -1)) at = at[step]
    const last = path.at(-1)!
    if (value !== absent) at[last] = structuredClone(value)
    else if (Array.isArray(at)) at.splice(last as number, 1)
    else delete at[last]
    made.push({ name: `${manifest.name}: ${textOf(path)} = ${how}`, manifest, resource, object })
  }
  const visit = (field: FieldType, value: unknown, path: readonly (string | number)[]): void => {
    if (value === null || value === undefined) return
    for (const change of changesOf(field, value)) add(path, change)
    // Templates share the rules of pods: one level of them is enough.
    if (path.length > 3 && path.includes('template')) return
    if (field.type === 'array' && field.items)
      // The first items stand for all.
      (value as unknown[]).forEach((item, index) => {
        visitInside(field.items!, item, [...path, index])
      })
    else if (field.type === 'map' && field.items)
      for (const [key, item] of Object.entries(value as Any)) visit(field.items, item, [...path, key])
    else visitInside(field, value, path)
  }
  const visitInside = (field: FieldType, value: unknown, path: readonly (string | number)[]): void => {
    if (field.type !== 'ref') {
      if (typeof path.at(-1) === 'number') for (const change of changesOf(field, value).slice(1)) add(path, change)
      return
    }
    visitStruct(field.ref!, value as Any, path)
  }
  const visitStruct = (definition: string, value: Any, path: readonly (string | number)[]): void => {
    const fields: Readonly<Record<string, Field>> = registry.definition(definition).fields
    for (const [name, field] of Object.entries(fields)) {
      if (skipped.has(name) || (path.length === 1 && path[0] === 'metadata' && skippedMetadata.has(name))) continue
      if (path.length === 0 && name === 'metadata' && value.metadata) {
        visitStruct(field.ref!, value.metadata, ['metadata'])
        continue
      }
      if (value?.[name] !== undefined) visit(field, value[name], [...path, name])
      else for (const addition of additionsOf(field)) add([...path, name], addition)
    }
  }
  visitStruct(resource.definition, manifest.object, [])
  return made
}

const textOf = (path: readonly (string | number)[]): string =>
  path
    .map((step) => (typeof step === 'number' ? `[${step}]` : `.${step}`))
    .join('')
    .slice(1)

export function wrongValues(): WrongValue[] {
  const known = new Set<string>()
  return validManifests.flatMap((manifest) => wrongValuesOf(manifest, known))
}
