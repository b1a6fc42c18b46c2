import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { fieldPaths, type FieldTree, formatFieldPath, unionOfFields } from './fieldset.ts'
import type { JsonObject, ManagedFieldsEntry } from '../kube-object.ts'
import { updateManagedFields } from './managed-fields.ts'
import { builtInRegistry } from '../schema/registry.ts'
import {
  type Applied,
  type ApplyConflicts,
  applyServerSide,
  isApplyConflicts,
  type ServerSideApply,
} from './server-side-apply.ts'
import { isApiError } from '../status.ts'

const registry = builtInRegistry()
const definition = 'io.k8s.api.apps.v1.Deployment'
const at = Date.parse('2026-11-23T10:00:00Z')

type Options = Partial<Omit<ServerSideApply, 'applied'>>

const attempt = (applied: JsonObject, options: Options = {}): Applied | ApplyConflicts =>
  applyServerSide({
    registry,
    definition,
    live: undefined,
    manager: 'me',
    force: false,
    apiVersion: 'apps/v1',
    nowMs: at,
    ...options,
    applied,
  })

const apply = (applied: JsonObject, options: Options = {}): Applied => {
  const outcome = attempt(applied, options)
  if (isApplyConflicts(outcome)) throw new Error(outcome.message)
  return outcome
}

const conflictsOf = (applied: JsonObject, options: Options): ApplyConflicts => {
  const outcome = attempt(applied, options)
  if (!isApplyConflicts(outcome)) throw new Error('no conflict')
  return outcome
}

/** A PUT by somebody, with its managedFields kept. */
const put = (before: JsonObject, change: (next: JsonObject) => void, manager = 'editor', nowMs = at): JsonObject => {
  const next = structuredClone(before)
  change(next)
  const managedFields = updateManagedFields({
    registry,
    definition,
    before,
    next,
    manager,
    apiVersion: 'apps/v1',
    nowMs,
  })
  return { ...next, metadata: { ...next['metadata'], managedFields } }
}

const deployment = (spec: JsonObject, metadata: JsonObject = {}): JsonObject => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web', namespace: 'default', ...metadata },
  spec,
})

const withContainers = (...containers: JsonObject[]): JsonObject => deployment({ template: { spec: { containers } } })
const containersOf = (object: JsonObject): JsonObject[] => object['spec'].template.spec.containers
const specOf = ({ object }: Applied): JsonObject => object['spec']
const entryOf = (entries: readonly ManagedFieldsEntry[], manager: string): ManagedFieldsEntry | undefined =>
  entries.find((entry) => entry.manager === manager)
const ownedBy = (entries: readonly ManagedFieldsEntry[], manager: string): string[] =>
  fieldPaths((entryOf(entries, manager)?.fieldsV1 ?? {}) as FieldTree).map(formatFieldPath)

const refusal = (work: () => unknown): string => {
  try {
    work()
  } catch (error) {
    if (isApiError(error)) return `${error.status.code} ${error.status.message}`
    throw error
  }
  return 'accepted'
}

