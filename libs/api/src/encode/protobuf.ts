// Answers in Kubernetes' protobuf: objects as they are in JSON, written by the field numbers of the registry, and what is
// around them (runtime.Unknown, lists, watch events). The counterpart of decode/protobuf.ts.
import { Buffer } from 'node:buffer'
import { protobufMagic } from '../decode/protobuf.ts'
import { goDurationMs, nanosecondsPerMs } from '../go-duration.ts'
import type { JsonObject } from '../kube-object.ts'
import type { Field, FieldType, SchemaRegistry } from '../schema/schema.ts'
import { ProtobufWriter } from './protobuf-writer.ts'

export interface ProtobufEncoder {
  /** An object in its envelope; undefined for a kind that the registry does not know. */
  object(object: JsonObject): Buffer | undefined
  /** The message alone. */
  message(object: JsonObject, definition: string): Buffer
  /** An envelope around a message that is there in pieces, before and after them. */
  envelope(type: TypeMeta, bytes: number): { readonly head: Buffer; readonly tail: Buffer }
}

export interface TypeMeta {
  readonly apiVersion: string
  readonly kind: string
}

interface Slot {
  readonly number: number
  readonly type: FieldType
}

/** The fields of a message by their names in JSON, and the messages in it that JSON inlines. */
interface Table {
  readonly fields: Map<string, Slot>
  readonly groups: Map<number, Table>
}

const newTable = (): Table => ({ fields: new Map(), groups: new Map() })

const place = (table: Table, name: string, field: Field): void => {
  if (field.number === undefined) return
  let inner = table
  for (const number of field.inlined ?? []) {
    let next = inner.groups.get(number)
    if (!next) inner.groups.set(number, (next = newTable()))
    inner = next
  }
  inner.fields.set(name, { number: field.number, type: field })
}

/** Fields of runtime.Unknown that say nothing here: contentEncoding and contentType. */
const unknownTail = Buffer.from([0x1a, 0x00, 0x22, 0x00])
const magic = Buffer.from(protobufMagic)
const jsonSchemaProps = 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps'
const jsonSchema: FieldType = { type: 'ref', ref: jsonSchemaProps }
const text: FieldType = { type: 'string' }

