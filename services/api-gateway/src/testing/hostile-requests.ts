// Requests that nobody means well with, by a seed: the same number is the same request for ever. Most begin as something that
// the API would take (a path of a real resource, an object of its kind with every field) and are bent in one or two places.
import type { JsonObject } from '@shiplog/api/kube-object'
import { builtInRegistry } from '@shiplog/api/schema/registry'
import type { Definition, FieldType, ResourceInfo } from '@shiplog/api/schema/schema'
import { createProtobufEncoder } from '@shiplog/api/encode/protobuf'

export interface HostileRequest {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: Buffer
}

export interface CustomTarget {
  readonly group: string
  readonly version: string
  readonly resource: string
  readonly kind: string
}

/** Randomness by a seed (mulberry32). */
export interface Dice {
  below(count: number): number
  pick<Item>(items: readonly Item[]): Item
  chance(part: number): boolean
}

export function diceOf(seed: number): Dice {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const below = (count: number): number => Math.floor(next() * count)
  return { below, pick: (items) => items[below(items.length)]!, chance: (part) => next() < part }
}

const registry = builtInRegistry()
const encoder = createProtobufEncoder(registry)
const resources = registry.resources.filter(({ verbs }) => verbs.length > 0)
/** Nested so deep at most. */
const objectDepth = 5

const names = ['a', 'web', 'kube-root-ca.crt', 'x'.repeat(63), 'default', 'system:admin']
const oddTexts = [
  ...['', ' ', '.', '..', '/', '-', 'A', 'a b', 'a/b', 'ü', '\u0000', '\ud800', '\u202e', '*', '>', 'evt.core', '%', '%2', '%2e%2e', '%00'],
  ...['null', 'true', '0', '-1', '1e999', '9223372036854775808', '__proto__', 'constructor', 'toString', 'hasOwnProperty', '$(x)', "'; --"],
  ...['x'.repeat(254), 'x'.repeat(3_000), 'a.'.repeat(200), '{'.repeat(50), '1Ki', '-5m', '1e1000000', '0x10', '::1', '300.1.1.1', '2026-13-40T99:99:99Z'],
  ...['(a|a)*b{1,1000}', '[', '(?<a>b)', '$patch', '*.*', 'a=b,c in (d', 'a in ()', '!', 'metadata.name=', 'spec.x==\u0000', '2001:db8::/129'],
]
const oddValues: readonly unknown[] = [
  ...[null, true, false, 0, -1, 1.5, 1e21, 2 ** 53, -(2 ** 63), [], {}, [[]], [null], [{}], { a: null }, [1, 'a', {}]],
  ...[{ $patch: 'delete' }, { $patch: 'replace' }, [{ $patch: 'merge' }], { '$setElementOrder/x': [1] }, { $retainKeys: 'x' }],
  ...[{ '': '' }, { constructor: { prototype: {} } }, JSON.parse('{"__proto__":{"a":1}}')],
]

/** An object with most fields of its kind, each of its type. */
function objectOf(definition: Definition, dice: Dice, depth = objectDepth): JsonObject {
  const object: JsonObject = {}
  for (const [name, field] of Object.entries(definition.fields))
    if (dice.chance(depth === objectDepth ? 0.9 : 0.3)) {
      const value = fieldValue(field, dice, depth)
      if (value !== undefined) object[name] = value
    }
  return object
}

function fieldValue(type: FieldType, dice: Dice, depth: number): unknown {
  if (dice.chance(0.01)) return dice.pick(oddValues)
  switch (type.type) {
    case 'ref':
      return depth === 0 ? undefined : objectOf(registry.definition(type.ref!), dice, depth - 1)
    case 'array': {
      const item = (): unknown => fieldValue(type.items!, dice, depth)
      return Array.from({ length: dice.below(3) }, item).filter((one) => one !== undefined)
    }
    case 'map': {
      const value = fieldValue(type.items!, dice, depth)
      return value === undefined ? {} : { [dice.pick(names)]: value }
    }
    case 'any':
      return dice.pick(oddValues)
    case 'boolean':
      return dice.chance(0.5)
    case 'integer':
    case 'number':
      return dice.pick([0, 1, 80, -1, 2 ** 31, 65_536])
    default:
      return textOf(type.format, dice)
  }
}