describe('the first apply', () => {
  test('creates the object and owns exactly what was applied', () => {
    const configuration = deployment(
      {
        replicas: 3,
        selector: { matchLabels: { a: 'b' } },
        template: { spec: { containers: [{ name: 'c', image: 'x' }] } },
      },
      { labels: { a: 'b' }, creationTimestamp: null },
    )
    const { object, managedFields, changed } = apply(configuration)
    expect(changed).toBe(true)
    expect(object['spec']).toEqual(configuration['spec'])
    expect(object['metadata']).toEqual({ name: 'web', namespace: 'default', labels: { a: 'b' }, managedFields })
    expect(JSON.stringify(managedFields)).toBe(
      JSON.stringify([
        {
          manager: 'me',
          operation: 'Apply',
          apiVersion: 'apps/v1',
          time: '2026-11-23T10:00:00Z',
          fieldsType: 'FieldsV1',
          fieldsV1: {
            'f:metadata': { 'f:labels': { 'f:a': {} } },
            'f:spec': {
              'f:replicas': {},
              'f:selector': {},
              'f:template': {
                'f:spec': { 'f:containers': { 'k:{"name":"c"}': { '.': {}, 'f:image': {}, 'f:name': {} } } },
              },
            },
          },
        },
      ]),
    )
  })

  test('over an object that nobody tracked lets before-first-apply own what was there', () => {
    const live = deployment({ replicas: 1, paused: true }, { uid: 'u' })
    const conflict = conflictsOf(deployment({ replicas: 2 }), { live })
    expect(conflict.message).toBe(
      'Apply failed with 1 conflict: conflict with "before-first-apply" using apps/v1: .spec.replicas',
    )
    const { managedFields } = apply(deployment({ replicas: 1 }), { live })
    expect(managedFields.map(({ manager, operation }) => [manager, operation])).toEqual([
      ['me', 'Apply'],
      ['before-first-apply', 'Update'],
    ])
    expect(ownedBy(managedFields, 'before-first-apply')).toEqual(['.spec.paused', '.spec.replicas'])
  })
})

