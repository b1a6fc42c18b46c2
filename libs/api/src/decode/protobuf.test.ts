import { Buffer } from 'node:buffer'
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeBody, normalize, protobufMediaType } from './decode.ts'
import type { JsonObject } from '../kube-object.ts'
import { builtInRegistry } from '../schema/registry.ts'
import type { FieldType } from '../schema/schema.ts'
import { isApiError } from '../status.ts'

const registry = builtInRegistry()
const meta = 'io.k8s.apimachinery.pkg.apis.meta.v1.'
const core = 'io.k8s.api.core.v1.'

interface Fixture {
  readonly client: string
  readonly command: string
  readonly definition: string
  readonly body: string
  /** What the same command prints with `--dry-run=client -o json`. */
  readonly expected?: JsonObject
}
const fixtures = JSON.parse(readFileSync(new URL('./protobuf.fixtures.json', import.meta.url), 'utf8')) as Fixture[]
const fixture = (client: string, command: string): JsonObject => {
  const found = fixtures.find((candidate) => candidate.client === client && candidate.command.startsWith(command))!
  return decodeBody(Buffer.from(found.body, 'base64'), protobufMediaType, registry, { definition: found.definition })
    .value
}

// A tiny encoder of the wire format, written apart from the decoder.
const varint = (value: bigint | number): number[] => {
  let rest = BigInt.asUintN(64, BigInt(value))
  const bytes: number[] = []
  while (rest >= 0x80n) {
    bytes.push(Number(rest & 0x7fn) | 0x80)
    rest >>= 7n
  }
  return [...bytes, Number(rest)]
}
const number = (field: number, value: bigint | number): number[] => [...varint(field << 3), ...varint(value)]
const bytes = (field: number, value: ArrayLike<number>): number[] => [
  ...varint((field << 3) | 2),
  ...varint(value.length),
  ...Array.from(value),
]
const text = (field: number, value: string): number[] => bytes(field, Buffer.from(value))
const message = (field: number, ...parts: number[][]): number[] => bytes(field, parts.flat())
const envelope = (apiVersion: string, kind: string, ...raw: number[][]): Buffer =>
  Buffer.from([
    0x6b,
    0x38,
    0x73,
    0x00,
    ...message(1, text(1, apiVersion), text(2, kind)),
    ...message(2, ...raw),
    ...text(3, ''),
    ...text(4, ''),
  ])

const decode = (body: Buffer, definition = `${core}Pod`): JsonObject =>
  decodeBody(body, protobufMediaType, registry, { definition }).value
const refusal = (body: Buffer, definition?: string): string => {
  try {
    decode(body, definition)
  } catch (error) {
    if (isApiError(error)) return `${error.status.code} ${error.status.message}`
    throw error
  }
  throw new Error('was not refused')
}

describe('what kubectl and helm send', () => {
  test.each(
    fixtures.filter(({ expected }) => expected).map((each) => [each.client, each.command, each] as const),
  )('%s %s is the object that it prints as JSON', (_client, _command, { body, definition, expected }) => {
    const decoded = decode(Buffer.from(body, 'base64'), definition)
    const normalized = normalize(registry, definition, decoded)
    expect(normalized.errors).toEqual([])
    // A list that is not there is null in JSON where Go always writes it, and nothing in protobuf.
    const plain = (object: unknown): unknown => JSON.parse(JSON.stringify(object, (_key, value) => value ?? undefined))
    expect(plain(normalized.object)).toEqual(plain(normalize(registry, definition, expected!).object))
  })

  test('requests for tokens and reviews', () => {
    expect(fixture('kubectl 1.36', 'create token')).toMatchObject({
      kind: 'TokenRequest',
      apiVersion: 'authentication.k8s.io/v1',
      spec: { expirationSeconds: 600 },
    })
    expect(fixture('kubectl 1.36', 'auth can-i')).toMatchObject({
      kind: 'SelfSubjectAccessReview',
      spec: { resourceAttributes: { namespace: 'default', verb: 'get', resource: 'pods' } },
    })
    expect(fixture('kubectl 1.36', 'auth whoami')).toMatchObject({ kind: 'SelfSubjectReview' })
  })

  test("helm's release Secret and delete options", () => {
    expect(fixture('helm 4.2', 'install')).toMatchObject({
      kind: 'Secret',
      metadata: { name: 'sh.helm.release.v1.rel.v1', labels: { owner: 'helm', name: 'rel', version: '1' } },
      type: 'helm.sh/release.v1',
      data: { release: expect.stringMatching(/^[A-Za-z0-9+/]{100,}=*$/) },
    })
    expect(fixture('helm 4.2', 'uninstall')).toMatchObject({ kind: 'DeleteOptions' })
  })
})