function textOf(format: string | undefined, dice: Dice): unknown {
  if (dice.chance(0.05)) return dice.pick(oddTexts)
  switch (format) {
    case 'date-time':
      return '2026-01-01T00:00:00Z'
    case 'micro-time':
      return '2026-01-01T00:00:00.000000Z'
    case 'quantity':
      return dice.pick(['1', '100m', '1Gi', '-1', 'x'])
    case 'int-or-string':
      return dice.pick([1, 'http', '25%', 0])
    case 'byte':
      return dice.pick(['aGVsbG8=', '', '!', 'a'])
    default:
      return dice.pick(names)
  }
}

/** Puts something that does not belong there somewhere into a value. */
function bend(value: unknown, dice: Dice): unknown {
  if (Array.isArray(value) && value.length > 0 && !dice.chance(0.2)) {
    const index = dice.below(value.length)
    return value.with(index, bend(value[index], dice))
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value) && !dice.chance(0.15)) {
    const keys = Object.keys(value)
    if (keys.length === 0 || dice.chance(0.1)) return { ...value, [dice.pick(oddTexts)]: dice.pick(oddValues) }
    const key = dice.pick(keys)
    return { ...value, [key]: bend((value as JsonObject)[key], dice) }
  }
  return dice.chance(0.5) ? dice.pick(oddTexts) : dice.pick(oddValues)
}

const nested = (depth: number, open: string, close: string): string => open.repeat(depth) + close.repeat(depth)

/** Texts that are no objects, or too much of one. */
const rawBodies: readonly (() => string)[] = [
  () => '',
  () => '{',
  () => 'null',
  () => '[]',
  () => '"a"',
  () => '{"a":1}{"b":2}',
  () => nested(20_000, '[', ']'),
  () => nested(20_000, '{"a":', '}'),
  () => `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"d","name":"e","__proto__":{"x":1}},"data":{"a":"1","a":"2"}}`,
  () => `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"n","generation":1e400,"labels":{"a":1}}}`,
  () => `a: &a [x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c]\ne: [*d,*d,*d,*d,*d,*d,*d,*d]\n`,
  () => `a: *a\n`,
  () => `? {a: b}\n: c\n--- \n- x\n`,
  () => `!!js/function 'x'`,
  () => `k8s\u0000\n`,
  () => `<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>`,
  () => 'x'.repeat(200_000),
]

const bodyTypes = [
  ...['application/json', 'application/yaml', 'application/vnd.kubernetes.protobuf', 'application/apply-patch+yaml'],
  ...['application/json-patch+json', 'application/merge-patch+json', 'application/strategic-merge-patch+json'],
]
const oddTypes = ['text/plain', 'application/cbor', 'application/json; charset=latin1', 'application/json;;', '/', 'multipart/form-data']
const accepts = [
  ...['application/json', '*/*', 'application/yaml', 'application/vnd.kubernetes.protobuf', 'text/html', ';;;', 'application/json;q=x'],
  ...['application/json;as=Table;g=meta.k8s.io;v=v1', 'application/vnd.kubernetes.protobuf;as=PartialObjectMetadata;g=meta.k8s.io;v=v1'],
  ...['application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1', 'application/json;as=Nope;g=x;v=y', 'application/cbor'],
]

