// `kubectl apply`: client side (three-way merge) and server side (field ownership), pruning and apply sets.
import assert from 'node:assert/strict'
import { type Any, type Case, has, lacks, topic } from '../src/case.ts'
import { configMap, deployment, service } from '../src/manifests.ts'

const declarative = 'kubernetes.io/docs/tasks/manage-kubernetes-objects/declarative-config'
const serverSide = 'kubernetes.io/docs/reference/using-api/server-side-apply'

const annotation = 'kubectl.kubernetes.io/last-applied-configuration'

export const applyCases: readonly Case[] = topic('apply', {
  'created-unchanged-configured': {
    rows: ['C11', 'C4'],
    source: `${declarative}: how apply calculates differences`,
    bothVersions: true,
    async run(t) {
      assert.equal(await t.feed('apply -f -', configMap('c', { a: '1' })), 'configmap/c created\n')
      const version = (await t.get('cm c')).metadata.resourceVersion
      assert.equal(await t.feed('apply -f -', configMap('c', { a: '1' })), 'configmap/c unchanged\n')
      assert.equal((await t.get('cm c')).metadata.resourceVersion, version)
      assert.equal(await t.feed('apply -f -', configMap('c', { a: '2' })), 'configmap/c configured\n')
      assert.notEqual((await t.get('cm c')).metadata.resourceVersion, version)
    },
  },
  'keeps-the-last-applied-annotation': {
    rows: ['C11'],
    source: `${declarative}: ${annotation}`,
    async run(t) {
      await t.feed('apply -f -', configMap('c', { a: '1' }))
      const { metadata } = await t.get('cm c')
      assert.deepEqual(JSON.parse(metadata.annotations[annotation]).data, { a: '1' })
      has(await t.k('apply view-last-applied cm/c'), 'data:', 'a: "1"')
    },
  },
  'removes-what-was-removed-keeps-what-others-added': {
    rows: ['C11', 'C7'],
    source: `${declarative}: fields of others stay, fields dropped from the file go`,
    bothVersions: true,
    async run(t) {
      await t.feed('apply -f -', configMap('c', { a: '1', b: '2' }))
      await t.k(['patch', 'cm', 'c', '--type=merge', '-p', '{"data":{"other":"3"}}'])
      await t.feed('apply -f -', configMap('c', { a: '1' }))
      assert.deepEqual((await t.get('cm c')).data, { a: '1', other: '3' })
    },
  },
  'merges-containers-by-name': {
    rows: ['C11', 'C8'],
    source: `${declarative}: lists of maps with a merge key`,
    async run(t) {
      await t.feed('apply -f -', deployment('web', 0))
      await t.k([
        ...['patch', 'deployment', 'web', '-p'],
        '{"spec":{"template":{"spec":{"containers":[{"name":"side","image":"side:1"}]}}}}',
      ])
      await t.feed('apply -f -', deployment('web', 0, {}, { image: 'nginx:1.28' }))
      const containers = (await t.get('deployment web')).spec.template.spec.containers
      assert.deepEqual(containers.map((container: Any) => `${container.name}=${container.image}`).sort(), [
        'side=side:1',
        'web=nginx:1.28',
      ])
    },
  },
  'removes-a-container': {
    rows: ['C11', 'C8'],
    source: `${declarative}: an element that leaves the file leaves the list`,
    async run(t) {
      const two = deployment('web', 0)
      two.spec.template.spec.containers.push({ name: 'side', image: 'side:1' })
      await t.feed('apply -f -', two)
      await t.feed('apply -f -', deployment('web', 0))
      assert.equal((await t.get('deployment web')).spec.template.spec.containers.length, 1)
    },
  },
  'a-directory': {
    rows: ['C11'],
    source: 'kubectl apply -f DIR applies all manifests in it, -R those below, too',
    async run(t) {
      const path = t.file('dir/a.yaml', 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n')
      t.file('dir/deep/b.json', configMap('b', {}))
      const directory = path.replace(/\/a\.yaml$/, '')
      assert.equal(await t.k(`apply -f ${directory}`), 'configmap/a created\n')
      has(await t.k(`apply -R -f ${directory}`), 'configmap/a unchanged', 'configmap/b created')
    },
  },
  kustomize: {
    rows: ['C11'],
    source: 'kubernetes.io/docs/tasks/manage-kubernetes-objects/kustomization',
    async run(t) {
      const path = t.file(
        'kustomization.yaml',
        'namePrefix: dev-\nresources: [web.json]\nconfigMapGenerator:\n- name: settings\n  literals: [a=1]\n',
      )
      t.file('web.json', deployment('web', 0))
      const out = await t.k(`apply -k ${path.replace(/\/kustomization\.yaml$/, '')}`)
      has(out, /configmap\/dev-settings-[a-z0-9]+ created/, 'deployment.apps/dev-web created')
    },
  },
  'prune-by-label': {
    rows: ['C11', 'C19'],
    source: 'kubectl apply --prune -l: deletes what the files no longer hold',
    async run(t) {
      const labels = { app: t.namespace }
      await t.feed(
        'apply -f -',
        configMap('a', { x: '1' }, { labels }),
        configMap('b', {}, { labels }),
        configMap('c', {}),
      )
      const out = await t.feed(
        `apply --prune -l app=${t.namespace} --prune-allowlist=core/v1/ConfigMap -f -`,
        configMap('a', { x: '1' }, { labels }),
      )
      has(out, 'configmap/a unchanged', 'configmap/b pruned')
      has(await t.k('get cm -o name'), 'configmap/a', 'configmap/c')
      lacks(await t.k('get cm -o name'), 'configmap/b')
    },
  },
  'apply-set': {
    rows: ['C11'],
    source: 'KEP-3659: kubectl apply --prune --applyset',
    async run(t) {
      const env = { KUBECTL_APPLYSET: 'true' }
      const apply = (...manifests: readonly Any[]): Promise<string> =>
        t.k(`apply --server-side --prune --applyset=secret/set -f -`, {
          env,
          stdin: manifests.map((manifest) => JSON.stringify(manifest)).join('\n'),
        })
      await apply(configMap('a', {}), configMap('b', {}))
      const parent = await t.get('secret set')
      has(parent.metadata.labels['applyset.kubernetes.io/id'], /^applyset-.+-v1$/)
      has(await apply(configMap('a', {})), 'configmap/b pruned')
      lacks(await t.k('get cm -o name'), 'configmap/b')
    },
  },
  'set-last-applied': {
    rows: ['C11'],
    source: 'kubectl apply set-last-applied --create-annotation',
    async run(t) {
      await t.feed('create -f -', configMap('c', { a: '1' }))
      const path = t.file('c.json', configMap('c', { a: '1' }))
      has(await t.k(`apply set-last-applied --create-annotation -f ${path}`), 'configmap/c configured')
      has(await t.k('apply view-last-applied cm/c -o json'), '"a": "1"')
    },
  },
  'edit-last-applied-warns-without-annotation': {
    rows: ['C11'],
    source: 'observed: apply over an object made by create warns once and adopts it',
    async run(t) {
      await t.feed('create -f -', configMap('c', { a: '1' }))
      const result = await t.kAll('apply -f -', { stdin: JSON.stringify(configMap('c', { a: '2' })) })
      assert.equal(result.code, 0, result.stderr)
      has(result.stderr, 'missing the kubectl.kubernetes.io/last-applied-configuration annotation')
      assert.equal(result.stdout, 'configmap/c configured\n')
    },
  },
  'a-chart-of-objects-at-once': {
    rows: ['C11', 'B2'],
    source: 'kubectl apply of several kinds reports each in order',
    async run(t) {
      const out = await t.feed('apply -f -', configMap('c', {}), service('web', 'web'), deployment('web', 1))
      assert.equal(out, 'configmap/c created\nservice/web created\ndeployment.apps/web created\n')
      await t.k('rollout status deployment/web --timeout=60s')
    },
  },
  'immutable-selector-is-refused': {
    rows: ['A7'],
    source: 'the API reference of Deployment: selector is immutable in apps/v1',
    async run(t) {
      await t.feed('apply -f -', deployment('web', 0))
      const other = deployment('web', 0)
      other.spec.selector.matchLabels = { app: 'other' }
      other.spec.template.metadata.labels = { app: 'other' }
      has(
        await t.kFails('apply -f -', { stdin: JSON.stringify(other) }),
        'The Deployment "web" is invalid: spec.selector: Invalid value:',
        'field is immutable',
      )
    },
  },
  'server-side-create-and-repeat': {
    rows: ['C9', 'C10', 'C4'],
    source: `${serverSide}: apply creates what is not there, and a second time changes nothing`,
    bothVersions: true,
    async run(t) {
      assert.equal(
        await t.feed('apply --server-side -f -', configMap('c', { a: '1' })),
        'configmap/c serverside-applied\n',
      )
      const first = await t.get('cm c --show-managed-fields')
      assert.deepEqual(
        first.metadata.managedFields.map((entry: Any) => [entry.manager, entry.operation, entry.fieldsV1]),
        [['kubectl', 'Apply', { 'f:data': { 'f:a': {} } }]],
      )
      await t.feed('apply --server-side -f -', configMap('c', { a: '1' }))
      assert.equal((await t.get('cm c')).metadata.resourceVersion, first.metadata.resourceVersion)
    },
  },
  'server-side-drops-what-is-no-longer-applied': {
    rows: ['C9'],
    source: `${serverSide}: removing a field from the configuration removes it`,
    async run(t) {
      await t.feed('apply --server-side -f -', configMap('c', { a: '1', b: '2' }))
      await t.feed('apply --server-side -f -', configMap('c', { a: '1' }))
      assert.deepEqual((await t.get('cm c')).data, { a: '1' })
    },
  },
  'server-side-conflict': {
    rows: ['C9', 'A7'],
    source: `${serverSide}#conflicts`,
    bothVersions: true,
    async run(t) {
      await t.feed('apply --server-side --field-manager=one -f -', configMap('c', { a: '1' }))
      const told = await t.kFails('apply --server-side --field-manager=two -f -', {
        stdin: JSON.stringify(configMap('c', { a: '2' })),
      })
      has(told, 'error: Apply failed with 1 conflict: conflict with "one"', '.data.a')
      has(told, '--force-conflicts')
      assert.equal((await t.get('cm c')).data.a, '1')
    },
  },
  'server-side-force': {
    rows: ['C9', 'C10'],
    source: `${serverSide}#conflicts: force takes the fields over`,
    bothVersions: true,
    async run(t) {
      await t.feed('apply --server-side --field-manager=one -f -', configMap('c', { a: '1', b: '1' }))
      await t.feed('apply --server-side --force-conflicts --field-manager=two -f -', configMap('c', { a: '2' }))
      const { data, metadata } = await t.get('cm c --show-managed-fields')
      assert.deepEqual(data, { a: '2', b: '1' })
      const owned = Object.fromEntries(metadata.managedFields.map((entry: Any) => [entry.manager, entry.fieldsV1]))
      assert.deepEqual(owned, { one: { 'f:data': { 'f:b': {} } }, two: { 'f:data': { 'f:a': {} } } })
    },
  },
  'server-side-two-owners-of-one-value': {
    rows: ['C9'],
    source: `${serverSide}: two appliers of the same value share it; it stays until both let go`,
    async run(t) {
      await t.feed('apply --server-side --field-manager=one -f -', configMap('c', { a: '1' }))
      await t.feed('apply --server-side --field-manager=two -f -', configMap('c', { a: '1' }))
      await t.feed('apply --server-side --field-manager=one -f -', configMap('c', {}))
      assert.deepEqual((await t.get('cm c')).data, { a: '1' })
      await t.feed('apply --server-side --field-manager=two -f -', configMap('c', {}))
      assert.equal((await t.get('cm c')).data, undefined)
    },
  },
  'server-side-merges-lists-by-key': {
    rows: ['C9'],
    source: `${serverSide}#merge-strategy: listType=map by listMapKeys`,
    async run(t) {
      const withEnv = (env: Any): Any => {
        const given = deployment('web', 0)
        given.spec.template.spec.containers[0].env = env
        return given
      }
      await t.feed('apply --server-side --field-manager=one -f -', withEnv([{ name: 'A', value: '1' }]))
      await t.feed('apply --server-side --field-manager=two -f -', withEnv([{ name: 'B', value: '2' }]))
      const env = (await t.get('deployment web')).spec.template.spec.containers[0].env
      assert.deepEqual(env, [
        { name: 'A', value: '1' },
        { name: 'B', value: '2' },
      ])
    },
  },
  'server-side-keyed-by-port-and-protocol': {
    rows: ['C9'],
    source: `${serverSide}#merge-strategy: container ports are keyed by containerPort and protocol`,
    async run(t) {
      const withPort = (name: string, protocol: string): Any => {
        const given = deployment('web', 0)
        given.spec.template.spec.containers[0].ports = [{ containerPort: 53, protocol, name }]
        return given
      }
      await t.feed('apply --server-side --field-manager=one -f -', withPort('dns-tcp', 'TCP'))
      await t.feed('apply --server-side --field-manager=two -f -', withPort('dns', 'UDP'))
      const ports = (await t.get('deployment web')).spec.template.spec.containers[0].ports
      assert.deepEqual(ports.map((port: Any) => port.protocol).sort(), ['TCP', 'UDP'])
    },
  },
  'server-side-ignores-a-scaler': {
    rows: ['C9', 'C10', 'C16'],
    source: `${serverSide}#transferring-ownership: leave replicas out and a scaler keeps them`,
    async run(t) {
      const given = deployment('web', 0)
      await t.feed('apply --server-side -f -', given)
      await t.k('scale deployment web --replicas=2')
      const { replicas: _, ...spec } = given.spec
      await t.feed('apply --server-side -f -', { ...given, spec })
      assert.equal((await t.get('deployment web')).spec.replicas, 2)
    },
  },
  'server-side-takes-over-from-client-side': {
    rows: ['C9', 'C10', 'C11'],
    source: `${serverSide}#upgrading-from-client-side-apply-to-server-side-apply`,
    async run(t) {
      await t.feed('apply -f -', configMap('c', { a: '1', b: '2' }))
      await t.feed('apply --server-side -f -', configMap('c', { a: '1' }))
      assert.deepEqual((await t.get('cm c')).data, { a: '1' })
    },
  },
  'server-side-dry-run': {
    rows: ['C9', 'C12'],
    source: 'kubectl apply --server-side --dry-run=server',
    async run(t) {
      has(
        await t.feed('apply --server-side --dry-run=server -f -', configMap('c', {})),
        'serverside-applied (server dry run)',
      )
      has(await t.kFails('get cm c'), 'NotFound')
    },
  },
  'server-side-unknown-field': {
    rows: ['C9', 'C13'],
    source: 'api-concepts#field-validation: apply is strict, too',
    async run(t) {
      const stdin = JSON.stringify({ ...deployment('web'), spec: { ...deployment('web').spec, nonsense: 1 } })
      has(await t.kFails('apply --server-side -f -', { stdin }), 'nonsense')
    },
  },
  'managed-fields-can-be-reset': {
    rows: ['C10'],
    source: `${serverSide}#clearing-managedfields: a patch with [{}]`,
    async run(t) {
      await t.feed('apply --server-side -f -', configMap('c', { a: '1' }))
      await t.k(['patch', 'cm', 'c', '--type=merge', '-p', '{"metadata":{"managedFields":[{}]}}'])
      assert.equal((await t.get('cm c --show-managed-fields')).metadata.managedFields, undefined)
    },
  },
  'managed-fields-name-every-writer': {
    rows: ['C10'],
    source: `${serverSide}: field management is kept for updates, too, per manager and subresource`,
    async run(t) {
      await t.k('create deployment web --image=nginx --replicas=1')
      await t.k('rollout status deployment/web --timeout=60s')
      await t.k('set image deployment/web nginx=nginx:1.28 --field-manager=setter')
      const entries: Any[] = (await t.get('deployment web --show-managed-fields')).metadata.managedFields
      const told = entries.map((entry) => `${entry.manager} ${entry.operation} ${entry.subresource ?? ''}`.trim())
      has(told.join('\n'), 'kubectl-create Update', 'setter Update', /^\S+ Update status$/m)
    },
  },
})
