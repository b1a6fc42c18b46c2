import { describe, expect, test } from 'vitest'
import { encodeOpenApiV2, openApiV2 } from './openapi-v2.ts'
import { builtInRegistry } from './registry.ts'

const document = openApiV2(builtInRegistry())

/** Reads one level of protobuf: field number and bytes. */
function fieldsOf(bytes: Buffer): readonly (readonly [number, Buffer])[] {
  const fields: [number, Buffer][] = []
  let position = 0
  const varint = (): number => {
    let value = 0
    for (let factor = 1; ; factor *= 128) {
      const byte = bytes[position++]!
      value += (byte & 0x7f) * factor
      if (byte < 0x80) return value
    }
  }
  while (position < bytes.length) {
    const key = varint()
    expect(key % 8).toBe(2)
    const length = varint()
    fields.push([Math.floor(key / 8), bytes.subarray(position, position + length)])
    position += length
  }
  return fields
}

const field = (bytes: Buffer, number: number): Buffer => fieldsOf(bytes).find(([found]) => found === number)![1]

describe('OpenAPI v2', () => {
  test('has the definitions of all versions, with references of its own kind', () => {
    const { definitions } = document
    expect(definitions['io.k8s.api.apps.v1.Deployment'].properties.spec.$ref).toBe(
      '#/definitions/io.k8s.api.apps.v1.DeploymentSpec',
    )
    expect(definitions['io.k8s.api.autoscaling.v1.HorizontalPodAutoscaler']).toBeDefined()
    expect(definitions['io.k8s.apimachinery.pkg.util.intstr.IntOrString'].type).toBe('string')
    expect(definitions['io.k8s.api.core.v1.HTTPGetAction'].properties.port).not.toHaveProperty('allOf')
    expect(JSON.stringify(document)).not.toContain('#/components/schemas/')
  })

  test('its protobuf form holds the same definitions', () => {
    const bytes = encodeOpenApiV2(document)
    expect(field(bytes, 1).toString()).toBe('2.0')
    const named = new Map(
      fieldsOf(field(bytes, 9)).map(([, entry]) => [field(entry, 1).toString(), field(entry, 2)] as const),
    )
    expect(named.size).toBe(Object.keys(document['definitions']).length)
    const deployment = named.get('io.k8s.api.apps.v1.Deployment')!
    expect(field(field(deployment, 22), 1).toString()).toBe('object')
    expect(fieldsOf(field(deployment, 25)).map(([, entry]) => field(entry, 1).toString())).toContain('spec')
    const extension = field(deployment, 31)
    expect(field(extension, 1).toString()).toBe('x-kubernetes-group-version-kind')
    expect(JSON.parse(field(field(extension, 2), 2).toString())).toEqual([
      { group: 'apps', kind: 'Deployment', version: 'v1' },
    ])
  })
})
