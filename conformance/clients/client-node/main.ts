// What every program beside this one does (README.md), with @kubernetes/client-node.
import {
  AppsV1Api,
  CoordinationV1Api,
  CoreV1Api,
  KubeConfig,
  makeInformer,
  PatchStrategy,
  setHeaderOptions,
  V1MicroTime,
  type V1ConfigMap,
  Watch,
} from '@kubernetes/client-node'

const me = 'client-node'
const namespace = process.argv[2]!
const config = new KubeConfig()
config.loadFromDefault()
const core = config.makeApiClient(CoreV1Api)
const apps = config.makeApiClient(AppsV1Api)
const coordination = config.makeApiClient(CoordinationV1Api)
const configMapsPath = `/api/v1/namespaces/${namespace}/configmaps`

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
const say = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`)
const typed = (strategy: PatchStrategy) => setHeaderOptions('Content-Type', strategy)
const configMap = (name: string, more: Partial<V1ConfigMap> = {}): V1ConfigMap => ({ metadata: { name }, ...more })

async function list(): Promise<object> {
  for (let i = 0; i < 5; i++)
    await core.createNamespacedConfigMap({
      namespace,
      body: { metadata: { name: `page-${i}`, labels: { page: 'yes' } } },
    })
  const names: string[] = []
  let pages = 0
  let next: string | undefined
  do {
    const page = await core.listNamespacedConfigMap({
      ...{ namespace, labelSelector: 'page=yes', limit: 2 },
      ...(next ? { _continue: next } : {}),
    })
    names.push(...page.items.map(({ metadata }) => metadata!.name!))
    next = page.metadata?._continue
    pages++
  } while (next)
  return { names, pages }
}

async function watch(): Promise<object> {
  const { metadata } = await core.listNamespacedConfigMap({ namespace })
  const events: string[] = []
  const done = Promise.withResolvers<void>()
  const request = await new Watch(config).watch(
    configMapsPath,
    { resourceVersion: metadata!.resourceVersion, labelSelector: 'watched=yes' },
    (type, object) => {
      events.push(`${type} ${object.metadata.name}`)
      if (type === 'DELETED') done.resolve()
    },
    (error) => done.reject(error ?? new Error('the watch ended')),
  )
  const created = await core.createNamespacedConfigMap({
    namespace,
    body: { metadata: { name: 'watched', labels: { watched: 'yes' } } },
  })
  await core.replaceNamespacedConfigMap({ name: 'watched', namespace, body: { ...created, data: { a: 'b' } } })
  await core.deleteNamespacedConfigMap({ name: 'watched', namespace })
  await done.promise
  request.abort()
  return { events }
}

async function patches(): Promise<object> {
  await core.createNamespacedConfigMap({ namespace, body: configMap('patched', { data: { start: '0' } }) })
  const ofConfigMap = { name: 'patched', namespace }
  await core.patchNamespacedConfigMap(
    { ...ofConfigMap, body: [{ op: 'add', path: '/data/json', value: '1' }] },
    typed(PatchStrategy.JsonPatch),
  )
  await core.patchNamespacedConfigMap(
    { ...ofConfigMap, body: { data: { merge: '2', start: null } } },
    typed(PatchStrategy.MergePatch),
  )
  const labels = { app: 'patched' }
  await apps.createNamespacedDeployment({
    namespace,
    body: {
      metadata: { name: 'patched' },
      spec: {
        replicas: 0,
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: { containers: [{ name: 'a', image: 'x:1' }] } },
      },
    },
  })
  await apps.patchNamespacedDeployment(
    { name: 'patched', namespace, body: { spec: { template: { spec: { containers: [{ name: 'b', image: 'y:1' }] } } } } },
    typed(PatchStrategy.StrategicMergePatch),
  )
  return {}
}

async function apply(): Promise<object> {
  const body = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'applied' }, data: { apply: '3' } }
  for (let i = 0; i < 2; i++)
    await core.patchNamespacedConfigMap(
      { name: 'applied', namespace, body, fieldManager: me, force: true },
      typed(PatchStrategy.ServerSideApply),
    )
  return {}
}

async function evict(): Promise<object> {
  const pod = { name: 'evicted', namespace }
  await core.createNamespacedPod({
    namespace,
    body: {
      metadata: { name: 'evicted' },
      spec: { terminationGracePeriodSeconds: 0, containers: [{ name: 'main', image: 'registry.k8s.io/pause:3.10' }] },
    },
  })
  while ((await core.readNamespacedPod(pod)).status?.phase !== 'Running') await sleep(50)
  await core.createNamespacedPodEviction({ ...pod, body: { metadata: { ...pod } } })
  for (;;) {
    try {
      await core.readNamespacedPod(pod)
      await sleep(50)
    } catch (error) {
      if ((error as { code?: number }).code === 404) return {}
      throw error
    }
  }
}

/** This client has no leader election: a Lease as one would keep it. */
async function lease(): Promise<object> {
  const spec = { holderIdentity: me, leaseDurationSeconds: 15, leaseTransitions: 0 }
  const created = await coordination.createNamespacedLease({
    namespace,
    body: { metadata: { name: 'leader' }, spec: { ...spec, acquireTime: new V1MicroTime(), renewTime: new V1MicroTime() } },
  })
  await coordination.replaceNamespacedLease({
    ...{ name: 'leader', namespace },
    body: { ...created, spec: { ...created.spec!, renewTime: new V1MicroTime() } },
  })
  try {
    await coordination.replaceNamespacedLease({ name: 'leader', namespace, body: created })
  } catch (error) {
    return { conflict: (error as { code?: number }).code }
  }
  return {}
}

async function deleteCollection(): Promise<object> {
  await core.deleteCollectionNamespacedConfigMap({ namespace, labelSelector: 'page=yes' })
  return {}
}

async function inform(): Promise<void> {
  const ledger = { namespace, labelSelector: 'ledger=yes' }
  const informer = makeInformer(config, configMapsPath, () => core.listNamespacedConfigMap(ledger), 'ledger=yes')
  const done = Promise.withResolvers<void>()
  for (const event of ['add', 'update', 'delete'] as const)
    informer.on(event, ({ metadata }) => {
      say({ event, name: metadata!.name, version: metadata!.resourceVersion })
      if (event === 'add' && metadata!.name === 'end') done.resolve()
    })
  // As its README says: an informer that failed is started again by who made it.
  informer.on('error', () => setTimeout(() => void informer.start(), 500))
  await informer.start()
  await done.promise
  const cache = Object.fromEntries(informer.list(namespace).map(({ metadata }) => [metadata!.name, metadata!.resourceVersion]))
  say({ cache })
  await informer.stop()
}

await core.readNamespace({ name: namespace })
const steps = { list, watch, patches, apply, evict, lease, deletecollection: deleteCollection }
for (const [step, run] of Object.entries(steps)) say({ step, ...(await run()) })
await inform()
say({ done: true })
process.exit(0)