describe('applying again', () => {
  const first = apply(deployment({ replicas: 3, paused: true }, { labels: { a: '1', b: '2' }, finalizers: ['x/f'] }))

  test('the same changes nothing, not even the time', () => {
    const again = apply(
      deployment({ replicas: 3, paused: true }, { labels: { b: '2', a: '1' }, finalizers: ['x/f'] }),
      {
        live: first.object,
        nowMs: at + 99_000,
      },
    )
    expect(again.changed).toBe(false)
    expect(again.object).toEqual(first.object)
    expect(again.object['metadata']).not.toBe(first.object['metadata'])
    expect(again.managedFields).toBe(first.managedFields)
  })

  test('the same with a precondition on the version changes nothing', () => {
    const live = { ...first.object, metadata: { ...first.object['metadata'], resourceVersion: '7' } }
    const configuration = deployment(
      { replicas: 3, paused: true },
      { labels: { a: '1', b: '2' }, finalizers: ['x/f'], resourceVersion: '7' },
    )
    expect(apply(configuration, { live }).changed).toBe(false)
    expect(apply(configuration, { live: first.object }).changed).toBe(false)
  })

  test('less removes what nobody else owns', () => {
    const { object, managedFields } = apply(deployment({ replicas: 3 }, { labels: { a: '1' } }), {
      live: first.object,
      nowMs: at + 1000,
    })
    expect(object['spec']).toEqual({ replicas: 3 })
    expect(object['metadata']).toEqual({ name: 'web', namespace: 'default', labels: { a: '1' }, managedFields })
    expect(managedFields[0]!.time).toBe('2026-11-23T10:00:01Z')
  })

  test('nothing at all keeps the object and what is not the manager’s', () => {
    const live = put(first.object, (next) => {
      next['metadata'].uid = 'u'
      next['metadata'].labels.c = '3'
    })
    const { object, managedFields } = apply(
      { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web' } },
      { live },
    )
    expect(managedFields.map(({ manager }) => manager)).toEqual(['editor'])
    expect(object['metadata']).toEqual({
      name: 'web',
      namespace: 'default',
      uid: 'u',
      labels: { c: '3' },
      managedFields,
    })
  })

  test('less leaves what an updater changed meanwhile, and what an updater added beside it', () => {
    const live = put(first.object, (next) => {
      next['spec'].replicas = 7
      next['spec'].minReadySeconds = 5
    })
    const { object } = apply(deployment({ paused: true }), { live })
    expect(object['spec']).toEqual({ replicas: 7, paused: true, minReadySeconds: 5 })
  })
})

describe('conflicts', () => {
  const first = apply(deployment({ replicas: 3, paused: false }))
  const live = put(
    first.object,
    (next) => {
      next['spec'].replicas = 5
      next['spec'].paused = true
    },
    'kubectl-edit',
  )

  test('are named with manager and field, as upstream words them', () => {
    expect(conflictsOf(deployment({ replicas: 3 }), { live })).toEqual({
      message: 'Apply failed with 1 conflict: conflict with "kubectl-edit" using apps/v1: .spec.replicas',
      conflicts: [
        {
          reason: 'FieldManagerConflict',
          message: 'conflict with "kubectl-edit" using apps/v1',
          field: '.spec.replicas',
        },
      ],
    })
    expect(conflictsOf(deployment({ replicas: 3, paused: false }), { live }).message).toBe(
      'Apply failed with 2 conflicts: conflicts with "kubectl-edit" using apps/v1:\n- .spec.paused\n- .spec.replicas',
    )
  })

  test('of appliers and of subresources are worded differently', () => {
    const other = apply(deployment({ replicas: 1 }), { manager: 'other' })
    expect(conflictsOf(deployment({ replicas: 2 }), { live: other.object }).message).toBe(
      'Apply failed with 1 conflict: conflict with "other": .spec.replicas',
    )
    const next = structuredClone(first.object)
    next['spec'].replicas = 9
    const managedFields = updateManagedFields({
      registry,
      definition,
      before: first.object,
      next,
      manager: 'hpa',
      apiVersion: 'apps/v1',
      subresource: 'scale',
      nowMs: at,
    })
    const scaled = { ...next, metadata: { ...next['metadata'], managedFields } }
    expect(conflictsOf(deployment({ replicas: 3 }), { live: scaled }).message).toBe(
      'Apply failed with 1 conflict: conflict with "hpa" with subresource "scale" using apps/v1: .spec.replicas',
    )
  })

  test('are taken by force, and the other loses the field', () => {
    const { object, managedFields } = apply(deployment({ replicas: 3 }), { live, force: true })
    expect(object['spec']).toEqual({ replicas: 3, paused: true })
    expect(ownedBy(managedFields, 'kubectl-edit')).toEqual(['.spec.paused'])
    expect(ownedBy(managedFields, 'me')).toEqual(['.spec.replicas'])
  })

  test('are none when the value is the same: both own it, and it stays until both let go', () => {
    const both = apply(deployment({ replicas: 3 }), {
      live: apply(deployment({ replicas: 3 }), { manager: 'other' }).object,
    })
    expect(ownedBy(both.managedFields, 'me')).toEqual(['.spec.replicas'])
    expect(ownedBy(both.managedFields, 'other')).toEqual(['.spec.replicas'])
    const one = apply(deployment({}), { live: both.object })
    expect(specOf(one)).toEqual({ replicas: 3 })
    const nobody = apply(deployment({}), { live: one.object, manager: 'other' })
    expect(nobody.object['spec'] ?? {}).toEqual({})
  })
})

describe('lists', () => {
  test('with keys merge item by item, in the applied order', () => {
    const live = apply(withContainers({ name: 'sidecar', image: 's' }), { manager: 'injector' }).object
    const { object } = apply(withContainers({ name: 'a', image: '1' }, { name: 'b', image: '2' }), { live })
    expect(containersOf(object).map(({ name }) => name)).toEqual(['sidecar', 'a', 'b'])
    const reordered = apply(withContainers({ name: 'b', image: '2' }, { name: 'a', image: '1' }), { live: object })
    expect(containersOf(reordered.object).map(({ name }) => name)).toEqual(['sidecar', 'b', 'a'])
    const fewer = apply(withContainers({ name: 'b', image: '2' }), { live: reordered.object })
    expect(containersOf(fewer.object)).toEqual([
      { name: 'sidecar', image: 's' },
      { name: 'b', image: '2' },
    ])
  })

  test('with keys keep what others wrote into the manager’s items', () => {
    const live = put(apply(withContainers({ name: 'a', image: '1' })).object, (next) => {
      containersOf(next)[0]!['env'] = [{ name: 'X', value: 'y' }]
    })
    const { object } = apply(withContainers({ name: 'a', image: '2' }), { live })
    expect(containersOf(object)).toEqual([{ name: 'a', image: '2', env: [{ name: 'X', value: 'y' }] }])
  })

  test('use defaults of their keys', () => {
    const live = apply(withContainers({ name: 'a', ports: [{ containerPort: 80, protocol: 'TCP', name: 'x' }] })).object
    const { object } = apply(withContainers({ name: 'a', ports: [{ containerPort: 80, name: 'y' }] }), {
      live,
      force: true,
    })
    expect(containersOf(object)[0]!['ports']).toEqual([{ containerPort: 80, name: 'y' }])
  })

  test('as sets are shared', () => {
    const live = apply(deployment({}, { finalizers: ['a/x', 'b/y'] }), { manager: 'other' }).object
    const both = apply(deployment({}, { finalizers: ['c/z'] }), { live })
    expect(both.object['metadata'].finalizers).toEqual(['a/x', 'b/y', 'c/z'])
    const gone = apply(deployment({}), { live: both.object, manager: 'other' })
    expect(gone.object['metadata'].finalizers).toEqual(['c/z'])
  })

  test('that are atomic belong to one manager', () => {
    const live = apply(withContainers({ name: 'a', args: ['1'] }), { manager: 'other' }).object
    expect(conflictsOf(withContainers({ name: 'a', args: ['1', '2'] }), { live }).conflicts).toEqual([
      {
        reason: 'FieldManagerConflict',
        message: 'conflict with "other"',
        field: '.spec.template.spec.containers[name="a"].args',
      },
    ])
  })

  test('with an item twice in the live object take the applied item once', () => {
    const live = put(apply(withContainers({ name: 'a' })).object, (next) => {
      containersOf(next)[0]!['env'] = [
        { name: 'X', value: '1' },
        { name: 'Y', value: '1' },
        { name: 'X', value: '2' },
      ]
    })
    const configuration = withContainers({ name: 'a', env: [{ name: 'X', value: '3' }] })
    const { object } = apply(configuration, { live, force: true })
    expect(containersOf(object)[0]!['env']).toEqual([
      { name: 'X', value: '3' },
      { name: 'Y', value: '1' },
    ])
  })
})

describe('null', () => {
  test('takes a value away from the object and owns its absence', () => {
    const live = apply(deployment({ replicas: 3, paused: true }), { manager: 'other' }).object
    expect(conflictsOf(deployment({ replicas: null }), { live }).conflicts).toEqual([
      { reason: 'FieldManagerConflict', message: 'conflict with "other"', field: '.spec.replicas' },
    ])
    const { object, managedFields } = apply(deployment({ replicas: null }), { live, force: true })
    expect(object['spec']).toEqual({ paused: true })
    expect(ownedBy(managedFields, 'me')).toEqual(['.spec.replicas'])
    expect(apply(deployment({ replicas: null }), { live: object }).changed).toBe(false)
  })

  test('and emptiness do not take granular maps and lists from others', () => {
    const live = apply(deployment({}, { labels: { a: '1' }, finalizers: ['x/y'] }), { manager: 'other' }).object
    for (const metadata of [
      { labels: null, finalizers: null },
      { labels: {}, finalizers: [] },
    ]) {
      const { object } = apply(deployment({}, metadata), { live })
      expect(object['metadata'].labels).toEqual({ a: '1' })
      expect(object['metadata'].finalizers).toEqual(['x/y'])
    }
  })
})

describe('refusals', () => {
  test.each<[JsonObject, string]>([
    [deployment({}, { managedFields: [{}] }), '400 metadata.managedFields must be nil'],
    [
      { ...deployment({}), apiVersion: 'apps/v2' },
      '400 Incorrect version specified in apply patch. Specified patch version: apps/v2, expected: apps/v1',
    ],
    [
      withContainers({ name: 'a' }, { name: 'a' }),
      '400 failed to create typed patch object (default/web; apps/v1, Kind=Deployment): .spec.template.spec.containers: duplicate entries for key [name="a"]',
    ],
    [
      withContainers({ image: 'a' }),
      '400 failed to create typed patch object (default/web; apps/v1, Kind=Deployment): .spec.template.spec.containers: element 0: associative list with keys has an element that omits all key fields ["name"] (and doesn\'t have default values for any key fields)',
    ],
    [
      deployment({}, { finalizers: ['a', 'a', 'a'] }),
      '400 failed to create typed patch object (default/web; apps/v1, Kind=Deployment): errors:\n  .metadata.finalizers: duplicate entries for key [="a"]\n  .metadata.finalizers: duplicate entries for key [="a"]',
    ],
  ])('%j', (configuration, sentence) => {
    expect(refusal(() => apply(configuration))).toBe(sentence)
  })
})

describe('kubectl takes over from its client-side apply', () => {
  const configuration = deployment({ replicas: 3 }, { labels: { a: '1' } })
  const annotations = { 'kubectl.kubernetes.io/last-applied-configuration': `${JSON.stringify(configuration)}\n` }
  const clientSide = put(
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: {
        name: 'web',
        namespace: 'default',
        managedFields: [
          {
            manager: 'x',
            operation: 'Update',
            apiVersion: 'apps/v1',
            fieldsType: 'FieldsV1',
            fieldsV1: { 'f:spec': { 'f:paused': {} } },
          },
        ],
      },
      spec: { paused: true },
    },
    (next) => {
      next['metadata'] = { ...next['metadata'], ...configuration['metadata'], annotations }
      next['spec'].replicas = 3
    },
    'kubectl-client-side-apply',
  )

  test('without conflicts on what that had applied, and keeps its annotation', () => {
    const { object } = apply(deployment({ replicas: 4 }, { labels: { a: '1' } }), {
      live: clientSide,
      manager: 'kubectl',
    })
    expect(object['spec'].replicas).toBe(4)
    expect(object['metadata'].annotations['kubectl.kubernetes.io/last-applied-configuration']).toBe(
      '{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"labels":{"a":"1"},"name":"web","namespace":"default"},"spec":{"replicas":4}}\n',
    )
  })

  test('but not what somebody changed since', () => {
    const live = put(clientSide, (next) => {
      next['spec'].replicas = 9
    })
    expect(conflictsOf(deployment({ replicas: 4 }), { live, manager: 'kubectl' }).message).toBe(
      'Apply failed with 1 conflict: conflict with "editor" using apps/v1: .spec.replicas',
    )
  })

  test('and other managers do not inherit', () => {
    expect(conflictsOf(deployment({ replicas: 4 }), { live: clientSide }).message).toBe(
      'Apply failed with 1 conflict: conflict with "kubectl-client-side-apply" using apps/v1: .spec.replicas',
    )
  })
})

