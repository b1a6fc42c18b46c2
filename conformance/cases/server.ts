// What the server says about itself: discovery, schemas, versions, health, identity; what a fresh cluster holds; nodes.
import assert from 'node:assert/strict'
import { type Any, type Case, has, lacks, topic } from '../src/case.ts'
import { configMap, deployment, pod } from '../src/manifests.ts'

const concepts = 'kubernetes.io/docs/reference/using-api/api-concepts'

export const serverCases: readonly Case[] = topic('server', {
  'api-resources': {
    rows: ['A4'],
    source: 'kubernetes.io/docs/reference/kubectl/generated/kubectl_api-resources',
    bothVersions: true,
    async run(t) {
      const out = await t.k('api-resources')
      has(
        out,
        /^NAME +SHORTNAMES +APIVERSION +NAMESPACED +KIND$/m,
        /^pods +po +v1 +true +Pod$/m,
        /^nodes +no +v1 +false +Node$/m,
        /^deployments +deploy +apps\/v1 +true +Deployment$/m,
        /^ingresses +ing +networking\.k8s\.io\/v1 +true +Ingress$/m,
        /^customresourcedefinitions +crd,crds +apiextensions\.k8s\.io\/v1 +false +CustomResourceDefinition$/m,
      )
    },
  },
  'api-resources-filtered': {
    rows: ['A4'],
    source: 'kubectl api-resources --namespaced --api-group --verbs -o name',
    async run(t) {
      const apps = await t.k('api-resources --api-group=apps -o name')
      assert.deepEqual(apps.trim().split('\n').sort(), [
        'controllerrevisions.apps',
        'daemonsets.apps',
        'deployments.apps',
        'replicasets.apps',
        'statefulsets.apps',
      ])
      lacks(await t.k('api-resources --namespaced=true -o name'), /^nodes$/m)
      lacks(await t.k('api-resources --verbs=list -o name'), /^tokenreviews/m)
      has(await t.k('api-resources --categories=all -o name'), /^pods$/m, /^cronjobs\.batch$/m)
    },
  },
  'api-resources-wide': {
    rows: ['A4'],
    source: 'kubectl api-resources -o wide shows VERBS and CATEGORIES',
    async run(t) {
      has(
        await t.k('api-resources -o wide'),
        /^pods +po +v1 +true +Pod +create,delete,deletecollection,get,list,patch,update,watch +all$/m,
      )
    },
  },
  'api-versions': {
    rows: ['A4'],
    source: 'kubectl api-versions: one line for each served group and version',
    async run(t) {
      has(
        await t.k('api-versions'),
        /^v1$/m,
        /^apps\/v1$/m,
        /^batch\/v1$/m,
        /^networking\.k8s\.io\/v1$/m,
        /^autoscaling\/v2$/m,
      )
    },
  },
  'aggregated-discovery': {
    rows: ['A3'],
    source: 'KEP-3352: one document for all groups, with an ETag',
    async run(t) {
      const accept = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList'
      const answer = await t.http({ path: '/apis', headers: { accept } })
      assert.equal(answer.code, 200)
      has(String(answer.headers['content-type']), /as="?APIGroupDiscoveryList/)
      assert.equal(answer.json.kind, 'APIGroupDiscoveryList')
      const etag = String(answer.headers['etag'])
      const again = await t.http({ path: '/apis', headers: { accept, 'if-none-match': etag } })
      assert.equal(again.code, 304)
    },
  },
  'plain-discovery': {
    rows: ['A3', 'A4'],
    source: `${concepts}#discovery-api: the unaggregated forms`,
    async run(t) {
      assert.deepEqual((await t.http({ path: '/api' })).json.versions, ['v1'])
      const groups = (await t.http({ path: '/apis' })).json
      assert.equal(groups.kind, 'APIGroupList')
      has(JSON.stringify(groups.groups), '"apps/v1"')
      const apps = (await t.http({ path: '/apis/apps/v1' })).json
      const found = apps.resources.find((one: Any) => one.name === 'deployments')
      assert.deepEqual(
        [found.kind, found.namespaced, found.singularName, found.shortNames],
        ['Deployment', true, 'deployment', ['deploy']],
      )
      has(JSON.stringify(apps.resources), '"deployments/scale"', '"deployments/status"')
      assert.equal((await t.http({ path: '/apis/apps' })).json.preferredVersion.version, 'v1')
    },
  },
  version: {
    rows: ['A1'],
    source: 'kubectl version prints client and server; major and minor are integers',
    bothVersions: true,
    async run(t) {
      const { serverVersion } = JSON.parse(await t.k('version -o json'))
      assert.match(serverVersion.major, /^\d+$/)
      assert.match(serverVersion.minor, /^\d+$/)
      assert.match(serverVersion.gitVersion, /^v1\.36\./)
      has((await t.kAll('version')).stdout, /^Client Version: v/m, /^Server Version: v1\.36/m)
    },
  },
  'cluster-info': {
    rows: ['A1', 'C22'],
    source: 'kubectl cluster-info',
    async run(t) {
      has(await t.k('cluster-info'), /Kubernetes control plane is running at https?:\/\/127\.0\.0\.1:\d+/)
    },
  },
  health: {
    rows: ['A2', 'E15'],
    source: 'kubernetes.io/docs/reference/using-api/health-checks: also without credentials',
    async run(t) {
      for (const path of ['/livez', '/readyz', '/healthz']) {
        const answer = await t.http({ path, authenticated: false })
        assert.deepEqual([path, answer.code, answer.text], [path, 200, 'ok'])
      }
      has((await t.http({ path: '/livez?verbose' })).text, /^\[\+\]\S+ ok$/m, 'livez check passed')
    },
  },
  whoami: {
    rows: ['E14', 'A10'],
    source: 'kubectl auth whoami: the subject of the client certificate',
    bothVersions: true,
    async run(t) {
      has(
        await t.k('auth whoami'),
        /^ATTRIBUTE +VALUE$/m,
        /^Username +\S+/m,
        /Groups +\[.*system:(masters|authenticated).*\]/,
      )
    },
  },
  'without-credentials': {
    rows: ['E14', 'E15', 'A7'],
    source: 'authentication: a request without credentials is refused outside the health endpoints',
    async run(t) {
      const answer = await t.http({ path: '/api/v1/namespaces', authenticated: false })
      assert.ok([401, 403].includes(answer.code), `${answer.code}`)
      assert.equal(answer.json.kind, 'Status')
      const token = await t.http({ path: '/api', authenticated: false, headers: { authorization: 'Bearer wrong' } })
      assert.deepEqual([token.code, token.json.reason], [401, 'Unauthorized'])
    },
  },
  'explain-a-kind': {
    rows: ['A5'],
    source: 'kubernetes.io/docs/reference/kubectl/generated/kubectl_explain',
    bothVersions: true,
    async run(t) {
      has(await t.k('explain pod'), /^KIND: +Pod$/m, /^VERSION: +v1$/m, /^DESCRIPTION:$/m, /^ +spec\t<PodSpec>$/m)
    },
  },
  'explain-a-field': {
    rows: ['A5'],
    source: 'kubectl explain: a path of fields, their types, what is required',
    async run(t) {
      has(
        await t.k('explain deployment.spec.template.spec.containers.ports'),
        'FIELD: ports <[]ContainerPort>',
        /containerPort\t<integer> -required-/,
      )
    },
  },
  'explain-enum': {
    rows: ['A5'],
    source: 'kubectl explain shows the values of an enum',
    async run(t) {
      has(
        await t.k('explain pod.spec.restartPolicy'),
        'FIELD: restartPolicy <string>',
        /ENUM:\n +Always\n +Never\n +OnFailure/,
      )
    },
  },
  'explain-recursive': {
    rows: ['A5'],
    source: 'kubectl explain --recursive',
    bothVersions: true,
    async run(t) {
      has(
        await t.k('explain deploy.spec.strategy --recursive'),
        'GROUP:      apps',
        /rollingUpdate\t<RollingUpdateDeployment>\n +maxSurge\t<IntOrString>\n +maxUnavailable\t<IntOrString>/,
      )
    },
  },
  'explain-another-version': {
    rows: ['A5'],
    source: 'kubectl explain --api-version',
    async run(t) {
      has(await t.k('explain hpa --api-version=autoscaling/v1'), /^VERSION: +v1$/m)
      has(await t.k('explain hpa --api-version=autoscaling/v2'), /^VERSION: +v2$/m)
    },
  },
  'explain-what-does-not-exist': {
    rows: ['A5'],
    source: 'observed: error: field "x" does not exist',
    async run(t) {
      has(await t.kFails('explain pod.spec.nonsense'), 'field "nonsense" does not exist')
    },
  },
  'openapi-v3': {
    rows: ['A5'],
    source: 'KEP-2896: an index of group versions with hashed addresses',
    async run(t) {
      const index = JSON.parse(await t.k('get --raw /openapi/v3'))
      const { serverRelativeURL } = index.paths['apis/apps/v1']
      assert.match(serverRelativeURL, /^\/openapi\/v3\/apis\/apps\/v1\?hash=[0-9A-Za-z]+$/)
      const document = JSON.parse(await t.k(['get', '--raw', serverRelativeURL]))
      assert.equal(document.openapi, '3.0.0')
      const schema = document.components.schemas['io.k8s.api.apps.v1.Deployment']
      assert.deepEqual(schema['x-kubernetes-group-version-kind'], [
        { group: 'apps', kind: 'Deployment', version: 'v1' },
      ])
    },
  },
  'openapi-v2': {
    rows: ['A5', 'A6'],
    source: 'API: /openapi/v2 as JSON, and as protobuf for the kubectl that checks the items of a List',
    async run(t) {
      const document = JSON.parse(await t.k('get --raw /openapi/v2'))
      assert.equal(document.swagger, '2.0')
      assert.equal(
        document.definitions['io.k8s.api.core.v1.Pod'].properties.spec.$ref,
        '#/definitions/io.k8s.api.core.v1.PodSpec',
      )
      const wrong = { ...configMap('a', {}), data: { a: 1 } }
      const list = t.file('list.json', { apiVersion: 'v1', kind: 'List', items: [wrong] })
      has(await t.kFails(`create -f ${list}`), /got "integer", expected "string"|cannot unmarshal number/)
    },
  },
  'tables-on-the-wire': {
    rows: ['A8'],
    source: `${concepts}#receiving-resources-as-tables`,
    async run(t) {
      await t.feed('apply -f -', configMap('a', { x: '1' }))
      const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io'
      const path = '/api/v1/namespaces/{ns}/configmaps/a'
      const rowOf = async (query: string): Promise<Any> =>
        (await t.http({ path: `${path}${query}`, headers: { accept } })).json.rows[0].object
      assert.equal((await rowOf('')).kind, 'PartialObjectMetadata')
      assert.equal((await rowOf('?includeObject=Object')).kind, 'ConfigMap')
      assert.equal(await rowOf('?includeObject=None'), null)
      const strict = await t.http({ path: '/version', headers: { accept } })
      assert.ok([200, 406].includes(strict.code))
    },
  },
  'metadata-alone': {
    rows: ['A9'],
    source: `${concepts}#partial-object-metadata: PartialObjectMetadata(List)`,
    async run(t) {
      await t.feed('apply -f -', configMap('a', { x: '1' }))
      const accept = (kind: string): Readonly<Record<string, string>> => ({
        accept: `application/json;as=${kind};v=v1;g=meta.k8s.io`,
      })
      const path = '/api/v1/namespaces/{ns}/configmaps'
      const one = (await t.http({ path: `${path}/a`, headers: accept('PartialObjectMetadata') })).json
      assert.deepEqual([one.kind, one.apiVersion, one.data], ['PartialObjectMetadata', 'meta.k8s.io/v1', undefined])
      const list = (await t.http({ path, headers: accept('PartialObjectMetadataList') })).json
      assert.equal(list.kind, 'PartialObjectMetadataList')
      assert.ok(list.items.every((item: Any) => item.data === undefined && item.metadata.name))
    },
  },
  'versions-of-a-list': {
    rows: ['B1', 'B2', 'B3'],
    source: `${concepts}#resource-versions: unset, 0, NotOlderThan and Exact`,
    async run(t) {
      await t.feed('apply -f -', configMap('a', { x: '1' }))
      const before = (await t.get('cm a')).metadata.resourceVersion
      await t.feed('apply -f -', configMap('a', { x: '2' }))
      const path = '/api/v1/namespaces/{ns}/configmaps?fieldSelector=metadata.name%3Da'
      const value = async (query: string): Promise<Any> =>
        (await t.http({ path: `${path}${query}` })).json.items?.[0]?.data.x
      assert.equal(await value(''), '2')
      assert.equal(await value('&resourceVersion=0'), '2')
      assert.equal(await value(`&resourceVersion=${before}&resourceVersionMatch=NotOlderThan`), '2')
      assert.equal(await value(`&resourceVersion=${before}&resourceVersionMatch=Exact`), '1')
      const future = await t.http({ path: `${path}&resourceVersion=999999999999&resourceVersionMatch=NotOlderThan` })
      assert.equal(future.code, 504)
      has(future.text, 'Too large resource version')
      assert.equal((await t.http({ path: `${path}&resourceVersionMatch=Exact` })).code, 422)
    },
  },
  'yaml-bodies': {
    rows: ['A10'],
    source: `${concepts}#alternate-representations-of-resources: application/yaml`,
    async run(t) {
      const body = `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: text\ndata:\n  word: "yes"\n  number: "0644"\n`
      const path = '/api/v1/namespaces/{ns}/configmaps'
      const answer = await t.http({ method: 'POST', path, body, headers: { 'content-type': 'application/yaml' } })
      assert.equal(answer.code, 201, answer.text)
      assert.deepEqual((await t.get('cm text')).data, { word: 'yes', number: '0644' })
    },
  },
  'a-large-object': {
    rows: ['C23'],
    source: 'configmap: up to 1 MiB; a larger one is refused with the limit',
    async run(t) {
      await t.feed('create -f -', configMap('big', { a: 'x'.repeat(1_000_000) }))
      assert.equal((await t.get('cm big')).data.a.length, 1_000_000)
      const path = '/api/v1/namespaces/{ns}/configmaps'
      const tooBig = await t.http({ method: 'POST', path, body: configMap('huge', { a: 'x'.repeat(1_100_000) }) })
      assert.equal(tooBig.code, 422)
      has(tooBig.text, 'Too long: may not be more than 1048576 bytes')
      // A server that has refused a body closes the connection: a client that is still sending may not see the answer.
      await t.eventually(async () => {
        const body = configMap('enormous', { a: 'x'.repeat(4_000_000) })
        const enormous = await t.http({ method: 'POST', path, body })
        assert.deepEqual([enormous.code, enormous.json?.reason], [413, 'RequestEntityTooLarge'])
      })
    },
  },
  'the-first-namespaces': {
    rows: ['C22'],
    source: 'namespaces#initial-namespaces',
    async run(t) {
      has(
        await t.k('get ns -o name'),
        'namespace/default',
        'namespace/kube-system',
        'namespace/kube-public',
        'namespace/kube-node-lease',
      )
    },
  },
  'the-service-of-the-api': {
    rows: ['C22', 'H1'],
    source: 'observed: default/kubernetes with an EndpointSlice that leads to the gateway',
    async run(t) {
      has(
        await t.k('get svc kubernetes -n default --no-headers'),
        /^kubernetes +ClusterIP +\d+\.\d+\.\d+\.1 +<none> +443\/TCP/,
      )
      const { endpoints, ports } = await t.get('endpointslice kubernetes -n default')
      assert.ok(endpoints[0].addresses.length > 0)
      assert.equal(ports[0].name, 'https')
    },
  },
  'root-certificate-in-every-namespace': {
    rows: ['C22'],
    source: 'observed: the ConfigMap kube-root-ca.crt, made again when it is deleted',
    async run(t) {
      await t.eventually(async () =>
        has((await t.get('cm kube-root-ca.crt')).data['ca.crt'], '-----BEGIN CERTIFICATE-----'),
      )
      await t.k('delete cm kube-root-ca.crt')
      await t.eventually(async () => t.k('get cm kube-root-ca.crt'))
    },
  },
  'service-account-in-every-namespace': {
    rows: ['C22'],
    source: 'observed: the account default is made again when it is deleted',
    async run(t) {
      await t.k('delete sa default')
      await t.eventually(async () => t.k('get sa default'))
    },
  },
  'the-control-plane-as-pods': {
    rows: ['C22'],
    source: 'issue 2: kubectl get pods -n kube-system lists the running parts',
    bothVersions: true,
    async run(t) {
      const out = await t.k('get pods -n kube-system --no-headers')
      has(
        out,
        /^kube-apiserver\S* +1\/1 +Running/m,
        /^kube-scheduler\S* +1\/1 +Running/m,
        /^kube-controller-manager\S* +1\/1 +Running/m,
      )
    },
  },
  'nodes-are-ready-and-beat': {
    rows: ['C22'],
    source: 'kubernetes.io/docs/concepts/architecture/leases#node-heart-beats',
    async run(t) {
      const nodes: Any[] = (await t.get('nodes')).items
      assert.ok(nodes.length >= 3)
      for (const node of nodes) {
        const ready = node.status.conditions.find((one: Any) => one.type === 'Ready')
        assert.equal(ready.status, 'True')
        assert.ok(node.status.allocatable.cpu && node.status.allocatable.memory && node.status.allocatable.pods)
        assert.equal(node.metadata.labels['kubernetes.io/hostname'], node.metadata.name)
      }
      const leases = await t.k('get leases -n kube-node-lease -o name')
      for (const node of nodes) has(leases, `lease.coordination.k8s.io/${node.metadata.name}`)
    },
  },
  'cordon-and-uncordon': {
    rows: ['C8', 'A8'],
    alone: true,
    source: 'kubernetes.io/docs/reference/kubectl/generated/kubectl_cordon',
    bothVersions: true,
    async run(t) {
      const name = (await t.get('nodes')).items[0].metadata.name
      try {
        has(await t.k(`cordon ${name}`), `node/${name} cordoned`)
        has(await t.k(`get node ${name}`), 'Ready,SchedulingDisabled')
        await t.feed('create -f -', pod('p', { nodeSelector: { 'kubernetes.io/hostname': name } }))
        await t.eventually(async () => {
          const { status } = await t.get('pod p')
          const condition = status.conditions?.find((one: Any) => one.type === 'PodScheduled')
          assert.equal(condition?.reason, 'Unschedulable')
          has(condition.message, /0\/\d nodes are available/)
        })
      } finally {
        has(await t.k(`uncordon ${name}`), `node/${name} uncordoned`)
      }
      await t.k('wait --for=condition=Ready pod/p --timeout=60s')
    },
  },
  taint: {
    rows: ['C8'],
    alone: true,
    source: 'kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration',
    async run(t) {
      const name = (await t.get('nodes')).items[1].metadata.name
      const nodeSelector = { 'kubernetes.io/hostname': name }
      try {
        has(await t.k(`taint nodes ${name} only=db:NoSchedule`), `node/${name} tainted`)
        const tolerations = [{ key: 'only', operator: 'Exists', effect: 'NoSchedule' }]
        await t.feed('create -f -', pod('no', { nodeSelector }), pod('yes', { nodeSelector, tolerations }))
        await t.k('wait --for=condition=Ready pod/yes --timeout=60s')
        assert.equal((await t.get('pod no')).status.phase, 'Pending')
      } finally {
        has(await t.k(`taint nodes ${name} only-`), `node/${name} untainted`)
      }
      await t.k('wait --for=condition=Ready pod/no --timeout=60s')
    },
  },
  'pods-are-spread-over-nodes': {
    rows: ['B7'],
    source: 'scheduler: NodeResourcesBalancedAllocation spreads equal pods',
    async run(t) {
      const resources = { requests: { cpu: '100m', memory: '64Mi' } }
      await t.feed('apply -f -', deployment('web', 3, {}, { resources }))
      await t.k('rollout status deployment/web --timeout=60s')
      const nodes = new Set((await t.get('pods')).items.map((item: Any) => item.spec.nodeName))
      assert.ok(nodes.size >= 2, [...nodes].join())
    },
  },
  'a-pod-too-large-for-all-nodes': {
    rows: ['A8', 'B6'],
    source: 'scheduler: FailedScheduling names the reasons and how many nodes have them',
    async run(t) {
      await t.feed(
        'create -f -',
        pod('p', { containers: [{ name: 'main', image: 'x', resources: { requests: { cpu: '4000' } } }] }),
      )
      await t.eventually(async () => {
        const { status } = await t.get('pod p')
        has(status.conditions?.[0]?.message ?? '', /0\/\d nodes are available/, 'Insufficient cpu')
      })
      await t.eventually(async () =>
        has(await t.k('get events --field-selector=reason=FailedScheduling'), 'Insufficient cpu'),
      )
    },
  },
})
