// The same load on upstream's own control plane (etcd, kube-apiserver, kube-scheduler, built from their modules) and on
// ours, in turns: the column `raw` is upstream's figure. Both stores put a write on the disk before they answer.
import { runScheduler } from '@shiplog/conformance/upstream/component'
import { startUpstream } from '@shiplog/conformance/upstream/control-plane'
import { openConnection, post, requestHead } from '../api-connection.ts'
import { startCluster } from '../cluster.ts'
import { type Credentials, readCredentials } from '../credentials.ts'
import { perSecond, prepareLoad, runLoad } from '../load.ts'
import type { LoadResult } from '../load-jobs.ts'
import type { Part, PartOptions } from '../part.ts'
import { configMapBody, nameOf, podBody } from '../payloads.ts'
import { type Figure, formatNumber } from '../report.ts'
import { ensureServiceAccount } from '../service-account.ts'
import { median, percentile } from '../statistics.ts'
import { megabytes, usageOfTree } from '../usage.ts'

const roundMs = 3_000
const warmUpMs = 1_500
const listed = 5_000
const nodes = 1_000
const scheduled = 3_000
const timeoutMs = 60_000

const pods = '/api/v1/namespaces/default/pods'

interface Side {
  readonly credentials: Credentials
  /** Of the scheduler that places pods there. */
  readonly schedulerName: string
  readonly pids: () => readonly number[]
}

type Measure = (side: Side, round: number) => Promise<LoadResult>

export const peer: Part = {
  name: 'peer',
  about: "the same load on upstream's control plane: the column raw is upstream",
  async run(options) {
    const figures: Figure[] = []
    for (const log of options.logs) {
      const upstream = await startUpstream(options.progress)
      const theirScheduler = await runScheduler(upstream.kubeconfig, 'default-scheduler', options.progress)
      const cluster = await startCluster({ log, simulatedNodes: 0 })
      const theirs: Side = {
        credentials: readCredentials(upstream.kubeconfig),
        schedulerName: 'default-scheduler',
        pids: () => [...upstream.pids, theirScheduler.pid],
      }
      const ours: Side = {
        credentials: cluster.credentials,
        schedulerName: 'default-scheduler',
        pids: () => [cluster.pid],
      }
      try {
        for (const side of [theirs, ours]) await ensureServiceAccount(side.credentials)
        figures.push(...(await compare(log, options, theirs, ours)))
      } finally {
        await cluster.remove()
        await theirScheduler.stop()
        await upstream.stop()
      }
    }
    return figures
  },
}

