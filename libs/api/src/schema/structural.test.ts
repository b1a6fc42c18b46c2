import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { JsonObject } from '../kube-object.ts'
import { builtInRegistry } from './registry.ts'
import { structuralErrors } from './structural.ts'
import { normalize, type NormalizeResult } from './structural-normalize.ts'

const registry = builtInRegistry()
const pod = 'io.k8s.api.core.v1.Pod'
const normalizePod = (object: JsonObject): NormalizeResult => normalize(registry, pod, object)
const errorsOf = (object: JsonObject): readonly string[] => normalizePod(object).errors

describe('normalize', () => {
  test('writes fields in the order of the schema, kind, apiVersion and metadata first, and leaves the input alone', () => {
    const input = Object.freeze({
      spec: Object.freeze({ nodeName: 'n', containers: [], volumes: [{ name: 'v' }] }),
      metadata: { name: 'x' },
      apiVersion: 'v1',
      kind: 'Pod',
    })
    expect(JSON.stringify(normalizePod(input).object)).toBe(
      '{"kind":"Pod","apiVersion":"v1","metadata":{"name":"x"},"spec":{"volumes":[{"name":"v"}],"containers":null,"nodeName":"n"},"status":{}}',
    )
  })

  test('drops nulls and what Go would leave out, keeps set pointers, writes the structs that Go always writes', () => {
    const { object } = normalizePod({
      metadata: { labels: {}, annotations: null, generation: 0 },
      spec: {
        hostNetwork: false,
        nodeName: '',
        tolerations: [],
        automountServiceAccountToken: false,
        activeDeadlineSeconds: 0,
        containers: [{ name: 'a', env: [{ name: 'E', value: '' }], securityContext: {} }],
        volumes: [{ name: 'v', emptyDir: {} }],
      },
    })
    expect(object).toEqual({
      metadata: {},
      spec: {
        volumes: [{ name: 'v', emptyDir: {} }],
        containers: [{ name: 'a', env: [{ name: 'E' }], resources: {}, securityContext: {} }],
        activeDeadlineSeconds: 0,
        automountServiceAccountToken: false,
      },
      status: {},
    })
  })

  test('names unknown fields with their path, also in metadata and behind indexes', () => {
    expect(
      normalizePod({ foo: 1, metadata: { bar: 1 }, spec: { containers: [{}, { ports: [{ baz: 1 }] }] }, __proto__x: 1 })
        .unknown,
    ).toEqual(['foo', 'metadata.bar', 'spec.containers[1].ports[0].baz', '__proto__x'])
  })

  test.each([
    [
      { spec: { containers: 'x' } },
      'json: cannot unmarshal string into Go struct field PodSpec.spec.containers of type []v1.Container',
    ],
    [
      { spec: { containers: [{ name: 1 }] } },
      'json: cannot unmarshal number into Go struct field Container.spec.containers.name of type string',
    ],
    [
      { spec: { containers: ['x'] } },
      'json: cannot unmarshal string into Go struct field PodSpec.spec.containers of type v1.Container',
    ],
    [
      { spec: { priority: 1.5 } },
      'json: cannot unmarshal number 1.5 into Go struct field PodSpec.spec.priority of type int32',
    ],
    [
      { spec: { priority: 2 ** 31 } },
      'json: cannot unmarshal number 2147483648 into Go struct field PodSpec.spec.priority of type int32',
    ],
    [
      { spec: { hostNetwork: 'yes' } },
      'json: cannot unmarshal string into Go struct field PodSpec.spec.hostNetwork of type bool',
    ],
    [{ metadata: [] }, 'json: cannot unmarshal array into Go struct field Pod.metadata of type v1.ObjectMeta'],
    [
      { metadata: { labels: { a: true } } },
      'json: cannot unmarshal bool into Go struct field ObjectMeta.metadata.labels of type string',
    ],
    [
      { metadata: { creationTimestamp: 'today' } },
      'parsing time "today" as "2006-01-02T15:04:05Z07:00": cannot parse "today" as "2006"',
    ],
    [
      { metadata: { creationTimestamp: '2026-02-30T00:00:00Z' } },
      'parsing time "2026-02-30T00:00:00Z": day out of range',
    ],
    [
      { spec: { overhead: { cpu: 'much' } } },
      "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
    ],
    [
      {
        spec: {
          containers: [
            { ports: [{ protocol: 6 }], resources: { limits: 'all' }, securityContext: { capabilities: { add: [1] } } },
          ],
        },
      },
      'json: cannot unmarshal number into Go struct field ContainerPort.spec.containers.ports.protocol of type v1.Protocol',
    ],
    [{ spec: { overhead: { cpu: '1'.repeat(1_000_000) } } }, 'unable to parse numeric part of quantity'],
    [
      { spec: { containers: [{ resources: { limits: 'all' } }] } },
      'json: cannot unmarshal string into Go struct field ResourceRequirements.spec.containers.resources.limits of type v1.ResourceList',
    ],
    [
      { spec: { containers: [{ securityContext: { capabilities: { add: [1] } } }] } },
      'json: cannot unmarshal number into Go struct field Capabilities.spec.containers.securityContext.capabilities.add of type v1.Capability',
    ],
    [
      { spec: { containers: [{ livenessProbe: { httpGet: { port: true } } }] } },
      'json: cannot unmarshal bool into Go value of type int32',
    ],
    [
      { spec: { terminationGracePeriodSeconds: 2n ** 62n } },
      'the integer 4611686018427387904 in spec.terminationGracePeriodSeconds cannot be stored exactly: it must be between -2^53 and 2^53',
    ],
    [
      { spec: { priority: 2n ** 62n } },
      'json: cannot unmarshal number 4611686018427387904 into Go struct field PodSpec.spec.priority of type int32',
    ],
    [{ spec: { nodeName: 2n ** 62n } }, 'json: cannot unmarshal number into Go struct field PodSpec.spec.nodeName of type string'],
  ])('refuses a wrong type as Go does (%#)', (object, message) => {
    expect(errorsOf(object)[0]).toBe(message)
  })

  test('refuses what is no base64', () => {
    const secret = (data: JsonObject): NormalizeResult => normalize(registry, 'io.k8s.api.core.v1.Secret', { data })
    expect(secret({ a: 'x y=' }).errors).toEqual(['illegal base64 data at input byte 1'])
    expect(secret({ a: 'YQ' }).errors).toEqual(['illegal base64 data at input byte 0'])
    expect(secret({ a: 'YQ==', b: 'YW\nFh', c: '' })).toMatchObject({
      errors: [],
      object: { data: { a: 'YQ==', b: 'YWFh', c: '' } },
    })
  })

  test('writes quantities and times in canonical form', () => {
    const { object } = normalizePod({
      metadata: { creationTimestamp: '2026-11-23T12:00:00.25+02:00' },
      spec: { overhead: { cpu: '1000m', memory: '1.5Gi', x: 0.5, y: 2n ** 62n } },
    })
    expect(object['metadata'].creationTimestamp).toBe('2026-11-23T10:00:00Z')
    expect(object['spec'].overhead).toEqual({ cpu: '1', memory: '1536Mi', x: '500m', y: '4611686018427387904' })
    const lease = 'io.k8s.api.coordination.v1.Lease'
    expect(
      normalize(registry, lease, { spec: { renewTime: '2026-11-23T12:00:00.123456+02:00' } }).object['spec'].renewTime,
    ).toBe('2026-11-23T10:00:00.123456Z')
    expect(normalize(registry, lease, { spec: { renewTime: '2026-11-23T12:00:00Z' } }).errors[0]).toBe(
      'parsing time "2026-11-23T12:00:00Z" as "2006-01-02T15:04:05.000000Z07:00": cannot parse "Z" as ".000000"',
    )
  })

  test('a null in a list or map is the zero value, as in Go', () => {
    const { object } = normalizePod({
      metadata: { labels: { a: null }, finalizers: [null] },
      spec: { containers: [null] },
    })
    expect(object).toMatchObject({
      metadata: { labels: { a: '' }, finalizers: [''] },
      spec: { containers: [{ resources: {} }] },
    })
  })

  test('keeps data that no schema describes as it is', () => {
    const data = { b: [1, null, { c: '' }], a: false }
    expect(normalize(registry, 'io.k8s.api.apps.v1.ControllerRevision', { data, revision: 0 }).object).toEqual({
      metadata: {},
      data,
      revision: 0,
    })
  })

  test('a label named __proto__ is a label', () => {
    const { object } = normalizePod(JSON.parse('{"metadata":{"labels":{"__proto__":"x"}}}') as JsonObject)
    expect(Object.entries(object['metadata'].labels)).toEqual([['__proto__', 'x']])
  })

  test('is idempotent and never throws on any JSON', () => {
    const names = [
      'metadata',
      'spec',
      'containers',
      'labels',
      'resources',
      'limits',
      'cpu',
      'ports',
      'name',
      'env',
      'volumes',
      'x',
    ]
    const value = fc.letrec((tie) => ({
      any: fc.oneof(
        { maxDepth: 7 },
        fc.constantFrom(null, 0, 1, -1.5, true, '', 'a', '1', '100m', 'YQ=='),
        fc.array(tie('any'), { maxLength: 3 }),
        fc.dictionary(fc.constantFrom(...names), tie('any')),
      ),
    })).any
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom(...names), value), (object) => {
        const once = normalizePod(object as JsonObject)
        // What was refused leaves gaps behind, and no one goes on with it.
        if (once.errors.length > 0) return
        const twice = normalizePod(once.object)
        expect(JSON.stringify(twice.object)).toBe(JSON.stringify(once.object))
        expect(twice.unknown).toEqual([])
        expect(twice.errors).toEqual([])
      }),
      { numRuns: 2000 },
    )
  })
})

