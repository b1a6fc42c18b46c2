// Turns a raw object into the canonical object of its definition in one pass: fields in schema order (kind, apiVersion,
// metadata first), nulls and unset values dropped, unknown fields dropped and named, scalars checked as Go's decoder
// checks them. It runs on every write, so a definition is compiled once into plans that need no look-ups by type.
import { depthMax, goKindOf } from '../decode/decode-error.ts'
import { strictErrorsMax } from '../decode/json-scanner.ts'
import type { JsonObject } from '../kube-object.ts'
import { canonicalAmount, canonicalQuantity, QuantityError } from '../quantity.ts'
import type { Definition, Field, FieldType, SchemaRegistry } from './schema.ts'
import { ApiError, badRequest } from '../status.ts'

export interface NormalizeResult {
  /** A new object; parts that are data (RawExtension) are shared with the input. */
  readonly object: JsonObject
  /** Paths of unknown fields in upstream's form: `spec.containers[0].foo`. */
  readonly unknown: readonly string[]
  /** What Go's decoder would say, the first first: `json: cannot unmarshal string into Go struct field …`. */
  readonly errors: readonly string[]
}

/** Checks and orders an object. The definition is that of a kind or of any part of one. */
export const normalize = (registry: SchemaRegistry, definition: string, object: JsonObject): NormalizeResult => {
  const plan = planOf(registry, definition)
  const run: Run = { path: [], fields: [], struct: plan.struct, unknown: [], errors: [] }
  const normalized = normalizeObject(run, plan, object)
  return { object: normalized, unknown: run.unknown, errors: run.errors }
}

/** State of one call. The paths are kept only to name what is wrong. */
interface Run {
  /** With indexes and keys of maps: `spec`, `.containers`, `[0]`. */
  readonly path: string[]
  /** JSON names of the fields alone, as Go's errors show them. */
  readonly fields: string[]
  /** Name of the struct around. */
  struct: string
  readonly unknown: string[]
  readonly errors: string[]
}

type Convert = (run: Run, value: unknown, field: FieldPlan) => unknown

interface FieldPlan {
  readonly name: string
  readonly index: number
  convert: Convert
  readonly omitZero: boolean
  readonly keepsEmpty: boolean
  /** The type as Go names it. */
  readonly goType: string
  /** Items of lists and maps. */
  readonly items: FieldPlan | undefined
  /** Value of a `null` in a list or map. */
  readonly type: FieldType
  object: ObjectPlan | undefined
}

interface ObjectPlan {
  readonly struct: string
  readonly goType: string
  readonly open: boolean
  readonly fields: Map<string, FieldPlan>
  /** Structs that are written even when empty. */
  readonly always: FieldPlan[]
}

const plans = new WeakMap<SchemaRegistry, Map<string, ObjectPlan>>()

const planOf = (registry: SchemaRegistry, name: string): ObjectPlan => {
  let known = plans.get(registry)
  if (!known) plans.set(registry, (known = new Map()))
  return known.get(name) ?? compile(registry, known, registry.definition(name))
}

/** Whose lists of resources upstream rounds up to thousandths wherever it decodes them. */
const core = 'io.k8s.api.core.v1.'
const first = ['kind', 'apiVersion', 'metadata']

const compile = (registry: SchemaRegistry, known: Map<string, ObjectPlan>, definition: Definition): ObjectPlan => {
  const [struct, packageName] = definition.name.split('.').reverse() as [string, string]
  const plan: ObjectPlan = {
    struct,
    goType: `${packageName}.${struct}`,
    open: definition.open ?? false,
    fields: new Map(),
    always: [],
  }
  known.set(definition.name, plan)
  const isKind = definition.groupVersionKinds !== undefined
  const names = Object.keys(definition.fields)
  const ordered = isKind
    ? [...first.filter((name) => names.includes(name)), ...names.filter((name) => !first.includes(name))]
    : names
  ordered.forEach((name, index) => {
    const field = compileField(registry, known, name, index, definition.fields[name]!)
    if (definition.name.startsWith(core) && field.items?.type.format === 'quantity' && field.type.type === 'map')
      field.items.convert = convertAmount
    plan.fields.set(name, field)
    if (definition.fields[name]!.always) plan.always.push(field)
  })
  return plan
}