const parameters: readonly (readonly [name: string, values: readonly string[]])[] = [
  ['fieldSelector', ['metadata.name=a', 'spec.nodeName=', 'a=b=c', ',,,', 'metadata.name', 'x'.repeat(2_000)]],
  ['labelSelector', ['a=b', 'a in (b,c)', 'a notin', '!a', '((((', 'a>b', 'x'.repeat(300)]],
  ['limit', ['1', '0', '-1', '1e3', '99999999999999999999', 'x']],
  ['continue', ['', 'x', 'e30', 'eyJ2IjoiLi4vLi4ifQ', Buffer.from('{"v":"meta.k8s.io/v1","rv":-1,"start":"../../x"}').toString('base64url')]],
  ['resourceVersion', ['0', '1', '-1', '99999999', '18446744073709551616', 'x', '0x1']],
  ['resourceVersionMatch', ['Exact', 'NotOlderThan', 'x']],
  ['sendInitialEvents', ['true', 'false', 'x']],
  ['dryRun', ['All', '', 'x']],
  ['fieldManager', ['a', '', '\u0000', 'x'.repeat(200)]],
  ['fieldValidation', ['Strict', 'Warn', 'Ignore', 'x']],
  ['force', ['true', 'x']],
  ['gracePeriodSeconds', ['0', '-1', 'x', '99999999999999']],
  ['propagationPolicy', ['Orphan', 'x']],
  ['timeoutSeconds', ['1', '-1', 'x']],
  ['timeout', ['1s', 'x', '-1h', '99999h']],
  ['pretty', ['1', 'x']],
  ['includeObject', ['None', 'x']],
  ['container', ['a', '..']],
  ['tailLines', ['-1', 'x']],
  ['sinceTime', ['x']],
]

/** A path and what lives there; sometimes nothing does. */
function placeOf(dice: Dice, target: ResourceInfo | CustomTarget): { readonly path: string; readonly isNamed: boolean; readonly subresource: string } {
  const { group, version, resource } = target
  const root = group === '' ? `/api/${version}` : `/apis/${group}/${version}`
  const isNamespaced = 'namespaced' in target ? target.namespaced : true
  const name = (): string => (dice.chance(0.2) ? encodeURIComponent(safe(dice.pick(oddTexts))) : dice.pick(names))
  const space = isNamespaced && dice.chance(0.9) ? `/namespaces/${dice.chance(0.8) ? 'default' : name()}` : ''
  const isNamed = dice.chance(0.6)
  const subresources = ['subresources' in target ? target.subresources.map((one) => one.name) : ['status', 'scale'], ['status', 'scale', 'log', 'exec', 'proxy', 'eviction', 'token', 'x']].flat()
  const subresource = isNamed && dice.chance(0.3) ? dice.pick(subresources) : ''
  const path = `${root}${space}/${resource}${isNamed ? `/${name()}` : ''}${subresource ? `/${subresource}` : ''}`
  if (dice.chance(0.95)) return { path, isNamed, subresource }
  const at = dice.below(path.length)
  const odd = dice.pick(['//', '/../', '/./', '%2f', '%', '%zz', ';', '\\', '%00', '%C0%AE', '/at/1', '/at/2026-01-01T00:00:00Z', '?'])
  return { path: dice.chance(0.3) ? `${odd}${path}` : path.slice(0, at) + odd + path.slice(at), isNamed, subresource }
}

/** Without halves of pairs, which no URL holds. */
const safe = (text: string): string => text.toWellFormed()

function queryOf(dice: Dice): string {
  const given = Array.from({ length: dice.below(4) }, () => {
    const [name, values] = dice.pick(parameters)
    return `${name}=${encodeURIComponent(safe(dice.chance(0.2) ? dice.pick(oddTexts) : dice.pick(values)))}`
  })
  // A watch that is taken goes on: for a second at most.
  if (dice.chance(0.05)) given.push('watch=true', 'timeoutSeconds=1')
  return given.length === 0 ? '' : `?${given.join('&')}`
}

function patchOf(dice: Dice, object: unknown): unknown {
  const pointer = (): string => `/${dice.pick(['metadata', 'spec', 'data', '', '~', '~2', '-', '0', '99999999999', '__proto__'])}/${dice.pick(oddTexts)}`
  return Array.from({ length: 1 + dice.below(4) }, () => ({
    op: dice.pick(['add', 'remove', 'replace', 'move', 'copy', 'test', 'x']),
    path: dice.chance(0.1) ? dice.pick(oddValues) : pointer(),
    from: pointer(),
    value: dice.chance(0.5) ? dice.pick(oddValues) : object,
  }))
}

