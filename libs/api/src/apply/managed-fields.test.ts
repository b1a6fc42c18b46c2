import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeFields, fieldPaths, formatFieldPath, type FieldTree } from './fieldset.ts'
import type { JsonObject, ManagedFieldsEntry } from '../kube-object.ts'
import { type ManagedFieldsUpdate, updateManagedFields } from './managed-fields.ts'
import { builtInRegistry } from '../schema/registry.ts'

const registry = builtInRegistry()
const podDefinition = 'io.k8s.api.core.v1.Pod'
const at = Date.parse('2026-11-23T10:00:00.400Z')

const write = (update: Partial<ManagedFieldsUpdate> & { next: JsonObject }): ManagedFieldsEntry[] =>
  updateManagedFields({
    registry,
    definition: podDefinition,
    before: undefined,
    manager: 'kubectl',
    apiVersion: 'v1',
    nowMs: at,
    ...update,
  })

const stored = (object: JsonObject, managedFields: ManagedFieldsEntry[]): JsonObject => ({
  ...object,
  metadata: { ...object['metadata'], managedFields },
})

const entryOf = (entries: readonly ManagedFieldsEntry[], manager: string): ManagedFieldsEntry | undefined =>
  entries.find((entry) => entry.manager === manager)

const pod = (): JsonObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: {
    name: 'web',
    namespace: 'default',
    uid: 'u1',
    creationTimestamp: '2026-11-23T10:00:00Z',
    labels: { run: 'web' },
  },
  spec: {
    containers: [
      {
        name: 'web',
        image: 'nginx',
        imagePullPolicy: 'Always',
        ports: [{ containerPort: 8080, protocol: 'TCP' }, { containerPort: 80 }],
        resources: {},
        env: [{ name: 'A', value: 'b' }],
      },
    ],
    dnsPolicy: 'ClusterFirst',
    restartPolicy: 'Always',
    securityContext: {},
    nodeSelector: { disk: 'ssd' },
  },
  status: {},
})

describe('a create', () => {
  test('gives all fields to its manager, as kubectl run shows them upstream', () => {
    const entries = write({ next: pod(), manager: 'kubectl-run' })
    expect(JSON.stringify(entries)).toBe(
      JSON.stringify([
        {
          manager: 'kubectl-run',
          operation: 'Update',
          apiVersion: 'v1',
          time: '2026-11-23T10:00:00Z',
          fieldsType: 'FieldsV1',
          fieldsV1: {
            'f:metadata': { 'f:labels': { '.': {}, 'f:run': {} } },
            'f:spec': {
              'f:containers': {
                'k:{"name":"web"}': {
                  '.': {},
                  'f:env': { '.': {}, 'k:{"name":"A"}': { '.': {}, 'f:name': {}, 'f:value': {} } },
                  'f:image': {},
                  'f:imagePullPolicy': {},
                  'f:name': {},
                  'f:ports': {
                    '.': {},
                    'k:{"containerPort":80,"protocol":"TCP"}': { '.': {}, 'f:containerPort': {} },
                    'k:{"containerPort":8080,"protocol":"TCP"}': { '.': {}, 'f:containerPort': {}, 'f:protocol': {} },
                  },
                  'f:resources': {},
                },
              },
              'f:dnsPolicy': {},
              'f:nodeSelector': {},
              'f:restartPolicy': {},
              'f:securityContext': {},
            },
          },
        },
      ]),
    )
  })

  test('of a deployment tracks its template without marking structs that are always there', () => {
    const entries = write({
      definition: 'io.k8s.api.apps.v1.Deployment',
      apiVersion: 'apps/v1',
      next: {
        metadata: { name: 'd', finalizers: ['b', 'a'] },
        spec: {
          replicas: 1,
          selector: { matchLabels: { a: 'b' } },
          strategy: { rollingUpdate: { maxSurge: '25%' }, type: 'RollingUpdate' },
          template: { metadata: { name: 'kept', labels: { a: 'b' } }, spec: { containers: [{ name: 'c' }] } },
        },
        status: { replicas: 3 },
      },
    })
    expect(entries[0]!.fieldsV1).toEqual({
      'f:metadata': { 'f:finalizers': { '.': {}, 'v:"a"': {}, 'v:"b"': {} } },
      'f:spec': {
        'f:replicas': {},
        'f:selector': {},
        'f:strategy': { 'f:rollingUpdate': { '.': {}, 'f:maxSurge': {} }, 'f:type': {} },
        'f:template': {
          'f:metadata': { 'f:labels': { '.': {}, 'f:a': {} }, 'f:name': {} },
          'f:spec': { 'f:containers': { 'k:{"name":"c"}': { '.': {}, 'f:name': {} } } },
        },
      },
    })
    expect(Object.keys(entries[0]!.fieldsV1!['f:metadata']['f:finalizers'])).toEqual(['.', 'v:"a"', 'v:"b"'])
  })

  test('of nothing that is tracked has no entries', () => {
    expect(write({ next: { metadata: { name: 'x', uid: 'u' }, spec: { containers: [] }, status: {} } })).toEqual([])
  })

  test('names an unnamed manager unknown', () => {
    expect(write({ next: pod(), manager: '' })[0]!.manager).toBe('unknown')
  })

  test('with the managedFields of another object takes all over', () => {
    const other = write({ next: pod(), manager: 'other' })
    expect(write({ next: stored(pod(), other) }).map(({ manager }) => manager)).toEqual(['kubectl'])
  })
})

