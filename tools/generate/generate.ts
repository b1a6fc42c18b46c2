// Joins the client package's models with our tables of facts; pure but for reading its inputs. See main.ts.
import { readFileSync } from 'node:fs'
import type { Definition, Field, FieldType, ResourceInfo, Subresource } from '@shiplog/api/schema/schema'
import { readApi, type Operation } from './client-apis.ts'
import { readModel } from './client-models.ts'
import { parseFieldFact, type FieldFact } from './field-facts.ts'
import { type TypeFiles, typeFiles } from './types.ts'

interface DefinitionFact {
  readonly model: string
  readonly struct?: 'atomic' | 'granular'
  readonly fields: Readonly<Record<string, string>>
}

interface ResourceFact {
  readonly kind?: string
  readonly shortNames?: readonly string[]
  readonly categories?: readonly string[]
  readonly verbs?: readonly string[]
  readonly storageGroup?: string
  readonly storageVersion?: string
  readonly stored?: boolean
}

interface GroupFact {
  readonly group: string
  readonly versions: readonly string[]
  readonly apis: readonly string[]
}

export interface Generated {
  readonly kinds: string
  readonly descriptions: string
  readonly types: TypeFiles
  readonly definitionCount: number
  readonly resourceCount: number
}

const facts = <T>(name: string): T =>
  JSON.parse(readFileSync(new URL(`./facts/${name}.json`, import.meta.url), 'utf8')) as T

const metaPrefix = 'io.k8s.apimachinery.pkg.apis.meta.v1.'

/** Definitions that no resource refers to and that requests or answers hold all the same. */
const extraRoots = [
  'DeleteOptions',
  'Status',
  'APIGroup',
  'APIGroupList',
  'APIResourceList',
  'APIVersions',
  'ObjectMeta',
  'ListMeta',
].map((name) => metaPrefix + name)

/** All outputs as text. The same inputs give the same bytes. */
export const generate = async (): Promise<Generated> => {
  const definitionFacts = facts<Record<string, DefinitionFact>>('definitions')
  const enums = facts<Record<string, string[]>>('enums')
  const resourceFacts = facts<Record<string, ResourceFact>>('resources')
  const groups = facts<GroupFact[]>('groups')

  const definitionOfModel = new Map(Object.entries(definitionFacts).map(([name, fact]) => [fact.model, name]))
  const definitionName = (model: string): string => {
    const name = definitionOfModel.get(model)
    if (!name) throw new Error(`facts/definitions.json names no definition for the model ${model}`)
    return name
  }

  const definitions = new Map<string, Definition>()
  const descriptions = new Map<string, Record<string, string>>()
  const add = async (name: string): Promise<void> => {
    if (definitions.has(name)) return
    const fact = definitionFacts[name]
    if (!fact) throw new Error(`facts/definitions.json lacks ${name}`)
    const model = await readModel(fact.model)
    const fields: Record<string, Field> = {}
    const texts: Record<string, string> = model.description ? { '': model.description } : {}
    const refs: string[] = []
    const attributes = new Map(model.attributes.map((attribute) => [attribute.name, attribute]))
    for (const [fieldName, text] of Object.entries(fact.fields)) {
      const attribute = attributes.get(fieldName)
      if (!attribute) throw new Error(`facts/definitions.json: ${name} has no field ${fieldName} in the client's model`)
      attributes.delete(fieldName)
      const fieldFact = parseFieldFact(text)
      const type = fieldType(attribute.type, attribute.format, fieldFact, definitionName, refs)
      fields[fieldName] = joinField(type, attribute.required, fieldFact, name, enums)
      if (attribute.description) texts[fieldName] = attribute.description
    }
    for (const missing of attributes.keys())
      throw new Error(`facts/definitions.json: ${name} lacks the field ${missing}`)
    const gvk = groupVersionKind(name, fact, groups)
    definitions.set(name, {
      name,
      fields,
      ...(fact.struct ? { structType: fact.struct } : {}),
      ...(gvk ? { groupVersionKinds: [gvk] } : {}),
    })
    descriptions.set(name, texts)
    for (const ref of refs) await add(ref)
  }

  const resources: ResourceInfo[] = []
  const usedFacts = new Set<string>()
  for (const group of groups) {
    const operations = (await Promise.all(group.apis.map((api) => readApi(api)))).flat()
    for (const resource of resourcesOf(group, operations, resourceFacts, usedFacts, definitionName))
      resources.push(resource)
  }
  for (const key of Object.keys(resourceFacts)) {
    if (!usedFacts.has(key)) throw new Error(`facts/resources.json: ${key} is not in the client's APIs`)
  }

  for (const resource of resources) {
    await add(resource.definition)
    if (definitionFacts[`${resource.definition}List`]) await add(`${resource.definition}List`)
    for (const subresource of resource.subresources) if (subresource.definition) await add(subresource.definition)
  }
  for (const name of extraRoots) await add(name)

  const names = [...definitions.keys()].sort()
  const lines = (entries: readonly string[]): string => entries.join(',\n')
  return {
    kinds: `{"definitions":{\n${lines(
      names.map((name) => `${JSON.stringify(name)}:${JSON.stringify(definitions.get(name))}`),
    )}\n},"resources":[\n${lines(resources.map((resource) => JSON.stringify(resource)))}\n]}\n`,
    descriptions: `{\n${lines(names.map((name) => `${JSON.stringify(name)}:${JSON.stringify(descriptions.get(name))}`))}\n}\n`,
    types: typeFiles(
      names.map((name) => definitions.get(name)!),
      resources,
    ),
    definitionCount: names.length,
    resourceCount: resources.length,
  }
}