describe('the wire', () => {
  test('fields that JSON inlines, unions, times, quantities and maps', () => {
    const body = envelope(
      'v1',
      'Pod',
      message(
        1,
        text(1, 'x'),
        message(8, number(1, 1_700_000_000), number(2, 5)),
        message(11, text(1, 'a'), text(2, '1')),
        message(11, text(1, '__proto__'), text(2, '2')),
        message(11, text(1, 'empty')),
      ),
      message(
        2,
        // volumes: {name, volumeSource: {emptyDir: {sizeLimit}}}
        message(1, text(1, 'v'), message(2, message(2, message(2, text(1, '1000m'))))),
        // containers: {name, livenessProbe: {handler: {httpGet: {port}}, initialDelaySeconds: -1}}
        message(
          2,
          text(1, 'c'),
          message(10, message(1, message(2, text(1, '/'), message(2, number(1, 0), number(2, 8080)))), number(2, -1)),
          message(8, message(1, text(1, 'cpu'), message(2, text(1, '0.5')))),
        ),
        number(5, 0),
        number(11, 1),
      ),
    )
    const { object, errors, unknown } = normalize(registry, `${core}Pod`, decode(body))
    expect([errors, unknown]).toEqual([[], []])
    expect(object).toEqual({
      kind: 'Pod',
      apiVersion: 'v1',
      metadata: {
        name: 'x',
        creationTimestamp: '2023-11-14T22:13:20Z',
        labels: Object.fromEntries([
          ['a', '1'],
          ['__proto__', '2'],
          ['empty', ''],
        ]),
      },
      spec: {
        volumes: [{ name: 'v', emptyDir: { sizeLimit: '1' } }],
        containers: [
          {
            name: 'c',
            resources: { limits: { cpu: '500m' } },
            livenessProbe: { httpGet: { path: '/', port: 8080 }, initialDelaySeconds: -1 },
          },
        ],
        activeDeadlineSeconds: 0,
        hostNetwork: true,
      },
      status: {},
    })
    expect(Object.getPrototypeOf(object['metadata'].labels)).toBe(Object.prototype)
  })

  test('micro times, zero times, and lists of numbers, packed or not', () => {
    const lease = envelope(
      'coordination.k8s.io/v1',
      'Lease',
      message(1, text(1, 'l'), bytes(8, [])),
      message(2, text(1, 'me'), number(2, 40), message(4, number(1, 1_700_000_000), number(2, 123_456_789))),
    )
    expect(decode(lease)).toEqual({
      kind: 'Lease',
      apiVersion: 'coordination.k8s.io/v1',
      metadata: { name: 'l' },
      spec: { holderIdentity: 'me', leaseDurationSeconds: 40, renewTime: '2023-11-14T22:13:20.123456Z' },
    })
    const groups = (...parts: number[][]): unknown =>
      decode(envelope('v1', 'Pod', message(2, message(14, ...parts))))['spec'].securityContext.supplementalGroups
    expect(groups(number(4, 1), number(4, 2))).toEqual([1, 2])
    expect(groups(bytes(4, [...varint(300), ...varint(-1)]))).toEqual([300, -1])
  })

  test('embedded JSON, embedded messages, and lists inside maps', () => {
    const revision = envelope('apps/v1', 'ControllerRevision', message(2, text(1, '{"spec":{"a":[1]}}')), number(3, 7))
    expect(decode(revision)).toMatchObject({ data: { spec: { a: [1] } }, revision: 7 })
    const nested = envelope('v1', 'Pod', message(1, text(1, 'inner')))
    expect(decode(envelope('apps/v1', 'ControllerRevision', message(2, bytes(1, nested))))['data']).toEqual({
      kind: 'Pod',
      apiVersion: 'v1',
      metadata: { name: 'inner' },
    })
    const review = envelope(
      'authorization.k8s.io/v1',
      'SubjectAccessReview',
      message(2, text(3, 'u'), message(5, text(1, 'scopes'), message(2, text(1, 'a'), text(1, 'b')))),
    )
    expect(decode(review)['spec']).toEqual({ user: 'u', extra: { scopes: ['a', 'b'] } })
  })

  test('the schemas of a CustomResourceDefinition', () => {
    const crd = 'apiextensions.k8s.io/v1'
    const fields = registry.definition(
      'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps',
    ).fields
    const at = (name: string): number => fields[name]!.number!
    const schema = [
      text(at('type'), 'object'),
      message(at('properties'), text(1, 'a'), message(2, message(at('items'), message(1, text(at('type'), 'string'))))),
      message(at('additionalProperties'), number(1, 1)),
      message(at('default'), text(1, '{"x":1}')),
      [...varint((at('maximum') << 3) | 1), ...Buffer.from(new Float64Array([1.5]).buffer)],
    ]
    const version = message(7, text(1, 'v1'), number(2, 1), message(4, message(1, ...schema)))
    expect(
      decode(envelope(crd, 'CustomResourceDefinition', message(2, version)))['spec'].versions[0].schema.openAPIV3Schema,
    ).toEqual({
      type: 'object',
      properties: { a: { items: { type: 'string' } } },
      additionalProperties: true,
      default: { x: 1 },
      maximum: 1.5,
    })
  })

  test('lists, and a body that names no kind', () => {
    expect(
      decode(envelope('v1', 'PodList', message(1, text(2, '9')), message(2, message(1, text(1, 'a'))))),
    ).toMatchObject({
      kind: 'PodList',
      metadata: { resourceVersion: '9' },
      items: [{ metadata: { name: 'a' } }],
    })
    expect(decode(envelope('', '', message(1, text(1, 'a'))), `${core}ConfigMap`)).toEqual({ metadata: { name: 'a' } })
    expect(decode(envelope('apps/v1', 'DeleteOptions', number(1, 0)), `${meta}DeleteOptions`)).toMatchObject({
      gracePeriodSeconds: 0,
    })
  })

  test('fields without a meaning are skipped, whatever their wire type', () => {
    const body = envelope(
      'v1',
      'ConfigMap',
      number(1000, -1),
      [...varint((1001 << 3) | 1), 1, 2, 3, 4, 5, 6, 7, 8],
      [...varint((1002 << 3) | 5), 1, 2, 3, 4],
      bytes(1003, [1, 2]),
      message(1, text(1, 'a')),
    )
    expect(decode(body)).toMatchObject({ metadata: { name: 'a' } })
  })
})