export const createProtobufEncoder = (registry: SchemaRegistry): ProtobufEncoder => {
  const tables = new Map<string, Table>()
  const writer = new ProtobufWriter()
  let byKind: ReadonlyMap<string, string> | undefined

  const tableOf = (name: string): Table => {
    let table = tables.get(name)
    if (!table) {
      tables.set(name, (table = newTable()))
      for (const [field, of] of Object.entries(registry.definition(name).fields)) place(table, field, of)
    }
    return table
  }

  const writeMessage = (table: Table, object: JsonObject): void => {
    for (const [number, group] of table.groups) {
      const before = writer.length
      writeMessage(group, object)
      if (writer.length > before) writer.close(number, before)
    }
    const names = Object.keys(object)
    for (let index = names.length - 1; index >= 0; index--) {
      const slot = table.fields.get(names[index]!)
      if (slot) writeField(slot.number, slot.type, object[names[index]!])
    }
  }

  const writeField = (number: number, type: FieldType, value: unknown): void => {
    if (value === null || value === undefined) return
    if (type.type === 'array') {
      const list = value as readonly unknown[]
      for (let index = list.length - 1; index >= 0; index--) writeOne(number, type.items!, list[index])
    } else if (type.type === 'map') {
      const map = value as JsonObject
      const keys = Object.keys(map)
      for (let index = keys.length - 1; index >= 0; index--) {
        const before = writer.length
        writeOne(2, type.items!, map[keys[index]!])
        writeOne(1, text, keys[index])
        writer.close(number, before)
      }
    } else writeOne(number, type, value)
  }

  /** One value; in a list or a map null is the zero value. */
  const writeOne = (number: number, type: FieldType, value: unknown): void => {
    const before = writer.length
    switch (type.type) {
      case 'ref':
        if (value !== null) writeMessage(tableOf(type.ref!), value as JsonObject)
        writer.close(number, before)
        return
      case 'any':
        if (type.format?.startsWith('schema-')) writeSchemaUnion(type.format, value)
        else {
          writer.text(JSON.stringify(value))
          writer.close(1, before)
        }
        writer.close(number, before)
        return
      case 'array':
        // A list inside of a map or a list is a message of its own.
        writeField(1, type, value)
        writer.close(number, before)
        return
      case 'boolean':
        writer.varint(value ? 1 : 0)
        writer.tag(number, 0)
        return
      case 'integer':
        writer.varint(Number(value))
        writer.tag(number, 0)
        return
      case 'number':
        writer.double(Number(value))
        writer.tag(number, 1)
        return
      default:
        writeText(type.format, value)
        writer.close(number, before)
        return
    }
  }

  const writeText = (format: string | undefined, value: unknown): void => {
    const before = writer.length
    switch (format) {
      case 'byte':
        writer.bytes(Buffer.from(String(value ?? ''), 'base64'))
        return
      case 'quantity':
        writer.text(String(value ?? '0'))
        writer.close(1, before)
        return
      case 'int-or-string':
        if (typeof value === 'string') {
          writer.text(value)
          writer.close(3, before)
          writer.varint(1)
        } else {
          writer.varint(Number(value ?? 0))
          writer.tag(2, 0)
          writer.varint(0)
        }
        writer.tag(1, 0)
        return
      case 'date-time':
      case 'micro-time':
        if (value) writeTime(String(value))
        return
      case 'duration':
        // {1 nanoseconds}
        writer.varint((goDurationMs(String(value)) ?? 0) * nanosecondsPerMs)
        writer.tag(1, 0)
        return
      default:
        writer.text(String(value ?? ''))
    }
  }

  /** {1 seconds, 2 nanos} */
  const writeTime = (given: string): void => {
    const ms = Date.parse(given)
    const fraction = /\.(\d{1,9})/.exec(given)?.[1] ?? ''
    writer.varint(Number(fraction.padEnd(9, '0')))
    writer.tag(2, 0)
    writer.varint(Math.floor(ms / 1_000))
    writer.tag(1, 0)
  }

  /** JSONSchemaPropsOrBool {1 allows, 2 schema}; …OrArray {1 schema, 2 schemas}; …OrStringArray {1 schema, 2 strings}. */
  const writeSchemaUnion = (format: string, value: unknown): void => {
    if (format === 'schema-or-boolean') {
      if (typeof value === 'object') writeOne(2, jsonSchema, value)
      writeOne(1, { type: 'boolean' }, typeof value === 'object' ? true : value)
    } else if (!Array.isArray(value)) writeOne(1, jsonSchema, value)
    else writeField(2, { type: 'array', items: format === 'schema-or-array' ? jsonSchema : text }, value)
  }

  const definitionOf = ({ apiVersion, kind }: TypeMeta): string | undefined => {
    byKind ??= new Map(
      [...registry.definitions.values()].flatMap(({ name, groupVersionKinds = [] }) =>
        groupVersionKinds.map((one) => [`${one.group ? `${one.group}/` : ''}${one.version}/${one.kind}`, name] as const),
      ),
    )
    return byKind.get(`${apiVersion}/${kind}`)
  }

  const envelope: ProtobufEncoder['envelope'] = ({ apiVersion, kind }, bytes) => {
    writer.varint(bytes)
    writer.tag(2, 2)
    const before = writer.length
    writeOne(2, text, kind)
    writeOne(1, text, apiVersion)
    writer.close(1, before)
    writer.bytes(magic)
    return { head: writer.take(), tail: unknownTail }
  }

  const message: ProtobufEncoder['message'] = (object, definition) => {
    writeMessage(tableOf(definition), object)
    return writer.take()
  }

  return {
    envelope,
    message,
    object(object) {
      const type = { apiVersion: String(object['apiVersion'] ?? ''), kind: String(object['kind'] ?? '') }
      const definition = definitionOf(type)
      if (definition === undefined) return undefined
      const bytes = message(object, definition)
      const { head, tail } = envelope(type, bytes.length)
      return Buffer.concat([head, bytes, tail])
    },
  }
}

/** A field of a message that is there already: its tag and its length. */
export const fieldHead = (number: number, bytes: number): Buffer => {
  const writer = new ProtobufWriter()
  writer.close(number, -bytes)
  return writer.take()
}
