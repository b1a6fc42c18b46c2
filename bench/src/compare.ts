// Two checkouts in turns, under the same load: what a change costs or saves. On a machine that does other work, times say
// how much of it a run happened to get; CPU of the server's processes for the same work says more, and the ratio of the two
// checkouts, measured one right after the other, says most.
//
//   node bench/src/compare.ts ../before --turns 5 --log embedded
//   node bench/src/compare.ts ../before --turns 2 --only memory
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { type BenchCluster, type LogKind, startCluster } from './cluster.ts'
import { prepareLoad, runLoad } from './load.ts'
import type { LoadResult } from './load-jobs.ts'
import { configMapBody, nameMark, nameOf, podBody } from './payloads.ts'
import { formatNumber } from './report.ts'
import { ensureServiceAccount } from './service-account.ts'
import { median, percentile } from './statistics.ts'
import { megabytes, usageOfTree } from './usage.ts'

const nodes = 3
const warmUpCreates = 1_500
const configMaps = 3_000
const singleCreates = 300
const podCreates = 1_500
/** Work before what counts: a fresh process spends most of its first seconds on compiling. */
const warmUpGets = 4_000
const gets = 8_000
const lists = 10
const watchers = 100
const watchedChanges = 100
const idleMs = 5_000
const settleMs = 3_000
/** `memory`: pods on this many nodes, bound and running. */
const memoryPods = 50_000
const memoryNodes = 1_000
const memorySettleMs = 45_000
const timeoutMs = 900_000

/** Figures of one turn by name; less is better in all of them. */
type Turn = Map<string, number>

const sleep = (milliseconds: number): Promise<void> => new Promise((done) => setTimeout(done, milliseconds))

/** Microseconds of the server's CPU for each of what the work gave. */
async function cpuOf(cluster: BenchCluster, work: () => Promise<Pick<LoadResult, 'count'>>): Promise<number> {
  const before = usageOfTree(cluster.pid).cpuMs
  const { count } = await work()
  return ((usageOfTree(cluster.pid).cpuMs - before) * 1_000) / count
}

async function measureLoad(checkout: string, log: LogKind): Promise<Turn> {
  const turn: Turn = new Map()
  const cluster = await startCluster({ log, checkout, simulatedNodes: nodes })
  try {
    const { credentials } = cluster
    const namespace = '/api/v1/namespaces/default'
    const path = `${namespace}/configmaps`
    turn.set('cold start, CPU ms', usageOfTree(cluster.pid).cpuMs)
    turn.set('cold start, ms', cluster.readyMs)
    await sleep(settleMs)
    const before = usageOfTree(cluster.pid)
    await sleep(idleMs)
    turn.set('idle, CPU ms in 5 s', usageOfTree(cluster.pid).cpuMs - before.cpuMs)
    turn.set('idle, RSS MiB', megabytes(before.rssBytes))

    const create = (prefix: string, connections: number, count: number, of = path, body = configMapBody()) =>
      runLoad({ kind: 'create', credentials, path: of, body, prefix, connections, count })
    await create('warm', 64, warmUpCreates)
    turn.set('create ConfigMap, 64 conn, CPU µs', await cpuOf(cluster, () => create('many', 64, configMaps)))
    turn.set('create ConfigMap, 1 conn, CPU µs', await cpuOf(cluster, () => create('one', 1, singleCreates)))
    await ensureServiceAccount(credentials)
    const pod = podBody('bench-nobody')
    turn.set('create Pod, 64 conn, CPU µs', await cpuOf(cluster, () => create('pod', 64, podCreates, `${namespace}/pods`, pod)))
    const paths = Array.from({ length: 100 }, (_, index) => `${path}/${nameOf('many', index)}`)
    const get = (count = gets) => runLoad({ kind: 'get', credentials, paths, connections: 64, count })
    await get(warmUpGets)
    turn.set('GET, 64 conn, CPU µs', await cpuOf(cluster, () => get()))
    // The first list may make what a start has put off.
    await runLoad({ kind: 'list', credentials, path: `${namespace}/pods`, connections: 1 })
    // All at once, by one generator: between lists one by one the server does other things, and they would be counted.
    const list = () => runLoad({ kind: 'list', credentials, path: `${namespace}/pods`, connections: lists })
    turn.set(`list of ${podCreates} pods, CPU µs`, await cpuOf(cluster, list))
    turn.set(`${watchers} watchers, CPU µs a frame`, await cpuOf(cluster, () => watch(cluster)))
  } finally {
    await cluster.remove()
  }
  return turn
}