const compileField = (
  registry: SchemaRegistry,
  known: Map<string, ObjectPlan>,
  name: string,
  index: number,
  type: Field,
): FieldPlan => ({
  name,
  index,
  convert: converterOf(type),
  omitZero: type.omitZero ?? false,
  keepsEmpty: type.keepsEmpty ?? false,
  goType: type.goType ?? goTypeOf(type),
  items: type.items ? compileField(registry, known, name, 0, itemsOf(type)) : undefined,
  type,
  object: type.ref ? (known.get(type.ref) ?? compile(registry, known, registry.definition(type.ref))) : undefined,
})

/** The items with the name that the list's or map's own name gives them: `[]v1.Capability`. */
const itemsOf = (type: Field): Field => {
  const goType = /^(?:\[\]|map\[[^\]]*\])(.*)$/.exec(type.goType ?? '')?.[1]
  return goType ? { ...type.items!, goType } : type.items!
}

const goTypeOf = (type: FieldType): string => {
  switch (type.type) {
    case 'array':
      return `[]${goTypeOf(type.items!)}`
    case 'map':
      return `map[string]${goTypeOf(type.items!)}`
    case 'ref':
      return type.ref!.split('.').slice(-2).join('.')
    case 'integer':
      return type.format ?? 'int64'
    case 'number':
      return 'float64'
    case 'boolean':
      return 'bool'
    case 'any':
      return 'runtime.RawExtension'
    default:
      return goStringTypes[type.format ?? ''] ?? 'string'
  }
}

const goStringTypes: Readonly<Record<string, string>> = {
  byte: '[]uint8',
  quantity: 'resource.Quantity',
  'date-time': 'v1.Time',
  'micro-time': 'v1.MicroTime',
  'int-or-string': 'intstr.IntOrString',
}

const normalizeObject = (run: Run, plan: ObjectPlan, source: JsonObject): JsonObject => {
  if (run.path.length > depthMax) throw new ApiError(badRequest('exceeded max depth'))
  // Values in the order of the body (so that errors come in upstream's order), then put in the order of the schema.
  const found: FieldPlan[] = []
  const values: unknown[] = []
  let sorted = true
  let last = -1
  const extra: string[] = []
  for (const key in source) {
    const field = plan.fields.get(key)
    if (field === undefined) {
      if (plan.open) extra.push(key)
      else addUnknown(run, key)
      continue
    }
    const raw = source[key]
    if (raw === undefined) continue
    const value = raw === null ? ofNull(field) : field.convert(run, raw, field)
    if (value === undefined) continue
    if (field.index < last) sorted = false
    last = field.index
    found.push(field)
    values.push(value)
  }
  for (const field of plan.always) {
    if (found.includes(field)) continue
    if (field.index < last) sorted = false
    last = field.index
    found.push(field)
    values.push(normalizeObject(run, field.object!, {}))
  }
  if (!sorted) sortTogether(found, values)
  const result: JsonObject = {}
  for (let i = 0; i < found.length; i++) result[found[i]!.name] = values[i]
  for (const key of extra) define(result, key, source[key])
  return result
}

/** Insertion sort: objects have few fields and come nearly in order. */
const sortTogether = (found: FieldPlan[], values: unknown[]): void => {
  for (let i = 1; i < found.length; i++) {
    const field = found[i]!
    const value = values[i]
    let at = i - 1
    while (at >= 0 && found[at]!.index > field.index) {
      found[at + 1] = found[at]!
      values[at + 1] = values[at]
      at--
    }
    found[at + 1] = field
    values[at + 1] = value
  }
}

/** Sets a key that a client chose: `__proto__` must become a plain key. */
const define = (object: JsonObject, key: string, value: unknown): void => {
  if (key === '__proto__') {
    Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true })
  } else object[key] = value
}

const addUnknown = (run: Run, key: string): void => {
  if (run.unknown.length >= strictErrorsMax) return
  run.unknown.push(run.path.length === 0 ? key : `${run.path.join('')}.${key}`)
}

const fail = (run: Run, message: string): undefined => {
  if (run.errors.length < strictErrorsMax) run.errors.push(message)
  return undefined
}

