// Two gateways on one log serve the same: what one has acknowledged the other shows, decides on and does not undo. The
// second round makes both hear of everything late, so that whatever trusts a projection without asking is found out.
import type { ApiClient, ApiRequest, ApiResult } from '@shiplog/api/api-client'
import { systemClock } from '@shiplog/runtime/clock'
import { laggingLog } from '@shiplog/testing/lagging-log'
import { seededRandom } from '@shiplog/testing/seeded-random'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Gateway, makeNamespace, must, startGateway } from './gateways.ts'
import { openRealLog, type RealLog } from './real-log.ts'
import { seed, sized, tell } from './size.ts'

const workers = 32

const configMap = (
  verb: ApiRequest['verb'],
  namespace: string,
  name: string,
  body?: ApiRequest['body'],
): ApiRequest => ({
  verb,
  group: '',
  resource: 'configmaps',
  namespace,
  ...(verb === 'create' ? {} : { name }),
  ...(body === undefined ? {} : { body }),
  ...(verb === 'patch' ? { patchType: 'application/merge-patch+json' } : {}),
})

const items = (result: Extract<ApiResult, { ok: true }>): readonly { metadata: any; data?: any }[] =>
  (result.object as unknown as { items: readonly { metadata: any }[] }).items

/** Runs `work` until `count` turns are done, on several workers side by side. */
async function sideBySide(count: number, work: (turn: number, worker: number) => Promise<void>): Promise<void> {
  let next = 0
  await Promise.all(
    Array.from({ length: workers }, async (_, worker) => {
      for (let turn = next++; turn < count; turn = next++) await work(turn, worker)
    }),
  )
}