describe('structural validation', () => {
  test('takes all that kubectl creates', () => {
    const fixtures = JSON.parse(
      readFileSync(new URL('../decode/protobuf.fixtures.json', import.meta.url), 'utf8'),
    ) as any[]
    for (const { definition, expected, command } of fixtures) {
      if (!expected) continue
      expect([
        command,
        structuralErrors(registry, definition, normalize(registry, definition, expected).object),
      ]).toEqual([command, []])
    }
  })

  test('names what is required and missing, and what no enum lists', () => {
    expect(
      structuralErrors(registry, 'io.k8s.api.networking.v1.Ingress', {
        metadata: {},
        spec: { rules: [{ http: { paths: [{ path: '/', pathType: 'Nearly', backend: { service: { name: '' } } }] } }] },
      }),
    ).toEqual([
      {
        reason: 'FieldValueNotSupported',
        message: 'Unsupported value: "Nearly": supported values: "Exact", "ImplementationSpecific", "Prefix"',
        field: 'spec.rules[0].http.paths[0].pathType',
      },
      {
        reason: 'FieldValueRequired',
        message: 'Required value',
        field: 'spec.rules[0].http.paths[0].backend.service.name',
      },
    ])
  })

  test('asks for what a missing struct would have had to hold', () => {
    const { object } = normalize(registry, 'io.k8s.api.rbac.v1.RoleBinding', { metadata: { name: 'x' } })
    expect(structuralErrors(registry, 'io.k8s.api.rbac.v1.RoleBinding', object).map((cause) => cause.field)).toEqual([
      'roleRef.kind',
      'roleRef.name',
    ])
  })

  test('lets pass what upstream lets pass', () => {
    const check = (definition: string, object: JsonObject): unknown =>
      structuralErrors(registry, definition, normalize(registry, definition, object).object)
    expect(check('io.k8s.api.storage.v1.CSINode', { metadata: { name: 'n' }, spec: { drivers: null } })).toEqual([])
    expect(check('io.k8s.api.scheduling.v1.PriorityClass', { metadata: { name: 'n' } })).toEqual([])
    expect(check('io.k8s.api.core.v1.ResourceQuota', { metadata: { name: 'n' }, spec: { hard: { pods: 1 } } })).toEqual(
      [],
    )
  })
})