describe('an update', () => {
  const before = stored(pod(), write({ next: pod(), manager: 'creator' }))
  const changedTo = (change: (object: JsonObject) => void): JsonObject => {
    const next = structuredClone(before)
    change(next)
    return next
  }
  const later = at + 60_000

  test('that changes nothing gives the very entries', () => {
    expect(write({ before, next: structuredClone(before), nowMs: later })).toBe(before['metadata'].managedFields)
    const { managedFields: _, ...metadata } = structuredClone(before['metadata'])
    expect(write({ before, next: { ...before, metadata }, nowMs: later })).toBe(before['metadata'].managedFields)
  })

  test('gives a changed field to the writer and takes it from the owner', () => {
    const next = changedTo((object) => {
      object['spec'].containers[0].image = 'nginx:2'
      object['metadata'].labels.tier = 'front'
    })
    const entries = write({ before, next, manager: 'editor', nowMs: later })
    expect(entries.map(({ manager, time }) => [manager, time])).toEqual([
      ['creator', '2026-11-23T10:00:00Z'],
      ['editor', '2026-11-23T10:01:00Z'],
    ])
    expect(entries[1]!.fieldsV1).toEqual({
      'f:metadata': { 'f:labels': { 'f:tier': {} } },
      'f:spec': { 'f:containers': { 'k:{"name":"web"}': { 'f:image': {} } } },
    })
    expect(entries[0]!.fieldsV1!['f:spec']['f:containers']['k:{"name":"web"}']['f:image']).toBeUndefined()
    expect(entries[0]!.fieldsV1!['f:spec']['f:containers']['k:{"name":"web"}']['f:name']).toEqual({})
  })

  test('by the owner adds to its own entry', () => {
    const next = changedTo((object) => {
      object['spec'].containers[0].image = 'nginx:2'
      object['spec'].nodeName = 'n1'
      delete object['spec'].dnsPolicy
    })
    const entries = write({ before, next, manager: 'creator', nowMs: later })
    expect(entries).toHaveLength(1)
    expect(entries[0]!.time).toBe('2026-11-23T10:01:00Z')
    expect(Object.keys(entries[0]!.fieldsV1!['f:spec'])).toEqual([
      'f:containers',
      'f:nodeName',
      'f:nodeSelector',
      'f:restartPolicy',
      'f:securityContext',
    ])
  })

  test('that only removes takes the fields from all and gives the writer nothing', () => {
    const next = changedTo((object) => {
      delete object['metadata'].labels
      object['spec'].containers[0].env = []
    })
    const entries = write({ before, next, manager: 'editor', nowMs: later })
    expect(entries.map(({ manager }) => manager)).toEqual(['creator'])
    expect(entries[0]!.fieldsV1!['f:metadata']).toBeUndefined()
    expect(entries[0]!.fieldsV1!['f:spec']['f:containers']['k:{"name":"web"}']['f:env']).toEqual({})
  })

  test('that takes everything drops the entry of the former owner', () => {
    const small = { metadata: { name: 'a', uid: 'u', labels: { x: '1' } } }
    const owned = stored(small, write({ next: small, manager: 'first' }))
    const next = { metadata: { name: 'a', uid: 'u', annotations: { y: '1' } } }
    expect(write({ before: owned, next, manager: 'second' }).map(({ manager }) => manager)).toEqual(['second'])
  })

  test('of the status does not own the spec, and of the spec does not own the status', () => {
    const next = changedTo((object) => {
      object['spec'].nodeName = 'n1'
      object['status'] = {
        phase: 'Running',
        conditions: [{ type: 'Ready', status: 'True' }],
        podIPs: [{ ip: '10.0.0.1' }],
      }
    })
    const status = write({ before, next, manager: 'kubelet', subresource: 'status', nowMs: later })
    expect(status.find(({ manager }) => manager === 'kubelet')).toEqual({
      manager: 'kubelet',
      operation: 'Update',
      apiVersion: 'v1',
      time: '2026-11-23T10:01:00Z',
      fieldsType: 'FieldsV1',
      fieldsV1: {
        'f:status': {
          'f:conditions': { '.': {}, 'k:{"type":"Ready"}': { '.': {}, 'f:status': {}, 'f:type': {} } },
          'f:phase': {},
          'f:podIPs': { '.': {}, 'k:{"ip":"10.0.0.1"}': { '.': {}, 'f:ip': {} } },
        },
      },
      subresource: 'status',
    })
    const main = write({ before, next, manager: 'kubelet', nowMs: later })
    expect(main.find(({ manager }) => manager === 'kubelet')!.fieldsV1).toEqual({ 'f:spec': { 'f:nodeName': {} } })
  })

  test('resets all entries with [{}] or [], and the object stays untracked until it is applied', () => {
    for (const managedFields of [[{}], []]) {
      expect(write({ before, next: stored(pod(), managedFields) })).toEqual([])
    }
    expect(write({ before: pod(), next: { ...pod(), spec: {} } })).toEqual([])
  })

  test('on a subresource cannot touch the entries', () => {
    expect(write({ before, next: stored(pod(), []), subresource: 'status' })).toBe(before['metadata'].managedFields)
  })

  test('may rewrite the entries; malformed ones are ignored', () => {
    const entry = {
      manager: 'me',
      operation: 'Apply',
      apiVersion: 'v1',
      fieldsType: 'FieldsV1',
      fieldsV1: { 'f:spec': { 'f:dnsPolicy': {} } },
    } as const
    expect(write({ before, next: stored(pod(), [entry]) })).toEqual([entry])
    const bad = { ...entry, fieldsV1: { spec: {} } }
    expect(write({ before, next: stored(pod(), [bad]) })).toBe(before['metadata'].managedFields)
    const noOperation = { ...entry, operation: 'Guess' } as unknown as ManagedFieldsEntry
    expect(write({ before, next: stored(pod(), [noOperation]) })).toBe(before['metadata'].managedFields)
  })

  test('the eleventh updater folds the oldest two', () => {
    let object = before
    for (let i = 0; i < 10; i++) {
      const next = structuredClone(object)
      next['metadata'].labels[`l${i}`] = 'x'
      object = stored(next, write({ before: object, next, manager: `m${i}`, nowMs: later + i * 1000 }))
    }
    const managers = object['metadata'].managedFields.map(({ manager }: ManagedFieldsEntry) => manager)
    expect(managers).toEqual(['ancient-changes', 'm1', 'm2', 'm3', 'm4', 'm5', 'm6', 'm7', 'm8', 'm9'])
    expect(object['metadata'].managedFields[0].fieldsV1['f:metadata']['f:labels']).toEqual({
      '.': {},
      'f:run': {},
      'f:l0': {},
    })
    expect(object['metadata'].managedFields[0].time).toBe('2026-11-23T10:01:00Z')
  })

  test('labels with hostile names are only labels', () => {
    const labels = JSON.parse('{"__proto__":"a","constructor":"b","toString":"c"}')
    const next = changedTo((object) => {
      object['metadata'].labels = labels
    })
    const entries = write({ before, next, manager: 'editor' })
    expect(
      Object.keys(entries.find(({ manager }) => manager === 'editor')!.fieldsV1!['f:metadata']['f:labels']),
    ).toEqual(['f:__proto__', 'f:constructor', 'f:toString'])
  })

  test('is compared in the version that each manager speaks', () => {
    const old: ManagedFieldsEntry = {
      manager: 'old',
      operation: 'Update',
      apiVersion: 'old/v1',
      fieldsType: 'FieldsV1',
      fieldsV1: { 'f:spec': { 'f:nodeName': {}, 'f:hostname': {} } },
    }
    const gone: ManagedFieldsEntry = { ...old, manager: 'gone', apiVersion: 'gone/v1' }
    const tracked = stored(pod(), [old, gone])
    const next = structuredClone(tracked)
    next['spec'].schedulerName = 'mine'
    const entries = write({
      before: tracked,
      next,
      manager: 'editor',
      // The old version has the name of the scheduler in another field.
      versionConverter: (object, apiVersion) =>
        apiVersion === 'old/v1'
          ? { object: { spec: { hostname: object['spec'].schedulerName ?? 'none' } }, definition: podDefinition }
          : undefined,
    })
    expect(entryOf(entries, 'old')!.fieldsV1).toEqual({ 'f:spec': { 'f:nodeName': {} } })
    expect(entryOf(entries, 'editor')!.fieldsV1).toEqual({ 'f:spec': { 'f:schedulerName': {} } })
    expect(entryOf(entries, 'gone')).toBeUndefined()
  })

  test('an item that moves in a list with keys changes no owner', () => {
    const next = changedTo((object) => object['spec'].containers[0].ports.reverse())
    expect(write({ before, next, manager: 'editor' })).toBe(before['metadata'].managedFields)
  })

  test('duplicates in a list with keys are one leaf', () => {
    const next = changedTo((object) => {
      object['spec'].containers[0].env = [
        { name: 'A', value: 'b' },
        { name: 'A', value: 'c' },
      ]
    })
    const entries = write({ before, next, manager: 'editor' })
    expect(entries.find(({ manager }) => manager === 'editor')!.fieldsV1).toEqual({
      'f:spec': { 'f:containers': { 'k:{"name":"web"}': { 'f:env': { 'k:{"name":"A"}': {} } } } },
    })
    const env = entries.find(({ manager }) => manager === 'creator')!.fieldsV1!['f:spec']['f:containers'][
      'k:{"name":"web"}'
    ]['f:env']
    expect(env).toEqual({})
  })
})