const mismatch = (run: Run, field: FieldPlan, what: string, own: boolean): undefined => {
  const fields = own ? [...run.fields, field.name] : run.fields
  return fail(
    run,
    `json: cannot unmarshal ${what} into Go struct field ${run.struct}.${fields.join('.')} of type ${field.goType}`,
  )
}

const enter = (run: Run, name: string): void => {
  run.path.push(run.path.length === 0 ? name : `.${name}`)
  run.fields.push(name)
}

const leave = (run: Run): void => {
  run.path.pop()
  run.fields.pop()
}

const convertString: Convert = (run, value, field) => {
  if (typeof value !== 'string') return mismatch(run, field, goKindOf(value), true)
  return value === '' && field.omitZero ? undefined : value
}

const convertBoolean: Convert = (run, value, field) => {
  if (typeof value !== 'boolean') return mismatch(run, field, goKindOf(value), true)
  return value === false && field.omitZero ? undefined : value
}

const integerConverter =
  (min: number, max: number): Convert =>
  (run, value, field) => {
    if (typeof value === 'bigint') return inexact(run, value, field, max)
    if (typeof value !== 'number') return mismatch(run, field, goKindOf(value), true)
    if (!Number.isInteger(value) || value < min || value > max) {
      return mismatch(run, field, `number ${Object.is(value, -0) ? '-0' : value}`, true)
    }
    if (value === 0) return field.omitZero ? undefined : 0
    return value
  }

/** Not upstream's: fields of built-in kinds are numbers here, and are never rounded. */
const inexact = (run: Run, value: bigint, field: FieldPlan, max: number): undefined => {
  if (max < Number.MAX_SAFE_INTEGER) return mismatch(run, field, `number ${value}`, true)
  const place = [...run.path, run.path.length === 0 ? field.name : `.${field.name}`].join('')
  return fail(run, `the integer ${value} in ${place} cannot be stored exactly: it must be between -2^53 and 2^53`)
}

const convertInt32 = integerConverter(-(2 ** 31), 2 ** 31 - 1)
const convertInt64 = integerConverter(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER)

const convertNumber: Convert = (run, value, field) => {
  if (typeof value === 'bigint') return Number(value)
  if (typeof value !== 'number' || !Number.isFinite(value)) return mismatch(run, field, goKindOf(value), true)
  return value === 0 && field.omitZero ? undefined : value
}

const base64Form = /^[A-Za-z0-9+/]*={0,2}$/

const convertBytes: Convert = (run, value, field) => {
  if (typeof value !== 'string') return mismatch(run, field, goKindOf(value), true)
  if (value === '') return field.omitZero ? undefined : value
  // Go skips line breaks inside base64, and writes none.
  const text = value.includes('\n') || value.includes('\r') ? value.replace(/[\r\n]/g, '') : value
  if (text.length % 4 !== 0 || !base64Form.test(text)) {
    const wrong = text.search(/[^A-Za-z0-9+/]/)
    return fail(
      run,
      `illegal base64 data at input byte ${wrong < 0 || (text.length % 4 !== 0 && text[wrong] === '=') ? Math.max(0, text.length - (text.length % 4)) : wrong}`,
    )
  }
  return text
}

const convertIntOrString: Convert = (run, value) => {
  if (typeof value === 'string') return value
  if (typeof value === 'bigint') return fail(run, `json: cannot unmarshal number ${value} into Go value of type int32`)
  if (typeof value !== 'number')
    return fail(run, `json: cannot unmarshal ${goKindOf(value)} into Go value of type int32`)
  if (!Number.isInteger(value) || value < -(2 ** 31) || value > 2 ** 31 - 1) {
    return fail(run, `json: cannot unmarshal number ${value} into Go value of type int32`)
  }
  return value === 0 ? 0 : value
}

/** The same few quantities come for ever; a full memo starts over. */
const quantityTextsMax = 4096
const quantityTextLengthMax = 64
/** Exact arithmetic on longer texts would cost more than any of them is worth. */
const quantityLengthMax = 1000

