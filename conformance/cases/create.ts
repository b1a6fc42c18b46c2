// `kubectl create`: every generator, and creation from manifests. Most generators send protobuf bodies.
import assert from 'node:assert/strict'
import { type Case, has, topic } from '../src/case.ts'
import { configMap, deployment, pod } from '../src/manifests.ts'

const reference = 'kubernetes.io/docs/reference/kubectl/generated/kubectl_create'

export const createCases: readonly Case[] = topic('create', {
  deployment: {
    rows: ['A10', 'C1'],
    source: `${reference}_deployment`,
    bothVersions: true,
    async run(t) {
      has(await t.k('create deployment web --image=nginx:1.27 --replicas=2 --port=80'), 'deployment.apps/web created')
      const { metadata, spec } = await t.get('deployment web')
      assert.equal(spec.replicas, 2)
      assert.deepEqual(spec.selector.matchLabels, { app: 'web' })
      assert.equal(spec.template.spec.containers[0].ports[0].containerPort, 80)
      assert.equal(metadata.labels.app, 'web')
      assert.equal(metadata.generation, 1)
    },
  },
  'deployment-with-command': {
    rows: ['A10'],
    source: `${reference}_deployment: everything after -- is the command`,
    async run(t) {
      await t.k('create deployment sleeper --image=busybox -- sleep 3600')
      const { spec } = await t.get('deployment sleeper')
      assert.deepEqual(spec.template.spec.containers[0].command, ['sleep', '3600'])
    },
  },
  namespace: {
    rows: ['A10', 'C1', 'C22'],
    source: `${reference}_namespace`,
    async run(t) {
      const name = `${t.namespace}-x`
      has(await t.k(`create namespace ${name}`), `namespace/${name} created`)
      const { metadata, spec, status } = await t.get(`namespace ${name}`)
      assert.equal(metadata.labels['kubernetes.io/metadata.name'], name)
      assert.deepEqual(spec.finalizers, ['kubernetes'])
      assert.equal(status.phase, 'Active')
      await t.k(`delete namespace ${name} --wait=false`)
    },
  },
  'configmap-from-literals': {
    rows: ['A10', 'C1'],
    source: `${reference}_configmap`,
    bothVersions: true,
    async run(t) {
      await t.k(['create', 'configmap', 'c', '--from-literal=a=1', '--from-literal=b=two words'])
      const { data, metadata } = await t.get('cm c')
      assert.deepEqual(data, { a: '1', b: 'two words' })
      assert.equal(metadata.generation, undefined)
      assert.match(metadata.uid, /^[0-9a-f-]{36}$/)
    },
  },
  'configmap-from-files': {
    rows: ['A10'],
    source: `${reference}_configmap: text goes to data, the rest to binaryData`,
    async run(t) {
      const text = t.file('settings.txt', 'colour=red\n')
      const env = t.file('app.env', 'A=1\n# no\nB=2\n')
      await t.k(`create configmap c --from-file=${text} --from-file=renamed=${text}`)
      await t.k(`create configmap e --from-env-file=${env}`)
      assert.deepEqual((await t.get('cm c')).data, { 'settings.txt': 'colour=red\n', renamed: 'colour=red\n' })
      assert.deepEqual((await t.get('cm e')).data, { A: '1', B: '2' })
    },
  },
  'secret-generic': {
    rows: ['A10', 'C1'],
    source: `${reference}_secret_generic`,
    bothVersions: true,
    async run(t) {
      has(await t.k('create secret generic s --from-literal=password=pässword'), 'secret/s created')
      const { data, type } = await t.get('secret s')
      assert.equal(type, 'Opaque')
      assert.equal(Buffer.from(data.password, 'base64').toString(), 'pässword')
    },
  },
  'secret-docker-registry': {
    rows: ['A10'],
    source: `${reference}_secret_docker-registry`,
    async run(t) {
      await t.k('create secret docker-registry r --docker-server=example.com --docker-username=u --docker-password=p')
      const { data, type } = await t.get('secret r')
      assert.equal(type, 'kubernetes.io/dockerconfigjson')
      const config = JSON.parse(Buffer.from(data['.dockerconfigjson'], 'base64').toString())
      assert.equal(config.auths['example.com'].username, 'u')
    },
  },
  'secret-tls': {
    rows: ['A10', 'C1'],
    source: `${reference}_secret_tls: a pair that belongs together, here the one of the kubeconfig`,
    async run(t) {
      const { users } = JSON.parse(await t.k('config view --raw -o json'))
      const pem = (field: string): string => Buffer.from(users[0].user[field], 'base64').toString()
      const cert = t.file('tls.crt', pem('client-certificate-data'))
      const key = t.file('tls.key', pem('client-key-data'))
      has(await t.k(`create secret tls pair --cert=${cert} --key=${key}`), 'secret/pair created')
      has(await t.k('get secret pair'), /pair +kubernetes\.io\/tls +2/)
    },
  },
  'secret-of-type-tls-needs-its-keys': {
    rows: ['A7', 'C1'],
    source: 'kubernetes.io/docs/concepts/configuration/secret: tls.crt and tls.key must be there',
    async run(t) {
      const manifest = t.file('s.json', {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: 's' },
        type: 'kubernetes.io/tls',
        stringData: { 'tls.crt': 'anything' },
      })
      has(await t.kFails(`create -f ${manifest}`), 'Secret "s" is invalid', 'data[tls.key]: Required value')
    },
  },
  'service-clusterip': {
    rows: ['A10', 'H1'],
    source: `${reference}_service_clusterip`,
    async run(t) {
      await t.k('create service clusterip web --tcp=80:8080 --tcp=443')
      const { spec } = await t.get('service web')
      assert.equal(spec.type, 'ClusterIP')
      assert.match(spec.clusterIP, /^\d+\.\d+\.\d+\.\d+$/)
      assert.deepEqual(spec.clusterIPs, [spec.clusterIP])
      assert.deepEqual(spec.selector, { app: 'web' })
      assert.deepEqual(spec.ports, [
        { name: '80-8080', port: 80, protocol: 'TCP', targetPort: 8080 },
        { name: '443', port: 443, protocol: 'TCP', targetPort: 443 },
      ])
      assert.equal(spec.sessionAffinity, 'None')
      assert.equal(spec.internalTrafficPolicy, 'Cluster')
    },
  },
  'service-headless': {
    rows: ['A10', 'H1'],
    source: `${reference}_service_clusterip: --clusterip=None`,
    async run(t) {
      await t.k('create service clusterip db --clusterip=None --tcp=5432')
      assert.equal((await t.get('service db')).spec.clusterIP, 'None')
    },
  },
  'service-nodeport': {
    rows: ['A10', 'H1'],
    source: `${reference}_service_nodeport; node ports come from 30000-32767`,
    async run(t) {
      await t.k('create service nodeport web --tcp=80:8080')
      const { spec } = await t.get('service web')
      const port = spec.ports[0].nodePort
      assert.ok(port >= 30000 && port <= 32767, `node port ${port}`)
      has(await t.k('get service web --no-headers'), new RegExp(`NodePort +${spec.clusterIP} +<none> +80:${port}/TCP`))
    },
  },
  'service-loadbalancer': {
    rows: ['A10', 'H1'],
    source: `${reference}_service_loadbalancer; without a balancer EXTERNAL-IP is <pending>`,
    async run(t) {
      await t.k('create service loadbalancer lb --tcp=80')
      has(await t.k('get service lb'), '<pending>')
      assert.equal((await t.get('service lb')).spec.allocateLoadBalancerNodePorts, true)
    },
  },
  'service-externalname': {
    rows: ['A10'],
    source: `${reference}_service_externalname`,
    async run(t) {
      await t.k('create service externalname out --external-name=db.example.com')
      const { spec } = await t.get('service out')
      assert.equal(spec.externalName, 'db.example.com')
      assert.equal(spec.clusterIP, undefined)
    },
  },
  serviceaccount: {
    rows: ['A10', 'C1'],
    source: `${reference}_serviceaccount`,
    async run(t) {
      has(await t.k('create serviceaccount robot'), 'serviceaccount/robot created')
      has(await t.k('get sa'), /^robot /m, /^default /m)
    },
  },
  job: {
    rows: ['A10', 'C1'],
    source: `${reference}_job`,
    async run(t) {
      has(await t.k('create job once --image=busybox -- date'), 'job.batch/once created')
      const { spec } = await t.get('job once')
      assert.deepEqual(spec.template.spec.containers[0].command, ['date'])
      assert.equal(spec.template.spec.restartPolicy, 'Never')
    },
  },
  'cronjob-and-job-from-it': {
    rows: ['A10', 'C1'],
    source: `${reference}_cronjob; ${reference}_job: --from=cronjob/name`,
    async run(t) {
      await t.k(['create', 'cronjob', 'tick', '--image=busybox', '--schedule=*/5 * * * *', '--', 'date'])
      assert.equal((await t.get('cronjob tick')).spec.schedule, '*/5 * * * *')
      await t.k('create job now --from=cronjob/tick')
      const { metadata } = await t.get('job now')
      assert.equal(metadata.annotations['cronjob.kubernetes.io/instantiate'], 'manual')
      assert.equal(metadata.ownerReferences[0].kind, 'CronJob')
    },
  },
  ingress: {
    rows: ['A10', 'C1'],
    source: `${reference}_ingress`,
    async run(t) {
      await t.k(['create', 'ingress', 'web', '--class=nginx', '--rule=a.example/p*=web:80,tls=cert'])
      const { spec } = await t.get('ingress web')
      assert.equal(spec.ingressClassName, 'nginx')
      assert.equal(spec.rules[0].http.paths[0].pathType, 'Prefix')
      has(await t.k('get ingress web'), /web +nginx +a\.example +80, 443/)
    },
  },
  'role-and-rolebinding': {
    rows: ['A10', 'C1'],
    source: `${reference}_role; ${reference}_rolebinding`,
    async run(t) {
      await t.k('create role reader --verb=get,list --resource=pods,deployments.apps')
      await t.k('create rolebinding read --role=reader --user=ann --serviceaccount=default:robot')
      assert.deepEqual((await t.get('role reader')).rules, [
        { apiGroups: [''], resources: ['pods'], verbs: ['get', 'list'] },
        { apiGroups: ['apps'], resources: ['deployments'], verbs: ['get', 'list'] },
      ])
      has(await t.k('get rolebinding read -o wide'), /read +Role\/reader +\S+ +ann +default\/robot/)
    },
  },
  'clusterrole-and-binding': {
    rows: ['A10', 'C1'],
    source: `${reference}_clusterrole; ${reference}_clusterrolebinding`,
    async run(t) {
      const name = `reader-${t.namespace}`
      await t.k(`create clusterrole ${name} --verb=get --non-resource-url=/metrics`)
      await t.k(`create clusterrole ${name}-nodes --verb=get --resource=nodes`)
      assert.deepEqual((await t.get(`clusterrole ${name}`)).rules, [{ nonResourceURLs: ['/metrics'], verbs: ['get'] }])
      await t.k(`create clusterrolebinding ${name} --clusterrole=${name}-nodes --group=dev`)
      has(await t.k(`get clusterrolebinding ${name} -o wide`), `ClusterRole/${name}-nodes`, 'dev')
      await t.k(`delete clusterrolebinding/${name} clusterrole/${name} clusterrole/${name}-nodes`)
    },
  },
  quota: {
    rows: ['A10', 'C1'],
    source: `${reference}_quota`,
    async run(t) {
      await t.k('create quota best --hard=pods=5 --scopes=BestEffort')
      assert.deepEqual((await t.get('quota best')).spec.scopes, ['BestEffort'])
      await t.k('create quota small --hard=configmaps=50,services=3')
      assert.deepEqual((await t.get('quota small')).spec.hard, { configmaps: '50', services: '3' })
    },
  },
  poddisruptionbudget: {
    rows: ['A10', 'C1'],
    source: `${reference}_poddisruptionbudget`,
    async run(t) {
      await t.k('create pdb half --selector=app=web --min-available=50%')
      has(await t.k('get pdb half'), /half +50% +N\/A +\d+/)
    },
  },
  priorityclass: {
    rows: ['A10', 'E9'],
    source: `${reference}_priorityclass`,
    async run(t) {
      const name = `high-${t.namespace}`
      await t.k(['create', 'priorityclass', name, '--value=1000', '--description=of weight'])
      const { value, description, preemptionPolicy } = await t.get(`priorityclass ${name}`)
      assert.deepEqual([value, description, preemptionPolicy], [1000, 'of weight', 'PreemptLowerPriority'])
      await t.feed('apply -f -', pod('p', { priorityClassName: name }))
      assert.equal((await t.get('pod p')).spec.priority, 1000)
      await t.k(`delete priorityclass ${name}`)
    },
  },
  'from-a-file': {
    rows: ['C1'],
    source: `${reference}: -f FILENAME`,
    bothVersions: true,
    async run(t) {
      const path = t.file('all.json', {
        apiVersion: 'v1',
        kind: 'List',
        items: [configMap('a', {}), configMap('b', {})],
      })
      has(await t.k(`create -f ${path}`), 'configmap/a created', 'configmap/b created')
    },
  },
  'from-yaml-with-several-documents': {
    rows: ['C1'],
    source: 'kubernetes.io/docs/concepts/workloads/management: several resources in one file',
    async run(t) {
      const stdin =
        'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: b}\nstringData: {k: v}\n'
      has(await t.k('create -f -', { stdin }), 'configmap/a created', 'secret/b created')
      assert.equal((await t.get('secret b')).data.k, 'dg==')
    },
  },
  'twice-is-refused': {
    rows: ['C1', 'A7'],
    source: 'api-conventions: a create of an existing name is 409 AlreadyExists',
    bothVersions: true,
    async run(t) {
      await t.k('create configmap c')
      assert.equal(
        (await t.kFails('create configmap c')).trim(),
        'error: failed to create configmap: configmaps "c" already exists',
      )
      const path = t.file('c.json', configMap('c', {}))
      has(
        await t.kFails(`create -f ${path}`),
        `Error from server (AlreadyExists): error when creating "${path}": configmaps "c" already exists`,
      )
    },
  },
  'generate-name': {
    rows: ['C5'],
    source: 'kubernetes.io/docs/reference/using-api/api-concepts#generated-names',
    async run(t) {
      const manifest = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { generateName: 'job-' } }
      const names = [await t.feed('create -o name -f -', manifest), await t.feed('create -o name -f -', manifest)]
      for (const name of names) assert.match(name.trim(), /^configmap\/job-[bcdfghjklmnpqrstvwxz2456789]{5}$/)
      assert.notEqual(names[0], names[1])
    },
  },
  'dry-run-client-prints': {
    rows: ['C1'],
    source: `${reference}: --dry-run=client -o yaml prints and sends nothing`,
    async run(t) {
      has(await t.k('create deployment d --image=x --dry-run=client -o yaml'), 'kind: Deployment', 'image: x')
      has(await t.kFails('get deployment d'), 'NotFound')
    },
  },
  'save-config': {
    rows: ['C11'],
    source: `${reference}: --save-config keeps the annotation that apply needs`,
    async run(t) {
      await t.feed('create --save-config -f -', configMap('c', { a: '1' }))
      has(await t.k('apply view-last-applied cm/c -o json'), '"a": "1"')
      lacksWarning(await t.kAll('apply -f -', { stdin: JSON.stringify(configMap('c', { b: '2' })) }))
      assert.deepEqual((await t.get('cm c')).data, { b: '2' })
    },
  },
  'unknown-field-is-refused': {
    rows: ['C13'],
    source: 'kubernetes.io/docs/reference/using-api/api-concepts#field-validation: kubectl asks for Strict',
    bothVersions: true,
    async run(t) {
      const manifest = { ...deployment('web'), spec: { ...deployment('web').spec, replica: 3 } }
      has(
        await t.kFails('create -f -', { stdin: JSON.stringify(manifest) }),
        'BadRequest',
        'strict decoding error: unknown field "spec.replica"',
      )
    },
  },
  'unknown-field-warns': {
    rows: ['C13', 'A11'],
    source: 'kubectl --validate=warn: the object is made and the field is named',
    async run(t) {
      const manifest = { ...configMap('c', {}), datum: {} }
      const result = await t.kAll('create --validate=warn -f -', { stdin: JSON.stringify(manifest) })
      assert.equal(result.code, 0, result.stderr)
      has(result.stderr, 'Warning: unknown field "datum"')
      assert.equal((await t.get('cm c')).datum, undefined)
    },
  },
  'duplicate-key-is-refused': {
    rows: ['C13'],
    source: 'api-concepts#field-validation: duplicate fields are found in Strict',
    async run(t) {
      const body = '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c"},"data":{"a":"1"},"data":{"b":"2"}}'
      const answer = await t.http({
        method: 'POST',
        path: '/api/v1/namespaces/{ns}/configmaps?fieldValidation=Strict',
        body,
      })
      assert.equal(answer.code, 400)
      has(answer.text, 'duplicate field \\"data\\"')
    },
  },
  'defaults-of-a-pod': {
    rows: ['C1', 'E9'],
    source: 'the API reference of Pod, and the DefaultTolerationSeconds and ServiceAccount admission plugins',
    async run(t) {
      await t.feed('create -f -', pod('p'))
      const { spec } = await t.get('pod p')
      assert.equal(spec.restartPolicy, 'Always')
      assert.equal(spec.dnsPolicy, 'ClusterFirst')
      assert.equal(spec.schedulerName, 'default-scheduler')
      assert.equal(spec.serviceAccountName, 'default')
      assert.equal(spec.containers[0].imagePullPolicy, 'IfNotPresent')
      assert.equal(spec.containers[0].terminationMessagePath, '/dev/termination-log')
      assert.deepEqual(
        spec.tolerations.map((toleration: { key: string; tolerationSeconds: number }) => [
          toleration.key,
          toleration.tolerationSeconds,
        ]),
        [
          ['node.kubernetes.io/not-ready', 300],
          ['node.kubernetes.io/unreachable', 300],
        ],
      )
      assert.ok(spec.volumes.some((volume: { name: string }) => volume.name.startsWith('kube-api-access-')))
    },
  },
  'invalid-pod-is-told': {
    rows: ['A7', 'C1'],
    source: 'observed: the sentence names the kind, the name, the field and the fault',
    async run(t) {
      const stdin = JSON.stringify(pod('p', { containers: [{ name: 'A_B', image: 'x' }] }))
      has(
        await t.kFails('create -f -', { stdin }),
        'The Pod "p" is invalid: spec.containers[0].name: Invalid value: "A_B"',
      )
    },
  },
  'missing-namespace-is-told': {
    rows: ['A7', 'E9'],
    source: 'NamespaceLifecycle admission: nothing is made in a namespace that does not exist',
    async run(t) {
      has(
        await t.kFails('create configmap c -n no-such-namespace'),
        'error: failed to create configmap: namespaces "no-such-namespace" not found',
      )
    },
  },
})

function lacksWarning(result: { readonly code: number; readonly stderr: string }): void {
  assert.equal(result.code, 0, result.stderr)
  assert.ok(!result.stderr.includes('Warning'), result.stderr)
}
