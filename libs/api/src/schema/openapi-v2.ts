// OpenAPI v2: what clients still ask for where v3 does not serve them. kubectl checks each item of a `kind: List` against it
// before it sends them, and takes a server without it for one that cannot validate. All definitions of all versions are
// here, and in JSON all paths; the protobuf form, which is asked for to validate, has definitions alone. Import this file only
// when the document is asked for.
import { groupsOf } from './discovery.ts'
import type { JsonObject } from '../kube-object.ts'
import { describedVersion, openApiDocument, schemasFor } from './openapi.ts'
import {
  discoveryDefinitions,
  discoveryPaths,
  pathsOfV2,
  versionInfo,
  versionInfoSchema,
  watchEvent,
  watchEventSchema,
  watchPaths,
} from './openapi-v2-paths.ts'
import { apiVersionOf, type SchemaRegistry } from './schema.ts'

/** The media type in which client-go asks for it. */
export const openApiV2Protobuf = 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf'

/** The whole document as JSON. */
export function openApiV2(registry: SchemaRegistry): JsonObject {
  const definitions: Record<string, JsonObject> = {}
  const groups = groupsOf(registry)
  const paths = discoveryPaths(groups)
  const add = (schemas: Readonly<Record<string, JsonObject>>): void => {
    for (const [name, schema] of Object.entries(schemas)) definitions[name] ??= registry.published?.schema(name, 2) ?? swaggerSchema(schema)
  }
  for (const { group, versions } of groups) {
    for (const version of versions) {
      const document = openApiDocument(registry, `${group ? 'apis' : 'api'}/${apiVersionOf(group, version)}`)
      add(document?.['components']?.schemas ?? {})
      Object.assign(paths, pathsOfV2(document?.['paths'] ?? {}, swaggerSchema))
    }
  }
  add(schemasFor(registry, new Set(discoveryDefinitions)))
  for (const resource of registry.resources) Object.assign(paths, watchPaths(resource))
  definitions[versionInfo] = versionInfoSchema
  definitions[watchEvent] = watchEventSchema
  return { swagger: '2.0', info: { title: 'Kubernetes', version: describedVersion }, paths, definitions }
}

/** v2 knows neither `oneOf` nor a reference with siblings: values of several types are text of that format. */
function swaggerSchema(schema: JsonObject): JsonObject {
  if (typeof schema['$ref'] === 'string') return { $ref: definitionRef(schema['$ref']) }
  const { allOf, oneOf, anyOf, properties, items, additionalProperties, nullable: _nullable, ...rest } = schema
  const only = (allOf as readonly JsonObject[] | undefined)?.[0]?.['$ref']
  if (typeof only === 'string') {
    const { description } = rest
    return { ...(description ? { description } : {}), $ref: definitionRef(only) }
  }
  if (oneOf || anyOf) return { ...rest, type: 'string' }
  return {
    ...rest,
    ...(properties ? { properties: mapValues(properties, swaggerSchema) } : {}),
    ...(items ? { items: swaggerSchema(items) } : {}),
    ...(additionalProperties ? { additionalProperties: swaggerSchema(additionalProperties) } : {}),
  }
}

const definitionRef = (ref: string): string => ref.replace('#/components/schemas/', '#/definitions/')

const mapValues = (
  object: Readonly<Record<string, JsonObject>>,
  change: (value: JsonObject) => JsonObject,
): JsonObject => Object.fromEntries(Object.entries(object).map(([key, value]) => [key, change(value)]))

/** The document in the protobuf form of gnostic's openapi.v2. The numbers are the fields of its messages. */
export function encodeOpenApiV2(document: JsonObject): Buffer {
  const { title, version } = document['info'] as JsonObject
  return message(
    text(1, document['swagger']),
    nested(2, message(text(1, title), text(2, version))),
    nested(8, Buffer.alloc(0)),
    nested(9, message(...namedSchemas(document['definitions']))),
  )
}

const namedSchemas = (schemas: Readonly<Record<string, JsonObject>>): Buffer[] =>
  Object.entries(schemas).map(([name, schema]) => nested(1, message(text(1, name), nested(2, encodeSchema(schema)))))

function encodeSchema(schema: JsonObject): Buffer {
  const { $ref, format, description, required, type, properties, items, additionalProperties } = schema
  return message(
    text(1, $ref),
    text(2, format),
    text(4, description),
    ...('default' in schema ? [nested(5, any(schema['default']))] : []),
    ...((required as readonly string[] | undefined) ?? []).map((name) => text(19, name)),
    ...((schema['enum'] as readonly unknown[] | undefined) ?? []).map((value) => nested(20, any(value))),
    ...(additionalProperties ? [nested(21, message(nested(1, encodeSchema(additionalProperties))))] : []),
    ...(type ? [nested(22, message(text(1, type)))] : []),
    ...(items ? [nested(23, message(nested(1, encodeSchema(items))))] : []),
    ...(properties ? [nested(25, message(...namedSchemas(properties)))] : []),
    ...Object.entries(schema)
      .filter(([name]) => name.startsWith('x-'))
      .map(([name, value]) => nested(31, message(text(1, name), nested(2, any(value))))),
  )
}

/** A free value: its text as YAML, which JSON is. */
const any = (value: unknown): Buffer => text(2, `${JSON.stringify(value)}\n`)

const message = (...fields: readonly Buffer[]): Buffer => Buffer.concat(fields)

const text = (field: number, value: unknown): Buffer =>
  typeof value === 'string' && value !== '' ? nested(field, Buffer.from(value)) : Buffer.alloc(0)

/** A field of bytes: its key, its length, itself. */
const nested = (field: number, bytes: Buffer): Buffer =>
  Buffer.concat([varint(field * 8 + 2), varint(bytes.length), bytes])

function varint(value: number): Buffer {
  const bytes: number[] = []
  let rest = value
  for (; rest > 0x7f; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80)
  bytes.push(rest)
  return Buffer.from(bytes)
}
