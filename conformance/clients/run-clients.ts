// Runs programs against one fresh cluster: their steps, and their informers through restarts of the API server. What they
// say is not believed: the cluster is asked.
import { createServer } from 'node:net'
import { type Cluster, type LogKind, startCluster } from '../src/cluster.ts'
import { createHttpClient, type HttpClient } from '../src/http.ts'
import { readKubeconfig } from '../src/kubeconfig.ts'
import { type Done, judgeLedger } from './ledger.ts'
import { buildProgram, missingTools, type Program } from './program.ts'
import { type Running, startProgram } from './running.ts'

export interface Outcome {
  readonly name: string
  readonly log: LogKind
  /** In words, when all went well. */
  readonly summary: string
  /** Empty when all went well. */
  readonly faults: readonly string[]
}

const steps = ['list', 'watch', 'patches', 'apply', 'evict', 'lease', 'deletecollection'] as const

/** A port that is free now: the restarted server must be where the first one was. */
const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer()
    server.on('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number }
      server.close(() => resolve(port))
    })
  })

interface Bench {
  readonly kubectl: string
  readonly start: () => Promise<Cluster>
  cluster: Cluster
  http: HttpClient
}

async function openBench(kubectl: string, log: LogKind): Promise<Bench> {
  const port = await freePort()
  const first = await startCluster({ log, args: ['--port', String(port)] })
  const start = (): Promise<Cluster> => startCluster({ log, args: ['--port', String(port)], dataDir: first.dataDir })
  return { kubectl, start, cluster: first, http: createHttpClient(await readKubeconfig(kubectl, first.kubeconfig)) }
}

/** Kills the server, so that no watch is ended in order, or stops it, and starts it again on the same data and port. */
async function restart(bench: Bench, how: 'kill' | 'stop'): Promise<void> {
  await bench.cluster[how]()
  bench.http.close()
  bench.cluster = await bench.start()
  bench.http = createHttpClient(await readKubeconfig(bench.kubectl, bench.cluster.kubeconfig))
}

async function send(bench: Bench, method: string, path: string, body?: object): Promise<any> {
  const { code, json, text } = await bench.http.send({ method, path, ...(body ? { body } : {}) })
  if (code >= 300) throw new Error(`${method} ${path}: ${code} ${text.slice(0, 300)}`)
  return json
}

const namespaceOf = ({ name }: Program): string => `clients-${name}`
const inNamespace = (program: Program): string => `/api/v1/namespaces/${namespaceOf(program)}`

/** Changes ConfigMaps that the informer of a program follows, and keeps what the server acknowledged. */
function changerOf(getBench: () => Bench, program: Program) {
  const path = `${inNamespace(program)}/configmaps`
  const done: Done[] = []
  const metadata = (name: string) => ({ name, labels: { ledger: 'yes' } })
  const note = (event: Done['event'], object: any, name = object.metadata.name): void =>
    void done.push({ event, name, version: object.metadata?.resourceVersion ?? '' })
  return {
    done,
    add: async (name: string) => note('add', await send(getBench(), 'POST', path, { metadata: metadata(name) })),
    update: async (name: string, value: string) =>
      note('update', await send(getBench(), 'PUT', `${path}/${name}`, { metadata: metadata(name), data: { value } })),
    remove: async (name: string) => note('delete', await send(getBench(), 'DELETE', `${path}/${name}`), name),
  }
}

type Changer = ReturnType<typeof changerOf>

const names = (prefix: string, count: number): string[] => Array.from({ length: count }, (_, i) => `${prefix}-${i}`)

async function changeBefore(changer: Changer): Promise<void> {
  for (const name of names('a', 10)) await changer.add(name)
  for (const name of names('a', 10)) await changer.update(name, 'before')
}

/** In the first moments after a restart, while clients are still on their way back. */
async function changeAfter(changer: Changer, round: string): Promise<void> {
  for (const name of names('a', 4)) await changer.update(name, `after ${round}`)
  await changer.remove(`a-${round === 'kill' ? 8 : 9}`)
  for (const name of names(round, 5)) await changer.add(name)
  for (const name of names(round, 3)) await changer.update(name, 'at once')
  await changer.remove(`${round}-0`)
}

