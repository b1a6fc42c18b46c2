// The same workloads end to end: pods are created over HTTPS while the scheduler works, and count when a watch shows them on a
// node; every write is on the disk before it is answered. Beside it, when it is asked for, the real kube-scheduler with its own API
// server and etcd.
//
//   npm run bench:scheduler -- end-to-end [--upstream] [Workload …]
import { setTimeout } from 'node:timers/promises'
import { runScheduler } from '@shiplog/conformance/upstream/component'
import { startUpstream } from '@shiplog/conformance/upstream/control-plane'
import type { Pod } from '@shiplog/api/generated/types/core-v1'
import { openConnection, post, requestHead } from '../api-connection.ts'
import { startCluster, type TimeSpan } from '../cluster.ts'
import { type Credentials, readCredentials } from '../credentials.ts'
import { perSecond, prepareLoad, runLoad } from '../load.ts'
import { monotonicMicros, nameMark, nameOf } from '../payloads.ts'
import { megabytes, type Usage, usageOfTree } from '../usage.ts'
import type { Workload } from './workloads.ts'

const writers = 64
const timeoutMs = 600_000
const zoneCount = 3
/** How often it is looked whether all pods are bound that are there before the clock starts. */
const lookMs = 1_000

interface Side {
  readonly credentials: Credentials
  readonly pids: () => readonly number[]
  /** `measured`: tells where the time of our process went between these moments, when that was asked for. */
  stop(measured?: TimeSpan): Promise<void>
}

export interface EndToEnd {
  readonly perSecond: number
  /** Of CPU time of all processes of the control plane, for each pod: what a busy machine changes least. */
  readonly cpuMsPerPod: number
  /** Of all processes of the control plane, afterwards. */
  readonly megabytes: number
}

/** Nobody looks after these nodes: who would count them as lost is left out. */
const controllers = '*,-node-lifecycle-controller'

async function startOurs(profile: boolean): Promise<Side> {
  const cluster = await startCluster({ log: 'jetstream', simulatedNodes: 0, flags: ['--controllers', controllers], profile })
  return {
    credentials: cluster.credentials,
    pids: () => [cluster.pid],
    stop: (measured) => cluster.remove(...(measured ? [measured] : [])),
  }
}

async function startTheirs(): Promise<Side> {
  const say = (line: string): void => void process.stderr.write(`${line}\n`)
  const upstream = await startUpstream(say)
  const scheduler = await runScheduler(upstream.kubeconfig, 'default-scheduler', say)
  return {
    credentials: readCredentials(upstream.kubeconfig),
    pids: () => [...upstream.pids, scheduler.pid],
    async stop() {
      await scheduler.stop()
      await upstream.stop()
    },
  }
}

/** On a control plane of its own. */
export async function measureEndToEnd(workload: Workload, whose: 'ours' | 'upstream', profile = false): Promise<EndToEnd> {
  const side = whose === 'ours' ? await startOurs(profile) : await startTheirs()
  let measuredSpan: TimeSpan | undefined
  try {
    await prepare(side, workload)
    const { credentials } = side
    const { namespace } = workload.measuredPod(0).metadata
    const path = `/api/v1/namespaces/${namespace}/pods`
    // Pods that are there already come first, and count as none of those that are measured.
    const before = workload.initialPod(0).metadata.namespace === namespace ? workload.initial : 0
    const measured = await prepareLoad({
      ...{ kind: 'running', until: 'seen', credentials, connections: 1, timeoutMs },
      ...{ path: `${path}?watch=1&fieldSelector=spec.nodeName!=`, expected: before + workload.measured },
    })
    const usageBefore = usageOf(side)
    const fromMicros = monotonicMicros()
    const seen = measured.run()
    const body = bodyOf(workload.measuredPod(0))
    await runLoad({ kind: 'create', credentials, path, body, prefix: 'pod', connections: writers, count: workload.measured })
    const result = await seen
    measuredSpan = { title: workload.name, fromMicros, toMicros: monotonicMicros() }
    const count = result.count - before
    if (count < workload.measured) throw new Error(`${workload.name}: only ${count} of ${workload.measured} pods were bound`)
    const after = usageOf(side)
    return {
      perSecond: perSecond({ ...result, count }),
      cpuMsPerPod: (after.cpuMs - usageBefore.cpuMs) / count,
      megabytes: megabytes(after.rssBytes),
    }
  } finally {
    await side.stop(measuredSpan)
  }
}

const usageOf = ({ pids }: Side): Usage =>
  pids()
    .map(usageOfTree)
    .reduce((a, b) => ({ rssBytes: a.rssBytes + b.rssBytes, cpuMs: a.cpuMs + b.cpuMs }))