// ── properties ────────────────────────────────────────────────────────────────────────────────────────────────────

const names = fc.constantFrom('a', 'b', 'c')
const pods = fc.record({
  metadata: fc.record(
    {
      labels: fc.dictionary(names, names),
      finalizers: fc.uniqueArray(names),
    },
    { requiredKeys: [] },
  ),
  spec: fc.record(
    {
      containers: fc.uniqueArray(
        fc.record(
          {
            name: names,
            image: names,
            args: fc.array(names),
            env: fc.uniqueArray(fc.record({ name: names, value: names }), { selector: (e) => e.name }),
          },
          { requiredKeys: ['name'] },
        ),
        { selector: (container) => container.name },
      ),
      nodeName: names,
      nodeSelector: fc.dictionary(names, names),
      securityContext: fc.record(
        { runAsUser: fc.nat(3), sysctls: fc.array(fc.record({ name: names, value: names })) },
        { requiredKeys: [] },
      ),
    },
    { requiredKeys: ['containers'] },
  ),
})

const owned = (entries: readonly ManagedFieldsEntry[]): string[] =>
  entries.flatMap(({ fieldsV1 }) => fieldPaths(fieldsV1 as FieldTree).map(formatFieldPath))

test('property: however writes follow each other, the managers together own what the last object’s creator would', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(pods, names), { minLength: 1, maxLength: 5 }), (writes) => {
      let before: JsonObject | undefined
      let entries: ManagedFieldsEntry[] = []
      for (const [next, manager] of writes) {
        entries = write({ before, next, manager })
        before = stored(next, entries)
        // Untracked from the first moment when nothing was ever owned.
        if (entries.length === 0) return
      }
      const last = writes.at(-1)![0]
      const wanted = owned(write({ next: last }))
      const have = new Set(owned(entries))
      // Emptied maps and lists leave their owner with the container alone; all that holds a value must be owned.
      const missing = wanted.filter((path) => !have.has(path))
      const isContainer = (path: string): boolean => /(labels|finalizers|env|securityContext)$/.test(path)
      expect(missing.filter((path) => !isContainer(path))).toEqual([])
      expect([...have].filter((path) => !wanted.includes(path) && !isContainer(path))).toEqual([])
    }),
    { numRuns: 300 },
  )
})

test('property: the entries of any write are FieldsV1 in canonical form', () => {
  fc.assert(
    fc.property(pods, pods, (first, second) => {
      const before = stored(first, write({ next: first, manager: 'one' }))
      for (const { fieldsV1 } of write({ before, next: second, manager: 'two' })) {
        expect(JSON.stringify(decodeFields(JSON.parse(JSON.stringify(fieldsV1))))).toBe(JSON.stringify(fieldsV1))
      }
    }),
  )
})
