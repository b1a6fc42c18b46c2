import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { jsonEqual } from './json-patch.ts'
import type { JsonObject } from '../kube-object.ts'
import { builtInRegistry } from '../schema/registry.ts'
import { isApiError } from '../status.ts'
import { strategicMergePatch } from './strategic-merge.ts'

const registry = builtInRegistry()
const deployment = 'io.k8s.api.apps.v1.Deployment'
const pod = 'io.k8s.api.core.v1.Pod'

const patched = (definition: string, original: JsonObject, patch: unknown): unknown => {
  try {
    return strategicMergePatch(registry, definition, original, patch)
  } catch (error) {
    if (isApiError(error)) return `${error.status.code} ${error.status.message}`
    throw error
  }
}

const withContainers = (...containers: JsonObject[]): JsonObject => ({ spec: { containers } })

describe('as kubectl computes it', () => {
  test.each<[string, string, JsonObject, unknown, unknown]>([
    [
      'kubectl set image',
      deployment,
      { spec: { template: { spec: { containers: [{ name: 'web', image: 'a', ports: [{ containerPort: 80 }] }] } } } },
      {
        spec: {
          template: {
            spec: { containers: [{ image: 'b', name: 'web' }] },
          },
        },
      },
      { spec: { template: { spec: { containers: [{ name: 'web', image: 'b', ports: [{ containerPort: 80 }] }] } } } },
    ],
    [
      'a container is added and one is removed, in the order named',
      pod,
      withContainers({ name: 'a', image: '1' }, { name: 'b', image: '2' }),
      {
        spec: {
          '$setElementOrder/containers': [{ name: 'c' }, { name: 'a' }],
          containers: [
            { name: 'c', image: '3' },
            { $patch: 'delete', name: 'b' },
          ],
        },
      },
      withContainers({ name: 'c', image: '3' }, { name: 'a', image: '1' }),
    ],
    [
      'what only the server has keeps its place',
      pod,
      withContainers({ name: 'a' }, { name: 'sidecar' }, { name: 'b' }),
      {
        spec: {
          '$setElementOrder/containers': [{ name: 'a' }, { name: 'b' }],
          containers: [{ name: 'b', image: 'x' }],
        },
      },
      withContainers({ name: 'a' }, { name: 'sidecar' }, { name: 'b', image: 'x' }),
    ],
    [
      'a patch of elements without an order: named ones after server-only ones that stood before them',
      pod,
      withContainers({ name: 'a' }, { name: 'b' }),
      withContainers({ name: 'b', image: 'x' }, { name: 'c', image: 'y' }),
      withContainers({ name: 'a' }, { name: 'b', image: 'x' }, { name: 'c', image: 'y' }),
    ],
    [
      'elements of both stand in the order of the patch',
      pod,
      withContainers({ name: 'a' }, { name: 's' }, { name: 'b' }),
      withContainers({ name: 'b' }, { name: 'a' }),
      withContainers({ name: 's' }, { name: 'b' }, { name: 'a' }),
    ],
    [
      'changing the strategy to Recreate drops the parameters of the other',
      deployment,
      { spec: { strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1 } } } },
      { spec: { strategy: { $retainKeys: ['type'], type: 'Recreate' } } },
      { spec: { strategy: { type: 'Recreate' } } },
    ],
    [
      'finalizers merge as a set',
      pod,
      { metadata: { finalizers: ['a', 'b'] } },
      { metadata: { finalizers: ['b', 'c'] } },
      { metadata: { finalizers: ['a', 'b', 'c'] } },
    ],
    [
      'finalizers are deleted by a directive',
      pod,
      { metadata: { finalizers: ['a', 'b', 'c'] } },
      { metadata: { '$deleteFromPrimitiveList/finalizers': ['b'], '$setElementOrder/finalizers': ['a', 'c'] } },
      { metadata: { finalizers: ['a', 'c'] } },
    ],
    [
      'atomic lists are replaced',
      pod,
      { spec: { tolerations: [{ key: 'a' }], containers: [{ name: 'a', args: ['1', '2'] }] } },
      { spec: { tolerations: [{ key: 'b' }], containers: [{ name: 'a', args: ['3'] }] } },
      { spec: { tolerations: [{ key: 'b' }], containers: [{ name: 'a', args: ['3'] }] } },
    ],
    [
      'null deletes, unknown nulls vanish',
      pod,
      { metadata: { labels: { a: '1', b: '2' } } },
      { metadata: { labels: { a: null, zz: null }, annotations: { x: null, y: 'z' } } },
      { metadata: { labels: { b: '2' }, annotations: { y: 'z' } } },
    ],
    [
      '$patch: replace on a map',
      pod,
      { metadata: { labels: { a: '1' } } },
      { metadata: { labels: { $patch: 'replace', b: '2' } } },
      { metadata: { labels: { b: '2' } } },
    ],
    [
      '$patch: delete on a map',
      pod,
      { metadata: { labels: { a: '1' } } },
      { metadata: { labels: { $patch: 'delete' } } },
      { metadata: { labels: {} } },
    ],
    [
      '$patch: replace on a list',
      pod,
      withContainers({ name: 'a' }, { name: 'b' }),
      withContainers({ $patch: 'replace' }, { name: 'c' }),
      withContainers({ name: 'c' }),
    ],
    [
      'ports merge by containerPort',
      pod,
      withContainers({ name: 'a', ports: [{ containerPort: 80, protocol: 'TCP' }] }),
      withContainers({ name: 'a', ports: [{ containerPort: 80, name: 'http' }, { containerPort: 443 }] }),
      withContainers({
        name: 'a',
        ports: [{ containerPort: 80, protocol: 'TCP', name: 'http' }, { containerPort: 443 }],
      }),
    ],
    [
      'a new list carries no directives into the object',
      pod,
      { spec: {} },
      withContainers({ $patch: 'delete', name: 'gone' }, { name: 'a', env: [{ name: 'x', value: null }] }),
      withContainers({ name: 'a', env: [{ name: 'x' }] }),
    ],
    [
      'a key that the schema does not know is merged',
      pod,
      { other: { a: 1 } },
      { other: { b: 2 } },
      { other: { a: 1, b: 2 } },
    ],
    [
      'a definition that the registry does not know is merged',
      'none',
      { list: [1], a: { b: 1 } },
      { list: [2], a: { c: 2 } },
      { list: [2], a: { b: 1, c: 2 } },
    ],
    ['another type replaces', pod, { spec: { a: [1] } }, { spec: { a: { b: 1 } } }, { spec: { a: { b: 1 } } }],
  ])('%s', (_, definition, original, patch, expected) => {
    const before = JSON.stringify([original, patch])
    expect(patched(definition, original, JSON.parse(JSON.stringify(patch)))).toEqual(expected)
    expect(JSON.stringify([original, patch])).toBe(before)
  })

  test('the order of keys of a merged list is what the patch names', () => {
    const result = patched(pod, withContainers({ name: 'a' }, { name: 'b' }, { name: 'c' }), {
      spec: { '$setElementOrder/containers': [{ name: 'c' }, { name: 'b' }, { name: 'a' }] },
    }) as JsonObject
    expect(result['spec'].containers.map((container: JsonObject) => container['name'])).toEqual(['c', 'b', 'a'])
  })
})

