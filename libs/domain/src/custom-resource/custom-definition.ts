// A CustomResourceDefinition as the catalogue holds it: which resources it serves, and the kind behind each version. What
// costs (schemas, their definitions, rules) is compiled from the definition's text when the first request needs it, so
// that hundreds of definitions cost little more than their names.
import type { VersionConverter } from '@shiplog/api/apply/managed-fields'
import { cloneJson } from '@shiplog/api/clone-json'
import { normalize, type NormalizeResult } from '@shiplog/api/decode/decode'
import type {
  CustomResourceDefinition,
  CustomResourceDefinitionNames,
  CustomResourceDefinitionVersion,
  WebhookConversion,
} from '@shiplog/api/generated/types/apiextensions-v1'
import type { JsonPath } from '@shiplog/api/json-path'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import { compareVersions } from '@shiplog/api/schema/discovery'
import { layeredRegistry } from '@shiplog/api/schema/registry'
import {
  apiVersionOf,
  groupResourceOf,
  type ResourceInfo,
  type SchemaRegistry,
  type Subresource,
} from '@shiplog/api/schema/schema'
import { forbidden } from '@shiplog/api/status'
import { deepEqual } from '../deep-equal.ts'
import type { FoundField } from '../field-labels.ts'
import type { CustomTraits, ServedKind } from '../catalogue/served-kind.ts'
import { customPrinter, pathOf } from './custom-printer.ts'
import { customResourceStrategy } from './custom-resource.strategy.ts'
import { commonTexts } from './published-schema.ts'
import { readCustomScale, writeCustomScale } from './custom-scale.ts'
import { type CustomSchema, customSchema } from './custom-schema.ts'
import { type ConversionTable, createConversionTable } from './webhook-conversion.ts'

/** What a definition is read from: an event of the log. */
export interface StoredDefinition {
  readonly name: string
  readonly sequence: number
  /** A fresh parse. */
  parse(): KubeObject
}

export interface CustomDefinition {
  readonly name: string
  /** The event that it was read from. */
  readonly sequence: number
  /** Equal for definitions that say the same of their objects, and of what may be done with them. */
  readonly identity: string
  readonly group: string
  /** The names that it was given. */
  readonly accepted: CustomResourceDefinitionNames
  /** Whether the server may have something to say of it: names to give, or objects to delete. */
  readonly isUnsettled: boolean
  readonly groupResource: string
  /** The resource in the version that is stored, whether that is served or not. */
  readonly stored: ResourceInfo
  /** The resource in each version that is served, by preference; none until it is established. */
  readonly served: readonly ResourceInfo[]
  /** The kind of one of these resources. */
  kind(resource: ResourceInfo): ServedKind
}

/** Discovery tells of no more while a definition goes; what is there can be changed all the same, or it could not go. */
const verbsWhenClosed = ['delete', 'deletecollection', 'get', 'list', 'watch']
const allVerbs = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch']
const subresourceVerbs = ['get', 'patch', 'update']

const hasCondition = ({ status }: CustomResourceDefinition, type: string): boolean =>
  status?.conditions?.some((condition) => condition.type === type && condition.status === 'True') ?? false

/** `com.example.stable.v1.CronTab`: as upstream names the schemas of custom resources. */
export const definitionNameOf = (group: string, version: string, kind: string): string =>
  [...group.split('.').reverse(), version, kind].join('.')

/** A version without what only its schema needs. */
type VersionFacts = Omit<CustomResourceDefinitionVersion, 'schema'>

/** What all versions share. */
interface Definition {
  readonly group: string
  readonly names: CustomResourceDefinitionNames
  readonly namespaced: boolean
  readonly storageVersion: string
  readonly versions: readonly VersionFacts[]
  readonly closed: boolean
  /** Who converts; absent where versions differ in nothing but their schemas. */
  readonly webhook: WebhookConversion | undefined
}

function factsOf(crd: CustomResourceDefinition): Definition {
  const { group, names, scope, conversion } = crd.spec
  const versions = crd.spec.versions ?? []
  const accepted = crd.status.acceptedNames
  return {
    group,
    names: accepted.plural ? accepted : names,
    namespaced: scope === 'Namespaced',
    storageVersion: versions.find(({ storage }) => storage)?.name ?? '',
    versions: [...versions]
      .sort((a, b) => compareVersions(a.name, b.name))
      .map(({ schema: _, ...facts }) => facts),
    closed: hasCondition(crd, 'Terminating'),
    webhook: conversion?.strategy === 'Webhook' ? conversion.webhook : undefined,
  }
}