const quantityConverter = (textOf: (value: string | number) => string): Convert => {
  const canonicalTexts = new Map<string | number, string>()
  return (run, read) => {
    const value = typeof read === 'bigint' ? String(read) : read
    if (typeof value !== 'string' && typeof value !== 'number') {
      return fail(run, "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'")
    }
    const known = canonicalTexts.get(value)
    if (known !== undefined) return known
    if (typeof value === 'string' && value.length > quantityLengthMax)
      return fail(run, 'unable to parse numeric part of quantity')
    let canonical: string
    try {
      canonical = textOf(value)
    } catch (error) {
      if (error instanceof QuantityError) return fail(run, error.message)
      throw error
    }
    if (canonicalTexts.size >= quantityTextsMax) canonicalTexts.clear()
    if (typeof value === 'number' || value.length <= quantityTextLengthMax) canonicalTexts.set(value, canonical)
    return canonical
  }
}

const convertQuantity = quantityConverter(canonicalQuantity)
const convertAmount = quantityConverter(canonicalAmount)

const timeForm = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/
const daysInMonth = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
const goLayout = '2006-01-02T15:04:05Z07:00'
const goMicroLayout = '2006-01-02T15:04:05.000000Z07:00'

const timeConverter =
  (micro: boolean): Convert =>
  (run, value) => {
    if (typeof value !== 'string')
      return fail(run, `json: cannot unmarshal ${goKindOf(value)} into Go value of type string`)
    const layout = micro ? goMicroLayout : goLayout
    const parts = timeForm.exec(value)
    const wrong = (rest: string): undefined => fail(run, `parsing time ${JSON.stringify(value)}${rest}`)
    if (!parts || (micro && parts[7]?.length !== 7)) {
      const [rest, word] = stopped(value, micro)
      return wrong(` as ${JSON.stringify(layout)}: cannot parse ${JSON.stringify(rest)} as ${JSON.stringify(word)}`)
    }
    const [, year, month, day, hour, minute, second, fraction, zone] = parts as unknown as [
      string,
      string,
      string,
      string,
      string,
      string,
      string,
      string | undefined,
      string,
    ]
    if (+month < 1 || +month > 12) return wrong(': month out of range')
    if (+hour > 23) return wrong(': hour out of range')
    if (+minute > 59) return wrong(': minute out of range')
    if (+second > 59) return wrong(': second out of range')
    const leap = (+year % 4 === 0 && +year % 100 !== 0) || +year % 400 === 0
    if (+day < 1 || +day > daysInMonth[+month - 1]! || (+month === 2 && +day === 29 && !leap))
      return wrong(': day out of range')
    if (zone === 'Z') {
      // Already as it is written back, but for a fraction of a second.
      return micro || !fraction ? value : `${value.slice(0, 19)}Z`
    }
    const whole = new Date(`${value.slice(0, 19)}${zone}`)
    if (Number.isNaN(whole.getTime())) return wrong(': time zone offset hour out of range')
    return `${whole.toISOString().slice(0, 19)}${micro ? fraction : ''}Z`
  }

/** Go names the part of the text where parsing stopped, and what it wanted there. */
const stages: readonly (readonly [RegExp, string])[] = [
  [/^\d{4}/, '2006'],
  [/^-/, '-'],
  [/^\d\d/, '01'],
  [/^-/, '-'],
  [/^\d\d/, '02'],
  [/^T/, 'T'],
  [/^\d\d/, '15'],
  [/^:/, ':'],
  [/^\d\d/, '04'],
  [/^:/, ':'],
  [/^\d\d/, '05'],
]

const stopped = (value: string, micro: boolean): readonly [string, string] => {
  let rest = value
  for (const [form, word] of stages) {
    const match = form.exec(rest)
    if (!match) return [rest, word]
    rest = rest.slice(match[0].length)
  }
  const fraction = (micro ? /^\.\d{6}(?!\d)/ : /^(\.\d+)?/).exec(rest)
  return fraction ? [rest.slice(fraction[0].length), 'Z07:00'] : [rest, '.000000']
}

const convertAny: Convert = (_run, value) => value

const convertObject: Convert = (run, value, field) => {
  if (typeof value !== 'object' || Array.isArray(value)) return mismatch(run, field, goKindOf(value), true)
  enter(run, field.name)
  const result = nested(run, field.object!, value as JsonObject)
  leave(run)
  return result
}

