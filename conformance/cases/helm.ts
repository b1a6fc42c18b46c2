// helm, unmodified: a chart of several kinds is installed, upgraded, rolled back and removed.
import assert from 'node:assert/strict'
import { join, resolve } from 'node:path'
import { type Any, type Case, has, lacks, topic } from '../src/case.ts'
import { configMap } from '../src/manifests.ts'

const documentation = 'helm.sh/docs/helm'
const chart = join(resolve(import.meta.dirname, '..'), 'charts', 'shop')

const revisions = async (t: Any): Promise<Any[]> => JSON.parse(await t.helm('history shop -o json'))

export const helmCases: readonly Case[] = topic('helm', {
  'install-and-wait': {
    rows: ['A10', 'C9', 'B7'],
    source: `${documentation}/helm_install: --wait returns when everything is ready`,
    async run(t) {
      has(
        await t.helm(`install shop ${chart} --wait --timeout 90s`),
        'STATUS: deployed',
        'REVISION: 1',
        'shop says hello.',
      )
      const { status } = await t.get('deployment shop-web')
      assert.equal(status.readyReplicas, 2)
      has(
        await t.k('get cm,secret,sa,deploy,svc,pdb,role,rolebinding,ingress -o name'),
        'configmap/shop-settings',
        'secret/shop-token',
        'secret/sh.helm.release.v1.shop.v1',
        'serviceaccount/shop',
        'deployment.apps/shop-worker',
        'service/shop-web',
        'poddisruptionbudget.policy/shop-web',
        'role.rbac.authorization.k8s.io/shop',
        'rolebinding.rbac.authorization.k8s.io/shop',
        'ingress.networking.k8s.io/shop',
      )
      assert.equal((await t.get('secret sh.helm.release.v1.shop.v1')).type, 'helm.sh/release.v1')
    },
  },
  upgrade: {
    rows: ['C9', 'B7'],
    source: `${documentation}/helm_upgrade`,
    async run(t) {
      await t.helm(`install shop ${chart} --wait --timeout 90s`)
      has(
        await t.helm(`upgrade shop ${chart} --set greeting=welcome --set worker.enabled=false --wait --timeout 90s`),
        'REVISION: 2',
      )
      assert.equal((await t.get('cm shop-settings')).data.greeting, 'welcome')
      await t.eventually(async () => has(await t.kFails('get deployment shop-worker'), 'NotFound'))
      assert.deepEqual(
        (await revisions(t)).map((one) => one.status),
        ['superseded', 'deployed'],
      )
    },
  },
  rollback: {
    rows: ['C9', 'B7'],
    source: `${documentation}/helm_rollback`,
    async run(t) {
      await t.helm(`install shop ${chart} --set replicas=1 --wait --timeout 90s`)
      await t.helm(
        `upgrade shop ${chart} --set replicas=1 --set image=nginx:1.28 --set worker.enabled=false --wait --timeout 90s`,
      )
      has(await t.helm('rollback shop 1 --wait --timeout 90s'), 'Rollback was a success')
      assert.equal((await t.get('deployment shop-web')).spec.template.spec.containers[0].image, 'nginx:1.27')
      await t.k('get deployment shop-worker')
      assert.equal((await revisions(t)).at(-1).description, 'Rollback to 1')
    },
  },
  'uninstall-and-wait': {
    rows: ['C17', 'A10'],
    source: `${documentation}/helm_uninstall: --wait returns when everything is gone`,
    async run(t) {
      await t.helm(`install shop ${chart} --set replicas=1 --wait --timeout 90s`)
      has(await t.helm('uninstall shop --wait --timeout 90s'), 'release "shop" uninstalled')
      assert.equal(await t.k('get deploy,svc,ingress,pdb,role -o name'), '')
      lacks(await t.k('get secrets -o name'), 'helm.release')
    },
  },
  'list-status-get': {
    rows: ['A10', 'B5'],
    source: `${documentation}/helm_list, helm_status, helm_get`,
    async run(t) {
      await t.helm(`install shop ${chart} --set replicas=1,greeting=hi`)
      has(await t.helm('list'), /^shop\s+\S+\s+1\s+.*deployed\s+shop-1\.0\.0/m)
      has(await t.helm('status shop'), 'STATUS: deployed')
      has(await t.helm('get values shop'), 'greeting: hi')
      has(await t.helm('get manifest shop'), 'kind: Ingress')
    },
  },
  'dry-run-on-the-server': {
    rows: ['C12'],
    source: `${documentation}/helm_install: --dry-run=server`,
    async run(t) {
      has(await t.helm(`install shop ${chart} --dry-run=server`), 'kind: Deployment')
      lacks(await t.k('get all -o name'), 'shop')
    },
  },
  'install-over-what-is-not-its-own': {
    rows: ['C9', 'A7'],
    source: 'observed: helm refuses to adopt an object that another made',
    async run(t) {
      await t.feed('create -f -', configMap('shop-settings', { greeting: 'mine' }))
      has(await t.helmFails(`install shop ${chart}`), 'ConfigMap "shop-settings"', 'invalid ownership metadata')
      assert.equal((await t.get('cm shop-settings')).data.greeting, 'mine')
    },
  },
  'client-side-apply': {
    rows: ['C8', 'C1'],
    source: `${documentation}/helm_install: --server-side=false patches by three-way merge`,
    async run(t) {
      await t.helm(`install shop ${chart} --server-side=false --set replicas=1`)
      await t.helm(`upgrade shop ${chart} --server-side=false --set replicas=1 --set image=nginx:1.28`)
      assert.equal((await t.get('deployment shop-web')).spec.template.spec.containers[0].image, 'nginx:1.28')
    },
  },
})