function infoOf(definition: Definition, { name: version, subresources }: VersionFacts): ResourceInfo {
  const { group, names, namespaced, storageVersion, closed } = definition
  const { plural, singular = '', kind, listKind = `${kind}List`, shortNames = [], categories = [] } = names
  const root = definitionNameOf(group, version, kind)
  const own: Subresource[] = []
  const scale = { kind: 'Scale', group: 'autoscaling', version: 'v1', definition: 'io.k8s.api.autoscaling.v1.Scale' }
  if (subresources?.status) own.push({ name: 'status', verbs: subresourceVerbs, kind, definition: root })
  if (subresources?.scale) own.push({ name: 'scale', verbs: subresourceVerbs, ...scale })
  return {
    group,
    version,
    resource: plural,
    singular,
    kind,
    listKind,
    namespaced,
    shortNames,
    categories,
    verbs: allVerbs,
    ...(closed ? { shownVerbs: verbsWhenClosed } : {}),
    subresources: own,
    definition: root,
    storageVersion,
    storageGroup: group,
    stored: true,
  }
}

const lazily = <Value>(make: () => Value): (() => Value) => {
  let made: { readonly value: Value } | undefined
  return () => (made ??= { value: make() }).value
}

/**
 * Reads a definition. `before` is the same one as it was known until now: what it has compiled is kept where the
 * definition says the same as before.
 */
export function readDefinition(
  base: SchemaRegistry,
  stored: StoredDefinition,
  before?: CustomDefinition,
): CustomDefinition {
  const crd = stored.parse() as unknown as CustomResourceDefinition
  const facts = factsOf(crd)
  const isEstablished = hasCondition(crd, 'Established')
  const { uid, generation = 0 } = crd.metadata
  const revision = JSON.stringify([uid, generation, facts.names])
  const identity = JSON.stringify([revision, isEstablished, facts.closed])
  const { name, sequence } = stored
  // Conditions move neither schemas nor the time since when they hold.
  const schemas =
    before && schemasOf.get(before)?.of === `${uid}/${generation}`
      ? schemasOf.get(before)!
      : createSchemas(stored, sequence, `${uid}/${generation}`)
  if (before?.identity === identity) {
    const same: CustomDefinition = { ...before, ...settled(crd), sequence }
    schemasOf.set(same, schemas)
    return same
  }
  const infos = new Map(facts.versions.map((version) => [version.name, infoOf(facts, version)]))
  const registry = lazily(() => kindRegistry(base, [...infos.values()], schemas))
  const conversions = facts.webhook && createConversionTable(facts.webhook)
  const kinds = new Map<ResourceInfo, () => ServedKind>(
    facts.versions.map((version) => {
      const resource = infos.get(version.name)!
      return [resource, lazily(() => customKind({ base, revision, facts, version, resource, infos, registry, schemas, conversions }))]
    }),
  )
  const definition: CustomDefinition = {
    name,
    sequence,
    identity,
    group: facts.group,
    ...settled(crd),
    groupResource: groupResourceOf(facts.group, crd.spec.names.plural),
    stored: infos.get(facts.storageVersion)!,
    served: isEstablished
      ? facts.versions.filter(({ served }) => served).map((version) => infos.get(version.name)!)
      : [],
    kind: (resource) => kinds.get(resource)!(),
  }
  schemasOf.set(definition, schemas)
  return definition
}

const settled = (crd: CustomResourceDefinition): Pick<CustomDefinition, 'accepted' | 'isUnsettled'> => ({
  accepted: crd.status.acceptedNames,
  isUnsettled:
    !hasCondition(crd, 'NamesAccepted') ||
    crd.metadata.deletionTimestamp !== undefined ||
    !deepEqual(crd.spec.names, crd.status.acceptedNames),
})

/** The schemas of a definition's versions, each compiled once. */
interface Schemas {
  readonly of: string
  /** The event from which they are known. */
  readonly since: number
  schema(version: string): CustomSchema
}

const schemasOf = new WeakMap<CustomDefinition, Schemas>()

function createSchemas(stored: StoredDefinition, since: number, of: string): Schemas {
  const compiled = new Map<string, CustomSchema>()
  return {
    of,
    since,
    schema(version) {
      let schema = compiled.get(version)
      if (!schema) {
        const { spec } = stored.parse() as unknown as CustomResourceDefinition
        schema = customSchema(spec.versions?.find(({ name }) => name === version)?.schema?.openAPIV3Schema)
        compiled.set(version, schema)
      }
      return schema
    },
  }
}

