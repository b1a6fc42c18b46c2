// CustomResourceDefinitions and their objects through kubectl: defined, found by all their names, explained, applied both
// ways, scaled, watched, and gone with their definition; and as of a moment.
import assert from 'node:assert/strict'
import { type Any, type Case, type CaseContext, has, topic } from '../src/case.ts'

const docs = 'kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions'

/** Definitions belong to the cluster: each case has a group of its own. */
const groupOf = (t: CaseContext): string => `${t.namespace}.example.com`

function definition(t: CaseContext, scope = 'Namespaced'): Any {
  const group = groupOf(t)
  const spec = {
    type: 'object',
    description: 'What is wanted.',
    required: ['image'],
    properties: {
      image: { type: 'string', pattern: '^[a-z]+$', description: 'What runs.' },
      replicas: { type: 'integer', minimum: 0, maximum: 10, default: 1 },
      size: { 'x-kubernetes-int-or-string': true },
    },
  }
  const status = { type: 'object', properties: { replicas: { type: 'integer' }, labelSelector: { type: 'string' } } }
  const version = {
    name: 'v1',
    served: true,
    storage: true,
    schema: { openAPIV3Schema: { type: 'object', properties: { spec, status } } },
    subresources: {
      status: {},
      scale: {
        specReplicasPath: '.spec.replicas',
        statusReplicasPath: '.status.replicas',
        labelSelectorPath: '.status.labelSelector',
      },
    },
    selectableFields: [{ jsonPath: '.spec.image' }],
    additionalPrinterColumns: [
      { name: 'Image', type: 'string', jsonPath: '.spec.image' },
      { name: 'Wanted', type: 'integer', jsonPath: '.spec.replicas', priority: 1 },
    ],
  }
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `engines.${group}` },
    spec: {
      group,
      scope,
      names: { plural: 'engines', singular: 'engine', kind: 'Engine', shortNames: ['eng'], categories: ['machines'] },
      versions: [version],
    },
  }
}

const engine = (t: CaseContext, name: string, spec: Any): Any => ({
  apiVersion: `${groupOf(t)}/v1`,
  kind: 'Engine',
  metadata: { name },
  spec,
})

/** Runs with the definition there, and takes it away again: it belongs to the cluster. */
async function defined(t: CaseContext, run: (resource: string) => Promise<void>): Promise<void> {
  const resource = `engines.${groupOf(t)}`
  has(await t.feed('apply -f -', definition(t)), `${resource} created`)
  try {
    await t.k(`wait --for=condition=Established --timeout=10s crd/${resource}`)
    await run(resource)
  } finally {
    await t.kAll(`delete crd ${resource} --timeout=30s --ignore-not-found`)
  }
}

export const customResourceCases: readonly Case[] = topic('custom-resources', {
  'defined-and-listed': {
    rows: ['B4', 'C14', 'D4'],
    source: `${docs}: short names, categories, printer columns, field selectors`,
    run: (t) =>
      defined(t, async (resource) => {
        await t.feed('create -f -', engine(t, 'a', { image: 'steam' }))
        await t.feed('create -f -', engine(t, 'b', { image: 'diesel' }))
        has(await t.k(`get ${resource}`), /^NAME +IMAGE\na +steam\nb +diesel\n/)
        has(await t.k(`get eng.${groupOf(t)} -o wide`), /^NAME +IMAGE +WANTED\na +steam +1\n/)
        has(await t.k(`get ${resource} --field-selector spec.image=diesel -o name`), `engine.${groupOf(t)}/b`)
        has(await t.k(`api-resources --api-group=${groupOf(t)}`), /^engines +eng +\S+\/v1 +true +Engine$/m)
        has(await t.k(`explain ${resource}.spec`), 'image\t<string> -required-', 'What runs.')
      }),
  },
  'schema-is-enforced': {
    rows: ['D8', 'D9', 'E9'],
    source: `${docs}: validation, pruning, defaulting`,
    run: (t) =>
      defined(t, async (resource) => {
        const refused = await t.kFails('create -f -', { stdin: JSON.stringify(engine(t, 'x', { image: 'No1', replicas: 77 })) })
        has(refused, "spec.image in body should match '^[a-z]+$'", 'should be less than or equal to 10')
        const unknown = JSON.stringify(engine(t, 'x', { image: 'steam', wings: 2 }))
        has(await t.kFails('create -f -', { stdin: unknown }), 'unknown field "spec.wings"')
        await t.k('create --validate=false -f -', { stdin: unknown })
        const stored = await t.get(`${resource} x`)
        assert.deepEqual(stored.spec, { image: 'steam', replicas: 1 })
        assert.equal(stored.metadata.generation, 1)
        has(
          await t.kFails(`patch ${resource} x --type strategic -p {}`),
          'application/strategic-merge-patch+json is not supported',
        )
      }),
  },
  'applied-scaled-and-watched': {
    rows: ['C9', 'C16', 'D4'],
    source: `${docs}: status and scale subresources; server-side apply`,
    run: (t) =>
      defined(t, async (resource) => {
        await t.feed('apply -f -', engine(t, 'a', { image: 'steam', size: '2' }))
        has(await t.feed('apply -f -', engine(t, 'a', { image: 'steam', size: '2' })), 'unchanged')
        has(await t.feed('apply --server-side --field-manager other --force-conflicts -f -', engine(t, 'a', { image: 'diesel' })), 'serverside-applied')
        const managers = (await t.get(`${resource} a --show-managed-fields`)).metadata.managedFields
        const owned = managers.find((entry: Any) => entry.manager === 'other')
        assert.deepEqual(owned.fieldsV1, { 'f:spec': { 'f:image': {} } })
        await t.k(`scale ${resource}/a --replicas=3`)
        await t.k(`patch ${resource} a --subresource status --type merge -p '{"spec":{"replicas":9},"status":{"replicas":2}}'`)
        const stored = await t.get(`${resource} a`)
        assert.deepEqual([stored.spec.replicas, stored.status.replicas], [3, 2])
        assert.equal((await t.get(`${resource} a --subresource scale`)).status.replicas, 2)
        const watched = t.k(`get ${resource} -w`, { until: (out) => /^a +coal/m.test(out), timeoutMs: 20_000 })
        await t.eventually(async () => {
          await t.k(`patch ${resource} a --type merge -p '{"spec":{"image":"gas"}}'`)
          await t.k(`patch ${resource} a --type merge -p '{"spec":{"image":"coal"}}'`)
          await Promise.race([watched, new Promise((_, reject) => setTimeout(() => reject(new Error('not yet')), 300))])
        })
      }),
  },
  'gone-with-its-definition-and-there-in-the-past': {
    rows: ['D4', 'E9'],
    source: `${docs}: deleting a CustomResourceDefinition deletes its objects; /at/ shows what was`,
    run: (t) =>
      defined(t, async (resource) => {
        const path = `/apis/${groupOf(t)}/v1/namespaces/{ns}/engines`
        await t.feed('create -f -', engine(t, 'a', { image: 'steam' }))
        const { metadata } = await t.get(`${resource} a`)
        has(await t.k(`delete crd ${resource} --timeout=30s`), 'deleted')
        assert.equal((await t.http({ path })).code, 404)
        const then = await t.http({ path: `/at/${metadata.resourceVersion}${path}` })
        assert.equal(then.code, 200, then.text)
        assert.equal(then.json.items[0].spec.image, 'steam')
        const before = Number((await t.get('ns {ns}'.replace('{ns}', t.namespace))).metadata.resourceVersion)
        assert.equal((await t.http({ path: `/at/${before}${path}` })).code, 404)
      }),
  },
})
