// Reads request bodies: JSON, YAML and Kubernetes protobuf become one raw object, together with the keys that were
// written twice. Whatever is broken is refused here with the Status that upstream's decoder gives. The raw object is
// then checked against its definition by `normalize`.
import { Buffer } from 'node:buffer'
import { decodeJson, interpretation } from './decode-json.ts'
import { decodeYaml } from './decode-yaml.ts'
import { DecodeError, depthMax, goKindOf } from './decode-error.ts'
import type { JsonObject } from '../kube-object.ts'
import { decodeProtobuf } from './protobuf.ts'
import type { SchemaRegistry } from '../schema/schema.ts'
import { ApiError, badRequest, unsupportedMediaType } from '../status.ts'

export { depthMax }
export { normalize, type NormalizeResult } from '../schema/structural-normalize.ts'
export { structuralErrors } from '../schema/structural.ts'

export const jsonMediaType = 'application/json'
export const yamlMediaType = 'application/yaml'
export const protobufMediaType = 'application/vnd.kubernetes.protobuf'

/** The media types that a body may have, in upstream's order. */
export const bodyMediaTypes = [jsonMediaType, yamlMediaType, protobufMediaType] as const

export interface DecodeOptions {
  /** Definition of the object that is expected; names the kind in error sentences and types a protobuf body without one. */
  readonly definition?: string
  /** What a sentence about broken JSON begins with, where it is not an object of the API that is read. */
  readonly failure?: string
}

export interface DecodedBody {
  /** As the client wrote it: unchecked, with fields that no definition knows. Without a definition it may be any JSON value. */
  readonly value: JsonObject
  /** Sentences such as `duplicate field "spec.replicas"`, in the order of the body. */
  readonly duplicates: readonly string[]
  /** Where a body of JSON has duplicates: the paths of all its keys, in its order. */
  readonly keys?: readonly string[]
}

/**
 * What strict decoding finds in a body, as upstream tells it: JSON is read once, so that its faults come in the order of the
 * text, and nothing is told of what lies below an unknown field; of YAML the duplicates come first.
 */
export const strictErrors = (
  { duplicates, keys }: Pick<DecodedBody, 'duplicates' | 'keys'>,
  unknown: readonly string[],
): readonly string[] => {
  const sentenceOf = (path: string): string => `unknown field ${JSON.stringify(path)}`
  if (!keys || unknown.length === 0) return [...duplicates, ...unknown.map(sentenceOf)]
  const strange = new Set(unknown)
  const twice = new Set(duplicates)
  const found = new Set<string>()
  const seen = new Set<string>()
  let below: string | undefined
  for (const path of keys) {
    if (below !== undefined && path.startsWith(below) && /^[.[]/.test(path.slice(below.length))) continue
    below = strange.has(path) ? path : undefined
    const again = `duplicate field ${JSON.stringify(path)}`
    if (below !== undefined) found.add(sentenceOf(path))
    else if (seen.has(path) && twice.has(again)) found.add(again)
    seen.add(path)
  }
  // An unknown field that is not a key of the text would be a fault of ours; it is told all the same.
  for (const path of unknown) found.add(sentenceOf(path))
  return [...found]
}

/**
 * The body as a raw object. Throws ApiError: 415 for a media type that is not understood, 400 for a broken body.
 *
 *     decodeBody(bytes, 'application/json', registry, { definition: 'io.k8s.api.core.v1.Pod' })
 */
export const decodeBody = (
  bytes: Uint8Array,
  contentType: string | undefined,
  registry: SchemaRegistry,
  options: DecodeOptions = {},
): DecodedBody => {
  try {
    const decoded = decodeAs(bytes, contentType, registry, options)
    if (!options.definition) return decoded
    // Go reads `null` into an object as an object without fields.
    if (decoded.value === null) return { value: {}, duplicates: [] }
    checkKind(decoded.value)
    return decoded
  } catch (error) {
    if (error instanceof DecodeError) throw new ApiError(badRequest(told(error.message, bytes, options)))
    throw error
  }
}

const decodeAs = (
  bytes: Uint8Array,
  contentType: string | undefined,
  registry: SchemaRegistry,
  options: DecodeOptions,
): DecodedBody => {
  switch (mediaTypeOf(contentType)) {
    case '':
    case jsonMediaType:
      return decodeJson(textOf(bytes)) as DecodedBody
    case yamlMediaType:
      return decodeJsonOrYaml(textOf(bytes))
    case protobufMediaType:
      return { value: decodeProtobuf(bytes, registry, options.definition), duplicates: [] }
    default:
      throw new ApiError(unsupportedMediaType(bodyMediaTypes))
  }
}

const interpreted =
  'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }'

/** Upstream reads kind and apiVersion first, into a struct of their own, whose errors look different. */
const checkKind = (value: unknown): void => {
  if (typeof value !== 'object' || Array.isArray(value)) {
    throw new DecodeError(cannotRead(value, `Go value of type ${interpreted}`))
  }
  for (const name of ['apiVersion', 'kind']) {
    const field = (value as JsonObject)[name] as unknown
    if (field !== undefined && field !== null && typeof field !== 'string') {
      throw new DecodeError(cannotRead(field, `Go struct field .${name} of type string`))
    }
  }
}

const cannotRead = (value: unknown, into: string): string =>
  `${interpretation}json: cannot unmarshal ${goKindOf(value)} into ${into}`

const decodeJsonOrYaml = (text: string): DecodedBody => {
  if (/^\s*[{[]/.test(text)) {
    try {
      return decodeJson(text) as DecodedBody
    } catch (error) {
      // A flow mapping of YAML starts with a brace as well; only what both refuse is broken.
      if (!(error instanceof DecodeError) || !error.syntax) throw error
    }
  }
  return decodeYaml(text) as DecodedBody
}

/** `application/json; charset=utf-8` is `application/json`. */
const mediaTypeOf = (contentType: string | undefined): string => {
  if (contentType === undefined || contentType === jsonMediaType) return contentType ?? ''
  const end = contentType.indexOf(';')
  return (end < 0 ? contentType : contentType.slice(0, end)).trim().toLowerCase()
}

const textOf = (bytes: Uint8Array): string =>
  Buffer.isBuffer(bytes)
    ? bytes.toString('utf8')
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8')

/** How much of a broken body its error shows. */
const summaryBytesMax = 30

const told = (why: string, bytes: Uint8Array, options: DecodeOptions): string => {
  if (options.failure !== undefined) return options.failure + why.replace(interpretation, '')
  if (!options.definition) return why
  const kind = options.definition.slice(options.definition.lastIndexOf('.') + 1)
  return `the object provided is unrecognized (must be of type ${kind}): ${why} (${summaryOf(bytes)})`
}

const summaryOf = (bytes: Uint8Array): string => {
  if (bytes.length === 0) return '<empty>'
  const head = Buffer.from(bytes.subarray(0, summaryBytesMax))
  const shown = bytes[0] === 0x7b ? head.toString('utf8') : head.toString('hex')
  return bytes.length > summaryBytesMax ? `${shown} ...` : shown
}
