// The commands that change what is there: scale, label, annotate, patch, replace, edit, set, expose, run, autoscale,
// diff; and what a dry run leaves behind.
import assert from 'node:assert/strict'
import { type Any, type Case, has, lacks, topic } from '../src/case.ts'
import { configMap, deployment, pod, service } from '../src/manifests.ts'

const kubectl = (command: string): string => `kubernetes.io/docs/reference/kubectl/generated/kubectl_${command}`

export const modifyCases: readonly Case[] = topic('modify', {
  scale: {
    rows: ['C16', 'B7'],
    source: kubectl('scale'),
    bothVersions: true,
    async run(t) {
      await t.feed('apply -f -', deployment('web', 1))
      has(await t.k('scale deployment web --replicas=3'), 'deployment.apps/web scaled')
      await t.k('rollout status deployment/web --timeout=60s')
      assert.equal((await t.get('pods')).items.length, 3)
      await t.k('scale deployment web --replicas=0')
      await t.eventually(async () => assert.equal(await t.k('get pods -o name'), ''))
    },
  },
  'scale-only-if': {
    rows: ['C16', 'A7'],
    source: `${kubectl('scale')}: --current-replicas is a precondition`,
    async run(t) {
      await t.feed('apply -f -', deployment('web', 0))
      has(await t.kFails('scale deployment web --current-replicas=5 --replicas=2'), 'Expected replicas to be 5, was 0')
    },
  },
  'scale-a-replica-set': {
    rows: ['C16'],
    source: `${kubectl('scale')}: any kind with a scale subresource`,
    async run(t) {
      const given = deployment('rs', 0)
      await t.feed('apply -f -', { ...given, kind: 'ReplicaSet' })
      await t.k('scale rs/rs --replicas=2')
      await t.eventually(async () => assert.equal((await t.get('pods')).items.length, 2))
    },
  },
  'scale-by-the-subresource': {
    rows: ['C16', 'A7'],
    source: 'API: PUT scale changes replicas and nothing else; a negative number is refused',
    async run(t) {
      await t.feed('apply -f -', deployment('web', 0))
      const path = '/apis/apps/v1/namespaces/{ns}/deployments/web/scale'
      const { metadata, ...scale } = (await t.http({ path })).json
      // The controller writes the status meanwhile: no version is asked for.
      const scaled = { ...scale, metadata: { ...metadata, resourceVersion: undefined } }
      const put = await t.http({ method: 'PUT', path, body: { ...scaled, spec: { replicas: 1 } } })
      assert.equal(put.code, 200, put.text)
      assert.equal(put.json.kind, 'Scale')
      const bad = await t.http({ method: 'PUT', path, body: { ...scaled, spec: { replicas: -1 } } })
      assert.deepEqual([bad.code, bad.json.reason], [422, 'Invalid'])
      assert.equal((await t.get('deployment web')).spec.replicas, 1)
    },
  },
  label: {
    rows: ['C7', 'C8'],
    source: kubectl('label'),
    bothVersions: true,
    async run(t) {
      await t.feed('apply -f -', configMap('c', {}))
      has(await t.k('label cm c tier=x'), 'configmap/c labeled')
      has(await t.kFails('label cm c tier=y'), `'tier' already has a value (x), and --overwrite is false`)
      await t.k('label cm c tier=y other=z --overwrite')
      assert.deepEqual((await t.get('cm c')).metadata.labels, { tier: 'y', other: 'z' })
      has(await t.k('label cm c tier-'), 'configmap/c unlabeled')
      assert.deepEqual((await t.get('cm c')).metadata.labels, { other: 'z' })
    },
  },
  'label-is-validated': {
    rows: ['A7'],
    source: 'labels: the value has at most 63 characters of a small alphabet',
    async run(t) {
      await t.feed('apply -f -', configMap('c', {}))
      const answer = await t.http({
        method: 'PATCH',
        path: '/api/v1/namespaces/{ns}/configmaps/c',
        headers: { 'content-type': 'application/merge-patch+json' },
        body: { metadata: { labels: { tier: 'not allowed!' } } },
      })
      assert.equal(answer.code, 422)
      has(answer.text, 'metadata.labels: Invalid value:')
    },
  },
  annotate: {
    rows: ['C7', 'C8'],
    source: kubectl('annotate'),
    bothVersions: true,
    async run(t) {
      await t.feed('apply -f -', configMap('c', {}))
      has(await t.k(['annotate', 'cm', 'c', 'note=two words']), 'configmap/c annotated')
      assert.equal((await t.get('cm c')).metadata.annotations.note, 'two words')
      await t.k('annotate cm c note-')
      assert.equal((await t.get('cm c')).metadata.annotations.note, undefined)
    },
  },
  'patch-strategic': {
    rows: ['C8'],
    source:
      'kubernetes.io/docs/tasks/manage-kubernetes-objects/update-api-object-kubectl-patch#use-a-strategic-merge-patch',
    bothVersions: true,
    async run(t) {
      await t.feed('apply -f -', deployment('web', 0))
      const patch = '{"spec":{"template":{"spec":{"containers":[{"name":"two","image":"redis"}]}}}}'
      has(await t.k(['patch', 'deployment', 'web', '--type=strategic', '-p', patch]), 'deployment.apps/web patched')
      const containers = (await t.get('deployment web')).spec.template.spec.containers
      assert.deepEqual(containers.map((one: Any) => one.name).sort(), ['two', 'web'])
    },
  },
  'patch-strategic-directives': {
    rows: ['C8'],
    source: 'strategic-merge-patch: $patch: delete removes an element, $retainKeys the other keys of a union',
    async run(t) {
      await t.feed('apply -f -', deployment('web', 0))
      const two = '{"spec":{"template":{"spec":{"containers":[{"name":"two","image":"redis"}]}}}}'
      await t.k(['patch', 'deployment', 'web', '-p', two])
      const remove = '{"spec":{"template":{"spec":{"containers":[{"name":"web","$patch":"delete"}]}}}}'
      await t.k(['patch', 'deployment', 'web', '-p', remove])
      const recreate = '{"spec":{"strategy":{"$retainKeys":["type"],"type":"Recreate"}}}'
      await t.k(['patch', 'deployment', 'web', '-p', recreate])
      const { strategy, template } = (await t.get('deployment web')).spec
      assert.deepEqual(
        template.spec.containers.map((one: Any) => one.name),
        ['two'],
      )
      assert.deepEqual(strategy, { type: 'Recreate' })
    },
  },
  'patch-strategic-primitive-lists': {
    rows: ['C8'],
    source: 'strategic-merge-patch: $deleteFromPrimitiveList/finalizers',
    async run(t) {
      await t.feed('create -f -', configMap('c', {}, { finalizers: ['example.com/a', 'example.com/b'] }))
      await t.k(['patch', 'cm', 'c', '-p', '{"metadata":{"$deleteFromPrimitiveList/finalizers":["example.com/a"]}}'])
      assert.deepEqual((await t.get('cm c')).metadata.finalizers, ['example.com/b'])
      await t.k(['patch', 'cm', 'c', '--type=merge', '-p', '{"metadata":{"finalizers":null}}'])
    },
  },
  'patch-merge': {
    rows: ['C7'],
    source: 'RFC 7396: null removes, lists are replaced whole',
    bothVersions: true,
    async run(t) {
      await t.feed('apply -f -', configMap('c', { a: '1', b: '2' }))
      await t.k(['patch', 'cm', 'c', '--type=merge', '-p', '{"data":{"a":null,"c":"3"}}'])
      assert.deepEqual((await t.get('cm c')).data, { b: '2', c: '3' })
      await t.feed('apply -f -', deployment('web', 0))
      const patch = '{"spec":{"template":{"spec":{"containers":[{"name":"only","image":"redis"}]}}}}'
      await t.k(['patch', 'deployment', 'web', '--type=merge', '-p', patch])
      assert.equal((await t.get('deployment web')).spec.template.spec.containers[0].name, 'only')
    },
  },
  'patch-json': {
    rows: ['C6'],
    source: 'RFC 6902: add, remove, replace, move, copy, test',
    bothVersions: true,
    async run(t) {
      await t.feed('apply -f -', configMap('c', { a: '1', b: '2' }))
      const patch = JSON.stringify([
        { op: 'test', path: '/data/a', value: '1' },
        { op: 'replace', path: '/data/a', value: '9' },
        { op: 'move', from: '/data/b', path: '/data/m' },
        { op: 'copy', from: '/data/a', path: '/data/n' },
        { op: 'add', path: '/metadata/annotations/example.com~1note', value: '5' },
      ])
      await t.k(['patch', 'cm', 'c', '--type=json', '-p', patch])
      const { data, metadata } = await t.get('cm c')
      assert.deepEqual(data, { a: '9', m: '2', n: '9' })
      assert.equal(metadata.annotations['example.com/note'], '5')
    },
  },
  'patch-json-whose-test-fails': {
    rows: ['C6', 'A7'],
    source: 'observed: a failing test is 422 and changes nothing',
    async run(t) {
      await t.feed('apply -f -', configMap('c', { a: '1' }))
      const patch = '[{"op":"test","path":"/data/a","value":"2"},{"op":"remove","path":"/data/a"}]'
      has(await t.kFails(['patch', 'cm', 'c', '--type=json', '-p', patch]), 'The request is invalid')
      assert.deepEqual((await t.get('cm c')).data, { a: '1' })
    },
  },
  'patch-nothing': {
    rows: ['C4'],
    source: 'observed: a patch that changes nothing says (no change) and writes nothing',
    async run(t) {
      await t.feed('apply -f -', configMap('c', { a: '1' }))
      const before = (await t.get('cm c')).metadata.resourceVersion
      has(
        await t.k(['patch', 'cm', 'c', '--type=merge', '-p', '{"data":{"a":"1"}}']),
        'configmap/c patched (no change)',
      )
      assert.equal((await t.get('cm c')).metadata.resourceVersion, before)
    },
  },
  'patch-status': {
    rows: ['C15', 'D11'],
    source: `${kubectl('patch')}: --subresource=status touches status alone`,
    async run(t) {
      await t.feed('apply -f -', pod('p', { nodeSelector: { nowhere: 'x' } }))
      const patch = '{"metadata":{"labels":{"l":"1"}},"spec":{"nodeName":"n"},"status":{"message":"hello"}}'
      await t.k(['patch', 'pod', 'p', '--subresource=status', '--type=merge', '-p', patch])
      const { spec, status, metadata } = await t.get('pod p')
      assert.equal(status.message, 'hello')
      assert.equal(spec.nodeName, undefined)
      await t.k(['patch', 'pod', 'p', '--type=merge', '-p', '{"status":{"message":"ignored"}}'])
      assert.equal((await t.get('pod p')).status.message, 'hello')
      assert.ok(metadata.uid)
    },
  },
  'patch-scale': {
    rows: ['C16', 'D11'],
    source: `${kubectl('patch')}: --subresource=scale`,
    async run(t) {
      await t.feed('apply -f -', deployment('web', 0))
      await t.k(['patch', 'deployment', 'web', '--subresource=scale', '--type=merge', '-p', '{"spec":{"replicas":1}}'])
      assert.equal((await t.get('deployment web')).spec.replicas, 1)
    },
  },
  'patch-what-is-immutable': {
    rows: ['C14', 'A7'],
    source: 'configmap#immutable-configmaps: neither data nor the mark can change',
    async run(t) {
      await t.feed('create -f -', { ...configMap('c', { a: '1' }), immutable: true })
      has(
        await t.kFails(['patch', 'cm', 'c', '--type=merge', '-p', '{"data":{"a":"2"}}']),
        'The ConfigMap "c" is invalid: data: Forbidden: field is immutable when `immutable` is set',
      )
    },
  },
  'patch-uid': {
    rows: ['A7'],
    source: 'metadata: uid and creationTimestamp never change',
    async run(t) {
      await t.feed('create -f -', configMap('c', {}))
      const before = await t.get('cm c')
      const answer = await t.http({
        method: 'PATCH',
        path: '/api/v1/namespaces/{ns}/configmaps/c',
        headers: { 'content-type': 'application/merge-patch+json' },
        body: { metadata: { uid: '00000000-0000-4000-8000-000000000000' } },
      })
      assert.equal(answer.code, 422, answer.text)
      has(answer.text, 'field is immutable')
      assert.equal((await t.get('cm c')).metadata.uid, before.metadata.uid)
    },
  },
  'generation-moves-with-the-spec': {
    rows: ['C15'],
    source: 'api-conventions#metadata: generation counts changes of the desired state',
    async run(t) {
      await t.feed('apply -f -', service('web', 'web'))
      await t.feed('apply -f -', deployment('web', 0))
      const generation = async (): Promise<number> => (await t.get('deployment web')).metadata.generation
      assert.equal(await generation(), 1)
      await t.k('label deployment web x=1')
      assert.equal(await generation(), 1)
      await t.k('set image deployment/web web=nginx:2')
      assert.equal(await generation(), 2)
    },
  },
  replace: {
    rows: ['C4'],
    source: kubectl('replace'),
    bothVersions: true,
    async run(t) {
      await t.feed('create -f -', configMap('c', { a: '1' }, { labels: { x: '1' } }))
      has(await t.feed('replace -f -', configMap('c', { b: '2' })), 'configmap/c replaced')
      const { data, metadata } = await t.get('cm c')
      assert.deepEqual(data, { b: '2' })
      assert.equal(metadata.labels, undefined)
    },
  },
  'replace-a-stale-version': {
    rows: ['C4', 'A7'],
    source: 'api-concepts: a resourceVersion that is not the present one is 409 Conflict',
    bothVersions: true,
    async run(t) {
      await t.feed('create -f -', configMap('c', { a: '1' }))
      const stale = await t.get('cm c')
      await t.k('label cm c x=1')
      has(
        await t.kFails('replace -f -', { stdin: JSON.stringify({ ...stale, data: { a: '2' } }) }),
        'Operation cannot be fulfilled on configmaps "c": the object has been modified; please apply your changes to the latest version and try again',
      )
    },
  },
  'replace-by-force': {
    rows: ['C17', 'C1'],
    source: `${kubectl('replace')}: --force deletes and creates`,
    async run(t) {
      await t.feed('create -f -', pod('p'))
      const before = (await t.get('pod p')).metadata.uid
      has(await t.k('replace --force --grace-period=0 -f -', { stdin: JSON.stringify(pod('p')) }), 'pod/p replaced')
      assert.notEqual((await t.get('pod p')).metadata.uid, before)
    },
  },
  'replace-what-is-not-there': {
    rows: ['A7'],
    source: 'observed: replace does not create',
    async run(t) {
      has(await t.kFails('replace -f -', { stdin: JSON.stringify(configMap('c', {})) }), 'configmaps "c" not found')
    },
  },
  edit: {
    rows: ['C8', 'C4'],
    source: kubectl('edit'),
    bothVersions: true,
    async run(t) {
      await t.feed('create -f -', configMap('c', { colour: 'red' }))
      const editor = t.file('editor.sh', '#!/bin/sh\nsed -i "s/colour: red/colour: blue/" "$1"\n')
      has(await t.k('edit cm c', { env: { EDITOR: editor, KUBE_EDITOR: editor } }), 'configmap/c edited')
      assert.equal((await t.get('cm c')).data.colour, 'blue')
      const idle = t.file('idle.sh', '#!/bin/sh\nexit 0\n')
      const result = await t.kAll('edit cm c', { env: { EDITOR: idle, KUBE_EDITOR: idle } })
      has(result.stdout + result.stderr, 'Edit cancelled, no changes made.')
    },
  },
  'set-image-env-resources': {
    rows: ['C8'],
    source: kubectl('set'),
    async run(t) {
      await t.feed('apply -f -', deployment('web', 0))
      await t.k('set image deployment/web web=nginx:2')
      await t.k('set env deployment/web COLOUR=red')
      await t.k('set resources deployment/web --limits=cpu=200m,memory=64Mi --requests=cpu=100m')
      await t.k('set serviceaccount deployment/web default')
      const { containers, serviceAccountName } = (await t.get('deployment web')).spec.template.spec
      assert.equal(containers[0].image, 'nginx:2')
      assert.deepEqual(containers[0].env, [{ name: 'COLOUR', value: 'red' }])
      assert.deepEqual(containers[0].resources, { limits: { cpu: '200m', memory: '64Mi' }, requests: { cpu: '100m' } })
      assert.equal(serviceAccountName, 'default')
      has(await t.k('set env deployment/web --list'), 'COLOUR=red')
    },
  },
  'set-selector': {
    rows: ['C8'],
    source: kubectl('set_selector'),
    async run(t) {
      await t.feed('apply -f -', service('web', 'web'))
      await t.k('set selector service/web app=other')
      assert.deepEqual((await t.get('service web')).spec.selector, { app: 'other' })
    },
  },
  expose: {
    rows: ['A10', 'H1'],
    source: kubectl('expose'),
    bothVersions: true,
    async run(t) {
      await t.feed('apply -f -', deployment('web', 1, {}, { ports: [{ containerPort: 8080 }] }))
      has(await t.k('expose deployment web --port=80 --target-port=8080'), 'service/web exposed')
      assert.deepEqual((await t.get('service web')).spec.selector, { app: 'web' })
      await t.eventually(async () => has(await t.k('get endpoints web'), /\d+\.\d+\.\d+\.\d+:8080/))
    },
  },
  'endpoint-slices-follow-the-pods': {
    rows: ['B7', 'H1'],
    source: 'kubernetes.io/docs/concepts/services-networking/endpoint-slices',
    async run(t) {
      await t.feed('apply -f -', deployment('web', 2), service('web', 'web'))
      await t.k('rollout status deployment/web --timeout=60s')
      const addresses = async (): Promise<readonly string[]> =>
        (await t.get('endpointslices -l kubernetes.io/service-name=web')).items.flatMap((slice: Any) =>
          (slice.endpoints ?? []).filter((one: Any) => one.conditions.ready).flatMap((one: Any) => one.addresses),
        )
      await t.eventually(async () => assert.equal((await addresses()).length, 2))
      await t.k('scale deployment web --replicas=0')
      await t.eventually(async () => assert.equal((await addresses()).length, 0))
    },
  },
  run: {
    rows: ['A10', 'C1'],
    source: kubectl('run'),
    bothVersions: true,
    async run(t) {
      has(await t.k('run shell --image=busybox --labels=a=b --env=X=1 --port=80'), 'pod/shell created')
      const { metadata, spec } = await t.get('pod shell')
      assert.equal(metadata.labels.a, 'b')
      assert.deepEqual(spec.containers[0].env, [{ name: 'X', value: '1' }])
    },
  },
  autoscale: {
    rows: ['A10', 'C1'],
    source: kubectl('autoscale'),
    async run(t) {
      await t.feed('apply -f -', deployment('web', 0))
      has(
        await t.k('autoscale deployment web --min=1 --max=3 --cpu=80%'),
        /horizontalpodautoscaler\.autoscaling\/web autoscaled/,
      )
      const { spec } = await t.get('hpa web')
      assert.deepEqual([spec.minReplicas, spec.maxReplicas], [1, 3])
      has(await t.k('get hpa web'), /web +Deployment\/web +cpu: <unknown>\/80% +1 +3 +0/)
    },
  },
  diff: {
    rows: ['C12'],
    source: `${kubectl('diff')}: code 1 and a unified diff when something would change, 0 when nothing`,
    bothVersions: true,
    async run(t) {
      await t.feed('apply -f -', configMap('c', { a: '1' }))
      const before = (await t.get('cm c')).metadata.resourceVersion
      assert.equal((await t.kAll('diff -f -', { stdin: JSON.stringify(configMap('c', { a: '1' })) })).code, 0)
      const changed = await t.kAll('diff -f -', { stdin: JSON.stringify(configMap('c', { a: '2' })) })
      assert.equal(changed.code, 1, changed.stderr)
      has(changed.stdout, /^-\s+a: "1"$/m, /^\+\s+a: "2"$/m)
      const added = await t.kAll('diff -f -', { stdin: JSON.stringify(configMap('new', { a: '1' })) })
      assert.equal(added.code, 1)
      has(added.stdout, /^\+kind: ConfigMap$/m)
      assert.equal((await t.get('cm c')).metadata.resourceVersion, before)
      has(await t.kFails('get cm new'), 'NotFound')
    },
  },
  'dry-run-of-every-verb': {
    rows: ['C12'],
    source: 'kubernetes.io/docs/reference/using-api/api-concepts#dry-run',
    bothVersions: true,
    async run(t) {
      await t.feed('apply -f -', configMap('c', { a: '1' }), deployment('web', 0))
      const before = await t.get('cm c')
      has(await t.k('create cm other --dry-run=server'), 'configmap/other created (server dry run)')
      has(await t.feed('apply --dry-run=server -f -', configMap('c', { a: '2' })), 'configured (server dry run)')
      has(await t.feed('replace --dry-run=server -f -', configMap('c', { a: '2' })), 'replaced (server dry run)')
      has(await t.k('label cm c x=1 --dry-run=server'), 'labeled (server dry run)')
      await t.k(['patch', 'cm', 'c', '--dry-run=server', '--type=merge', '-p', '{"data":{"a":"2"}}'])
      await t.k('delete cm c --dry-run=server')
      await t.k('scale deployment web --replicas=3 --dry-run=server')
      assert.deepEqual(await t.get('cm c'), before)
      assert.equal((await t.get('deployment web')).spec.replicas, 0)
      has(await t.kFails('get cm other'), 'NotFound')
    },
  },
  'dry-run-shows-defaults': {
    rows: ['C12', 'C1'],
    source: 'api-concepts#dry-run: admission and defaulting run',
    async run(t) {
      const out = JSON.parse(await t.feed('create --dry-run=server -o json -f -', pod('p')))
      assert.equal(out.spec.restartPolicy, 'Always')
      assert.ok(out.metadata.uid)
    },
  },
  'dry-run-consumes-no-version': {
    rows: ['C12', 'B1'],
    source: 'api-concepts#dry-run: nothing is persisted',
    async run(t) {
      const post = (name: string, query = ''): Promise<Any> =>
        t.http({ method: 'POST', path: `/api/v1/namespaces/{ns}/configmaps${query}`, body: configMap(name, {}) })
      const dry = await post('a', '?dryRun=All')
      assert.equal(dry.code, 201, dry.text)
      assert.ok(!Number(dry.json.metadata.resourceVersion))
      const bad = await post('b', '?dryRun=Some')
      assert.equal(bad.code, 422, bad.text)
    },
  },
  'a-service-keeps-its-address': {
    rows: ['C14', 'H1', 'A7'],
    source: 'services: clusterIP is immutable; an update that leaves it out keeps it',
    async run(t) {
      await t.feed('create -f -', service('web', 'web'))
      const { clusterIP } = (await t.get('service web')).spec
      await t.feed('replace -f -', service('web', 'web', { sessionAffinity: 'ClientIP' }))
      assert.equal((await t.get('service web')).spec.clusterIP, clusterIP)
      const patch = '{"spec":{"clusterIP":"10.96.200.200","clusterIPs":["10.96.200.200"]}}'
      has(
        await t.kFails(['patch', 'service', 'web', '--type=merge', '-p', patch]),
        'spec.clusterIPs[0]: Invalid value',
        'may not change once set',
      )
    },
  },
  'a-pod-spec-is-immutable': {
    rows: ['C14', 'A7'],
    source: 'pods#pod-update-and-replacement: only a few fields may change',
    async run(t) {
      await t.feed('create -f -', pod('p'))
      await t.k('set image pod/p main=registry.k8s.io/pause:3.9')
      has(
        await t.kFails(['patch', 'pod', 'p', '--type=merge', '-p', '{"spec":{"hostname":"other"}}']),
        'spec: Forbidden: pod updates may not change fields other than',
      )
    },
  },
  'bind-a-pod-once': {
    rows: ['D5'],
    source: 'API: POST binding assigns the node; a second is 409',
    async run(t) {
      await t.feed('create -f -', pod('p', { schedulerName: 'none' }))
      const node = (await t.get('nodes')).items[0].metadata.name
      const path = '/api/v1/namespaces/{ns}/pods/p/binding'
      const body = { apiVersion: 'v1', kind: 'Binding', metadata: { name: 'p' }, target: { kind: 'Node', name: node } }
      const first = await t.http({ method: 'POST', path, body })
      assert.equal(first.code, 201, first.text)
      assert.equal((await t.get('pod p')).spec.nodeName, node)
      const second = await t.http({ method: 'POST', path, body })
      assert.equal(second.code, 409, second.text)
      lacks(second.text, '"Success"')
    },
  },
})