function bodyOf(dice: Dice, target: ResourceInfo | CustomTarget, type: string): Buffer {
  if (dice.chance(0.06)) return Buffer.from(dice.pick(rawBodies)())
  if (dice.chance(0.03)) return Buffer.from(Array.from({ length: dice.below(300) }, () => dice.below(256)))
  const apiVersion = target.group === '' ? target.version : `${target.group}/${target.version}`
  const content = 'definition' in target ? objectOf(registry.definition(target.definition), dice) : customObject(dice)
  let object: unknown = { ...content, apiVersion, kind: target.kind, metadata: { ...(dice.chance(0.3) ? (content['metadata'] as object) : {}), name: dice.pick(names), namespace: 'default' } }
  for (let times = dice.below(3); times > 0; times--) object = bend(object, dice)
  if (type === 'application/vnd.kubernetes.protobuf') return protobufOf(dice, object)
  const value = type === 'application/json-patch+json' && dice.chance(0.9) ? patchOf(dice, object) : object
  const text = JSON.stringify(value) ?? 'null'
  return dice.chance(0.03) ? Buffer.from(text.slice(0, dice.below(text.length))) : Buffer.from(text)
}

/** As a client would encode it, with some bytes changed. */
function protobufOf(dice: Dice, object: unknown): Buffer {
  let bytes: Buffer
  try {
    bytes = encoder.object(object as JsonObject) ?? Buffer.from('k8s\u0000')
  } catch {
    // Bent so far that no client could encode it.
    bytes = encoder.object({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'a' } })!
  }
  for (let times = dice.below(4); times > 0; times--) bytes[dice.below(bytes.length)] = dice.below(256)
  return dice.chance(0.1) ? bytes.subarray(0, dice.below(bytes.length)) : bytes
}

const customObject = (dice: Dice): JsonObject => ({
  spec: {
    text: dice.chance(0.5) ? dice.pick(oddTexts) : 'a',
    number: dice.pick([0, 1, 1.5, 'a', null, 2 ** 60]),
    list: dice.pick<unknown>([['a', 'a'], [], [{}], 'x', ['a', 'b']]),
    map: dice.pick<unknown>([{ a: 1 }, { __proto__: 1 }, [], { '': null }]),
    either: dice.pick<unknown>([1, '50%', {}, 1.5]),
    open: dice.pick(oddValues),
  },
  status: dice.pick(oddValues),
})

/** The request of a number. */
export function hostileRequest(seed: number, custom: readonly CustomTarget[] = []): HostileRequest {
  const dice = diceOf(seed)
  const target = custom.length > 0 && dice.chance(0.15) ? dice.pick(custom) : dice.pick(resources)
  const { path, isNamed } = placeOf(dice, target)
  const method = dice.chance(0.05)
    ? dice.pick(['HEAD', 'OPTIONS', 'TRACE', 'CONNECTED', 'FOO'])
    : isNamed
      ? dice.pick(['GET', 'PUT', 'PUT', 'PATCH', 'PATCH', 'PATCH', 'DELETE', 'POST'])
      : dice.pick(['GET', 'POST', 'POST', 'POST', 'DELETE', 'PATCH'])
  const patches = bodyTypes.filter((type) => type.includes('patch'))
  const bodies = bodyTypes.filter((type) => !type.includes('patch'))
  const type = dice.chance(0.05) ? dice.pick([...oddTypes, ...bodyTypes]) : dice.pick(method === 'PATCH' ? patches : bodies)
  const hasBody = !['GET', 'HEAD', 'TRACE'].includes(method) && (method !== 'DELETE' || dice.chance(0.3))
  return {
    method,
    path: `${path}${queryOf(dice)}`,
    headers: {
      ...(dice.chance(0.6) ? { accept: dice.pick(accepts) } : {}),
      ...(hasBody ? { 'content-type': type } : {}),
      ...(dice.chance(0.03) ? { 'impersonate-user': dice.pick(['bob', '', 'system:admin']) } : {}),
      ...(dice.chance(0.02) ? { authorization: dice.pick(['Bearer x', 'Basic eDp5', 'Bearer', 'x']) } : {}),
      ...(dice.chance(0.02) ? { 'accept-encoding': 'gzip;q=0, *' } : {}),
    },
    ...(hasBody ? { body: bodyOf(dice, target, type) } : {}),
  }
}