const kindRegistry = (base: SchemaRegistry, infos: readonly ResourceInfo[], schemas: Schemas): SchemaRegistry =>
  layeredRegistry(
    base,
    () => infos.flatMap(({ group, version, kind, definition }) => [...schemas.schema(version).definitions(definition, { group, version, kind })]),
    infos,
  )

const envelope = 'shiplog.CustomResource'

const envelopes = new WeakMap<SchemaRegistry, SchemaRegistry>()

/** What every custom resource begins with; the rest is its schema's. */
function envelopeRegistry(base: SchemaRegistry): SchemaRegistry {
  let registry = envelopes.get(base)
  if (!registry) {
    const text = { type: 'string', omitZero: true } as const
    const metadata = { type: 'ref', ref: 'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta', always: true } as const
    const fields = { kind: text, apiVersion: text, metadata }
    registry = layeredRegistry(base, () => [{ name: envelope, fields, open: true, groupVersionKinds: [] }], [])
    envelopes.set(base, registry)
  }
  return registry
}

interface KindParts {
  /** All built-in definitions. */
  readonly base: SchemaRegistry
  readonly revision: string
  readonly facts: Definition
  readonly version: VersionFacts
  readonly resource: ResourceInfo
  readonly infos: ReadonlyMap<string, ResourceInfo>
  readonly registry: () => SchemaRegistry
  readonly schemas: Schemas
  readonly conversions: ConversionTable | undefined
}

function customKind(parts: KindParts): ServedKind {
  const { facts, version, resource, infos, schemas } = parts
  const { group, storageVersion } = facts
  const info = infos.get(storageVersion)!
  const key = groupResourceOf(group, resource.resource)
  const schema = (): CustomSchema => schemas.schema(version.name)
  const storedVersion = apiVersionOf(group, storageVersion)
  const shownVersion = apiVersionOf(group, version.name)
  const scale = version.subresources?.scale
  const selectable = selectablePaths(version)
  const hasStatus = version.subresources?.status !== undefined
  const toStorage = (object: KubeObject): KubeObject => inVersion(parts, asSent(parts, object), storedVersion)
  const fromStorage = (object: KubeObject): KubeObject => inVersion(parts, object, shownVersion)
  // A webhook gives another shape: rules of this version are rules of what is shown.
  const isReshaped = parts.conversions !== undefined && storedVersion !== shownVersion
  const shown = isReshaped ? fromStorage : (object: KubeObject): KubeObject => object
  const storedSchema = (): CustomSchema => (isReshaped ? schemas.schema(storageVersion) : schema())
  return {
    info,
    resource,
    revision: parts.revision,
    strategy: customResourceStrategy({ hasStatus, schema, storedSchema, shown, selectable, scale }),
    structuralErrors: () => [],
    get registry() {
      return parts.registry()
    },
    ...(infos.size > 1 ? { versionConverter: converterOf(parts) } : {}),
    decode: (object) => decode(parts, object),
    toStorage,
    fromStorage,
    upgraded: (object, sequence) => (sequence > schemas.since ? object : asItsVersionIsNow(parts, object)),
    servedAsStored: (sequence) => storedVersion === shownVersion && sequence > schemas.since,
    selectableField: (label) => foundField(label, resource, selectable),
    printer: customPrinter(version.additionalPrinterColumns),
    resetFields: (subresource) => {
      if (subresource === 'status') return ['metadata', 'spec']
      return subresource === '' && hasStatus ? ['status'] : []
    },
    readScale: (object) => readCustomScale(shown(object), scale!),
    writeScale: (draft, wanted) => {
      if (!isReshaped) return writeCustomScale(draft, wanted, scale!, key)
      const seen = cloneJson(shown(draft))
      writeCustomScale(seen, wanted, scale!, key)
      const stored = toStorage(seen)
      for (const field of Object.keys(draft)) delete draft[field]
      Object.assign(draft, stored)
    },
    custom: traitsOf(parts),
    ...(parts.conversions ? { conversions: parts.conversions } : {}),
  }
}