/** In a namespace of their own: nothing is sent but the changes. */
async function watch({ credentials }: BenchCluster): Promise<LoadResult> {
  const namespaces = '/api/v1/namespaces'
  const body = JSON.stringify({ metadata: { name: nameMark } })
  await runLoad({ kind: 'create', credentials, path: namespaces, body, prefix: 'watched', connections: 1, count: 1 })
  const path = `${namespaces}/${nameOf('watched', 0)}/configmaps`
  const expected = watchers * watchedChanges
  const watching = await prepareLoad({ kind: 'watch', credentials, path: `${path}?watch=1`, connections: watchers, expected, timeoutMs })
  const seen = watching.run()
  await runLoad({ kind: 'create', credentials, path, body: configMapBody(), prefix: 'seen', connections: 8, count: watchedChanges })
  return await seen
}

async function measureMemory(checkout: string, log: LogKind): Promise<Turn> {
  const turn: Turn = new Map()
  const cluster = await startCluster({ log, checkout, simulatedNodes: memoryNodes })
  try {
    const { credentials, pid } = cluster
    const path = '/api/v1/namespaces/default/pods'
    await ensureServiceAccount(credentials)
    const before = usageOfTree(pid).cpuMs
    const running = await prepareLoad({
      kind: 'running',
      credentials,
      path: `${path}?watch=1`,
      connections: 1,
      expected: memoryPods,
      timeoutMs,
    })
    const seen = running.run()
    await runLoad({ kind: 'create', credentials, path, body: podBody('default-scheduler'), prefix: 'pod', connections: 64, count: memoryPods })
    const { count } = await seen
    if (count < memoryPods) throw new Error(`only ${count} of ${memoryPods} pods ran`)
    turn.set(`${memoryPods} pods to Running, CPU s`, (usageOfTree(pid).cpuMs - before) / 1_000)
    await sleep(memorySettleMs)
    turn.set(`${memoryPods} pods, RSS MiB`, megabytes(usageOfTree(pid).rssBytes))
  } finally {
    await cluster.remove()
  }
  return turn
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    turns: { type: 'string', default: '5' },
    log: { type: 'string', default: 'embedded' },
    only: { type: 'string', default: 'load' },
  },
})
const [other] = positionals
const turns = Number(values.turns)
const isKnown = (values.log === 'embedded' || values.log === 'jetstream') && (values.only === 'load' || values.only === 'memory')
if (other === undefined || !isKnown || !(turns >= 1)) {
  process.stderr.write('node bench/src/compare.ts <checkout> [--turns 5] [--log embedded|jetstream] [--only load|memory]\n')
  process.exit(2)
}
const measure = values.only === 'memory' ? measureMemory : measureLoad
const checkouts = { before: resolve(other), after: resolve(import.meta.dirname, '..', '..') }
const all: Record<keyof typeof checkouts, Turn[]> = { before: [], after: [] }
for (let index = 0; index < turns; index += 1) {
  // Who begins changes, so that neither always meets what the other has left.
  const order = index % 2 === 0 ? (['before', 'after'] as const) : (['after', 'before'] as const)
  for (const side of order) {
    process.stderr.write(`turn ${index + 1} of ${turns}: ${side}\n`)
    all[side].push(await measure(checkouts[side], values.log as LogKind))
  }
  print()
}

/** Medians of both sides, and the median and spread of the ratios of the turns. */
function print(): void {
  const lines = [['', 'before', 'after', 'after/before', 'from', 'to']]
  for (const name of all.before[0]!.keys()) {
    const before = all.before.map((turn) => turn.get(name)!)
    const after = all.after.map((turn) => turn.get(name)!)
    const ratios = after.map((value, index) => value / before[index]!)
    const spread = [percentile(ratios, 0), percentile(ratios, 1)]
    lines.push([name, ...[median(before), median(after)].map(formatNumber), ...[median(ratios), ...spread].map((ratio) => ratio.toFixed(2))])
  }
  process.stdout.write(`${lines.map((line) => line.map((cell, column) => (column === 0 ? cell.padEnd(36) : cell.padStart(13))).join('')).join('\n')}\n`)
}