describe('refusals are upstream’s', () => {
  test.each<[unknown, string]>([
    [[], '400 json: cannot unmarshal array into Go value of type map[string]interface {}'],
    [withContainers({ image: 'x' }), '400 map: map[image:x] does not contain declared merge key: name'],
    [{ metadata: { labels: { $patch: 'explode' } } }, '400 unknown patch type: explode in map: map[$patch:explode]'],
    [{ spec: { $retainKeys: 'x' } }, '400 invalid patch format of retainKeys'],
    [{ spec: { $retainKeys: ['a'], nodeName: 'x' } }, '400 invalid patch format of retainKeys'],
    [{ spec: { $setElementOrder: [] } }, '400 invalid patch format of setElementOrder list'],
    [{ metadata: { $deleteFromPrimitiveList: ['x'] } }, '400 invalid patch format of primitive list'],
    [{ metadata: { finalizers: [['x']] } }, '422 the server rejected our request due to an error in our request'],
    [withContainers({ $patch: 'merge', name: 'a' }), '400 merging lists cannot yet be specified in the patch'],
  ])('%j → %s', (patch, expected) => {
    const original = { ...withContainers({ name: 'a' }), metadata: { labels: { a: 'b' }, finalizers: ['f'] } }
    expect(patched(pod, original, patch)).toBe(expected)
  })

  test('the order of a list must agree with the order it names', () => {
    const patch = {
      spec: {
        '$setElementOrder/containers': [{ name: 'b' }, { name: 'a' }],
        containers: [{ name: 'a' }, { name: 'b' }],
      },
    }
    expect(patched(pod, withContainers({ name: 'a' }), patch)).toMatch(/^400 The order in patch list:\n/)
  })

  test('a bottomless patch is refused, not a crash', () => {
    const bottomless = `${'{"a":'.repeat(5000)}1${'}'.repeat(5000)}`
    expect(patched(pod, JSON.parse(bottomless), JSON.parse(bottomless))).toBe('400 exceeded max depth')
  })

  test('__proto__ is only a key', () => {
    const result = strategicMergePatch(
      registry,
      pod,
      { metadata: {} },
      JSON.parse('{"metadata":{"__proto__":{"x":1}}}'),
    )
    expect(JSON.stringify(result)).toBe('{"metadata":{"__proto__":{"x":1}}}')
    expect(({} as JsonObject)['x']).toBeUndefined()
  })
})