test('applying a status owns the status alone', () => {
  const live = apply(deployment({ replicas: 1 })).object
  const { managedFields } = apply(
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'web' },
      spec: { replicas: 1 },
      status: { replicas: 1 },
    },
    { live, manager: 'controller', subresource: 'status' },
  )
  expect(ownedBy(managedFields, 'controller')).toEqual(['.status.replicas'])
  expect(entryOf(managedFields, 'controller')!.subresource).toBe('status')
})

test('neither the live object nor the configuration is changed', () => {
  const live = apply(withContainers({ name: 'a', image: '1' }), { manager: 'other' }).object
  const configuration = withContainers({ name: 'a', image: '2' }, { name: 'b' })
  const before = JSON.stringify([live, configuration])
  apply(configuration, { live, force: true })
  apply(configuration, { live, force: true, manager: 'kubectl' })
  expect(JSON.stringify([live, configuration])).toBe(before)
})

// ── properties ────────────────────────────────────────────────────────────────────────────────────────────────────

const names = fc.constantFrom('a', 'b', 'c')
const configurations = fc
  .record(
    {
      labels: fc.dictionary(names, names, { minKeys: 1 }),
      finalizers: fc.uniqueArray(names, { minLength: 1 }),
      replicas: fc.nat(3),
      containers: fc.uniqueArray(
        fc.record(
          {
            name: names,
            image: names,
            args: fc.array(names, { minLength: 1 }),
            env: fc.uniqueArray(fc.record({ name: names, value: names }), {
              selector: (item) => item.name,
              minLength: 1,
            }),
          },
          { requiredKeys: ['name'] },
        ),
        { selector: (container) => container.name, minLength: 1 },
      ),
    },
    { requiredKeys: ['containers'] },
  )
  .map(({ labels, finalizers, replicas, containers }) =>
    deployment(
      { ...(replicas === undefined ? {} : { replicas }), template: { spec: { containers } } },
      { ...(labels ? { labels } : {}), ...(finalizers ? { finalizers } : {}) },
    ),
  )
