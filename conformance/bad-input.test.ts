// Bad input against a cluster on each log: every request is refused as upstream refuses it, the cluster stays healthy,
// and the log knows nothing of them.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { badRequests, namespace, targets } from './cases/bad-requests.ts'
import type { LogKind } from './src/cluster.ts'
import { eventually } from './src/context.ts'
import { type Running, startBench } from './src/suite.ts'

const startTimeoutMs = 120_000

/** Begins the request ids of bad requests; no other bytes of a log look like it. */
const badMark = 'conformance-refused-'
/** Begins the request ids of good requests: the search must find these, or it proves nothing. */
const goodMark = 'conformance-accepted-'

test('the bad requests are at least 200 distinct faults', () => {
  const keys = badRequests.map(({ verb, resource, fault }) => `${verb} ${resource}: ${fault}`)
  expect(new Set(keys).size).toBe(keys.length)
  expect(keys.length).toBeGreaterThanOrEqual(200)
})

/** Whether any file below a directory holds the text. */
function isOnDisk(directory: string, text: string): boolean {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .some((entry) => {
      try {
        return readFileSync(join(entry.parentPath, entry.name)).includes(text)
      } catch (error) {
        // A server may remove a file of its own between the listing and the reading.
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
        throw error
      }
    })
}

describe.each<LogKind>(['embedded', 'jetstream'])('bad input on the %s log', (log) => {
  let running: Running
  beforeAll(async () => {
    running = await startBench(log)
    const { http } = running
    const headers = { 'x-request-id': `${goodMark}${log}` }
    const body = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } }
    expect((await http.send({ method: 'POST', path: '/api/v1/namespaces', body, headers })).code).toBe(201)
    await eventually(async () => {
      const account = await http.send({ path: `/api/v1/namespaces/${namespace}/serviceaccounts/default` })
      if (account.code !== 200) throw new Error('no service account yet')
    })
    for (const target of targets) {
      const made = await http.send({ method: 'POST', path: target.path, body: target.object, headers })
      expect(made.code, made.text).toBe(201)
    }
  }, startTimeoutMs)
  afterAll(async () => {
    await running?.close()
  }, startTimeoutMs)

  test.each(badRequests.map((one) => [`${one.verb} ${one.resource}: ${one.fault}`, one] as const))('%s', async (_name, {
    request,
    code,
    reason,
    message,
  }) => {
    const requestId = `${badMark}${log}`
    const answer = await running.http.send({ ...request, headers: { ...request.headers, 'x-request-id': requestId } })
    const told = `${answer.code} ${answer.json?.reason} ${answer.json?.message ?? answer.text.slice(0, 500)}`
    expect(answer.json, told).toMatchObject({ kind: 'Status', apiVersion: 'v1', status: 'Failure', code, reason })
    expect(answer.code, told).toBe(code)
    expect(answer.json.message).toMatch(message)
  })

  test('afterwards the cluster is healthy and as it was', async () => {
    const { http } = running
    expect((await http.send({ path: '/readyz' })).text).toBe('ok')
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
    for (const target of targets) {
      const found = await http.send({ path: `${target.path}/target` })
      expect(found.code, found.text).toBe(200)
      const fresh = await http.send({ path: `${target.path}/fresh` })
      expect(fresh.code, fresh.text).toBe(404)
    }
    const body = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'after' }, data: { a: '1' } }
    const path = `/api/v1/namespaces/${namespace}/configmaps`
    expect((await http.send({ method: 'POST', path, body })).code).toBe(201)
    expect((await http.send({ path: `${path}/after` })).json.data).toEqual({ a: '1' })
  })

  test('no entry of the log carries the request id of a refused request', () => {
    expect(isOnDisk(running.cluster.dataDir, goodMark), 'the search finds accepted requests').toBe(true)
    expect(isOnDisk(running.cluster.dataDir, badMark)).toBe(false)
  })
})
