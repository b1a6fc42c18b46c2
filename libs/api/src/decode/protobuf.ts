// Kubernetes protobuf bodies: four magic bytes, a runtime.Unknown with the kind, and in it the object's message, which is
// read by the field numbers of the registry. kubectl's `create` generators and helm's release Secrets come so. What the
// wire leaves open (zero values that mean "not set", order of fields) is settled by `normalize` afterwards.
import { Buffer } from 'node:buffer'
import { DecodeError, depthMax } from './decode-error.ts'
import { decodeJson } from './decode-json.ts'
import { goDurationText, nanosecondsPerMs } from '../go-duration.ts'
import type { JsonObject } from '../kube-object.ts'
import type { Definition, Field, FieldType, SchemaRegistry } from '../schema/schema.ts'

/** "k8s" and a zero byte. */
export const protobufMagic: readonly number[] = [0x6b, 0x38, 0x73, 0x00]

const unexpectedEnd = 'unexpected EOF'
const deleteOptions = 'io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions'

/**
 * The object in an envelope. `fallback` is the definition to use when the envelope names no kind.
 * Throws DecodeError for bytes that are no such message.
 */
export const decodeProtobuf = (bytes: Uint8Array, registry: SchemaRegistry, fallback?: string): JsonObject => {
  if (bytes.length === 0) throw new DecodeError('empty data')
  if (protobufMagic.some((byte, index) => bytes[index] !== byte)) {
    throw new DecodeError('provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]')
  }
  if (bytes.length === protobufMagic.length) throw new DecodeError('empty body')
  const buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return new Decoder(buffer, registry).envelope(protobufMagic.length, buffer.length, fallback, 0)
}

/** How a field that was found by its number is read. */
interface Slot {
  readonly name: string
  readonly type: FieldType
  /** Set when the number is that of a message whose fields JSON inlines. */
  readonly inlined?: Table
}
type Table = Map<number, Slot>

interface Tables {
  readonly byDefinition: Map<Definition, Table>
  readonly byKind: Map<string, string>
}

const tablesOf = new WeakMap<SchemaRegistry, Tables>()

const tablesFor = (registry: SchemaRegistry): Tables => {
  let tables = tablesOf.get(registry)
  if (!tables) {
    const byKind = new Map<string, string>()
    for (const definition of registry.definitions.values()) {
      for (const { group, version, kind } of definition.groupVersionKinds ?? []) {
        byKind.set(`${group ? `${group}/${version}` : version}/${kind}`, definition.name)
      }
    }
    tables = { byDefinition: new Map(), byKind }
    tablesOf.set(registry, tables)
  }
  return tables
}

const tableOf = (tables: Tables, definition: Definition): Table => {
  let table = tables.byDefinition.get(definition)
  if (!table) {
    table = new Map()
    for (const [name, field] of Object.entries(definition.fields)) place(table, name, field)
    tables.byDefinition.set(definition, table)
  }
  return table
}

const place = (table: Table, name: string, field: Field): void => {
  if (field.number === undefined) return
  let inner = table
  for (const number of field.inlined ?? []) {
    let slot = inner.get(number)
    if (!slot) inner.set(number, (slot = { name: '', type: { type: 'any' }, inlined: new Map() }))
    inner = slot.inlined!
  }
  inner.set(field.number, { name, type: field })
}

const stringType: FieldType = { type: 'string' }

class Decoder {
  readonly #bytes: Buffer
  readonly #registry: SchemaRegistry
  readonly #tables: Tables
  #at = 0

  constructor(bytes: Buffer, registry: SchemaRegistry) {
    this.#bytes = bytes
    this.#registry = registry
    this.#tables = tablesFor(registry)
  }

