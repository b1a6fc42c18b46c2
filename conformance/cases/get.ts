// `kubectl get` and `describe`: tables, all outputs, selectors, chunks, sorting, watches; and what errors look like.
import assert from 'node:assert/strict'
import { type Any, type Case, type CaseContext, has, lacks, topic } from '../src/case.ts'
import { configMap, deployment, held, pod, service } from '../src/manifests.ts'

const reference = 'kubernetes.io/docs/reference/kubectl/generated/kubectl_get'
const selectors = 'kubernetes.io/docs/concepts/overview/working-with-objects/labels'

export const getCases: readonly Case[] = topic('get', {
  'table-of-pods': {
    rows: ['A8'],
    source: 'observed: NAME READY STATUS RESTARTS AGE',
    bothVersions: true,
    async run(t) {
      await t.feed('apply -f -', pod('p'))
      await t.k('wait --for=condition=Ready pod/p --timeout=60s')
      has(await t.k('get pods'), /^NAME +READY +STATUS +RESTARTS +AGE\np +1\/1 +Running +0 +\d+s\n$/)
    },
  },
  'wide-table-of-pods': {
    rows: ['A8'],
    source: `${reference}: -o wide adds IP NODE NOMINATED NODE READINESS GATES`,
    async run(t) {
      await t.feed('apply -f -', pod('p'))
      await t.k('wait --for=condition=Ready pod/p --timeout=60s')
      has(
        await t.k('get pods -o wide'),
        /^NAME +READY +STATUS +RESTARTS +AGE +IP +NODE +NOMINATED NODE +READINESS GATES$/m,
        /^p +1\/1 +Running +0 +\d+s +\d+\.\d+\.\d+\.\d+ +\S+ +<none> +<none>$/m,
      )
    },
  },
  'table-of-a-pending-pod': {
    rows: ['A8'],
    source: 'observed: a pod that fits no node is Pending and has no node',
    async run(t) {
      await t.feed('apply -f -', pod('p', { nodeSelector: { nowhere: 'x' } }))
      has(await t.k('get pod p -o wide --no-headers'), /^p +0\/1 +Pending +0 +\S+ +<none> +<none> +<none> +<none>$/m)
    },
  },
  'table-of-deployments': {
    rows: ['A8'],
    source: 'observed: NAME READY UP-TO-DATE AVAILABLE AGE, wide CONTAINERS IMAGES SELECTOR',
    async run(t) {
      await t.feed('apply -f -', deployment('web', 1))
      await t.k('rollout status deployment/web --timeout=60s')
      has(
        await t.k('get deploy -o wide'),
        /^NAME +READY +UP-TO-DATE +AVAILABLE +AGE +CONTAINERS +IMAGES +SELECTOR$/m,
        /^web +1\/1 +1 +1 +\S+ +web +nginx:1\.27 +app=web$/m,
      )
      has(await t.k('get rs'), /^NAME +DESIRED +CURRENT +READY +AGE$/m, /^web-[a-z0-9]+ +1 +1 +1 +\S+$/m)
    },
  },
  'table-of-services': {
    rows: ['A8'],
    source: 'observed: NAME TYPE CLUSTER-IP EXTERNAL-IP PORT(S) AGE',
    async run(t) {
      await t.feed('apply -f -', service('web', 'web'))
      has(
        await t.k('get svc'),
        /^NAME +TYPE +CLUSTER-IP +EXTERNAL-IP +PORT\(S\) +AGE$/m,
        /^web +ClusterIP +[\d.]+ +<none> +80\/TCP +\d+s$/m,
      )
    },
  },
  'table-of-configuration': {
    rows: ['A8'],
    source: 'observed: configmaps show DATA, secrets TYPE and DATA',
    async run(t) {
      await t.feed('apply -f -', configMap('c', { a: '1', b: '2' }))
      await t.k('create secret generic s --from-literal=a=1')
      has(await t.k('get cm c'), /^NAME +DATA +AGE\nc +2 +\S+$/m)
      has(await t.k('get secret s'), /^NAME +TYPE +DATA +AGE\ns +Opaque +1 +\S+$/m)
    },
  },
  'table-of-nodes': {
    rows: ['A8'],
    source: 'observed: NAME STATUS ROLES AGE VERSION, wide with addresses and versions',
    bothVersions: true,
    async run(t) {
      const out = await t.k('get nodes -o wide')
      has(
        out,
        /^NAME +STATUS +ROLES +AGE +VERSION +INTERNAL-IP +EXTERNAL-IP +OS-IMAGE +KERNEL-VERSION +CONTAINER-RUNTIME$/m,
      )
      assert.ok(out.split('\n').filter((line) => / Ready[, ]/.test(line)).length >= 3, out)
    },
  },
  'tables-of-several-kinds': {
    rows: ['A8', 'A4'],
    source: `${reference}: TYPE/NAME and lists of types print one table each, names with their type`,
    async run(t) {
      await t.feed('apply -f -', configMap('c', {}), service('web', 'web'))
      has(await t.k('get cm/c svc/web'), /^configmap\/c +0/m, /^service\/web +ClusterIP/m)
    },
  },
  all: {
    rows: ['A4'],
    source: `${reference}: the category all`,
    bothVersions: true,
    async run(t) {
      await t.feed('apply -f -', deployment('web', 1), service('web', 'web'))
      await t.k('rollout status deployment/web --timeout=60s')
      has(
        await t.k('get all'),
        /^pod\/web-/m,
        /^service\/web /m,
        /^deployment\.apps\/web /m,
        /^replicaset\.apps\/web-/m,
      )
    },
  },
  'nothing-found': {
    rows: ['A7'],
    source: 'observed: an empty list says so on standard error',
    async run(t) {
      const result = await t.kAll('get pods')
      assert.equal(result.code, 0)
      assert.equal(result.stderr, `No resources found in ${t.namespace} namespace.\n`)
    },
  },
  'not-found': {
    rows: ['A7'],
    source: 'observed: Error from server (NotFound): pods "x" not found',
    bothVersions: true,
    async run(t) {
      assert.equal(await t.kFails('get pod x'), 'Error from server (NotFound): pods "x" not found\n')
      assert.equal(await t.k('get pod x --ignore-not-found'), '')
    },
  },
  'unknown-type': {
    rows: ['A4', 'A7'],
    source: 'observed: the server doesn\'t have a resource type "x"',
    async run(t) {
      has(await t.kFails('get gizmos'), `error: the server doesn't have a resource type "gizmos"`)
    },
  },
  'short-names-and-singulars': {
    rows: ['A4'],
    source: 'kubectl api-resources: short names and singular names mean the same',
    async run(t) {
      await t.feed('apply -f -', configMap('c', {}))
      for (const name of ['cm', 'configmap', 'configmaps', 'configmaps.v1.']) {
        assert.equal(await t.k(`get ${name} c -o name`), 'configmap/c\n')
      }
      for (const name of ['deploy', 'deployments.apps', 'deployment.v1.apps']) await t.k(`get ${name}`)
    },
  },
  'as-json-and-yaml': {
    rows: ['A7'],
    source: `${reference}: -o json, -o yaml`,
    async run(t) {
      await t.feed('apply -f -', configMap('c', { a: '1' }))
      const object = await t.get('cm c')
      assert.deepEqual([object.apiVersion, object.kind, object.metadata.namespace], ['v1', 'ConfigMap', t.namespace])
      assert.match(object.metadata.creationTimestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
      has(await t.k('get cm c -o yaml'), 'apiVersion: v1', 'kind: ConfigMap', 'a: "1"')
      const list = await t.get('cm')
      assert.equal(list.kind, 'List')
    },
  },
  'managed-fields-are-hidden-unless-asked-for': {
    rows: ['C10'],
    source: `${reference}: --show-managed-fields`,
    async run(t) {
      await t.feed('apply -f -', configMap('c', {}))
      assert.equal((await t.get('cm c')).metadata.managedFields, undefined)
      assert.ok((await t.get('cm c --show-managed-fields')).metadata.managedFields.length > 0)
    },
  },
  'json-path': {
    rows: ['A7'],
    source: 'kubernetes.io/docs/reference/kubectl/jsonpath',
    async run(t) {
      await t.feed('apply -f -', configMap('a', { k: '1' }), configMap('b', { k: '2' }))
      assert.equal(await t.k(['get', 'cm', 'a', 'b', '-o', 'jsonpath={.items[*].data.k}']), '1 2')
      assert.equal(await t.k(['get', 'cm', 'a', '-o', 'jsonpath={.metadata.name}']), 'a')
    },
  },
  'go-template': {
    rows: ['A7'],
    source: `${reference}: -o go-template`,
    async run(t) {
      await t.feed('apply -f -', configMap('a', { k: '1' }))
      assert.equal(await t.k(['get', 'cm', 'a', '-o', 'go-template={{.metadata.name}}={{.data.k}}']), 'a=1')
    },
  },
  'custom-columns': {
    rows: ['A8'],
    source: 'kubernetes.io/docs/reference/kubectl/#custom-columns',
    async run(t) {
      await t.feed('apply -f -', configMap('a', { k: '1' }))
      assert.equal(await t.k('get cm a -o custom-columns=N:.metadata.name,K:.data.k'), 'N     K\na     1\n')
    },
  },
  names: {
    rows: ['A9'],
    source: `${reference}: -o name`,
    async run(t) {
      await t.feed('apply -f -', configMap('a', {}), deployment('web', 0))
      has(await t.k('get cm,deploy -o name'), 'configmap/a\n', 'deployment.apps/web\n')
    },
  },
  'label-columns-and-labels': {
    rows: ['A8'],
    source: `${reference}: -L adds a column for a label, --show-labels adds all`,
    async run(t) {
      await t.feed('apply -f -', configMap('a', {}, { labels: { tier: 'x' } }))
      has(await t.k('get cm a -L tier'), /AGE +TIER\na +0 +\S+ +x$/m)
      has(await t.k('get cm a --show-labels'), /LABELS\na +0 +\S+ +tier=x$/m)
    },
  },
  sorted: {
    rows: ['A8'],
    source: `${reference}: --sort-by`,
    async run(t) {
      await t.feed('apply -f -', configMap('a', { k: '3' }), configMap('b', { k: '1' }), configMap('c', { k: '2' }))
      assert.equal(
        await t.k('get cm a b c --sort-by=.data.k --no-headers -o custom-columns=N:.metadata.name'),
        'b\nc\na\n',
      )
      has(await t.k('get cm --sort-by=.metadata.creationTimestamp'), 'NAME')
    },
  },
  'by-label-equality': {
    rows: ['B5'],
    source: `${selectors}#equality-based-requirement`,
    bothVersions: true,
    async run(t) {
      await labelled(t)
      assert.equal(await t.k('get cm -l tier=front -o name'), 'configmap/a\n')
      assert.equal(await t.k('get cm -l tier!=front,kind=x -o name'), 'configmap/b\nconfigmap/c\n')
      assert.equal(await t.k('get cm -l tier==back -o name'), 'configmap/b\n')
    },
  },
  'by-label-set': {
    rows: ['B5'],
    source: `${selectors}#set-based-requirement`,
    async run(t) {
      await labelled(t)
      assert.equal(await t.k(['get', 'cm', '-l', 'tier in (front, back)', '-o', 'name']), 'configmap/a\nconfigmap/b\n')
      assert.equal(
        await t.k(['get', 'cm', '-l', 'kind=x,tier notin (front)', '-o', 'name']),
        'configmap/b\nconfigmap/c\n',
      )
      assert.equal(await t.k(['get', 'cm', '-l', 'tier', '-o', 'name']), 'configmap/a\nconfigmap/b\n')
      assert.equal(await t.k(['get', 'cm', '-l', 'kind=x,!tier', '-o', 'name']), 'configmap/c\n')
    },
  },
  'a-bad-label-selector': {
    rows: ['B5', 'A7'],
    source: 'observed: a selector that cannot be parsed is 400',
    async run(t) {
      const answer = await t.http({ path: '/api/v1/namespaces/{ns}/configmaps?labelSelector=a%20in%20b' })
      assert.equal(answer.code, 400)
      assert.equal(answer.json.reason, 'BadRequest')
    },
  },
  'by-field': {
    rows: ['B6'],
    source: 'kubernetes.io/docs/concepts/overview/working-with-objects/field-selectors',
    bothVersions: true,
    async run(t) {
      await t.feed('apply -f -', pod('a'), pod('b', { nodeSelector: { nowhere: 'x' } }))
      await t.k('wait --for=condition=Ready pod/a --timeout=60s')
      assert.equal(await t.k('get pods --field-selector=status.phase=Running -o name'), 'pod/a\n')
      assert.equal(await t.k('get pods --field-selector=status.phase!=Running -o name'), 'pod/b\n')
      const node = (await t.get('pod a')).spec.nodeName
      assert.equal(await t.k(`get pods --field-selector=spec.nodeName=${node},metadata.name=a -o name`), 'pod/a\n')
    },
  },
  'by-metadata-fields': {
    rows: ['B6'],
    source: 'field-selectors: metadata.name and metadata.namespace work for every kind',
    async run(t) {
      await t.feed('apply -f -', configMap('a', {}), configMap('b', {}))
      assert.equal(await t.k('get cm --field-selector=metadata.name=b -o name'), 'configmap/b\n')
      has(await t.k(`get cm -A --field-selector=metadata.namespace=${t.namespace} -o name`), 'configmap/a')
    },
  },
  'by-an-unknown-field': {
    rows: ['B6', 'A7'],
    source:
      'observed: the server names the field; kubectl tells what it looked for. Kinds without fields of their own list what there is',
    async run(t) {
      has(
        await t.kFails('get cm --field-selector=data.a=1'),
        'Error from server (BadRequest): Unable to find "/v1, Resource=configmaps" that match label selector "", field selector "data.a=1": "data.a" is not a known field selector: only "metadata.name", "metadata.namespace"',
      )
      has(
        await t.kFails('get pods --field-selector=spec.colour=red'),
        'Error from server (BadRequest): Unable to find "/v1, Resource=pods" that match label selector "", field selector "spec.colour=red": field label not supported: spec.colour',
      )
    },
  },
  'in-chunks': {
    rows: ['B4'],
    source: 'kubernetes.io/docs/reference/using-api/api-concepts#retrieving-large-results-sets-in-chunks',
    async run(t) {
      await t.feed('apply -f -', ...Array.from({ length: 7 }, (_, index) => configMap(`c${index}`, {})))
      const names = await t.k('get cm -o name --chunk-size=2')
      assert.equal(names.split('\n').filter((line) => line.startsWith('configmap/c')).length, 7)
      const path = '/api/v1/namespaces/{ns}/configmaps?limit=3'
      const first = (await t.http({ path })).json
      assert.equal(first.items.length, 3)
      assert.ok(first.metadata.remainingItemCount >= 4)
      await t.feed('create -f -', configMap('c00', {}))
      const second = (await t.http({ path: `${path}&continue=${encodeURIComponent(first.metadata.continue)}` })).json
      assert.equal(second.metadata.resourceVersion, first.metadata.resourceVersion)
      lacks(JSON.stringify(second.items), '"c00"')
    },
  },
  'in-all-namespaces': {
    rows: ['A4'],
    source: `${reference}: -A adds the NAMESPACE column`,
    async run(t) {
      await t.feed('apply -f -', configMap('a', {}))
      has(await t.k('get cm -A'), /^NAMESPACE +NAME +DATA +AGE$/m, new RegExp(`^${t.namespace} +a +0`, 'm'))
    },
  },
  'from-a-file': {
    rows: ['A4'],
    source: `${reference}: -f gets what a manifest names`,
    async run(t) {
      await t.feed('apply -f -', configMap('a', {}))
      assert.equal(await t.k(`get -o name -f ${t.file('a.json', configMap('a', {}))}`), 'configmap/a\n')
    },
  },
  'a-subresource': {
    rows: ['C16', 'C15', 'A8'],
    source: `${reference}: --subresource=scale and status`,
    async run(t) {
      await t.feed('apply -f -', deployment('web', 2))
      const scale = await t.get('deployment web --subresource=scale')
      assert.deepEqual([scale.kind, scale.apiVersion, scale.spec.replicas], ['Scale', 'autoscaling/v1', 2])
      has(await t.k('get deployment web --subresource=scale'), /^NAME +DESIRED +AVAILABLE +AGE$/m)
      assert.equal((await t.get('deployment web --subresource=status')).kind, 'Deployment')
    },
  },
  'terminating-is-shown': {
    rows: ['A8', 'C17', 'C18'],
    source: 'observed: a pod that is being deleted and has not ended shows Terminating',
    async run(t) {
      await t.feed('apply -f -', pod('p', { nodeSelector: { nowhere: 'x' } }, { finalizers: ['example.com/hold'] }))
      await t.k('delete pod p --wait=false')
      has(await t.k('get pod p --no-headers'), / Terminating /)
      await t.k(['patch', 'pod', 'p', '--type=merge', '-p', '{"metadata":{"finalizers":null}}'])
      await t.k('wait --for=delete pod/p --timeout=30s')
    },
  },
  raw: {
    rows: ['A1', 'A2'],
    source: 'kubectl get --raw sends the request as it is',
    bothVersions: true,
    async run(t) {
      await t.feed('apply -f -', configMap('c', { a: '1' }))
      const object = JSON.parse(await t.k(`get --raw /api/v1/namespaces/${t.namespace}/configmaps/c`))
      assert.deepEqual(object.data, { a: '1' })
      assert.equal(await t.k('get --raw /readyz'), 'ok')
      has(await t.k(['get', '--raw', '/readyz?verbose']), '[+]', 'readyz check passed')
      has(await t.kFails('get --raw /nonsense'), 'Error from server (NotFound)')
    },
  },
  'output-of-a-row-that-was-never': {
    rows: ['A7'],
    source: 'observed: several names, some missing: what is there is printed, the rest is told, the code is 1',
    async run(t) {
      await t.feed('apply -f -', configMap('a', {}))
      const result = await t.kAll('get cm a b')
      assert.equal(result.code, 1)
      has(result.stdout, /^a +0/m)
      has(result.stderr, 'configmaps "b" not found')
    },
  },
  'events-of-a-pod': {
    rows: ['A4', 'A8'],
    source: 'kubernetes.io/docs/reference/kubectl/generated/kubectl_events',
    async run(t) {
      await t.feed('apply -f -', pod('p'))
      await t.k('wait --for=condition=Ready pod/p --timeout=60s')
      await t.eventually(async () => has(await t.k('events --for pod/p'), 'LAST SEEN', 'Scheduled'))
      has(
        await t.k('get events --field-selector=involvedObject.name=p'),
        /Normal +Scheduled +pod\/p +Successfully assigned/,
      )
    },
  },
})

/** A watch that ends when its output matches; the second promise resolves when it has printed what there was. */
function watching(t: CaseContext, line: string, end: RegExp): readonly [output: Promise<string>, begun: Promise<void>] {
  const begun = Promise.withResolvers<void>()
  const output = t.k(line, {
    until: (out) => {
      if (/^(?!EVENT|NAME).+\n/m.test(out)) begun.resolve()
      return end.test(out)
    },
    timeoutMs: 20_000,
  })
  output.catch((error: unknown) => begun.reject(error as Error))
  return [output, begun.promise]
}

async function labelled(t: Any): Promise<void> {
  await t.feed(
    'apply -f -',
    configMap('a', {}, { labels: { tier: 'front', kind: 'x' } }),
    configMap('b', {}, { labels: { tier: 'back', kind: 'x' } }),
    configMap('c', {}, { labels: { kind: 'x' } }),
  )
}

export const watchCases: readonly Case[] = topic('watch', {
  'shows-each-change': {
    rows: ['B7', 'B13', 'A8'],
    source: `${reference}: -w prints a line for each change`,
    bothVersions: true,
    async run(t) {
      await t.feed('apply -f -', configMap('a', {}))
      const [watched, begun] = watching(t, 'get cm a -w', / 2 +\S+\n/)
      await begun
      await t.eventually(async () => {
        await t.feed('apply -f -', configMap('a', { x: '1', y: String(Math.floor(performance.now())) }))
        await Promise.race([watched, new Promise((_, reject) => setTimeout(() => reject(new Error('not yet')), 300))])
      })
      has(await watched, /^NAME +DATA +AGE\na +0 /)
    },
  },
  'only-new-changes': {
    rows: ['B7', 'B13'],
    source: `${reference}: --watch-only leaves out what is there`,
    async run(t) {
      await t.feed('apply -f -', configMap('old', {}))
      const watched = t.k('get cm --watch-only', { until: (out) => /^n\d+ /m.test(out), timeoutMs: 20_000 })
      let count = 0
      await t.eventually(async () => {
        await t.feed('create -f -', configMap(`n${count++}`, {}))
        await Promise.race([watched, new Promise((_, reject) => setTimeout(() => reject(new Error('not yet')), 300))])
      })
      lacks(await watched, /^old /m)
    },
  },
  'tells-the-kind-of-change': {
    rows: ['B7', 'B13'],
    source: `${reference}: --output-watch-events`,
    async run(t) {
      await t.feed('apply -f -', held('h'))
      const [watched, begun] = watching(t, 'get cm h -w --output-watch-events', /^DELETED +h .*\n/m)
      await begun
      await t.k('delete cm h --wait=false')
      await t.k(['patch', 'cm', 'h', '--type=merge', '-p', '{"metadata":{"finalizers":null}}'])
      const out = await watched
      has(out, /^EVENT +NAME +DATA +AGE$/m, /^ADDED +h /m, /^MODIFIED +h /m, /^DELETED +h /m)
    },
  },
  'with-a-selector': {
    rows: ['B5', 'B7'],
    source: 'api-concepts: leaving the selector is a deletion, entering it an addition',
    async run(t) {
      await t.feed('apply -f -', configMap('a', {}, { labels: { on: 'yes' } }))
      const thrice = /(configmap\/a[\s\S]*){3}\n/
      const [watched, begun] = watching(t, 'get cm -l on=yes -w --output-watch-events -o name', thrice)
      await begun
      await t.k('label cm a on=no --overwrite')
      await t.k('label cm a on=yes --overwrite')
      has(await watched, 'configmap/a')
      const { resourceVersion } = (await t.get('cm a')).metadata
      assert.match(resourceVersion, /^[1-9]\d*$/)
    },
  },
  'of-the-wire': {
    rows: ['B7', 'B9', 'B5'],
    source: 'api-concepts#efficient-detection-of-changes: events from a version on, in order; timeoutSeconds ends it',
    async run(t) {
      const path = '/api/v1/namespaces/{ns}/configmaps'
      const start = (await t.http({ path: `${path}?labelSelector=on%3Dyes` })).json.metadata.resourceVersion
      await t.feed('apply -f -', configMap('a', { v: '1' }, { labels: { on: 'yes' } }))
      await t.feed('apply -f -', configMap('a', { v: '2' }, { labels: { on: 'yes' } }))
      await t.k('label cm a on=no --overwrite')
      const { text } = await t.http({
        path: `${path}?watch=true&timeoutSeconds=2&labelSelector=on%3Dyes&resourceVersion=${start}`,
      })
      const events: Any[] = text
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line))
      assert.deepEqual(
        events.map((event) => [event.type, event.object.data.v, event.object.metadata.labels.on]),
        [
          ['ADDED', '1', 'yes'],
          ['MODIFIED', '2', 'yes'],
          ['DELETED', '2', 'yes'],
        ],
      )
      const versions = events.map((event) => BigInt(event.object.metadata.resourceVersion))
      assert.ok(versions[0]! < versions[1]! && versions[1]! < versions[2]!, String(versions))
    },
  },
  'initial-events': {
    rows: ['B11', 'B10'],
    source: 'KEP-3157: sendInitialEvents streams what is there, then a bookmark that says so',
    async run(t) {
      await t.feed('apply -f -', configMap('a', {}))
      const { text } = await t.http({
        path: '/api/v1/namespaces/{ns}/configmaps?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&timeoutSeconds=20',
        until: (body) => body.includes('initial-events-end'),
      })
      const events: Any[] = text
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line))
      has(JSON.stringify(events.filter((event) => event.type === 'ADDED')), '"name":"a"')
      const last = events.at(-1)
      assert.equal(last.type, 'BOOKMARK')
      assert.equal(last.object.metadata.annotations['k8s.io/initial-events-end'], 'true')
    },
  },
  'as-tables': {
    rows: ['A8', 'B7'],
    source: 'api-concepts#receiving-resources-as-tables: also in a watch',
    async run(t) {
      await t.feed('apply -f -', configMap('a', { x: '1' }))
      const { text } = await t.http({
        path: '/api/v1/namespaces/{ns}/configmaps?watch=1&timeoutSeconds=2&fieldSelector=metadata.name%3Da',
        headers: { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' },
      })
      const event = JSON.parse(text.split('\n')[0]!)
      assert.deepEqual([event.type, event.object.kind], ['ADDED', 'Table'])
      assert.deepEqual(event.object.rows[0].cells.slice(0, 2), ['a', 1])
      assert.equal(event.object.rows[0].object.kind, 'PartialObjectMetadata')
    },
  },
  'a-version-from-the-distant-past': {
    rows: ['B3', 'B8'],
    source: 'api-concepts#semantics-for-watch: malformed versions are 400',
    async run(t) {
      const answer = await t.http({
        path: '/api/v1/namespaces/{ns}/configmaps?watch=1&resourceVersion=abc&timeoutSeconds=2',
      })
      assert.equal(answer.code, 400)
    },
  },
})