const managers = fc.constantFrom('x', 'y', 'z')

const bare = (object: JsonObject): JsonObject => {
  const { managedFields: _, ...metadata } = object['metadata']
  return { ...object, metadata }
}

test('property: applying the same again changes nothing', () => {
  fc.assert(
    fc.property(configurations, configurations, managers, (others, mine, manager) => {
      const live = apply(others, { manager: 'someone' }).object
      const once = apply(mine, { live, manager, force: true })
      const twice = apply(structuredClone(mine), { live: once.object, manager, nowMs: at + 60_000 })
      expect(twice.changed).toBe(false)
      expect(twice.object).toEqual(once.object)
      expect(twice.managedFields).toBe(once.managedFields)
    }),
  )
})

test('property: a sole manager gets exactly its last configuration', () => {
  fc.assert(
    fc.property(fc.array(configurations, { minLength: 1, maxLength: 4 }), (applied) => {
      let live: JsonObject | undefined
      for (const configuration of applied) live = apply(configuration, { live }).object
      expect(bare(live!)).toEqual(applied.at(-1))
    }),
    { numRuns: 300 },
  )
})

test('property: whoever applies by force, all that is there is owned, and nothing else is', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(configurations, managers), { minLength: 1, maxLength: 5 }), (applied) => {
      let live: JsonObject | undefined
      for (const [configuration, manager] of applied) live = apply(configuration, { live, manager, force: true }).object
      const everything = apply(bare(live!), { manager: 'all' }).managedFields[0]!.fieldsV1 as FieldTree
      const entries: ManagedFieldsEntry[] = live!['metadata'].managedFields
      const owned = entries.reduce((all, entry) => unionOfFields(all, entry.fieldsV1 as FieldTree), {} as FieldTree)
      expect(fieldPaths(owned)).toEqual(fieldPaths(everything))
    }),
    { numRuns: 300 },
  )
})

test('property: without force, either the configuration is in the object or conflicts are told', () => {
  fc.assert(
    fc.property(configurations, configurations, (first, second) => {
      const live = apply(first, { manager: 'x' }).object
      const outcome = attempt(second, { live, manager: 'y' })
      if (isApplyConflicts(outcome)) {
        expect(outcome.conflicts.length).toBeGreaterThan(0)
        expect(apply(second, { live, manager: 'y', force: true }).changed).toBe(true)
        return
      }
      // Taking the first manager's configuration away leaves the second's alone.
      const left = apply(
        { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web' } },
        { live: outcome.object, manager: 'x' },
      )
      expect(bare(left.object)).toEqual(second)
    }),
    { numRuns: 300 },
  )
})
