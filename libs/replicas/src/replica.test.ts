// The model: replicas that join, die, pause and are cut off, an API that answers late, loses requests and loses answers,
// all in virtual time. At no instant may two replicas own one key, and no command may arrive from one that does not own
// its key any more; when the trouble ends, every key has an owner again within five seconds.
import type { ApiClient, ApiRequest, ApiResult } from '@shiplog/api/api-client'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import { alreadyExists, conflict, notFound } from '@shiplog/api/status'
import type { Clock } from '@shiplog/runtime/clock'
import { silentLogger as log } from '@shiplog/runtime/logger'
import { seededRandom } from '@shiplog/testing/seeded-random'
import { describe, expect, test } from 'vitest'
import { createReplica, type Replica, type Worker } from './replica.ts'
import type { Shares } from './shares.ts'

const takeoverMs = 5_000
const keys = Array.from({ length: 40 }, (_, index) => `default/key-${index}`)
const leases = { group: 'coordination.k8s.io', resource: 'leases' }

/** Time that moves when nothing is left to do, and stands still for processes that are paused. */
function createTime() {
  let nowMs = 1_000_000
  let order = 0
  const due: { atMs: number; order: number; run: () => void; cancelled: boolean }[] = []
  const at = (atMs: number, run: () => void) => {
    const entry = { atMs: Math.max(atMs, nowMs), order: order++, run, cancelled: false }
    due.push(entry)
    return entry
  }
  return {
    nowMs: () => nowMs,
    at,
    async advance(toMs: number, afterEach: () => void): Promise<void> {
      for (;;) {
        await new Promise((resolve) => setImmediate(resolve))
        afterEach()
        let next: (typeof due)[number] | undefined
        for (const entry of due) {
          if (!next || entry.atMs < next.atMs || (entry.atMs === next.atMs && entry.order < next.order)) next = entry
        }
        if (next === undefined || next.atMs > toMs) break
        due.splice(due.indexOf(next), 1)
        nowMs = next.atMs
        if (!next.cancelled) next.run()
      }
      nowMs = toMs
    },
  }
}

