// The gateway over a log whose disk is full: what clients, /readyz and the process' log are told.
import { type ClusterLog, type EventLog, LogUnavailable } from '@shiplog/events/event-log'
import { openSqliteClusterLog } from '@shiplog/events/sqlite/sqlite-log'
import { systemClock } from '@shiplog/runtime/clock'
import { systemIds } from '@shiplog/runtime/ids'
import { type Logger, silentLogger } from '@shiplog/runtime/logger'
import { expect, test } from 'vitest'
import { createApiGateway } from '../api-gateway.ts'
import { createAppendHealth, probeEveryMs } from './append-health.ts'

const full = new LogUnavailable("no space left on the log's disk", { ambiguous: false })

function toldLogger(): { readonly told: string[]; readonly logger: Logger } {
  const told: string[] = []
  const note = (_fields: unknown, message: string) => void told.push(message)
  return { told, logger: { ...silentLogger, error: note, info: note } as unknown as Logger }
}

test('a write that the log refuses names the cause, fails the check, and the next stored write mends it', async () => {
  const inner = await openSqliteClusterLog({ dataDir: ':memory:' })
  let isFull = false
  const events: EventLog = {
    ...inner.events,
    append: (group) => (isFull ? Promise.reject(full) : inner.events.append(group)),
  }
  const log: ClusterLog = { ...inner, events }
  const { told, logger } = toldLogger()
  const gateway = createApiGateway({ log, clock: systemClock, ids: systemIds, logger })
  await gateway.start()
  const client = gateway.clientFor({ name: 'kubernetes-admin', groups: ['system:masters', 'system:authenticated'] })
  const create = (name: string) =>
    client.request({ verb: 'create', group: '', resource: 'namespaces', body: { metadata: { name } } })
  const check = () => gateway.health().find(({ name }) => name === 'log-append')
  try {
    expect(await create('before')).toMatchObject({ ok: true })
    expect(check()).toMatchObject({ ok: true })
    isFull = true
    for (const name of ['a', 'b']) {
      expect(await create(name)).toMatchObject({
        code: 503,
        status: { message: "the log is not available: no space left on the log's disk" },
      })
    }
    expect(check()).toMatchObject({ ok: false, reason: full.message })
    expect(told.filter((line) => line === 'the log does not take writes')).toHaveLength(1)
    const read = await client.request({ verb: 'get', group: '', resource: 'namespaces', name: 'before' })
    expect(read).toMatchObject({ ok: true })
    isFull = false
    expect(await create('after')).toMatchObject({ ok: true })
    expect(check()).toMatchObject({ ok: true })
    expect(told).toContain('the log takes writes again')
  } finally {
    await gateway.stop()
    await inner.close()
  }
})

test('while nobody writes, asking for the check tries the log again, but not at every question', async () => {
  let nowMs = 0
  let probes = 0
  let isFull = true
  const { told, logger } = toldLogger()
  const health = createAppendHealth({
    clock: { ...systemClock, nowMs: () => nowMs },
    logger,
    probe: async () => {
      probes += 1
      if (isFull) throw full
    },
  })
  health.observe('events', new TypeError('not about the log'))
  expect(health.check().ok).toBe(true)
  health.observe('objectevents', full)
  health.check()
  expect(probes).toBe(0)
  nowMs += probeEveryMs
  health.check()
  health.check()
  await Promise.resolve()
  expect(probes).toBe(1)
  isFull = false
  nowMs += probeEveryMs
  expect(health.check().ok).toBe(false)
  await new Promise(setImmediate)
  expect(health.check()).toEqual({ name: 'log-append', ok: true })
  expect(told).toEqual(['the log does not take writes', 'the log takes writes again'])
})
