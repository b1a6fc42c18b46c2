// What nothing here acts on yet is accepted with a warning that says so, and nothing else is.
import assert from 'node:assert/strict'
import { type Any, type Case, type CaseContext, has, lacks, topic } from '../src/case.ts'
import { deployment, pod } from '../src/manifests.ts'

const source = 'the API promises what it accepts: see libs/domain/src/features'

async function toldOf(t: CaseContext, line: string, manifest?: Any): Promise<string[]> {
  const result = await t.kAll(line, manifest === undefined ? {} : { stdin: JSON.stringify(manifest) })
  assert.equal(result.code, 0, result.stderr)
  return result.stderr.split('\n').filter((text) => text.startsWith('Warning: shiplog:'))
}

export const featureCases: readonly Case[] = topic('features', {
  'a-kind-that-nothing-acts-on-is-told-of': {
    rows: ['A11'],
    source,
    bothVersions: true,
    async run(t) {
      const name = `${t.namespace}.example`
      const driver = { apiVersion: 'storage.k8s.io/v1', kind: 'CSIDriver', metadata: { name }, spec: {} }
      assert.deepEqual(await toldOf(t, 'create -f -', driver), ['Warning: shiplog: nothing acts on CSIDrivers yet'])
      has((await toldOf(t, `label csidriver ${name} team=a`)).join(), 'nothing acts on CSIDrivers yet')
      assert.deepEqual(await toldOf(t, `delete csidriver ${name}`), [])
    },
  },
  'an-ignored-field-is-told-of-when-it-is-set': {
    rows: ['A11', 'C9'],
    source,
    async run(t) {
      const manifest = deployment('web', 1)
      manifest.spec.template.spec.os = { name: 'windows' }
      const set = await toldOf(t, 'apply --server-side -f -', manifest)
      assert.deepEqual(set, ['Warning: shiplog: os.name is ignored yet: the pod runs on a Linux node'])
      assert.deepEqual(await toldOf(t, 'set image deployment/web web=nginx:2'), [])
      assert.deepEqual(await toldOf(t, 'scale deployment/web --replicas=0'), [])
      const claims = [{ name: 'gpu', resourceClaimName: 'gpu' }]
      const patch = { spec: { template: { spec: { resourceClaims: claims } } } }
      const patched = await toldOf(t, `patch deployment web --type=merge -p ${JSON.stringify(patch)}`)
      has(patched.join(), 'nothing allocates resourceClaims yet')
      assert.equal(patched.length, 1)
    },
  },
  'each-row-is-told-once': {
    rows: ['A11'],
    source: 'a chart full of such objects must not drown its user',
    async run(t) {
      const resourceClaims = ['a', 'b', 'c'].map((name) => ({ name, resourceClaimName: name }))
      const told = await toldOf(t, 'create -f -', pod('p', { resourceClaims, os: { name: 'windows' } }))
      assert.equal(told.length, 2, told.join('\n'))
    },
  },
  'what-works-is-not-warned-of': {
    rows: ['A11', 'A10'],
    source,
    async run(t) {
      const result = await t.kAll('create -f -', { stdin: JSON.stringify(deployment('web', 1)) })
      has(result.stdout, 'deployment.apps/web created')
      lacks(result.stderr, 'Warning')
      assert.equal((await t.get('deployment web')).spec.replicas, 1)
    },
  },
})