function createModel(seed: number) {
  const random = seededRandom(seed)
  const time = createTime()
  const stored = new Map<string, KubeObject>()
  let version = 0
  const violations: string[] = []
  const faults = { isOn: true }

  const refuse = (status: Extract<ApiResult, { ok: false }>['status']): ApiResult => ({
    ok: false,
    code: status.code,
    status,
  })
  const accept = (object: KubeObject): ApiResult => ({ ok: true, code: 200, object, sequence: version })

  function serve({ verb, body, name = '' }: ApiRequest): ApiResult {
    const draft = body as KubeObject | undefined
    const key = verb === 'create' ? draft!.metadata.name : name
    const present = stored.get(key)
    if (verb === 'list') return accept({ items: [...stored.values()] } as unknown as KubeObject)
    if (verb === 'create' && present) return refuse(alreadyExists(leases, key))
    if (verb !== 'create' && !present) return refuse(notFound(leases, key))
    if (verb === 'get') return accept(present!)
    const wanted =
      verb === 'delete'
        ? ((draft as JsonObject)['preconditions'].resourceVersion as string)
        : draft!.metadata.resourceVersion
    if (present && wanted !== present.metadata.resourceVersion) return refuse(conflict(leases, key, 'it was changed'))
    if (verb === 'delete') {
      stored.delete(key)
      return accept(present!)
    }
    const next = structuredClone(draft!)
    next.metadata.resourceVersion = String(++version)
    stored.set(key, next)
    return accept(next)
  }

  interface Process {
    readonly id: string
    state: 'runs' | 'paused' | 'dead'
    stopped: boolean
    cutOff: boolean
    readonly held: (() => void)[]
    replica: Replica<Worker>
    shares: Shares
  }
  const processes: Process[] = []

  function start(id: string): Process {
    const self = { id, state: 'runs', stopped: false, cutOff: false, held: [] as (() => void)[] } as unknown as Process
    const inProcess = (run: () => void): void => {
      if (self.state === 'runs') run()
      else if (self.state === 'paused') self.held.push(run)
    }
    const clock: Clock = {
      nowMs: time.nowMs,
      sleep: (ms, signal) =>
        new Promise((resolve, reject) => {
          if (signal?.aborted) return reject(signal.reason as Error)
          const entry = time.at(time.nowMs() + ms, () => inProcess(resolve))
          signal?.addEventListener('abort', () => {
            entry.cancelled = true
            reject(signal.reason as Error)
          })
        }),
      after: (ms, callback) => {
        const entry = time.at(time.nowMs() + ms, () => inProcess(callback))
        return { [Symbol.dispose]: () => void (entry.cancelled = true) }
      },
      every: () => {
        throw new Error('not used')
      },
    }
    const lateMs = (): number =>
      faults.isOn && random.chance(0.05) ? random.below(2_500) : 1 + random.below(faults.isOn ? 60 : 5)
    const client: ApiClient = {
      request: (request) =>
        new Promise((resolve, reject) => {
          const isLost = (): boolean => self.cutOff || (faults.isOn && random.chance(0.03))
          if (isLost()) return
          // What was sent arrives even if the sender is paused or dead meanwhile.
          time.at(time.nowMs() + lateMs(), () => {
            const result = request.resource === 'nodes' ? accept({} as KubeObject) : serve(request)
            if (isLost()) return
            time.at(time.nowMs() + lateMs(), () => inProcess(() => resolve(result)))
          })
          time.at(time.nowMs() + 8_000, () => inProcess(() => reject(new Error('no answer'))))
        }),
      recordAttempt: () => Promise.resolve(),
    }
    let inFlight = 0
    const idle = Promise.withResolvers<void>()
    self.replica = createReplica({
      client,
      clock,
      log,
      component: 'worker',
      id,
      create: (_fenced, shares): Worker => {
        self.shares = shares
        const ended = new Map<string, Promise<void>>()
        const work = (): void => {
          const key = keys[random.below(keys.length)]!
          if (shares.owns(key) && !ended.has(key)) {
            inFlight++
            const answer = Promise.withResolvers<void>()
            ended.set(key, answer.promise)
            // Shorter than the margin of the fence: what is later than that loses by compare-and-set, not modelled here.
            time.at(time.nowMs() + 1 + random.below(400), () => {
              for (const other of processes) {
                if (other !== self && other.state === 'runs' && other.shares.owns(key)) {
                  violations.push(`${time.nowMs()}: a command of ${id} on ${key} arrived while ${other.id} owns it`)
                }
              }
              inProcess(() => {
                ended.delete(key)
                if (--inFlight === 0) idle.resolve()
                answer.resolve()
              })
            })
          }
          clock.after(20 + random.below(80), work)
        }
        return {
          name: 'worker',
          start: async () => work(),
          stop: async () => undefined,
          letGo: async () => {
            await Promise.all([...ended].flatMap(([key, answer]) => (shares.owns(key) ? [] : [answer])))
          },
          waitForSequence: () => clock.sleep(random.below(faults.isOn ? 300 : 20)),
          gained: () => undefined,
          health: () => [],
        }
      },
    })
    processes.push(self)
    void self.replica.start().catch(() => undefined)
    return self
  }

  const owners = (key: string): string[] =>
    processes.filter(({ state, shares }) => state !== 'dead' && shares.owns(key)).map(({ id }) => id)

  function check(): void {
    for (const key of keys) {
      const found = owners(key)
      if (found.length > 1) violations.push(`${time.nowMs()}: ${key} is owned by ${found.join(' and ')}`)
    }
  }

  const wake = (process: Process): void => {
    process.state = 'runs'
    for (const run of process.held.splice(0)) run()
  }

  return {
    random,
    stored,
    faults,
    violations,
    processes,
    start,
    wake,
    stop: (process: Process): void => {
      process.stopped = true
      void process.replica.stop()
    },
    owners,
    nowMs: time.nowMs,
    run: (ms: number) => time.advance(time.nowMs() + ms, check),
    unowned: () => keys.filter((key) => owners(key).length === 0),
    living: () => processes.filter(({ state, stopped }) => state === 'runs' && !stopped),
  }
}