  /** runtime.Unknown: 1 typeMeta {1 apiVersion, 2 kind}, 2 raw, 3 contentEncoding, 4 contentType. */
  envelope(start: number, end: number, fallback: string | undefined, depth: number): JsonObject {
    let apiVersion = ''
    let kind = ''
    let rawStart = end
    let rawEnd = end
    this.#at = start
    while (this.#at < end) {
      const tag = this.#tag(end)
      if (tag === 0x0a) {
        const metaEnd = this.#length(end)
        while (this.#at < metaEnd) {
          const inner = this.#tag(metaEnd)
          if (inner === 0x0a) apiVersion = this.#string(metaEnd)
          else if (inner === 0x12) kind = this.#string(metaEnd)
          else this.#skip(inner, metaEnd)
        }
      } else if (tag === 0x12) {
        rawEnd = this.#length(end)
        rawStart = this.#at
        this.#at = rawEnd
      } else this.#skip(tag, end)
    }
    const definition = this.#definitionFor(apiVersion, kind, fallback)
    const object: JsonObject = {}
    if (kind) object['kind'] = kind
    if (apiVersion) object['apiVersion'] = apiVersion
    this.#at = rawStart
    this.#message(tableOf(this.#tables, definition), object, rawEnd, depth)
    return object
  }

