import type { ApiClient } from '@shiplog/api/api-client'
import { internalError } from '@shiplog/api/status'
import type { Clock } from '@shiplog/runtime/clock'
import { silentLogger, type Logger } from '@shiplog/runtime/logger'
import { createFakeCluster } from '@shiplog/testing/fake-cluster'
import { describe, expect, test } from 'vitest'
import { ensureSystemObjects, keepSystemObjects, keepSystemObjectsMs } from './system-objects.ts'

/** Time that passes only by `pass`. */
function manualClock(): Clock & { pass(ms: number): Promise<void>; readonly sleepers: number } {
  let nowMs = 0
  const sleepers = new Set<{ readonly atMs: number; readonly wake: () => void }>()
  return {
    nowMs: () => nowMs,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason as Error)
        const sleeper = { atMs: nowMs + ms, wake: resolve }
        sleepers.add(sleeper)
        signal?.addEventListener('abort', () => {
          sleepers.delete(sleeper)
          reject(signal.reason as Error)
        })
      }),
    after: () => ({ [Symbol.dispose]: () => undefined }),
    every: () => ({ [Symbol.dispose]: () => undefined }),
    get sleepers() {
      return sleepers.size
    },
    pass: async (ms) => {
      nowMs += ms
      for (const sleeper of [...sleepers]) {
        if (sleeper.atMs > nowMs) continue
        sleepers.delete(sleeper)
        sleeper.wake()
      }
      // Everything that follows without waiting for time is done when the macrotask comes.
      await new Promise((resolve) => setImmediate(resolve))
    },
  }
}

async function setUp() {
  const clock = manualClock()
  const cluster = createFakeCluster(clock)
  const inner = cluster.client()
  const lines: string[] = []
  let down = false
  const client: ApiClient = {
    ...inner,
    request: (request) => {
      if (!down) return inner.request(request)
      const status = { ...internalError('no log'), code: 400 }
      return Promise.resolve({ ok: false, code: status.code, status })
    },
  }
  const logger: Logger = {
    ...silentLogger,
    debug: (_fields, message) => lines.push(`debug ${message}`),
    warn: (_fields, message) => lines.push(`warn ${message}`),
  }
  const options = { client, clock, port: 6443, address: '10.1.2.3', logger }
  await ensureSystemObjects(options)
  const kept = keepSystemObjects(options)
  const removeService = () =>
    cluster.must({ verb: 'delete', group: '', resource: 'services', namespace: 'default', name: 'kubernetes' })
  return { clock, cluster, lines, kept, removeService, setDown: (value: boolean) => (down = value) }
}

describe('system objects that are kept', () => {
  test('come back within 10 s when they were deleted', async () => {
    const { clock, cluster, kept, removeService } = await setUp()
    removeService()
    const more = [
      ['', 'endpoints', 'default', 'kubernetes'],
      ['discovery.k8s.io', 'endpointslices', 'default', 'kubernetes'],
      ['', 'namespaces', undefined, 'kube-node-lease'],
    ] as const
    for (const [group, resource, namespace, name] of more) {
      cluster.must({ verb: 'delete', group, resource, name, ...(namespace ? { namespace } : {}) })
    }
    await clock.pass(keepSystemObjectsMs - 1)
    expect(cluster.get('services', 'default/kubernetes')).toBeUndefined()
    await clock.pass(1)
    expect(cluster.get('services', 'default/kubernetes')).toBeDefined()
    expect(cluster.get('endpoints', 'default/kubernetes')!.subsets![0]!.addresses).toEqual([{ ip: '10.1.2.3' }])
    expect(cluster.get('endpointslices.discovery.k8s.io', 'default/kubernetes')).toBeDefined()
    expect(cluster.get('namespaces', '/kube-node-lease')).toBeDefined()
    await kept[Symbol.asyncDispose]()
  })

  test('are only read when nothing is missing', async () => {
    const { clock, cluster, kept } = await setUp()
    const { sequence } = cluster
    const before = cluster.requests.length
    for (let i = 0; i < 3; i++) await clock.pass(keepSystemObjectsMs)
    const verbs = cluster.requests.slice(before).map(({ request }) => request.verb)
    expect(verbs.length).toBeGreaterThan(0)
    expect(new Set(verbs)).toEqual(new Set(['get']))
    expect(cluster.sequence).toBe(sequence)
    await kept[Symbol.asyncDispose]()
  })

  test('are tried again after failures, of which each spell is told once aloud', async () => {
    const { clock, cluster, lines, kept, removeService, setDown } = await setUp()
    removeService()
    setDown(true)
    for (let i = 0; i < 3; i++) await clock.pass(keepSystemObjectsMs)
    expect(lines.map((line) => line.split(' ')[0])).toEqual(['warn', 'debug', 'debug'])
    setDown(false)
    await clock.pass(keepSystemObjectsMs)
    expect(cluster.get('services', 'default/kubernetes')).toBeDefined()
    setDown(true)
    await clock.pass(keepSystemObjectsMs)
    expect(lines.at(-1)).toMatch(/^warn /)
    await kept[Symbol.asyncDispose]()
  })

  test('are left alone after the end', async () => {
    const { clock, cluster, lines, kept, removeService } = await setUp()
    await kept[Symbol.asyncDispose]()
    expect(clock.sleepers).toBe(0)
    removeService()
    await clock.pass(2 * keepSystemObjectsMs)
    expect(cluster.get('services', 'default/kubernetes')).toBeUndefined()
    expect(lines).toEqual([])
  })
})