/** The object as it is sent, with the mark of its name. */
const bodyOf = ({ metadata: { namespace, labels }, spec, ...rest }: Pod): string =>
  JSON.stringify({ ...rest, metadata: { name: nameMark, namespace, labels }, spec, status: undefined })

async function prepare(side: Side, workload: Workload): Promise<void> {
  await createSurroundings(side.credentials, workload)
  await createNodes(side, workload)
  await createInitialPods(side.credentials, workload)
}

async function createSurroundings(credentials: Credentials, { objects = [], initialPod, measuredPod, initial }: Workload): Promise<void> {
  const connection = await openConnection(credentials)
  const create = async (path: string, object: object): Promise<void> => {
    const code = await connection.exchange(post(credentials, path, JSON.stringify(object)))
    if (code !== 201 && code !== 409) throw new Error(`${path} was answered with ${code}`)
  }
  const named = new Map(objects.flatMap(([resource, object]) => (resource === 'namespaces' ? [[object.metadata.name, object.metadata.labels ?? {}]] : [])))
  const used = Array.from({ length: initial }, (_, number) => initialPod(number).metadata.namespace!)
  for (const name of new Set([...named.keys(), ...used, measuredPod(0).metadata.namespace!])) {
    await create('/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels: named.get(name) } })
    await create(`/api/v1/namespaces/${name}/serviceaccounts`, { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default' } })
  }
  for (const [resource, object] of objects) {
    if (resource !== 'services') continue
    const { name, namespace } = object.metadata
    const spec = { clusterIP: 'None', ...(object as unknown as { readonly spec: object }).spec }
    await create(`/api/v1/namespaces/${namespace}/services`, { apiVersion: 'v1', kind: 'Service', metadata: { name, namespace }, spec })
  }
  connection.close()
}

async function createNodes({ credentials }: Side, { nodes, node }: Workload): Promise<void> {
  for (let zone = 0; zone < zoneCount; zone++) {
    const { apiVersion, kind, metadata, status } = node(zone)
    const labels = { ...metadata.labels, 'kubernetes.io/hostname': nameMark }
    const conditions = [{ type: 'Ready', status: 'True' }]
    const { allocatable } = status!
    const body = JSON.stringify({ apiVersion, kind, metadata: { name: nameMark, labels }, status: { capacity: allocatable, conditions } })
    const count = Math.floor((nodes + zoneCount - 1 - zone) / zoneCount)
    const prefix = `node-${zone}`
    await runLoad({ kind: 'create', credentials, path: '/api/v1/nodes', body, prefix, connections: writers, count })
    await untaint(credentials, prefix, count)
  }
}

/** Takes away what the controller that is left out would. */
async function untaint(credentials: Credentials, prefix: string, count: number): Promise<void> {
  const body = JSON.stringify({ spec: { taints: null } })
  const type = `content-type: application/merge-patch+json\r\ncontent-length: ${body.length}\r\n`
  let next = 0
  const writer = async (): Promise<void> => {
    const connection = await openConnection(credentials)
    while (next < count) {
      const path = `/api/v1/nodes/${nameOf(prefix, next++)}`
      const code = await connection.exchange(requestHead(credentials, 'PATCH', path, type) + body)
      if (code !== 200) throw new Error(`${path} was answered with ${code}`)
    }
    connection.close()
  }
  await Promise.all(Array.from({ length: writers }, writer))
}

async function createInitialPods(credentials: Credentials, { initial, initialPod }: Workload): Promise<void> {
  if (initial === 0) return
  const perNamespace = Map.groupBy(Array.from({ length: initial }, (_, number) => initialPod(number)), ({ metadata }) => metadata.namespace!)
  const present = await countBound(credentials)
  for (const [namespace, pods] of perNamespace) {
    const job = { kind: 'create', credentials, connections: writers, count: pods.length, prefix: `init-${namespace}` } as const
    await runLoad({ ...job, path: `/api/v1/namespaces/${namespace}/pods`, body: bodyOf(pods[0]!) })
  }
  for (const deadline = Date.now() + timeoutMs; ; await setTimeout(lookMs)) {
    const count = (await countBound(credentials)) - present
    if (count >= initial) return
    if (Date.now() > deadline) throw new Error(`only ${count} of ${initial} pods were bound that are to be there`)
  }
}

const boundPods = '/api/v1/pods?fieldSelector=spec.nodeName!='

/** A control plane of ours shows itself as pods. */
async function countBound(credentials: Credentials): Promise<number> {
  const connection = await openConnection(credentials)
  let body = ''
  await connection.exchange(requestHead(credentials, 'GET', boundPods), { onBody: (bytes) => void (body += bytes.toString('utf8')) })
  connection.close()
  return (JSON.parse(body) as { readonly items: readonly unknown[] }).items.length
}