  #definitionFor(apiVersion: string, kind: string, fallback: string | undefined): Definition {
    if (!kind) {
      if (!fallback) throw new DecodeError("Object 'Kind' is missing in protobuf body")
      return this.#registry.definition(fallback)
    }
    const name = this.#tables.byKind.get(`${apiVersion}/${kind}`)
    if (name) return this.#registry.definition(name)
    // DeleteOptions is registered in every group.
    if (kind === 'DeleteOptions') return this.#registry.definition(deleteOptions)
    throw new DecodeError(`no kind ${JSON.stringify(kind)} is registered for version ${JSON.stringify(apiVersion)}`)
  }

  #message(table: Table, object: JsonObject, end: number, depth: number): void {
    if (depth > depthMax) throw new DecodeError('exceeded max depth')
    while (this.#at < end) {
      const tag = this.#tag(end)
      const slot = table.get(tag >>> 3)
      if (!slot) this.#skip(tag, end)
      else if (slot.inlined) this.#message(slot.inlined, object, this.#lengthOf(tag, end), depth + 1)
      else this.#field(object, slot, tag, end, depth)
    }
    if (this.#at !== end) throw new DecodeError(unexpectedEnd)
  }

  #field(object: JsonObject, slot: Slot, tag: number, end: number, depth: number): void {
    const { name, type } = slot
    if (type.type === 'array') {
      const list = (object[name] ??= []) as unknown[]
      const items = type.items!
      if ((tag & 7) === 2 && (items.type === 'integer' || items.type === 'boolean')) {
        const packedEnd = this.#length(end)
        while (this.#at < packedEnd) list.push(this.#scalar(items, 0, packedEnd))
      } else list.push(this.#value(items, tag, end, depth))
    } else if (type.type === 'map') {
      this.#entry((object[name] ??= {}) as JsonObject, type.items!, this.#lengthOf(tag, end), depth)
    } else {
      const value = this.#value(type, tag, end, depth)
      if (value !== undefined) object[name] = value
    }
  }

  /** One entry of a map: 1 key, 2 value. A value that is missing is the zero value. */
  #entry(map: JsonObject, items: FieldType, end: number, depth: number): void {
    let key = ''
    let value: unknown
    while (this.#at < end) {
      const tag = this.#tag(end)
      if (tag >>> 3 === 1) key = this.#scalar(stringType, tag & 7, end) as string
      else if (tag >>> 3 === 2) value = this.#value(items, tag, end, depth)
      else this.#skip(tag, end)
    }
    value ??= zeroOf(items)
    if (key === '__proto__')
      Object.defineProperty(map, key, { value, enumerable: true, configurable: true, writable: true })
    else map[key] = value
  }

  #value(type: FieldType, tag: number, end: number, depth: number): unknown {
    switch (type.type) {
      case 'ref': {
        const messageEnd = this.#lengthOf(tag, end)
        const object: JsonObject = {}
        this.#message(tableOf(this.#tables, this.#registry.definition(type.ref!)), object, messageEnd, depth + 1)
        return object
      }
      case 'any':
        return this.#embedded(type, this.#lengthOf(tag, end), depth + 1)
      case 'array': {
        // A list inside a map or list is wrapped in a message of its own: {1 items}.
        const wrapperEnd = this.#lengthOf(tag, end)
        const wrapper: JsonObject = {}
        const table: Table = new Map([[1, { name: 'items', type }]])
        this.#message(table, wrapper, wrapperEnd, depth + 1)
        return wrapper['items'] ?? []
      }
      default:
        switch (type.format) {
          case 'quantity':
            return this.#quantity(this.#lengthOf(tag, end))
          case 'int-or-string':
            return this.#intOrString(this.#lengthOf(tag, end))
          case 'date-time':
            return this.#time(this.#lengthOf(tag, end), false)
          case 'micro-time':
            return this.#time(this.#lengthOf(tag, end), true)
          case 'duration':
            return this.#duration(this.#lengthOf(tag, end))
          default:
            return this.#scalar(type, tag & 7, end)
        }
    }
  }

  #scalar(type: FieldType, wire: number, end: number): unknown {
    switch (type.type) {
      case 'boolean':
        if (wire !== 0) throw wrongWire(wire)
        return this.#varint(end) !== 0
      case 'integer':
        if (wire !== 0) throw wrongWire(wire)
        return this.#varint(end)
      case 'number': {
        if (wire !== 1) throw wrongWire(wire)
        if (this.#at + 8 > end) throw new DecodeError(unexpectedEnd)
        const value = this.#bytes.readDoubleLE(this.#at)
        this.#at += 8
        if (!Number.isFinite(value)) throw new DecodeError(`json: unsupported value: ${value}`)
        return value
      }
      default: {
        if (wire !== 2) throw wrongWire(wire)
        const stringEnd = this.#length(end)
        const text = this.#bytes.toString(type.format === 'byte' ? 'base64' : 'utf8', this.#at, stringEnd)
        this.#at = stringEnd
        return text
      }
    }
  }

  /** {1 string} */
  #quantity(end: number): string {
    let text = ''
    while (this.#at < end) {
      const tag = this.#tag(end)
      if (tag === 0x0a) text = this.#string(end)
      else this.#skip(tag, end)
    }
    return text === '' ? '0' : text
  }

  /** {1 type (0 int, 1 string), 2 intVal, 3 strVal} */
  #intOrString(end: number): number | string {
    let isString = false
    let number = 0
    let text = ''
    while (this.#at < end) {
      const tag = this.#tag(end)
      if (tag === 0x08) isString = this.#varint(end) !== 0
      else if (tag === 0x10) number = this.#varint(end)
      else if (tag === 0x1a) text = this.#string(end)
      else this.#skip(tag, end)
    }
    return isString ? text : number
  }

  /** {1 nanoseconds} */
  #duration(end: number): string {
    let nanoseconds = 0
    while (this.#at < end) {
      const tag = this.#tag(end)
      if (tag === 0x08) nanoseconds = this.#varint(end)
      else this.#skip(tag, end)
    }
    return goDurationText(nanoseconds / nanosecondsPerMs)
  }

  /** {1 seconds, 2 nanos}; an empty message is "no time". */
  #time(end: number, micro: boolean): string | undefined {
    if (this.#at === end) return undefined
    let seconds = 0
    let nanos = 0
    while (this.#at < end) {
      const tag = this.#tag(end)
      if (tag === 0x08) seconds = this.#varint(end)
      else if (tag === 0x10) nanos = this.#varint(end)
      else this.#skip(tag, end)
    }
    const date = new Date(seconds * 1000)
    const year = date.getUTCFullYear()
    if (Number.isNaN(year) || year < 0 || year > 9999 || nanos < 0 || nanos > 999_999_999) {
      throw new DecodeError('Time.MarshalJSON: year outside of range [0,9999]')
    }
    const whole = date.toISOString().slice(0, 19)
    return micro ? `${whole}.${String(Math.floor(nanos / 1000)).padStart(6, '0')}Z` : `${whole}Z`
  }

  /** RawExtension, JSON, FieldsV1: {1 raw}; and the unions of a CustomResourceDefinition's schema. */
  #embedded(type: FieldType, end: number, depth: number): unknown {
    if (type.format) return this.#schemaUnion(type.format, end, depth)
    let value: unknown
    while (this.#at < end) {
      const tag = this.#tag(end)
      if (tag !== 0x0a) {
        this.#skip(tag, end)
        continue
      }
      const rawEnd = this.#length(end)
      const rawStart = this.#at
      if (protobufMagic.every((byte, index) => this.#bytes[rawStart + index] === byte) && rawEnd - rawStart > 4) {
        value = this.envelope(rawStart + protobufMagic.length, rawEnd, undefined, depth + 1)
      } else if (rawEnd > rawStart) {
        value = decodeJson(this.#bytes.toString('utf8', rawStart, rawEnd)).value
      }
      this.#at = rawEnd
    }
    return value
  }

  /** JSONSchemaPropsOrBool {1 allows, 2 schema}; …OrArray {1 schema, 2 schemas}; …OrStringArray {1 schema, 2 strings}. */
  #schemaUnion(format: string, end: number, depth: number): unknown {
    const schemaType: FieldType = { type: 'ref', ref: jsonSchemaProps }
    const orBoolean = format === 'schema-or-boolean'
    let schema: unknown
    let allows = false
    const list: unknown[] = []
    while (this.#at < end) {
      const tag = this.#tag(end)
      const number = tag >>> 3
      if (number === (orBoolean ? 2 : 1)) schema = this.#value(schemaType, tag, end, depth)
      else if (number === 1) allows = this.#scalar({ type: 'boolean' }, tag & 7, end) as boolean
      else if (number === 2) {
        list.push(
          format === 'schema-or-array'
            ? this.#value(schemaType, tag, end, depth)
            : this.#scalar(stringType, tag & 7, end),
        )
      } else this.#skip(tag, end)
    }
    return schema ?? (orBoolean ? allows : list)
  }

  #tag(end: number): number {
    const tag = this.#varint(end)
    if (tag < 8 || tag > 0xffff_ffff) throw new DecodeError(`proto: illegal tag ${tag >>> 3} (wire type ${tag & 7})`)
    return tag
  }

  /** An unsigned or two's-complement 64-bit number that a double holds exactly. */
  #varint(end: number): number {
    let low = 0
    let high = 0
    for (let shift = 0; ; shift += 7) {
      if (this.#at >= end) throw new DecodeError(unexpectedEnd)
      if (shift >= 70) throw new DecodeError('proto: integer overflow')
      const byte = this.#bytes[this.#at++]!
      const bits = byte & 0x7f
      if (shift < 28) low |= bits << shift
      else if (shift === 28) {
        low |= (bits & 0xf) << 28
        high |= bits >>> 4
      } else high |= bits << (shift - 32)
      if (byte < 0x80) break
    }
    if (high === 0) return low >>> 0
    const value = high * 0x1_0000_0000 + (low >>> 0)
    if (!Number.isSafeInteger(value)) {
      const exact = (BigInt(high) << 32n) + BigInt(low >>> 0)
      throw new DecodeError(`the integer ${exact} cannot be stored exactly: it must be between -2^53 and 2^53`)
    }
    return value
  }

  /** The end of the length-delimited value that starts here. */
  #length(end: number): number {
    const length = this.#varint(end)
    if (length < 0) throw new DecodeError('proto: negative length found during unmarshaling')
    const valueEnd = this.#at + length
    if (valueEnd > end) throw new DecodeError(unexpectedEnd)
    return valueEnd
  }

  #lengthOf(tag: number, end: number): number {
    if ((tag & 7) !== 2) throw wrongWire(tag & 7)
    return this.#length(end)
  }

  #string(end: number): string {
    const stringEnd = this.#length(end)
    const text = this.#bytes.toString('utf8', this.#at, stringEnd)
    this.#at = stringEnd
    return text
  }

  #skip(tag: number, end: number): void {
    switch (tag & 7) {
      case 0:
        // A number that no field takes need not be exact.
        while (this.#at < end && this.#bytes[this.#at]! >= 0x80) this.#at++
        this.#at++
        break
      case 1:
        this.#at += 8
        break
      case 2:
        this.#at = this.#length(end)
        break
      case 5:
        this.#at += 4
        break
      default:
        throw new DecodeError(`proto: illegal wireType ${tag & 7}`)
    }
    if (this.#at > end) throw new DecodeError(unexpectedEnd)
  }
}

const jsonSchemaProps = 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps'

const wrongWire = (wire: number): DecodeError => new DecodeError(`proto: wrong wireType = ${wire} for field`)

const zeroOf = (type: FieldType): unknown => {
  switch (type.type) {
    case 'integer':
    case 'number':
      return 0
    case 'boolean':
      return false
    case 'array':
      return []
    case 'ref':
    case 'map':
      return {}
    case 'any':
      return null
    default:
      return type.format === 'quantity' ? '0' : ''
  }
}