// A small two-way diff, written from the definition of the patch type and independent of the code under test.
const diffOf = (before: JsonObject, after: JsonObject): JsonObject => {
  const patch: JsonObject = {}
  for (const key of Object.keys(before)) if (!(key in after)) patch[key] = null
  for (const key of Object.keys(after)) {
    const was = before[key]
    const is = after[key]
    if (jsonEqual(was, is)) continue
    if (key === 'containers' && was) {
      const names = (list: JsonObject[]): string[] => list.map((item) => item['name'])
      const changes: JsonObject[] = []
      for (const item of is as JsonObject[]) {
        const old = (was as JsonObject[]).find((other) => other['name'] === item['name'])
        if (!old) changes.push(item)
        else if (!jsonEqual(old, item)) changes.push({ ...diffOf(old, item), name: item['name'] })
      }
      for (const name of names(was)) if (!names(is).includes(name)) changes.push({ $patch: 'delete', name })
      patch[key] = changes
      patch['$setElementOrder/containers'] = names(is).map((name) => ({ name }))
    } else if (key === 'finalizers' && was) {
      const gone = (was as string[]).filter((value) => !(is as string[]).includes(value))
      if (gone.length > 0) patch['$deleteFromPrimitiveList/finalizers'] = gone
      patch[key] = (is as string[]).filter((value) => !(was as string[]).includes(value))
      patch['$setElementOrder/finalizers'] = is
    } else if (was && typeof is === 'object' && !Array.isArray(is)) patch[key] = diffOf(was, is)
    else patch[key] = is
  }
  return patch
}

const containers = fc.uniqueArray(
  fc.record(
    {
      name: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
      image: fc.constantFrom('1', '2'),
      args: fc.array(fc.constantFrom('x', 'y')),
    },
    { requiredKeys: ['name'] },
  ),
  { selector: (container) => container.name, minLength: 1 },
)
const pods = fc.record({
  metadata: fc.record(
    {
      labels: fc.dictionary(fc.constantFrom('p', 'q', 'r'), fc.constantFrom('1', '2')),
      finalizers: fc.uniqueArray(fc.constantFrom('f', 'g', 'h'), { minLength: 1 }),
    },
    { requiredKeys: [] },
  ),
  spec: fc.record({ containers, nodeName: fc.constantFrom('n1', 'n2') }, { requiredKeys: ['containers'] }),
})

test('property: patching with the difference of two objects gives the second', () => {
  fc.assert(
    fc.property(pods, pods, (before, after) => {
      const patch = JSON.parse(JSON.stringify(diffOf(before, after)))
      expect(strategicMergePatch(registry, pod, before, patch)).toEqual(JSON.parse(JSON.stringify(after)))
    }),
    { numRuns: 300 },
  )
})

test('property: patching with an object’s own difference changes nothing, and gives the very object', () => {
  fc.assert(
    fc.property(pods, (before) => {
      expect(strategicMergePatch(registry, pod, before, {})).toBe(before)
    }),
  )
})