async function compare(log: string, options: PartOptions, theirs: Side, ours: Side): Promise<Figure[]> {
  const figures: Figure[] = []
  const inTurns = async (what: string, repeat: number, measure: Measure) => {
    const results = { theirs: [] as LoadResult[], ours: [] as LoadResult[] }
    for (let round = 0; round < repeat; round++) {
      options.progress(`peer: ${log}, ${what}, round ${round + 1}`)
      results.theirs.push(await measure(theirs, round))
      results.ours.push(await measure(ours, round))
    }
    return results
  }
  const latency = (results: readonly LoadResult[], share: number): number =>
    percentile(
      results.flatMap(({ latenciesMs }) => latenciesMs),
      share,
    )
  const rates = async (what: string, measure: Measure): Promise<void> => {
    await measure(theirs, -1)
    await measure(ours, -1)
    const results = await inTurns(what, options.repeat, measure)
    const rate = (side: readonly LoadResult[]): number => median(side.map(perSecond))
    const rounds = results.ours.map((result) => formatNumber(perSecond(result))).join(', ')
    figures.push({
      ...{ what: `${log}: ${what}`, value: rate(results.ours), unit: '/s', better: 'higher' },
      ...{ raw: rate(results.theirs), note: `rounds: ${rounds}` },
    })
    for (const [name, share] of [
      ['p50', 0.5],
      ['p99', 0.99],
    ] as const) {
      const [value, raw] = [latency(results.ours, share), latency(results.theirs, share)]
      figures.push({ what: `${log}: ${what}, ${name}`, value, unit: 'ms', better: 'lower', raw })
    }
  }

  for (const connections of [1, 64]) {
    for (const [kind, path, body] of [
      ['ConfigMap', '/api/v1/namespaces/default/configmaps', configMapBody()],
      ['Pod', pods, podBody('bench-nobody')],
    ] as const) {
      await rates(`${kind} creates, ${connections} conn`, ({ credentials }, round) =>
        runLoad({
          ...{ kind: 'create', credentials, path, body, connections },
          prefix: `${kind.toLowerCase()}-${connections}-${round + 1}`,
          milliseconds: round < 0 ? warmUpMs : roundMs,
        }),
      )
    }
  }
  const paths = Array.from({ length: 100 }, (_, number) => `${pods}/${nameOf('pod-1-1', number)}`)
  for (const connections of [1, 64]) {
    await rates(`GET, ${connections} conn`, ({ credentials }) =>
      runLoad({ kind: 'get', credentials, paths, connections, milliseconds: roundMs }),
    )
  }

  for (const { credentials } of [theirs, ours]) {
    const path = '/api/v1/namespaces/kube-public/pods'
    await createNamed(credentials, '/api/v1/namespaces/kube-public/serviceaccounts', {
      ...{ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default' } },
    })
    const job = { kind: 'create', credentials, path, body: podBody('bench-nobody'), prefix: 'list' } as const
    await runLoad({ ...job, connections: 64, count: listed })
  }
  const lists = await inTurns(`LIST ${listed} pods`, options.repeat * 3, ({ credentials }) =>
    runLoad({ kind: 'list', credentials, path: '/api/v1/namespaces/kube-public/pods', connections: 1 }),
  )
  figures.push({
    ...{ what: `${log}: LIST ${listed} pods`, unit: 'ms', better: 'lower' },
    ...{ value: latency(lists.ours, 0.5), raw: latency(lists.theirs, 0.5) },
    note: `${formatNumber(megabytes(lists.ours[0]!.bytes))} MB, upstream ${formatNumber(megabytes(lists.theirs[0]!.bytes))} MB`,
  })

  const placed = await inTurns(`${scheduled} pods on ${nodes} nodes, created and bound`, 1, schedule)
  figures.push({
    ...{ what: `${log}: ${scheduled} pods on ${nodes} nodes, created and bound`, unit: '/s', better: 'higher' },
    ...{ value: perSecond(placed.ours[0]!), raw: perSecond(placed.theirs[0]!) },
  })

  const memory = (side: Side): number =>
    side.pids().reduce((sum, pid) => sum + usageOfTree(pid).rssBytes, 0) / 1_048_576
  figures.push({
    ...{ what: `${log}: resident memory afterwards`, unit: 'MiB', better: 'lower' },
    ...{ value: memory(ours), raw: memory(theirs), note: 'ours: with controllers; upstream: without' },
  })
  return figures
}

async function schedule({ credentials, schedulerName }: Side): Promise<LoadResult> {
  // Only now: nodes that nobody looks after count as lost after forty seconds.
  await createNodes(credentials)
  const watch = await prepareLoad({
    ...{ kind: 'running', until: 'seen', credentials, connections: 1, expected: scheduled, timeoutMs },
    path: `${pods}?watch=1&fieldSelector=spec.nodeName!=`,
  })
  const bound = watch.run()
  const job = { kind: 'create', credentials, path: pods, body: podBody(schedulerName), prefix: 'placed' } as const
  await runLoad({ ...job, connections: 64, count: scheduled })
  const seen = await bound
  if (seen.count < scheduled) throw new Error(`only ${seen.count} of ${scheduled} pods were bound`)
  return seen
}

async function createNamed(credentials: Credentials, path: string, object: object): Promise<void> {
  const connection = await openConnection(credentials)
  const code = await connection.exchange(post(credentials, path, JSON.stringify(object)))
  connection.close()
  if (code !== 201 && code !== 409) throw new Error(`${path} was answered with ${code}`)
}

/** Nodes as scheduler_perf makes them, which nobody looks after: without the taint that admission gives a new node. */
async function createNodes(credentials: Credentials): Promise<void> {
  const connection = await openConnection(credentials)
  const ask = async (request: string, wanted: number): Promise<void> => {
    const code = await connection.exchange(request)
    if (code !== wanted) throw new Error(`${request.slice(0, request.indexOf('\r'))} was answered with ${code}`)
  }
  const untaint = JSON.stringify({ spec: { taints: null } })
  const type = `content-type: application/merge-patch+json\r\ncontent-length: ${untaint.length}\r\n`
  for (let number = 0; number < nodes; number++) {
    const name = `peer-${number}`
    const node = {
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name, labels: { 'kubernetes.io/hostname': name } },
      status: {
        capacity: { cpu: '4', memory: '32Gi', pods: '110' },
        conditions: [{ type: 'Ready', status: 'True' }],
      },
    }
    await ask(post(credentials, '/api/v1/nodes', JSON.stringify(node)), 201)
    await ask(requestHead(credentials, 'PATCH', `/api/v1/nodes/${name}`, type) + untaint, 200)
  }
  connection.close()
}