const fieldType = (
  type: string,
  format: string,
  fact: FieldFact,
  definitionName: (model: string) => string,
  refs: string[],
): FieldType => {
  const list = /^Array<(.*)>$/.exec(type)
  if (list) return { type: 'array', items: fieldType(list[1]!, format, fact, definitionName, refs) }
  const map = /^\{ \[key: string\]: (.*); \}$/.exec(type)
  if (map) return { type: 'map', items: fieldType(map[1]!, format, fact, definitionName, refs) }
  switch (type) {
    case 'string':
      if (fact.quantity) return { type: 'string', format: 'quantity' }
      return format === 'byte' ? { type: 'string', format } : { type: 'string' }
    case 'number':
      return format === 'double' ? { type: 'number', format } : { type: 'integer', format: format || 'int64' }
    case 'boolean':
      return { type: 'boolean' }
    case 'Date':
      return { type: 'string', format: 'date-time' }
    case 'V1MicroTime':
      return { type: 'string', format: 'micro-time' }
    case 'IntOrString':
      return { type: 'string', format: 'int-or-string' }
    case 'any':
    case 'object':
      return fact.format ? { type: 'any', format: fact.format } : { type: 'any' }
    default: {
      const ref = definitionName(type)
      refs.push(ref)
      return { type: 'ref', ref }
    }
  }
}

const joinField = (
  type: FieldType,
  required: boolean,
  fact: FieldFact,
  definition: string,
  enums: Readonly<Record<string, string[]>>,
): Field => {
  const enumName = fact.enumName?.includes('.')
    ? fact.enumName
    : fact.enumName && `${definition.slice(0, definition.lastIndexOf('.') + 1)}${fact.enumName}`
  const values = enumName ? enums[enumName] : undefined
  if (enumName && !values) throw new Error(`facts/enums.json lacks ${enumName}`)
  return {
    ...type,
    ...(required ? { required } : {}),
    ...(values ? { enum: values } : {}),
    ...(fact.listType ? { listType: fact.listType } : {}),
    ...(fact.listMapKeys ? { listMapKeys: fact.listMapKeys } : {}),
    ...(fact.mapType ? { mapType: fact.mapType } : {}),
    ...(fact.structType ? { structType: fact.structType } : {}),
    ...(fact.patchStrategy ? { patchStrategy: fact.patchStrategy } : {}),
    ...(fact.patchMergeKey ? { patchMergeKey: fact.patchMergeKey } : {}),
    ...(fact.number === undefined ? {} : { number: fact.number }),
    ...(fact.inlined ? { inlined: fact.inlined } : {}),
    ...(fact.omitZero ? { omitZero: true as const } : {}),
    ...(fact.keepsEmpty ? { keepsEmpty: true as const } : {}),
    ...(fact.always ? { always: true as const } : {}),
    ...(fact.goType ? { goType: fact.goType } : {}),
    ...('default' in fact ? { default: fact.default } : {}),
  }
}

/** Kinds are the definitions whose kind and apiVersion come from TypeMeta, which protobuf leaves out. */
const groupVersionKind = (
  name: string,
  fact: DefinitionFact,
  groups: readonly GroupFact[],
): { group: string; version: string; kind: string } | undefined => {
  if (!fact.fields['kind']?.startsWith('-') || !fact.fields['apiVersion']?.startsWith('-')) return undefined
  const [kind, version, packageName] = name.split('.').reverse() as [string, string, string]
  if (packageName === 'core' || packageName === 'meta') return { group: '', version, kind }
  const group = groups.find((candidate) => candidate.group.split('.')[0] === packageName)
  if (!group) throw new Error(`facts/groups.json lacks the group of ${name}`)
  return { group: group.group, version, kind }
}