export const describeCases: readonly Case[] = topic('describe', {
  pod: {
    rows: ['A4', 'B6'],
    source: 'kubernetes.io/docs/reference/kubectl/generated/kubectl_describe',
    bothVersions: true,
    async run(t) {
      await t.feed('apply -f -', pod('p', {}, { labels: { app: 'x' } }))
      await t.k('wait --for=condition=Ready pod/p --timeout=60s')
      has(
        await t.k('describe pod p'),
        /^Name: +p$/m,
        new RegExp(`^Namespace: +${t.namespace}$`, 'm'),
        /^Labels: +app=x$/m,
        /^Status: +Running$/m,
        /^Containers:$/m,
        /Image: +registry\.k8s\.io\/pause:3\.10/,
        /^Conditions:$/m,
        /^Events:/m,
      )
    },
  },
  deployment: {
    rows: ['A4'],
    source: 'observed: replicas, strategy, conditions and the new replica set',
    async run(t) {
      await t.feed('apply -f -', deployment('web', 2))
      await t.k('rollout status deployment/web --timeout=60s')
      has(
        await t.k('describe deployment web'),
        /^Replicas: +2 desired \| 2 updated \| 2 total \| 2 available \| 0 unavailable$/m,
        /^StrategyType: +RollingUpdate$/m,
        /^RollingUpdateStrategy: +25% max unavailable, 25% max surge$/m,
        /^NewReplicaSet: +web-[a-z0-9]+ \(2\/2 replicas created\)$/m,
      )
    },
  },
  node: {
    rows: ['A4', 'B6'],
    source: 'observed: capacity, conditions, leases and the pods on it',
    async run(t) {
      const name = (await t.get('nodes')).items[0].metadata.name
      has(await t.k(`describe node ${name}`), /^Conditions:$/m, /^Capacity:$/m, /^Non-terminated Pods:/m, /Ready +True/)
    },
  },
  service: {
    rows: ['A4'],
    source: 'observed: the endpoints of the pods behind it',
    async run(t) {
      await t.feed('apply -f -', deployment('web', 1), service('web', 'web'))
      await t.k('rollout status deployment/web --timeout=60s')
      await t.eventually(async () =>
        has(await t.k('describe service web'), /^Selector: +app=web$/m, /^Endpoints: +\d+\.\d+\.\d+\.\d+:8080$/m),
      )
    },
  },
  'configmap-and-secret': {
    rows: ['A4'],
    source: 'observed: a config map shows its data, a secret only sizes',
    async run(t) {
      await t.feed('apply -f -', configMap('c', { colour: 'red' }))
      await t.k('create secret generic s --from-literal=word=hidden')
      has(await t.k('describe cm c'), 'colour:', 'red')
      const secret = await t.k('describe secret s')
      has(secret, /^word: +6 bytes$/m)
      lacks(secret, 'hidden')
    },
  },
  'several-by-prefix': {
    rows: ['A4'],
    source: 'kubectl describe TYPE NAME_PREFIX',
    async run(t) {
      await t.feed('apply -f -', configMap('web-a', {}), configMap('web-b', {}))
      has(await t.k('describe cm web'), /^Name: +web-a$/m, /^Name: +web-b$/m)
    },
  },
  'a-namespace': {
    rows: ['A4', 'C21'],
    source: 'observed: labels, status, quotas and limits',
    async run(t) {
      has(
        await t.k(`describe namespace ${t.namespace}`),
        /^Status: +Active$/m,
        'No resource quota.',
        'No LimitRange resource.',
      )
    },
  },
  'what-is-not-there': {
    rows: ['A7'],
    source: 'observed: Error from server (NotFound)',
    async run(t) {
      has(await t.kFails('describe pod none'), 'Error from server (NotFound): pods "none" not found')
    },
  },
})