describe('broken protobuf', () => {
  const unrecognized = '400 the object provided is unrecognized (must be of type Pod): '

  test.each([
    ['nothing', Buffer.from(''), 'empty data (<empty>)'],
    [
      'JSON',
      Buffer.from('{"a":1}'),
      'provided data does not appear to be a protobuf message, expected prefix [107 56 115 0] ({"a":1})',
    ],
    ['magic alone', Buffer.from('k8s\0'), 'empty body (6b387300)'],
    ['a cut envelope', envelope('v1', 'Pod', message(1, text(1, 'x'))).subarray(0, 8), 'unexpected EOF (6b3873000a09'],
    ['a length past the end', envelope('v1', 'Pod', [0x0a, 0x7f]), 'unexpected EOF'],
    ['a length past all numbers', envelope('v1', 'Pod', [0x0a, ...varint(2 ** 52)]), 'unexpected EOF'],
    ['a negative length', envelope('v1', 'Pod', [0x0a, ...varint(-1)]), 'proto: negative length'],
    ['a group', envelope('v1', 'Pod', [0x0b]), 'proto: wrong wireType = 3 for field'],
    ['an unknown wire type', envelope('v1', 'Pod', [0xf7, 0x01]), 'proto: illegal wireType 7'],
    ['an endless number', envelope('v1', 'Pod', Array(20).fill(0xff)), 'proto: integer overflow'],
    ['a tag of zero', envelope('v1', 'Pod', [0x00, 0x00]), 'proto: illegal tag 0'],
    ['a kind that no one knows', envelope('v9', 'Pod'), 'no kind "Pod" is registered for version "v9"'],
    [
      'a number where text belongs',
      envelope('v1', 'Pod', message(1, number(1, 1))),
      'proto: wrong wireType = 0 for field',
    ],
    [
      'an integer that a double cannot hold',
      envelope('v1', 'Pod', message(1, number(7, 2n ** 53n))),
      'the integer 9007199254740992 cannot be stored exactly',
    ],
    [
      'broken JSON inside',
      envelope('apps/v1', 'ControllerRevision', message(2, text(1, '{'))),
      "couldn't get version/kind; json parse error: unexpected end of JSON input",
    ],
    [
      'a time without a year',
      envelope('v1', 'Pod', message(1, message(8, number(1, 2n ** 52n)))),
      'Time.MarshalJSON: year outside of range',
    ],
  ])('%s', (_name, body, words) => {
    expect(refusal(body)).toContain(unrecognized + words)
  })

  test('may not nest without end', () => {
    const not = registry.definition('io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps').fields[
      'not'
    ]!.number!
    let schema: number[] = []
    for (let i = 0; i < 1500; i++) schema = bytes(not, schema)
    const body = envelope(
      'apiextensions.k8s.io/v1',
      'CustomResourceDefinition',
      message(2, message(7, message(4, bytes(1, schema)))),
    )
    expect(refusal(body)).toContain('exceeded max depth')
  })

  test('every cut and every flipped byte of a real body gives an object or a Status', () => {
    const { body } = fixtures.find(({ command }) => command.startsWith('create deployment'))!
    const whole = Buffer.from(body, 'base64')
    const survives = (broken: Buffer): void => {
      try {
        normalize(registry, 'io.k8s.api.apps.v1.Deployment', decode(broken))
      } catch (error) {
        if (!isApiError(error)) throw error
      }
    }
    for (let at = 0; at < whole.length; at++) {
      survives(whole.subarray(0, at))
      for (const mask of [0x01, 0x07, 0x08, 0x80, 0xff]) {
        const broken = Buffer.from(whole)
        broken[at]! ^= mask
        survives(broken)
      }
    }
  })
})