describe('replicas', () => {
  test.each(
    Array.from({ length: 60 }, (_, seed) => [seed]),
  )('never own a key twice, and own every key again within five seconds of the trouble, seed %i', async (seed) => {
    const model = createModel(seed)
    const { random, processes } = model
    let made = 0
    const join = () => model.start(`r${made++}`)
    join()
    await model.run(random.below(2_000))
    join()
    for (let trouble = 0; trouble < 12; trouble++) {
      const victim = processes[random.below(processes.length)]!
      const what = random.below(6)
      if (what === 0 && model.living().length < 5) join()
      else if (what === 1 && victim.state !== 'dead' && model.living().length > 1) victim.state = 'dead'
      else if (what === 2 && victim.state === 'runs') victim.state = 'paused'
      else if (what === 3 && victim.state === 'paused') model.wake(victim)
      else if (what === 4) victim.cutOff = !victim.cutOff
      else if (victim.state === 'runs') model.stop(victim)
      await model.run(random.below(6_000))
    }
    for (const process of processes) {
      process.cutOff = false
      if (process.state === 'paused') model.wake(process)
    }
    join()
    // Requests of before may still be late.
    model.faults.isOn = false
    await model.run(10_000)
    expect(model.unowned()).toEqual([])
    const living = model.living()
    for (const { replica } of living) expect(replica.members).toEqual(living.map(({ id }) => id).sort())
    const [victim] = living
    join()
    await model.run(3_000)
    victim!.state = 'dead'
    await model.run(takeoverMs)
    expect(model.unowned()).toEqual([])
    expect(model.violations.slice(0, 3)).toEqual([])
  })

  const quiet = () => {
    const model = createModel(1)
    model.faults.isOn = false
    return model
  }

  test('divide the keys, each about as many, and a newcomer takes its share within two seconds', async () => {
    const model = quiet()
    for (const id of ['a', 'b', 'c']) model.start(id)
    await model.run(3_000)
    expect(model.unowned()).toEqual([])
    const sizes = ['a', 'b', 'c'].map((id) => keys.filter((key) => model.owners(key)[0] === id).length)
    for (const size of sizes) expect(size).toBeGreaterThan(5)
    model.start('d')
    await model.run(2_000)
    expect(model.unowned()).toEqual([])
    expect(keys.filter((key) => model.owners(key)[0] === 'd').length).toBeGreaterThan(3)
  })

  test('one that is the first works at once', async () => {
    const model = quiet()
    model.start('a')
    await model.run(500)
    expect(model.unowned()).toEqual([])
  })

  test('one that stops in order gives its keys up at once, and its Lease is cleared away later', async () => {
    const model = quiet()
    const [a] = ['a', 'b'].map((id) => model.start(id))
    await model.run(3_000)
    model.stop(a!)
    await model.run(1_000)
    expect(keys.flatMap(model.owners)).toEqual(keys.map(() => 'b'))
    expect(model.stored.get('worker-a')).toMatchObject({ spec: { holderIdentity: '' } })
    await model.run(15_000)
    expect([...model.stored.keys()]).toEqual(['worker-b'])
  })

  test('one that was paused owns nothing when it wakes up, until the others have made room', async () => {
    const model = quiet()
    const [a] = ['a', 'b'].map((id) => model.start(id))
    await model.run(3_000)
    expect(keys.filter((key) => model.owners(key)[0] === 'a').length).toBeGreaterThan(5)
    a!.state = 'paused'
    await model.run(20_000)
    model.wake(a!)
    expect(keys.flatMap(model.owners)).toEqual(keys.map(() => 'b'))
    await model.run(3_000)
    expect(keys.filter((key) => model.owners(key)[0] === 'a').length).toBeGreaterThan(5)
    expect(model.unowned()).toEqual([])
    expect(model.violations).toEqual([])
  })

  test('one whose Lease somebody deletes joins anew', async () => {
    const model = quiet()
    for (const id of ['a', 'b']) model.start(id)
    await model.run(3_000)
    model.stored.delete('worker-a')
    await model.run(8_000)
    expect(model.unowned()).toEqual([])
    expect(keys.some((key) => model.owners(key)[0] === 'a')).toBe(true)
    expect(model.violations).toEqual([])
  })
})
