import type { ApiClient, ApiRequest, ApiResult } from '@shiplog/api/api-client'
import type { KubeObject } from '@shiplog/api/kube-object'
import { conflict, notFound } from '@shiplog/api/status'
import { systemClock as clock } from '@shiplog/runtime/clock'
import { silentLogger as log } from '@shiplog/runtime/logger'
import type { Service } from '@shiplog/runtime/service'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createLeaderElected, leaseDurationMs, lookEveryMs } from './leader-election.ts'

const resource = { group: 'coordination.k8s.io', resource: 'leases' }
const takeoverMs = leaseDurationMs + 2 * lookEveryMs

let lease: KubeObject | undefined
let version = 0

function serve({ verb, body }: ApiRequest): ApiResult {
  const refuse = (status: Extract<ApiResult, { ok: false }>['status']): ApiResult => ({
    ok: false,
    code: status.code,
    status,
  })
  if (verb === 'get') {
    return lease ? { ok: true, code: 200, object: lease, sequence: version } : refuse(notFound(resource, 'worker'))
  }
  const draft = structuredClone(body) as KubeObject
  const isStale =
    verb === 'create' ? lease !== undefined : draft.metadata.resourceVersion !== lease?.metadata.resourceVersion
  if (isStale) return refuse(conflict(resource, 'worker', 'it was changed'))
  draft.metadata.resourceVersion = String(++version)
  lease = draft
  return { ok: true, code: 200, object: lease, sequence: version }
}

function replica(identity: string) {
  /** While it is cut off, nothing that it asks is answered. */
  const state = { isCutOff: false, sent: 0, running: 0, client: undefined as ApiClient | undefined }
  const never = new Promise<never>(() => undefined)
  const client: ApiClient = {
    request: async (request) =>
      state.isCutOff ? await never : request.resource === 'leases' ? serve(request) : count(),
    recordAttempt: async () => void count(),
  }
  const count = (): ApiResult => {
    state.sent++
    return { ok: true, code: 200, object: {} as KubeObject, sequence: 1 }
  }
  const create = (fenced: ApiClient): Service => {
    state.client = fenced
    return {
      name: 'worker',
      start: async () => void state.running++,
      stop: async () => void state.running--,
      health: () => [],
    }
  }
  const elected = createLeaderElected({ client, clock, log, name: 'worker', identity, create })
  return { state, elected }
}

beforeEach(() => {
  vi.useFakeTimers()
  lease = undefined
  version = 0
})
afterEach(() => vi.useRealTimers())

const write = (client: ApiClient): Promise<ApiResult> => client.request({ verb: 'create', group: '', resource: 'pods' })

async function twoStarted() {
  const [a, b] = [replica('a'), replica('b')] as const
  await a.elected.start()
  await b.elected.start()
  return [a, b] as const
}

test('the first leads, the second stands by, however long', async () => {
  const [a, b] = await twoStarted()
  await vi.advanceTimersByTimeAsync(60_000)
  expect([a.elected.isLeader, b.elected.isLeader]).toEqual([true, false])
  expect([a.state.running, b.state.running]).toEqual([1, 0])
  expect(lease).toMatchObject({ spec: { holderIdentity: 'a', leaseTransitions: 0 } })
  await write(a.state.client!)
  expect(a.state.sent).toBe(1)
  await Promise.all([a.elected.stop(), b.elected.stop()])
})

test('the second takes over within five seconds of the first being cut off, who sends nothing more', async () => {
  const [a, b] = await twoStarted()
  await vi.advanceTimersByTimeAsync(10_000)
  a.state.isCutOff = true
  await vi.advanceTimersByTimeAsync(takeoverMs)
  expect(takeoverMs).toBeLessThanOrEqual(5_000)
  expect([a.elected.isLeader, b.elected.isLeader]).toEqual([false, true])
  a.state.isCutOff = false
  await expect(write(a.state.client!)).rejects.toThrow('does not lead any more')
  await expect(a.state.client!.recordAttempt({ scheduler: 's', namespace: 'n', pod: 'p', record: {} })).rejects.toThrow(
    'does not lead any more',
  )
  expect(a.state.sent).toBe(0)
})

test('never do two lead at once, not even while the old one is away and comes back', async () => {
  const [a, b] = await twoStarted()
  for (let round = 0; round < 6; round++) {
    const [leader] = [a, b].filter((each) => each.elected.isLeader)
    leader!.state.isCutOff = round % 2 === 0
    for (let step = 0; step < 60; step++) {
      await vi.advanceTimersByTimeAsync(100)
      expect([a, b].filter((each) => each.elected.isLeader).length).toBeLessThanOrEqual(1)
    }
    leader!.state.isCutOff = false
  }
})

test('one that stops gives the lease back, and the other need not wait', async () => {
  const [a, b] = await twoStarted()
  await a.elected.stop()
  expect(lease).toMatchObject({ spec: { holderIdentity: '' } })
  expect(a.state.running).toBe(0)
  await vi.advanceTimersByTimeAsync(2 * lookEveryMs)
  expect(b.elected.isLeader).toBe(true)
  expect(lease).toMatchObject({ spec: { holderIdentity: 'b', leaseTransitions: 1 } })
  await b.elected.stop()
})