const converterOf =
  (parts: KindParts): VersionConverter =>
  (object, apiVersion) => {
    const { facts, infos } = parts
    const version = apiVersion.slice(facts.group.length + 1)
    const info = apiVersion === apiVersionOf(facts.group, version) ? infos.get(version) : undefined
    return (
      info && {
        object: inVersion(parts, object as KubeObject, apiVersion),
        definition: info.definition,
      }
    )
  }

const selectablePaths = ({ selectableFields = [] }: VersionFacts): ReadonlyMap<string, JsonPath> =>
  new Map(selectableFields.map(({ jsonPath }) => [jsonPath.replace(/^\./, ''), pathOf(jsonPath)]))

function foundField(
  label: string,
  { namespaced }: ResourceInfo,
  selectable: ReadonlyMap<string, JsonPath>,
): FoundField {
  const isOfAll = label === 'metadata.name' || (namespaced && label === 'metadata.namespace')
  return isOfAll || selectable.has(label) ? { field: label } : { refusal: `field label not supported: ${label}` }
}

function traitsOf({ facts, version, schemas }: KindParts): CustomTraits {
  const { group, names, closed } = facts
  const kind = { group, version: version.name, kind: names.kind }
  const selectableFields = version.selectableFields?.map(({ jsonPath }) => jsonPath)
  const why = 'create not allowed while custom resource definition is terminating'
  return {
    warnings: version.deprecated ? [version.deprecationWarning ?? deprecation(facts, version)] : [],
    openApi: (openApi) =>
      schemas.schema(version.name).openApi(openApi, { ...kind, selectableFields, texts: commonTexts }),
    closed: closed ? forbidden({ group, resource: names.plural }, '', why) : undefined,
  }
}

/** What a deprecated version tells of itself where its definition has no sentence of its own. */
function deprecation({ group, names, versions }: Definition, { name }: VersionFacts): string {
  const better = versions.find(
    (other) => other.served && !other.deprecated && compareVersions(other.name, name) < 0,
  )
  const said = `${group}/${name} ${names.kind} is deprecated`
  return better ? `${said}; use ${group}/${better.name} ${names.kind}` : said
}

function decode({ base, resource, schemas }: KindParts, object: JsonObject): NormalizeResult {
  const { object: normalized, unknown, errors } = normalize(envelopeRegistry(base), envelope, object)
  if (errors.length > 0) return { object: normalized, unknown, errors }
  const own = withOwnParts(normalized)
  const { dropped, cause } = schemas.schema(resource.version).coerce(own)
  return {
    object: own,
    unknown: [...unknown, ...dropped],
    errors: cause ? [`${cause.field}: ${cause.message}`] : errors,
  }
}

/** Everything but metadata, which is new already, in a copy that may be changed. */
function withOwnParts(object: JsonObject): JsonObject {
  const { kind, apiVersion, metadata, ...rest } = object
  return { ...(kind === undefined ? {} : { kind }), ...(apiVersion === undefined ? {} : { apiVersion }), metadata, ...cloneJson(rest) }
}

/** An object as a schema has it now: pruned and with its defaults. */
function canonical(object: KubeObject, schema: CustomSchema): KubeObject {
  const copy = withOwnParts(object) as KubeObject
  schema.coerce(copy, { isStored: true })
  schema.setDefaults(copy)
  return copy
}

/**
 * An object in another version of its kind: what the webhook makes of it (throws AwaitsConversion while that is not known), or the
 * same under the other version's name.
 */
function inVersion({ facts, schemas, conversions }: KindParts, object: KubeObject, apiVersion: string): KubeObject {
  if (object.apiVersion === apiVersion) return object
  const converted = conversions ? conversions.converted(object, apiVersion) : { ...object, apiVersion }
  return canonical(converted, schemas.schema(apiVersion.slice(facts.group.length + 1)))
}

/** What a client sent of this version, before somebody else gives it another shape: with the defaults that this one has. */
function asSent({ facts, version, schemas, conversions }: KindParts, object: KubeObject): KubeObject {
  const isOwn = object.apiVersion === apiVersionOf(facts.group, version.name)
  return conversions && isOwn && version.name !== facts.storageVersion ? canonical(object, schemas.schema(version.name)) : object
}

/** An object that was stored long ago, by the schema that the version in which it is stored has now. */
function asItsVersionIsNow({ facts, infos, schemas }: KindParts, object: KubeObject): KubeObject {
  const version = object.apiVersion.slice(facts.group.length + 1)
  return infos.has(version) ? canonical(object, schemas.schema(version)) : object
}