const pathPattern =
  /^\/(?:api|apis\/(?<group>[^/{]+))\/(?<version>[^/{]+)(?<namespaced>\/namespaces\/\{namespace\})?\/(?<resource>[^/{]+)(?<item>\/\{name\}(?:\/(?<subresource>[^/{]+))?)?$/

const itemVerbs: Readonly<Record<string, readonly string[]>> = {
  GET: ['get'],
  PUT: ['update'],
  PATCH: ['patch'],
  DELETE: ['delete'],
  POST: ['create'],
}
const collectionVerbs: Readonly<Record<string, readonly string[]>> = {
  GET: ['list', 'watch'],
  POST: ['create'],
  DELETE: ['deletecollection'],
}

interface Draft {
  namespaced: boolean
  model: string
  readonly verbs: Set<string>
  readonly subresources: Map<string, { model: string; readonly verbs: Set<string> }>
}

const resourcesOf = (
  group: GroupFact,
  operations: readonly Operation[],
  resourceFacts: Readonly<Record<string, ResourceFact>>,
  usedFacts: Set<string>,
  definitionName: (model: string) => string,
): ResourceInfo[] => {
  const drafts = new Map<string, Draft>()
  for (const operation of operations) {
    const match = pathPattern.exec(operation.path)?.groups
    if (!match) continue
    const { version, resource, subresource } = match as { version: string; resource: string; subresource?: string }
    if ((match['group'] ?? '') !== group.group || !group.versions.includes(version)) continue
    const key = `${version}/${resource}`
    const draft = drafts.get(key) ?? { namespaced: false, model: '', verbs: new Set(), subresources: new Map() }
    drafts.set(key, draft)
    if (match['namespaced']) draft.namespaced = true
    if (subresource) {
      const sub = draft.subresources.get(subresource) ?? { model: '', verbs: new Set() }
      draft.subresources.set(subresource, sub)
      for (const verb of itemVerbs[operation.method] ?? []) sub.verbs.add(verb)
      const model = operation.body ?? operation.answer
      if (operation.method !== 'PATCH' && /^[A-Z]/.test(model)) sub.model = model
    } else {
      for (const verb of (match['item'] ? itemVerbs : collectionVerbs)[operation.method] ?? []) draft.verbs.add(verb)
      // A delete answers with a Status or the object; only reads, creates and replaces name the resource's model.
      if (match['item'] ? operation.method === 'GET' : operation.method === 'POST') draft.model = operation.answer
    }
  }
  const resources: ResourceInfo[] = []
  for (const key of [...drafts.keys()].sort()) {
    const draft = drafts.get(key)!
    const [version, resource] = key.split('/') as [string, string]
    const apiVersion = group.group ? `${group.group}/${version}` : version
    const factOf = (path: string): ResourceFact => {
      const fact = resourceFacts[`${apiVersion}/${path}`]
      if (fact) usedFacts.add(`${apiVersion}/${path}`)
      return fact ?? {}
    }
    const fact = factOf(resource)
    const definition = definitionName(draft.model)
    const kind = definition.slice(definition.lastIndexOf('.') + 1)
    const subresources = [...draft.subresources].map(([name, sub]): Subresource => {
      const subFact = factOf(`${resource}/${name}`)
      // Connections (exec, proxy, …) carry no object; their options are query parameters and have no definition.
      const subDefinition =
        sub.model && sub.model !== draft.model ? definitionName(sub.model) : sub.model ? definition : ''
      const origin = subDefinition ? definitionOrigin(subDefinition) : undefined
      const subGroup = origin && groupOfPackage(origin.packageName)
      const elsewhere = origin && (subGroup !== group.group || origin.version !== version)
      return {
        name,
        verbs: [...sub.verbs].sort(),
        kind: subFact.kind ?? origin?.kind ?? kind,
        ...(elsewhere ? { group: subGroup!, version: origin.version } : {}),
        definition: subDefinition,
      }
    })
    resources.push({
      group: group.group,
      version,
      resource,
      singular: kind.toLowerCase(),
      kind,
      listKind: `${kind}List`,
      namespaced: draft.namespaced,
      shortNames: fact.shortNames ?? [],
      categories: fact.categories ?? [],
      verbs: fact.verbs ?? [...draft.verbs].sort(),
      subresources: subresources.sort((a, b) => (a.name < b.name ? -1 : 1)),
      definition,
      storageVersion: fact.storageVersion ?? version,
      storageGroup: fact.storageGroup ?? group.group,
      stored: fact.stored ?? true,
    })
  }
  return resources
}

const definitionOrigin = (definition: string): { packageName: string; version: string; kind: string } => {
  const [kind, version, packageName] = definition.split('.').reverse() as [string, string, string]
  return { kind, version, packageName }
}

/** The groups of the kinds that serve as another group's subresource. */
const groupOfPackage = (packageName: string): string =>
  facts<GroupFact[]>('groups').find((candidate) => candidate.group.split('.')[0] === packageName)?.group ?? ''