describe('every field of every kind', () => {
  // Builds a value and its bytes side by side, straight from the schema.
  const build = (type: FieldType, field: number, depth: number): { value: unknown; wire: number[] } | undefined => {
    switch (type.type) {
      case 'string':
        switch (type.format) {
          case 'byte':
            return { value: 'AP8=', wire: bytes(field, [0, 255]) }
          case 'quantity':
            return { value: '250m', wire: message(field, text(1, '250m')) }
          case 'int-or-string':
            return { value: '50%', wire: message(field, number(1, 1), text(3, '50%')) }
          case 'date-time':
            return { value: '1970-01-01T00:01:40Z', wire: message(field, number(1, 100)) }
          case 'micro-time':
            return { value: '1970-01-01T00:01:40.000001Z', wire: message(field, number(1, 100), number(2, 1000)) }
          case 'duration':
            return { value: '15s', wire: message(field, number(1, 15_000_000_000)) }
          default:
            return { value: 's', wire: text(field, 's') }
        }
      case 'integer':
        return { value: 7, wire: number(field, 7) }
      case 'number':
        return { value: 2.5, wire: [...varint((field << 3) | 1), ...Buffer.from(new Float64Array([2.5]).buffer)] }
      case 'boolean':
        return { value: true, wire: number(field, 1) }
      case 'array': {
        const item = build(type.items!, field, depth)
        return item && { value: [item.value, item.value], wire: [...item.wire, ...item.wire] }
      }
      case 'map': {
        const inner = type.items!.type === 'array' ? build(type.items!, 1, depth) : build(type.items!, 2, depth)
        if (!inner) return undefined
        return {
          value: { k: inner.value },
          wire: message(field, text(1, 'k'), type.items!.type === 'array' ? bytes(2, inner.wire) : inner.wire),
        }
      }
      case 'any':
        return type.format ? undefined : { value: { any: 1 }, wire: message(field, text(1, '{"any":1}')) }
      case 'ref': {
        const inner = buildObject(type.ref!, depth + 1)
        return { value: inner.value, wire: bytes(field, inner.wire) }
      }
    }
  }
  const buildObject = (definition: string, depth: number): { value: JsonObject; wire: number[] } => {
    const value: JsonObject = {}
    const direct: number[] = []
    const inlined = new Map<string, number[]>()
    for (const [name, field] of Object.entries(registry.definition(definition).fields)) {
      if (field.number === undefined || (depth > 3 && !['string', 'integer', 'boolean'].includes(field.type))) continue
      const built = build(field, field.number, depth)
      if (!built) continue
      value[name] = built.value
      if (field.inlined)
        inlined.set(field.inlined.join('.'), [...(inlined.get(field.inlined.join('.')) ?? []), ...built.wire])
      else direct.push(...built.wire)
    }
    for (const [path, wire] of inlined) {
      direct.push(...path.split('.').reduceRight((inner, at) => bytes(Number(at), inner), wire))
    }
    return { value, wire: direct }
  }

  test('comes back from the wire as it was, and passes its own normalization', () => {
    for (const resource of registry.resources) {
      const { value, wire } = buildObject(resource.definition, 0)
      const apiVersion = resource.group ? `${resource.group}/${resource.version}` : resource.version
      const decoded = decode(envelope(apiVersion, resource.kind, wire), resource.definition)
      expect(decoded).toEqual({ kind: resource.kind, apiVersion, ...value })
      const { errors, unknown } = normalize(registry, resource.definition, decoded)
      expect([resource.kind, errors, unknown]).toEqual([resource.kind, [], []])
    }
  })

  test('survives any change to its bytes', () => {
    const { wire } = buildObject(`${core}Service`, 0)
    const whole = envelope('v1', 'Service', wire)
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }),
        (changes) => {
          const broken = Buffer.from(whole)
          for (const [at, byte] of changes) broken[at] = byte
          try {
            normalize(registry, `${core}Service`, decode(broken, `${core}Service`))
          } catch (error) {
            if (!isApiError(error)) throw error
          }
        },
      ),
      { numRuns: 1000 },
    )
  })
})
