import type { ApiRequest } from '@shiplog/api/api-client'
import { silentLogger } from '@shiplog/runtime/logger'
import { createManualClock } from '@shiplog/testing/manual-clock'
import { expect, test } from 'vitest'
import { bootGateway } from './boot.ts'

test('a gateway serves first, then has its system objects, then its roles; the log is inspected last', async () => {
  const steps: string[] = []
  const step = (what: string): void => {
    if (steps.at(-1) !== what) steps.push(what)
  }
  const client = {
    request: (request: ApiRequest) => {
      step(request.resource === 'clusterroles' ? 'roles' : 'objects')
      return Promise.resolve({ ok: true, code: 201, sequence: 1, object: { kind: '', metadata: {} } } as never)
    },
    recordAttempt: () => Promise.resolve(),
  }
  const boot = bootGateway({
    gateway: { port: 6_443, clientFor: () => client, start: async () => step('serves') },
    clock: createManualClock(),
    logger: silentLogger,
    address: '127.0.0.1',
    guarded: { begin: () => step('inspects') },
    keepSystemObjects: false,
  })
  expect(steps).toEqual([])
  await boot.start()
  expect(steps).toEqual(['serves', 'objects'])
  await boot.finish()
  expect(steps.slice(2, 3)).toEqual(['inspects'])
  expect(steps).toContain('roles')
})
