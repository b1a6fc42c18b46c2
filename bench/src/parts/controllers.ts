// What controllers do with a lot at once, beside upstream's kube-controller-manager doing the same on the same gateway (the column
// `raw`): its requests are not limited, and its workers are as many as ours would be in turns.
import { runControllers } from '@shiplog/conformance/upstream/component'
import { type ApiConnection, openConnection, post, requestHead } from '../api-connection.ts'
import { type BenchCluster, startCluster } from '../cluster.ts'
import { runLoad } from '../load.ts'
import type { Part, PartOptions } from '../part.ts'
import { configMapBody, deploymentBody } from '../payloads.ts'
import type { Figure } from '../report.ts'
import { ensureServiceAccount } from '../service-account.ts'
import { megabytes, usageOfTree } from '../usage.ts'

const nodes = 1_000
const pollMs = 200
const timeoutMs = 300_000
/** For 10,000 pods of 100 Deployments, on the embedded log. */
const limitsSeconds = { floor: 8, aim: 5 }

const sleep = (milliseconds: number): Promise<void> => new Promise((done) => setTimeout(done, milliseconds))

interface Side {
  readonly cluster: BenchCluster
  readonly connection: ApiConnection
  /** Processes besides the cluster's. */
  readonly managers: readonly number[]
}

interface Outcome {
  readonly seconds: number
  readonly cpuSeconds: number
}

interface Workload {
  readonly what: string
  /** Seconds from `begin` until `isDone`. */
  prepare?(side: Side): Promise<void>
  begin(side: Side): Promise<void>
  isDone(side: Side): Promise<boolean>
  readonly limits?: { readonly floor: number; readonly aim: number }
}

const collection = (kind: string, namespace: string): string => `/apis/apps/v1/namespaces/${namespace}/${kind}`

async function send({ connection, cluster }: Side, path: string, body: string): Promise<void> {
  const code = await connection.exchange(post(cluster.credentials, path, body))
  if (code !== 201) throw new Error(`POST ${path} was answered with ${code}`)
}

async function read({ connection, cluster }: Side, path: string): Promise<{ readonly code: number; readonly body: any }> {
  const pieces: Buffer[] = []
  const onBody = (bytes: Buffer): void => void pieces.push(Buffer.from(bytes))
  const code = await connection.exchange(requestHead(cluster.credentials, 'GET', path), { onBody })
  return { code, body: JSON.parse(Buffer.concat(pieces).toString()) }
}

async function patch({ connection, cluster }: Side, path: string, body: string): Promise<void> {
  const head = `Content-Type: application/merge-patch+json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n`
  const code = await connection.exchange(requestHead(cluster.credentials, 'PATCH', path, head) + body)
  if (code !== 200) throw new Error(`PATCH ${path} was answered with ${code}`)
}

const makeNamespace = (side: Side, name: string): Promise<void> => send(side, '/api/v1/namespaces', JSON.stringify({ metadata: { name } }))

/** All objects of a collection together. */
async function sum(side: Side, path: string, count: (object: any) => number): Promise<number> {
  const { body } = await read(side, path)
  return (body.items as any[]).reduce((total, object) => total + count(object), 0)
}

const statefulSet = (name: string, replicas: number): string => {
  const { spec } = JSON.parse(deploymentBody(name, replicas))
  return JSON.stringify({ apiVersion: 'apps/v1', kind: 'StatefulSet', metadata: { name }, spec: { ...spec, serviceName: name } })
}

const cronJob = (name: string): string => {
  const container = { name: 'c', image: 'registry.k8s.io/pause:3.10' }
  const template = { spec: { restartPolicy: 'Never', containers: [container] } }
  const spec = { schedule: '* * * * *', concurrencyPolicy: 'Forbid', jobTemplate: { spec: { suspend: true, template } } }
  return JSON.stringify({ apiVersion: 'batch/v1', kind: 'CronJob', metadata: { name }, spec })
}

const workloads: readonly Workload[] = [
  {
    what: '10,000 pods of 100 Deployments, available',
    limits: limitsSeconds,
    prepare: (side) => makeNamespace(side, 'many'),
    async begin(side) {
      for (let number = 0; number < 100; number++) await send(side, collection('deployments', 'many'), deploymentBody(`d${number}`, 100))
    },
    isDone: async (side) => (await sum(side, collection('deployments', 'many'), ({ status }) => status?.availableReplicas ?? 0)) >= 10_000,
  },
  {
    what: 'a Deployment of 5,000 pods, rolled out anew',
    async prepare(side) {
      await makeNamespace(side, 'one')
      await send(side, collection('deployments', 'one'), deploymentBody('web', 5_000))
      await until(() => isRolledOut(side))
    },
    begin: (side) =>
      patch(side, `${collection('deployments', 'one')}/web`, '{"spec":{"template":{"metadata":{"annotations":{"again":"1"}}}}}'),
    isDone: (side) => isRolledOut(side),
  },
  {
    what: '200 StatefulSets of 5, ready',
    prepare: (side) => makeNamespace(side, 'sets'),
    async begin(side) {
      for (let number = 0; number < 200; number++) await send(side, collection('statefulsets', 'sets'), statefulSet(`s${number}`, 5))
    },
    isDone: async (side) => (await sum(side, collection('statefulsets', 'sets'), ({ status }) => status?.readyReplicas ?? 0)) >= 1_000,
  },
  {
    what: '1,000 CronJobs due in one minute, their Jobs made',
    async prepare(side) {
      await makeNamespace(side, 'cron')
      const path = '/apis/batch/v1/namespaces/cron/cronjobs'
      for (let number = 0; number < 1_000; number++) await send(side, path, cronJob(`c${number}`))
      await sleep(60_000 - (Date.now() % 60_000))
    },
    begin: () => Promise.resolve(),
    isDone: async (side) => (await sum(side, '/apis/batch/v1/namespaces/cron/jobs?limit=5000', () => 1)) >= 1_000,
  },
  {
    what: 'a namespace with 10,000 objects, gone',
    async prepare(side) {
      await makeNamespace(side, 'full')
      const job = { kind: 'create', path: '/api/v1/namespaces/full/configmaps', body: configMapBody(), prefix: 'c' } as const
      await runLoad({ ...job, credentials: side.cluster.credentials, connections: 64, count: 10_000 })
    },
    async begin({ connection, cluster }) {
      await connection.exchange(requestHead(cluster.credentials, 'DELETE', '/api/v1/namespaces/full'))
    },
    isDone: async (side) => (await read(side, '/api/v1/namespaces/full')).code === 404,
  },
]