const nested = (run: Run, plan: ObjectPlan, value: JsonObject): JsonObject => {
  const outer = run.struct
  run.struct = plan.struct
  const result = normalizeObject(run, plan, value)
  run.struct = outer
  return result
}

/** An item of a list or a map; its place is already in the path. */
const convertItem = (run: Run, items: FieldPlan, value: unknown): unknown => {
  if (value === null || value === undefined) return zeroOf(run, items)
  if (items.object) {
    if (typeof value !== 'object' || Array.isArray(value)) return mismatch(run, items, goKindOf(value), false)
    return nested(run, items.object, value as JsonObject)
  }
  return items.convert(run, value, items)
}

const zeroOf = (run: Run, plan: FieldPlan): unknown => {
  if (plan.object) return normalizeObject(run, plan.object, {})
  switch (plan.type.type) {
    case 'integer':
    case 'number':
      return 0
    case 'boolean':
      return false
    case 'array':
      return []
    case 'map':
      return {}
    case 'any':
      return null
    default:
      return plan.type.format === 'quantity' ? '0' : plan.type.format === 'date-time' ? null : ''
  }
}

/** What upstream's storage makes of a list without items: it knows none, and JSON shows nothing, or null where Go always writes. */
const emptyList = (field: FieldPlan): unknown => (field.keepsEmpty ? [] : field.omitZero ? undefined : null)

/** A null is nothing, but for the lists that upstream always writes. */
const ofNull = (field: FieldPlan): unknown =>
  field.type.type === 'array' && !field.omitZero && !field.keepsEmpty ? null : undefined

/** Lists and maps of plain strings (labels, args) are most of all: they need no path. */
const convertArray: Convert = (run, value, field) => {
  if (!Array.isArray(value)) return mismatch(run, field, goKindOf(value), true)
  if (value.length === 0) return emptyList(field)
  const items = field.items!
  const result: unknown[] = []
  enter(run, field.name)
  const at = run.path.push('') - 1
  for (let i = 0; i < value.length; i++) {
    run.path[at] = `[${i}]`
    const item = convertItem(run, items, value[i])
    if (item !== undefined) result.push(item)
  }
  run.path.pop()
  leave(run)
  return result
}

const convertStrings: Convert = (run, value, field) => {
  if (!Array.isArray(value)) return mismatch(run, field, goKindOf(value), true)
  if (value.length === 0) return emptyList(field)
  const result: string[] = []
  for (const item of value) {
    if (typeof item === 'string') result.push(item)
    else if (item === null) result.push('')
    else {
      mismatch(run, { ...field, goType: field.items!.goType }, goKindOf(item), true)
    }
  }
  return result
}

const convertMap: Convert = (run, value, field) => {
  if (typeof value !== 'object' || Array.isArray(value)) return mismatch(run, field, goKindOf(value), true)
  const source = value as JsonObject
  const items = field.items!
  const plain = items.convert === convertString
  const result: JsonObject = {}
  let any = false
  if (!plain) enter(run, field.name)
  for (const key in source) {
    any = true
    const raw = source[key]
    if (plain) {
      if (typeof raw === 'string') define(result, key, raw)
      else if (raw === null) define(result, key, '')
      else mismatch(run, { ...field, goType: field.items!.goType }, goKindOf(raw), true)
      continue
    }
    run.path.push(`.${key}`)
    const item = convertItem(run, items, raw)
    run.path.pop()
    if (item !== undefined) define(result, key, item)
  }
  if (!plain) leave(run)
  return !any && field.omitZero ? undefined : result
}

const converterOf = (type: FieldType): Convert => {
  switch (type.type) {
    case 'ref':
      return convertObject
    case 'array':
      return type.items!.type === 'string' && !type.items!.format ? convertStrings : convertArray
    case 'map':
      return convertMap
    case 'integer':
      return type.format === 'int32' ? convertInt32 : convertInt64
    case 'number':
      return convertNumber
    case 'boolean':
      return convertBoolean
    case 'any':
      return convertAny
    default:
      return stringConverters[type.format ?? ''] ?? convertString
  }
}

const stringConverters: Readonly<Record<string, Convert>> = {
  byte: convertBytes,
  quantity: convertQuantity,
  'int-or-string': convertIntOrString,
  'date-time': timeConverter(false),
  'micro-time': timeConverter(true),
}
