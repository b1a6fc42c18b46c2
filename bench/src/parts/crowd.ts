// Many clients of one event loop: some that do not read what they asked for, and many that watch one large object. Others
// must not notice, and memory must come back.
import { type BenchCluster, startCluster } from '../cluster.ts'
import { prepareLoad, runLoad } from '../load.ts'
import { readMemory, type ReadySampler, sampleReady } from '../metrics.ts'
import type { Part } from '../part.ts'
import { configMapBody, nameMark, sentAnnotation, sentMark } from '../payloads.ts'
import { type Figure, formatNumber } from '../report.ts'
import { percentile } from '../statistics.ts'
import { megabytes } from '../usage.ts'

const stalledClients = 300
/** 8,500 ConfigMaps of 1.7 KB: a watch of 14 MB. */
const stalledObjects = 8_500
const stalledMs = 20_000
const largeWatchers = 2_000
const largeBytes = 1_000_000
const largeChanges = 5
const largeTimeoutMs = 120_000
const settleMs = 20_000
const quietMs = 5_000

const sleep = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds))

const ready = (what: string, latencies: readonly number[]): Figure[] => [
  { what: `${what}: readyz p99`, value: percentile(latencies, 0.99), unit: 'ms', better: 'lower', aim: 250 },
  { what: `${what}: readyz, longest`, value: Math.max(...latencies), unit: 'ms', better: 'lower' },
]

const memory = (what: string, rssBytes: number, note = ''): Figure => ({
  what: `${what}: RSS`,
  value: megabytes(rssBytes),
  unit: 'MiB',
  better: 'lower',
  ...(note === '' ? {} : { note }),
})

/** The most that was seen, every half second, until the promise is settled. */
async function peakRss(cluster: BenchCluster, until: Promise<unknown>): Promise<number> {
  let peak = 0
  let over = false
  const done = until.finally(() => {
    over = true
  })
  done.catch(() => undefined)
  while (!over) {
    const { rssBytes } = await readMemory(cluster.credentials)
    peak = Math.max(peak, rssBytes)
    await Promise.race([done, sleep(500)]).catch(() => undefined)
  }
  await done
  return peak
}

async function stalled(cluster: BenchCluster, sampler: ReadySampler): Promise<Figure[]> {
  const { credentials } = cluster
  const path = '/api/v1/namespaces/default/configmaps'
  await runLoad({
    kind: 'create',
    credentials,
    path,
    body: configMapBody(),
    prefix: 'stalled',
    connections: 32,
    count: stalledObjects,
  })
  const before = await readMemory(credentials)
  const load = await prepareLoad({
    kind: 'stall',
    credentials,
    path: `${path}?watch=1`,
    connections: stalledClients,
    milliseconds: stalledMs,
  })
  sampler.take()
  const running = load.run()
  const peak = await peakRss(cluster, running)
  const { count, errors } = await running
  const latencies = sampler.take()
  await sleep(settleMs)
  const after = await readMemory(credentials)
  const what = `${stalledClients} that do not read`
  return [
    memory(`${what}, before`, before.rssBytes),
    ...ready(what, latencies),
    memory(what, peak, `${count} were served, ${errors} told to come back later`),
    memory(`${what}, gone for ${settleMs / 1_000} s`, after.rssBytes),
  ]
}

async function large(cluster: BenchCluster, sampler: ReadySampler): Promise<Figure[]> {
  const { credentials } = cluster
  const path = '/api/v1/namespaces/kube-public/configmaps'
  const metadata = { name: nameMark, annotations: { [sentAnnotation]: sentMark } }
  const body = JSON.stringify({ metadata, data: { filler: 'x'.repeat(largeBytes) } })
  const before = await readMemory(credentials)
  const watch = await prepareLoad({
    kind: 'watch',
    credentials,
    path: `${path}?watch=1`,
    connections: largeWatchers,
    expected: largeWatchers * largeChanges,
    timeoutMs: largeTimeoutMs,
    mayBeCut: true,
  })
  sampler.take()
  const running = watch.run()
  const writing = runLoad({
    kind: 'create',
    credentials,
    path,
    body,
    prefix: 'large',
    connections: 1,
    count: largeChanges,
    perSecond: 0.2,
  })
  writing.catch(() => undefined)
  const peak = await peakRss(cluster, running)
  await writing
  const { count, milliseconds } = await running
  const latencies = sampler.take()
  await sleep(settleMs)
  const after = await readMemory(credentials)
  const what = `${largeWatchers} watchers of 1 MB`
  return [
    memory(`${what}, before`, before.rssBytes),
    ...ready(what, latencies),
    { what: `${what}: ${largeChanges} changes told to all`, value: milliseconds / 1_000, unit: 's', better: 'lower' },
    memory(what, peak, `${count} of ${largeWatchers * largeChanges} frames came`),
    memory(`${what}, gone for ${settleMs / 1_000} s`, after.rssBytes),
  ]
}

export const crowd: Part = {
  name: 'crowd',
  about: 'clients that do not read, and many watchers of a large object',
  async run(options) {
    const figures: Figure[] = []
    for (const log of options.logs) {
      const cluster = await startCluster({ log, profile: options.profile })
      const add = (some: readonly Figure[]): void => {
        figures.push(...some)
        for (const { what, value, unit, note } of some)
          options.progress(`crowd: ${what}: ${formatNumber(value)} ${unit} ${note ?? ''}`)
      }
      const sampler = await sampleReady(cluster.credentials)
      try {
        await sleep(quietMs)
        // What the machine is like at the moment: the aim can be met on a quiet one only.
        add(ready('nobody else', sampler.take()))
        options.progress(`crowd: ${log}, ${stalledClients} clients that do not read`)
        add(await stalled(cluster, sampler))
        options.progress(`crowd: ${log}, ${largeWatchers} watchers of a large object`)
        add(await large(cluster, sampler))
      } finally {
        sampler.stop()
        await cluster.remove()
      }
    }
    return figures
  },
}