/** What the steps of a program must have left in the cluster. */
async function judgeSteps(bench: Bench, program: Program, running: Running): Promise<string[]> {
  const faults: string[] = []
  const expect = (what: string, found: unknown, right: unknown): void => {
    if (JSON.stringify(found) !== JSON.stringify(right))
      faults.push(`${what} is ${JSON.stringify(found)}, not ${JSON.stringify(right)}`)
  }
  const step = (name: string): any => running.lines.find((line) => line.step === name)
  const get = async (path: string): Promise<any> => (await bench.http.send({ path })).json
  const of = inNamespace(program)
  const ns = namespaceOf(program)
  expect('the list', step('list').names, names('page', 5))
  expect('the number of pages', step('list').pages, 3)
  expect('the watch', step('watch').events, ['ADDED watched', 'MODIFIED watched', 'DELETED watched'])
  expect('the data after patches', (await get(`${of}/configmaps/patched`)).data, { json: '1', merge: '2' })
  const deployment = await get(`/apis/apps/v1/namespaces/${ns}/deployments/patched`)
  const containers = deployment.spec?.template.spec.containers.map((container: any) => container.name)
  expect('the containers after a strategic patch', containers?.sort(), ['a', 'b'])
  const applied = await get(`${of}/configmaps/applied`)
  expect('what was applied', applied.data, { apply: '3' })
  const managers = applied.metadata?.managedFields?.map((entry: any) => `${entry.manager} ${entry.operation}`)
  expect('its managers', managers, [`${program.name} Apply`])
  expect('the evicted pod', (await bench.http.send({ path: `${of}/pods/evicted` })).code, 404)
  const lease = await get(`/apis/coordination.k8s.io/v1/namespaces/${ns}/leases/leader`)
  expect('the holder of the lease', lease.spec?.holderIdentity, program.name)
  const conflict = step('lease').conflict
  if (conflict !== undefined) expect('an update with an old version', conflict, 409)
  expect('what is left of the collection', (await get(`${of}/configmaps?labelSelector=page%3Dyes`)).items, [])
  return faults
}

async function runOne(program: Program, place: string, gates: Gates): Promise<string[]> {
  const { bench, log } = gates
  await send(bench, 'POST', '/api/v1/namespaces', { metadata: { name: namespaceOf(program) } })
  const changer = changerOf(() => bench, program)
  await changer.add('seed')
  const running = startProgram(program, { place, namespace: namespaceOf(program), kubeconfig: bench.cluster.kubeconfig })
  gates.started.push(running)
  try {
    for (const step of steps) await running.line(`step ${step}`, (line) => line.step === step)
    const faults = await judgeSteps(bench, program, running)
    await running.line('first object of the informer', (line) => line.name === 'seed')
    await changeBefore(changer)
    for (const how of ['kill', 'stop'] as const) {
      await gates.restarted(how)
      await changeAfter(changer, how)
      // The next restart must find the client back.
      await running.line(`change after the ${how}`, (line) => line.name === `${how}-4`)
    }
    await changer.add('end')
    const { cache } = await running.line('cache', (line) => line.cache !== undefined)
    await running.line('end', (line) => line.done === true)
    const told = running.lines.filter((line) => line.event !== undefined)
    return [...faults, ...judgeLedger(told, changer.done, cache)].map((fault) => `${program.name} on ${log}: ${fault}`)
  } finally {
    running.kill()
    gates.leave()
  }
}

/** All programs of a cluster go through its restarts together: the server restarts when all of them are ready for it. */
interface Gates {
  readonly bench: Bench
  readonly log: LogKind
  readonly started: Running[]
  restarted(how: 'kill' | 'stop'): Promise<void>
  /** One that has ended is not waited for. */
  leave(): void
}

function createGates(bench: Bench, log: LogKind, count: number): Gates {
  let present = count
  let waiting: PromiseWithResolvers<void>[] = []
  let next: 'kill' | 'stop' = 'kill'
  const look = (): void => {
    if (waiting.length === 0 || waiting.length < present) return
    const those = waiting
    waiting = []
    restart(bench, next).then(
      () => {
        for (const { resolve } of those) resolve()
      },
      (error) => {
        for (const { reject } of those) reject(error)
      },
    )
  }
  return {
    bench,
    log,
    started: [],
    restarted(how) {
      const gate = Promise.withResolvers<void>()
      next = how
      waiting.push(gate)
      look()
      return gate.promise
    },
    leave() {
      present--
      look()
    },
  }
}

/** Runs all of these against one fresh cluster. Every program has an outcome, whatever becomes of the others. */
export async function runClients(options: {
  readonly kubectl: string
  readonly log: LogKind
  readonly programs: readonly Program[]
}): Promise<Outcome[]> {
  const { log, programs } = options
  const outcomes: Outcome[] = []
  const fault = (name: string, error: unknown): void =>
    void outcomes.push({ name, log, summary: '', faults: [error instanceof Error ? error.message : String(error)] })
  const built: { program: Program; place: string }[] = []
  for (const program of programs) {
    const [missing] = missingTools(program)
    try {
      if (missing) throw new Error(missing)
      built.push({ program, place: await buildProgram(program) })
    } catch (error) {
      fault(program.name, error)
    }
  }
  if (built.length === 0) return outcomes
  const bench = await openBench(options.kubectl, log)
  const gates = createGates(bench, log, built.length)
  try {
    await Promise.all(
      built.map(async ({ program, place }) => {
        const startedAt = performance.now()
        try {
          const faults = await runOne(program, place, gates)
          const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1)
          outcomes.push({ name: program.name, log, summary: `${steps.join(', ')}, informer (${seconds} s)`, faults })
        } catch (error) {
          fault(program.name, error)
        }
      }),
    )
    return outcomes
  } finally {
    bench.http.close()
    await bench.cluster.remove()
  }
}
