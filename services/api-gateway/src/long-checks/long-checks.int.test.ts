// What users write as rules may be as hostile as it likes: the gateway's event loop turns on.
import type { ApiClient, ApiResult } from '@shiplog/api/api-client'
import type { JSONSchemaProps, ValidationRule } from '@shiplog/api/generated/types/apiextensions-v1'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import type { LongCheck } from '@shiplog/domain/write/long-check'
import { definitionOf } from '@shiplog/domain/testing/custom-resource-definitions'
import type { ClusterLog } from '@shiplog/events/event-log'
import { openSqliteClusterLog } from '@shiplog/events/sqlite/sqlite-log'
import { systemClock } from '@shiplog/runtime/clock'
import { systemIds } from '@shiplog/runtime/ids'
import { silentLogger } from '@shiplog/runtime/logger'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type ApiGateway, createApiGateway } from '../api-gateway.ts'
import { createLongChecks } from './long-checks.ts'

const admin = { name: 'kubernetes-admin', groups: ['system:masters', 'system:authenticated'] }
/** The bound is 50 ms on a machine that has nothing else to do; here the first of everything is slow. */
const stallMaxMs = 150

let log: ClusterLog
let gateway: ApiGateway
let client: ApiClient

beforeAll(async () => {
  log = await openSqliteClusterLog({ dataDir: ':memory:' })
  gateway = createApiGateway({ log, clock: systemClock, ids: systemIds, logger: silentLogger })
  await gateway.start()
  client = gateway.clientFor(admin)
  // What is read and compiled with the first rule and the first pattern of a process is not what is measured.
  await define('Friendly', { type: 'object', properties: { a: { type: 'string', pattern: '^a', 'x-kubernetes-validations': rule('self != "b"') } } })
  for (let count = 0; count < 5; count++) await create('Friendly', { a: 'a' })
})

afterAll(async () => {
  await gateway.stop()
  await log.close()
})

const define = (kind: string, spec: JSONSchemaProps): Promise<ApiResult> => {
  const schema: JSONSchemaProps = { type: 'object', properties: { spec } }
  const { status: _, metadata, ...rest } = definitionOf({ group: 'hostile.dev', kind, scope: 'Cluster', schema })
  const body = { ...rest, metadata: { name: metadata.name } } as unknown as JsonObject
  return client.request({ verb: 'create', group: 'apiextensions.k8s.io', resource: 'customresourcedefinitions', body })
}

async function create(kind: string, spec: JsonObject): Promise<ApiResult> {
  for (;;) {
    const body = { apiVersion: 'hostile.dev/v1', kind, metadata: { generateName: 'x-' }, spec }
    const result = await client.request({ verb: 'create', group: 'hostile.dev', resource: `${kind.toLowerCase()}s`, body })
    // Not served yet.
    if (result.ok || result.status.code !== 404) return result
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

const cpuMs = (): number => {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1_000
}

/**
 * The longest time for which nothing else had a turn, while the work went on: in time of this thread's processor, which does
 * not grow with what else the machine does.
 */
async function longestStallMs<Result>(work: () => Promise<Result>): Promise<{ readonly ms: number; readonly result: Result }> {
  let ms = 0
  let isOver = false
  let last = cpuMs()
  const turn = (): void => {
    const now = cpuMs()
    ms = Math.max(ms, now - last)
    last = now
    if (!isOver) setTimeout(turn, 1)
  }
  setTimeout(turn, 1)
  const result = await work()
  isOver = true
  turn()
  return { ms, result }
}

const rule = (text: string): ValidationRule[] => [{ rule: text }]
const texts: JSONSchemaProps = { type: 'array', maxItems: 300, items: { type: 'string', maxLength: 20 } }
const items = Array.from({ length: 300 }, (_, index) => `item${index}`)

const hostile: readonly (readonly [kind: string, spec: JSONSchemaProps, given: JsonObject, answer: RegExp])[] = [
  [
    'Loop',
    {
      type: 'object',
      properties: { l: texts },
      'x-kubernetes-validations': Array.from({ length: 8 }, (_, at) => ({ rule: `self.l.all(a, self.l.all(b, a != b || size(a) > ${at}))` })),
    },
    { l: items },
    /failed rule/,
  ],
  [
    'Pattern',
    { type: 'object', properties: { l: { type: 'array', items: { type: 'string', pattern: '^((a|b|ab|ba)*){1,20}c$' } } } },
    { l: Array.from({ length: 2_000 }, () => 'abba'.repeat(100)) },
    /should match|too long to be matched/,
  ],
  [
    'Set',
    { type: 'object', 'x-kubernetes-map-type': 'atomic', properties: { l: { type: 'array', 'x-kubernetes-list-type': 'set', items: { type: 'array', items: { type: 'integer' }, 'x-kubernetes-list-type': 'atomic' } } } },
    { l: [...Array.from({ length: 50_000 }, (_, index) => [index, index + 1]), [1, 2]] },
    /Duplicate value/,
  ],
]

for (const [kind, spec, given, answer] of hostile)
  test(`${kind} stalls nobody`, async () => {
    expect(await define(kind, spec)).toMatchObject({ ok: true })
    const { ms, result } = await longestStallMs(() => create(kind, given))
    expect(result.ok ? 'ok' : result.status.message).toMatch(answer)
    expect(ms).toBeLessThan(stallMaxMs)
  })

test('a definition with thousands of rules stalls nobody', async () => {
  const properties = Object.fromEntries(
    Array.from({ length: 1_000 }, (_, index): [string, JSONSchemaProps] => [
      `f${index}`,
      { type: 'string', maxLength: 20, 'x-kubernetes-validations': rule(`self.startsWith("${index}") || self.size() < ${index} || self == "x${index}"`) },
    ]),
  )
  const defined = await longestStallMs(() => define('Many', { type: 'object', properties }))
  expect(defined.result.ok ? '' : defined.result.status.message).toBe('')
  expect(defined.ms).toBeLessThan(stallMaxMs)
  const given = Object.fromEntries(Object.keys(properties).map((name) => [name, 'yyyyyyyyyyyyyyyyyyyy']))
  const created = await longestStallMs(() => create('Many', given))
  expect(created.result.ok ? '' : created.result.status.message).toMatch(/failed rule/)
  expect(created.ms).toBeLessThan(stallMaxMs)
})

test('a check without an end is given up, and the next one has a thread of its own', async () => {
  const checks = createLongChecks({ clock: systemClock, timeoutMs: 1_000 })
  const check = (text: string): LongCheck => {
    const schema: JSONSchemaProps = { type: 'object', 'x-kubernetes-validations': rule(text) }
    const object = { apiVersion: 'a/v1', kind: 'A', metadata: { name: 'a' } } as KubeObject
    return { input: { of: 'resource', schema, object, isStatus: false }, run: () => [] }
  }
  await expect(checks.make(check(doubled(60)))).rejects.toMatchObject({ status: { code: 504 } })
  expect(await checks.make(check('1 == 1'))).toEqual([])
  await checks.close()
})

/** Two lists that double with every level, to be compared: the language's costs know nothing of it. */
const doubled = (depth: number): string => {
  const build = (level: number): string => (level === 0 ? '[self.metadata.name]' : `[${build(level - 1)}].map(x, [x, x])`)
  return `${build(depth)} == ${build(depth)}`
}