async function isRolledOut(side: Side): Promise<boolean> {
  const { metadata, spec, status } = (await read(side, `${collection('deployments', 'one')}/web`)).body
  const counts = [status?.replicas, status?.updatedReplicas, status?.availableReplicas]
  return status?.observedGeneration >= metadata.generation && counts.every((count) => count === spec.replicas)
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  const endMs = performance.now() + timeoutMs
  while (!(await holds())) {
    if (performance.now() > endMs) throw new Error(`not within ${timeoutMs / 1_000} s`)
    await sleep(pollMs)
  }
}

const cpuMs = ({ cluster, managers }: Side): number =>
  [cluster.pid, ...managers].reduce((total, pid) => total + usageOfTree(pid).cpuMs, 0)

async function measure(workload: Workload, side: Side): Promise<Outcome> {
  await workload.prepare?.(side)
  const before = cpuMs(side)
  const fromMs = performance.now()
  await workload.begin(side)
  try {
    await until(() => workload.isDone(side))
  } catch {
    return { seconds: Number.NaN, cpuSeconds: (cpuMs(side) - before) / 1_000 }
  }
  return { seconds: (performance.now() - fromMs) / 1_000, cpuSeconds: (cpuMs(side) - before) / 1_000 }
}

async function withSide<Result>(
  log: 'embedded' | 'jetstream',
  who: 'ours' | 'upstream',
  { progress }: PartOptions,
  use: (side: Side) => Promise<Result>,
): Promise<Result> {
  const flags = who === 'upstream' ? ['--controllers', 'clusterrole-aggregation-controller'] : []
  const cluster = await startCluster({ log, simulatedNodes: nodes, flags })
  // Nodes are watched by nobody but who runs them: their Leases are not what is measured.
  const theirs = ['*', '-node-lifecycle-controller', '-taint-eviction-controller']
  const unlimited = ['--kube-api-qps', '5000', '--kube-api-burst', '5000']
  const manager = who === 'upstream' ? await runControllers(cluster.kubeconfig, theirs, progress, unlimited) : undefined
  const connection = await openConnection(cluster.credentials)
  try {
    await ensureServiceAccount(cluster.credentials)
    return await use({ cluster, connection, managers: manager ? [manager.pid] : [] })
  } finally {
    connection.close()
    await manager?.stop()
    await cluster.remove()
  }
}

export const controllers: Part = {
  name: 'controllers',
  about: "Deployments, StatefulSets, CronJobs, a namespace: beside upstream's kube-controller-manager on the same gateway",
  async run(options) {
    const figures: Figure[] = []
    for (const log of options.logs) {
      const measured = { ours: new Map<string, Outcome>(), upstream: new Map<string, Outcome>() }
      const memory = { ours: 0, upstream: 0 }
      for (const who of ['ours', 'upstream'] as const) {
        await withSide(log, who, options, async (side) => {
          for (const workload of workloads) {
            options.progress(`controllers: ${log}, ${who}: ${workload.what}`)
            measured[who].set(workload.what, await measure(workload, side))
          }
          memory[who] = [side.cluster.pid, ...side.managers].reduce((total, pid) => total + usageOfTree(pid).rssBytes, 0)
        })
      }
      for (const { what, limits } of workloads) {
        const [ours, theirs] = [measured.ours.get(what)!, measured.upstream.get(what)!]
        figures.push(
          { what: `${log}: ${what}`, value: ours.seconds, unit: 's', better: 'lower', raw: theirs.seconds, ...limits },
          { what: `${log}: the same, CPU of all processes`, value: ours.cpuSeconds, unit: 's', better: 'lower', raw: theirs.cpuSeconds },
        )
      }
      figures.push({
        ...{ what: `${log}: resident memory afterwards`, unit: 'MiB', better: 'lower' },
        ...{ value: megabytes(memory.ours), raw: megabytes(memory.upstream), note: 'API, scheduler and nodes included on both sides' },
      })
    }
    return figures
  },
}
