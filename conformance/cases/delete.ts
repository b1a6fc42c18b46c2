// `kubectl delete`: cascades, finalizers, grace periods, preconditions, collections, and whole namespaces.
import assert from 'node:assert/strict'
import { type Any, type Case, has, lacks, topic } from '../src/case.ts'
import { configMap, deployment, held, pod } from '../src/manifests.ts'

const collection = 'kubernetes.io/docs/concepts/architecture/garbage-collection#cascading-deletion'
const finalizers = 'kubernetes.io/docs/concepts/overview/working-with-objects/finalizers'
const termination = 'kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle#pod-termination'

export const deleteCases: readonly Case[] = topic('delete', {
  'one-object': {
    rows: ['C17', 'A7'],
    source: 'kubernetes.io/docs/reference/kubectl/generated/kubectl_delete',
    bothVersions: true,
    async run(t) {
      await t.feed('apply -f -', configMap('c', {}))
      has(await t.k('delete cm c'), /configmap "c" deleted/)
      has(await t.kFails('get cm c'), 'NotFound')
      has(await t.kFails('delete cm c'), 'Error from server (NotFound): configmaps "c" not found')
      await t.k('delete cm c --ignore-not-found')
    },
  },
  'from-a-file': {
    rows: ['C17'],
    source: 'kubectl delete -f',
    async run(t) {
      const path = t.file('c.json', configMap('c', {}))
      await t.k(`apply -f ${path}`)
      has(await t.k(`delete -f ${path}`), 'configmap "c" deleted')
    },
  },
  'cascade-background': {
    rows: ['C17'],
    source: `${collection}: background is the default of kubectl`,
    bothVersions: true,
    async run(t) {
      await t.feed('apply -f -', deployment('web', 2))
      await t.k('rollout status deployment/web --timeout=60s')
      await t.k('delete deployment web')
      await t.eventually(async () => {
        assert.equal(await t.k('get rs,pods -o name'), '')
      })
    },
  },
  'cascade-foreground': {
    rows: ['C17', 'C18'],
    source: `${collection}: the owner stays until its dependents are gone`,
    bothVersions: true,
    async run(t) {
      await t.feed('apply -f -', deployment('web', 2))
      await t.k('rollout status deployment/web --timeout=60s')
      await t.k('delete deployment web --cascade=foreground --timeout=60s')
      assert.equal(await t.k('get deployment,rs,pods -o name'), '')
    },
  },
  'cascade-foreground-is-visible': {
    rows: ['C17', 'C18'],
    source: `${collection}: the finalizer foregroundDeletion is on the owner meanwhile`,
    async run(t) {
      await t.feed('apply -f -', configMap('owner', {}))
      const { uid } = (await t.get('cm owner')).metadata
      const ownerReferences = [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'owner', uid, blockOwnerDeletion: true }]
      await t.feed('create -f -', configMap('child', {}, { ownerReferences, finalizers: ['example.com/hold'] }))
      await t.k('delete cm owner --cascade=foreground --wait=false')
      const { metadata } = await t.get('cm owner')
      assert.deepEqual(metadata.finalizers, ['foregroundDeletion'])
      assert.ok(metadata.deletionTimestamp)
      await t.eventually(async () => assert.ok((await t.get('cm child')).metadata.deletionTimestamp))
      await t.k(['patch', 'cm', 'child', '--type=merge', '-p', '{"metadata":{"finalizers":null}}'])
      await t.k('wait --for=delete cm/owner --timeout=30s')
    },
  },
  'cascade-orphan': {
    rows: ['C17'],
    source: `${collection}: orphans stay and lose their owner`,
    bothVersions: true,
    async run(t) {
      await t.feed('apply -f -', deployment('web', 1))
      await t.k('rollout status deployment/web --timeout=60s')
      await t.k('delete deployment web --cascade=orphan')
      await t.eventually(async () => {
        const sets = (await t.get('rs')).items
        assert.equal(sets.length, 1)
        assert.equal(sets[0].metadata.ownerReferences, undefined)
      })
      assert.equal((await t.get('pods')).items.length, 1)
      await t.k('delete rs --all')
    },
  },
  'a-dependent-without-an-owner': {
    rows: ['C17'],
    source: 'garbage-collection: an object whose owner does not exist is collected',
    async run(t) {
      const ownerReferences = [
        { apiVersion: 'v1', kind: 'ConfigMap', name: 'gone', uid: '00000000-0000-4000-8000-000000000000' },
      ]
      await t.feed('create -f -', configMap('child', {}, { ownerReferences }))
      await t.eventually(async () => has(await t.kFails('get cm child'), 'NotFound'))
    },
  },
  'a-finalizer-holds': {
    rows: ['C18'],
    source: `${finalizers}: the object stays with a deletionTimestamp until the list is empty`,
    bothVersions: true,
    async run(t) {
      await t.feed('create -f -', held('h'))
      await t.k('delete cm h --wait=false')
      const { metadata } = await t.get('cm h')
      assert.ok(metadata.deletionTimestamp)
      assert.equal(metadata.deletionGracePeriodSeconds, 0)
      await t.k(['patch', 'cm', 'h', '--type=merge', '-p', '{"metadata":{"finalizers":null}}'])
      has(await t.kFails('get cm h'), 'NotFound')
    },
  },
  'no-finalizer-is-added-late': {
    rows: ['C18', 'A7'],
    source: `${finalizers}: after the deletion was requested finalizers can only be removed`,
    async run(t) {
      await t.feed('create -f -', held('h'))
      await t.k('delete cm h --wait=false')
      const patch = '{"metadata":{"finalizers":["example.com/hold","example.com/late"]}}'
      has(
        await t.kFails(['patch', 'cm', 'h', '--type=merge', '-p', patch]),
        /metadata\.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers \[\]string\{"example\.com\/late"\}/,
      )
      await t.k(['patch', 'cm', 'h', '--type=merge', '-p', '{"metadata":{"finalizers":null}}'])
    },
  },
  'an-invalid-finalizer': {
    rows: ['C18', 'A7'],
    source: `${finalizers}: names must be qualified`,
    async run(t) {
      const stdin = JSON.stringify(configMap('c', {}, { finalizers: ['held back'] }))
      has(await t.kFails('create -f -', { stdin }), 'metadata.finalizers')
    },
  },
  'a-pod-with-grace': {
    rows: ['C17'],
    source: `${termination}: the kubelet ends the pod, then it goes`,
    async run(t) {
      await t.feed('apply -f -', pod('p', { terminationGracePeriodSeconds: 5 }))
      await t.k('wait --for=condition=Ready pod/p --timeout=60s')
      await t.k('delete pod p --wait=false')
      const result = await t.kAll('get pod p -o json')
      if (result.code === 0) {
        const { metadata } = JSON.parse(result.stdout) as Any
        assert.equal(metadata.deletionGracePeriodSeconds, 5)
        assert.ok(metadata.deletionTimestamp)
      }
      await t.k('wait --for=delete pod/p --timeout=30s')
    },
  },
  'a-pod-by-force': {
    rows: ['C17'],
    source: `${termination}-forced: --force --grace-period=0 removes it at once`,
    bothVersions: true,
    async run(t) {
      await t.feed('apply -f -', pod('p', { terminationGracePeriodSeconds: 300 }))
      await t.k('wait --for=condition=Ready pod/p --timeout=60s')
      const result = await t.kAll('delete pod p --force --grace-period=0')
      assert.equal(result.code, 0, result.stderr)
      has(result.stdout, /pod "p" force deleted/)
      has(await t.kFails('get pod p'), 'NotFound')
    },
  },
  'a-pod-that-runs-nowhere': {
    rows: ['C17'],
    source: `${termination}: a pod without a node is gone at once`,
    async run(t) {
      await t.feed('apply -f -', pod('p', { nodeSelector: { nowhere: 'x' }, terminationGracePeriodSeconds: 300 }))
      await t.k('delete pod p --timeout=10s')
    },
  },
  'by-selector': {
    rows: ['C19', 'B5'],
    source: 'kubectl delete -l removes exactly what matches',
    async run(t) {
      const labels = { go: 'yes' }
      await t.feed('apply -f -', configMap('a', {}, { labels }), configMap('b', {}, { labels }), configMap('c', {}))
      await t.k('delete cm -l go=yes')
      const left = await t.k('get cm -o name')
      has(left, 'configmap/c')
      lacks(left, 'configmap/a', 'configmap/b')
    },
  },
  'all-of-a-kind': {
    rows: ['C19'],
    source: 'kubectl delete --all',
    async run(t) {
      await t.feed('apply -f -', pod('a'), pod('b'))
      await t.k('delete pods --all --timeout=60s')
      assert.equal(await t.k('get pods -o name'), '')
    },
  },
  'a-collection': {
    rows: ['C19', 'B5', 'B6'],
    source: 'API: DELETE on a collection with selectors answers with what it removed',
    async run(t) {
      await t.feed('apply -f -', configMap('a', {}, { labels: { x: '1' } }), configMap('b', {}, { labels: { x: '1' } }))
      const path = '/api/v1/namespaces/{ns}/configmaps?labelSelector=x%3D1&fieldSelector=metadata.name%3Da'
      const answer = await t.http({ method: 'DELETE', path })
      assert.equal(answer.code, 200, answer.text)
      const left = await t.k('get cm -o name')
      has(left, 'configmap/b')
      lacks(left, 'configmap/a')
    },
  },
  'with-preconditions': {
    rows: ['C17', 'A7'],
    source: 'API: DeleteOptions.preconditions; another uid or resourceVersion is 409',
    async run(t) {
      await t.feed('apply -f -', configMap('c', {}))
      const path = '/api/v1/namespaces/{ns}/configmaps/c'
      const options = (preconditions: Any): Any => ({ apiVersion: 'v1', kind: 'DeleteOptions', preconditions })
      const uid = '00000000-0000-4000-8000-000000000000'
      const other = await t.http({ method: 'DELETE', path, body: options({ uid }) })
      assert.deepEqual([other.code, other.json.reason], [409, 'Conflict'])
      has(other.text, 'the UID in the precondition (')
      const stale = await t.http({ method: 'DELETE', path, body: options({ resourceVersion: '1' }) })
      assert.equal(stale.code, 409)
      const { metadata } = await t.get('cm c')
      const right = await t.http({
        method: 'DELETE',
        path,
        body: options({ uid: metadata.uid, resourceVersion: metadata.resourceVersion }),
      })
      assert.equal(right.code, 200, right.text)
      assert.deepEqual([right.json.kind, right.json.status, right.json.details.name], ['Status', 'Success', 'c'])
    },
  },
  'dry-run': {
    rows: ['C12'],
    source: 'kubectl delete --dry-run=server removes nothing',
    async run(t) {
      await t.feed('apply -f -', configMap('c', {}))
      has(await t.k('delete cm c --dry-run=server'), 'configmap "c" deleted', 'server dry run')
      await t.k('get cm c')
    },
  },
  'a-namespace': {
    rows: ['C21'],
    source: 'kubernetes.io/docs/tasks/administer-cluster/namespaces: deletion removes what is in it',
    bothVersions: true,
    async run(t) {
      const name = `${t.namespace}-x`.slice(-63).replace(/^-+/, '')
      await t.k(`create namespace ${name}`)
      await t.k(`create configmap c -n ${name}`)
      await t.feed(`apply -n ${name} -f -`, deployment('web', 1))
      has(await t.k(`delete namespace ${name} --timeout=60s`), `namespace "${name}" deleted`)
      has(await t.kFails(`get namespace ${name}`), 'NotFound')
      assert.equal(await t.k(`get cm,deploy,pods -n ${name} -o name`), '')
    },
  },
  'a-namespace-that-is-held': {
    rows: ['C21', 'C18', 'A7'],
    source: 'namespaces: Terminating, told in conditions; nothing new is made in it',
    async run(t) {
      const name = `${t.namespace}-x`.slice(-63).replace(/^-+/, '')
      await t.k(`create namespace ${name}`)
      await t.feed(`create -n ${name} -f -`, held('h'))
      await t.k(`delete namespace ${name} --wait=false`)
      await t.eventually(async () => {
        const { status } = await t.get(`namespace ${name}`)
        assert.equal(status.phase, 'Terminating')
        const condition = status.conditions.find((one: Any) => one.type === 'NamespaceFinalizersRemaining')
        assert.equal(condition.status, 'True')
      })
      has(
        await t.kFails(`create configmap late -n ${name}`),
        `forbidden: unable to create new content in namespace ${name} because it is being terminated`,
      )
      await t.k(['patch', 'cm', 'h', '-n', name, '--type=merge', '-p', '{"metadata":{"finalizers":null}}'])
      await t.k(`wait --for=delete namespace/${name} --timeout=60s`)
    },
  },
  'protected-namespaces': {
    rows: ['C21', 'A7'],
    source: 'NamespaceLifecycle admission: default, kube-system and kube-public cannot be deleted',
    async run(t) {
      has(
        await t.kFails('delete namespace kube-system'),
        'Error from server (Forbidden)',
        'this namespace may not be deleted',
      )
    },
  },
  'a-claim-in-use-is-protected': {
    rows: ['E9', 'C18'],
    source: 'kubernetes.io/docs/concepts/storage/persistent-volumes#storage-object-in-use-protection',
    async run(t) {
      const claim = (name: string): Any => ({
        apiVersion: 'v1',
        kind: 'PersistentVolumeClaim',
        metadata: { name },
        spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
      })
      const volumes = [{ name: 'data', persistentVolumeClaim: { claimName: 'data' } }]
      const [node] = (await t.get('nodes')).items
      await t.feed('create -f -', claim('data'), claim('idle'))
      await t.feed(
        'create -f -',
        pod('user', { volumes, nodeName: node.metadata.name, terminationGracePeriodSeconds: 1 }),
      )
      assert.deepEqual((await t.get('pvc data')).metadata.finalizers, ['kubernetes.io/pvc-protection'])
      await t.k('delete pvc data --wait=false')
      // One that nobody uses goes at once; by then the controller has looked at the other, too.
      await t.k('delete pvc idle --timeout=30s')
      const { metadata } = await t.get('pvc data')
      assert.ok(metadata.deletionTimestamp)
      assert.deepEqual(metadata.finalizers, ['kubernetes.io/pvc-protection'])
      has(await t.k('get pvc data'), 'Terminating')
      await t.k('delete pod user --timeout=30s')
      await t.k('wait --for=delete pvc/data --timeout=30s')
    },
  },
})