describe.each([
  ['as it is', 0, sized(10_000, 50_000), sized(2_000, 10_000), sized(200, 2_000)],
  ['heard of late', 25, sized(1_000, 10_000), sized(200, 2_000), sized(40, 1_000)],
] as const)('two gateways on one JetStream log, %s', (_, lagMs, pairs, races, turns) => {
  const random = seededRandom(seed)
  let log: RealLog
  let gateways: readonly Gateway[]
  const clientOf = (side: number): ApiClient => gateways[side % 2]!.client

  beforeAll(async () => {
    log = await openRealLog('jetstream')
    gateways = await Promise.all(
      [0, 1].map(async () => {
        const own = await log.connect()
        return startGateway(lagMs > 0 ? laggingLog(own, systemClock, () => random.below(lagMs)) : own)
      }),
    )
    await makeNamespace(clientOf(0), 'races')
    for (let worker = 0; worker < workers; worker++) await makeNamespace(clientOf(worker), `pairs-${worker}`)
  })
  afterAll(async () => {
    for (const { gateway } of gateways) await gateway.stop()
    await log.remove()
  })

  test(`a write acknowledged by one is seen by ${pairs} following reads of the other`, async () => {
    const violations: string[] = []
    const said = { gets: 0, lists: 0 }
    /** What each object is known to be, undefined when it is gone. */
    const known = new Map<string, { sequence: number; step: string } | undefined>()
    const beganMs = systemClock.nowMs()
    await sideBySide(pairs, async (turn, worker) => {
      const namespace = `pairs-${worker}`
      const name = `object-${random.below(4)}`
      const id = `${namespace}/${name}`
      const side = random.below(2)
      const [writer, reader] = [clientOf(side), clientOf(side + 1)]
      const step = `step-${turn}`
      const before = known.get(id)
      const goes = before !== undefined && random.chance(0.2)
      const request = !before
        ? configMap('create', namespace, name, { metadata: { name }, data: { step } })
        : goes
          ? configMap('delete', namespace, name)
          : random.chance(0.5)
            ? configMap('patch', namespace, name, { data: { step } })
            : configMap('update', namespace, name, {
                metadata: { name, resourceVersion: String(before.sequence) },
                data: { step },
              })
      const written = await writer.request(request)
      if (!written.ok) {
        violations.push(`${request.verb} ${id} was refused: ${written.code} ${written.status.message}`)
        return
      }
      if (before && written.sequence <= before.sequence) {
        violations.push(`${request.verb} ${id} got sequence ${written.sequence} after ${before.sequence}`)
      }
      known.set(id, goes ? undefined : { sequence: written.sequence, step })
      if (turn % 2 === 0) {
        said.gets++
        const read = await reader.request(configMap('get', namespace, name))
        const seen = read.ok ? `${read.object.metadata.resourceVersion} ${read.object['data'].step}` : String(read.code)
        const wanted = goes ? '404' : `${written.sequence} ${step}`
        if (seen !== wanted) violations.push(`get of ${id} after ${request.verb}: ${seen} instead of ${wanted}`)
      } else {
        said.lists++
        const read = await must(reader, configMap('list', namespace, ''))
        const found = items(read).find((item) => item.metadata.name === name)
        const seen = found ? `${found.metadata.resourceVersion} ${found.data.step}` : 'gone'
        const wanted = goes ? 'gone' : `${written.sequence} ${step}`
        if (seen !== wanted) violations.push(`list with ${id} after ${request.verb}: ${seen} instead of ${wanted}`)
        if (read.sequence < written.sequence) violations.push(`list as of ${read.sequence} after ${written.sequence}`)
      }
    })
    const seconds = (systemClock.nowMs() - beganMs) / 1_000
    tell(
      `two gateways, lag up to ${lagMs} ms, seed ${seed}: ${said.gets} get pairs, ${said.lists} list pairs in ${seconds.toFixed(1)} s, ${violations.length} violations`,
    )
    expect(violations.slice(0, 10)).toEqual([])
  }, 300_000)

  test(`exactly one of two creates of a name is accepted, in ${races} races`, async () => {
    const violations: string[] = []
    await sideBySide(races, async (turn) => {
      const name = `raced-${turn}`
      const both = await Promise.all(
        [0, 1].map((side) =>
          clientOf(side).request(
            configMap('create', 'races', name, { metadata: { name }, data: { by: String(side) } }),
          ),
        ),
      )
      const codes = both.map((result) => result.code).sort()
      if (codes.join(' ') !== '201 409') {
        violations.push(`${name}: ${codes.join(' ')}`)
        return
      }
      const won = both.findIndex((result) => result.ok)
      const lost = both[1 - won] as Extract<ApiResult, { ok: false }>
      if (lost.status.reason !== 'AlreadyExists') violations.push(`${name}: ${lost.status.reason}`)
      const read = await must(clientOf(1 - won), configMap('get', 'races', name))
      if (read.object['data'].by !== String(won)) violations.push(`${name}: the loser's object is there`)
      // Whoever lost may delete it, and the winner may have the name again at once.
      await must(clientOf(1 - won), configMap('delete', 'races', name))
      const again = await clientOf(won).request(configMap('create', 'races', name, { metadata: { name } }))
      if (!again.ok) violations.push(`${name}: a create after an acknowledged delete: ${again.status.message}`)
    })
    tell(`two gateways, lag up to ${lagMs} ms: ${races} races of creates, ${violations.length} violations`)
    expect(violations.slice(0, 10)).toEqual([])
  }, 300_000)

  test('concurrent patches from both sides all take effect', async () => {
    const objects = 8
    const keys = turns / 4
    const names = Array.from({ length: objects }, (_each, index) => `patched-${index}`)
    for (const name of names) await must(clientOf(0), configMap('create', 'races', name, { metadata: { name } }))
    await Promise.all(
      names.flatMap((name) =>
        [0, 1].map(async (side) => {
          for (let key = 0; key < keys; key++) {
            await must(clientOf(side), configMap('patch', 'races', name, { data: { [`key-${side}-${key}`]: 'set' } }))
          }
        }),
      ),
    )
    let lost = 0
    for (const [index, name] of names.entries()) {
      const { object } = await must(clientOf(index), configMap('get', 'races', name))
      lost += keys * 2 - Object.keys(object['data']).length
    }
    tell(`two gateways, lag up to ${lagMs} ms: ${objects * keys * 2} patches from both sides, ${lost} lost`)
    expect(lost).toBe(0)
  }, 300_000)

  test('a write that seems to change nothing is decided on what was acknowledged last', async () => {
    const rounds = turns
    const violations: string[] = []
    await must(clientOf(0), configMap('create', 'races', 'turned', { metadata: { name: 'turned' }, data: { to: 'b' } }))
    for (let round = 0; round < rounds; round++) {
      // To `a` through one, and back to what the other may still believe it to be.
      const side = random.below(2)
      const there = await must(clientOf(side), configMap('patch', 'races', 'turned', { data: { to: 'a' } }))
      const back = await must(clientOf(side + 1), configMap('patch', 'races', 'turned', { data: { to: 'b' } }))
      if (back.sequence <= there.sequence) violations.push(`round ${round}: taken for no change, ${back.sequence}`)
      const { object } = await must(clientOf(side), configMap('get', 'races', 'turned'))
      if (object['data'].to !== 'b') violations.push(`round ${round}: ${object['data'].to}`)
    }
    tell(`two gateways, lag up to ${lagMs} ms: ${rounds} turns to and fro, ${violations.length} violations`)
    expect(violations.slice(0, 10)).toEqual([])
  }, 300_000)

  test('a refusal rests on what was acknowledged last', async () => {
    const rounds = turns
    const violations: string[] = []
    const json = (body: readonly Record<string, unknown>[]): ApiRequest => ({
      ...configMap('patch', 'races', 'tested'),
      patchType: 'application/json-patch+json',
      body: body as never,
    })
    await must(clientOf(0), configMap('create', 'races', 'tested', { metadata: { name: 'tested' }, data: { at: '0' } }))
    for (let round = 1; round <= rounds; round++) {
      const was = String(round - 1)
      const result = await clientOf(round).request(
        json([
          { op: 'test', path: '/data/at', value: was },
          { op: 'replace', path: '/data/at', value: String(round) },
        ]),
      )
      if (!result.ok) violations.push(`round ${round}: ${result.status.message}`)
    }
    tell(`two gateways, lag up to ${lagMs} ms: ${rounds} tested patches in turns, ${violations.length} violations`)
    expect(violations.slice(0, 10)).toEqual([])
  }, 300_000)

  test('addresses and node ports of services are unique though both sides give them out', async () => {
    const services = Math.min(turns * 2, 1_000)
    await must(clientOf(0), {
      verb: 'create',
      group: '',
      resource: 'namespaces',
      body: { metadata: { name: 'services' } },
    })
    const service = (name: string, spec: object): ApiRequest => ({
      verb: 'create',
      group: '',
      resource: 'services',
      namespace: 'services',
      body: { metadata: { name }, spec: { type: 'NodePort', ports: [{ port: 80 }], ...spec } },
    })
    const refused: string[] = []
    await sideBySide(services, async (turn) => {
      const made = await clientOf(turn).request(service(`service-${turn}`, {}))
      if (!made.ok) refused.push(made.status.message ?? '')
      // A quarter goes again, through the other side, so that addresses are given back and out anew.
      else if (turn % 4 === 0) {
        const gone = await clientOf(turn + 1).request({
          verb: 'delete',
          group: '',
          resource: 'services',
          namespace: 'services',
          name: `service-${turn}`,
        })
        if (!gone.ok) refused.push(gone.status.message ?? '')
      }
    })
    expect(refused).toEqual([])
    // Ten want the same address at once: one may have it.
    const wanted = await Promise.all(
      Array.from({ length: 10 }, (_each, index) =>
        clientOf(index).request(service(`same-${index}`, { type: 'ClusterIP', clusterIP: '10.111.200.200' })),
      ),
    )
    expect(wanted.filter((result) => result.ok)).toHaveLength(1)
    const list = await must(clientOf(1), { verb: 'list', group: '', resource: 'services', namespace: 'services' })
    const specs = items(list).map((item) => (item as any).spec)
    const addresses = specs.map((spec) => spec.clusterIP)
    const ports = specs.map((spec) => spec.ports[0].nodePort).filter((port) => port !== undefined)
    tell(
      `two gateways, lag up to ${lagMs} ms: ${specs.length} services, ${new Set(addresses).size} addresses, ${new Set(ports).size} node ports`,
    )
    expect(specs).toHaveLength(services - Math.ceil(services / 4) + 1)
    expect(new Set(addresses).size).toBe(specs.length)
    expect(new Set(ports).size).toBe(specs.length - 1)
  }, 300_000)
})
