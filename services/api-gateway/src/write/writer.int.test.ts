// The write path on an in-memory log, without HTTP and without an authorizer.
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import { ApiError, forbidden, isApiError } from '@shiplog/api/status'
import type { AdmissionPlugin } from '@shiplog/domain/admission'
import { builtInCatalogue } from '@shiplog/domain/catalogue/catalogue'
import type { AsyncAdmissionPlugin } from '@shiplog/domain/write/async-admission'
import type { ClusterLog } from '@shiplog/events/event-log'
import { openSqliteClusterLog } from '@shiplog/events/sqlite/sqlite-log'
import { systemClock } from '@shiplog/runtime/clock'
import { systemIds } from '@shiplog/runtime/ids'
import { laggingLog } from '@shiplog/testing/lagging-log'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { GatewayRequest, WriteOutcome } from '../request/gateway-request.ts'
import { createRequestBodies } from '../request/request-body.ts'
import { listAt } from '../store/history.ts'
import { createStreams, type Streams } from '../store/streams.ts'
import { createView } from '../store/view.ts'
import { asyncAttemptsMax } from './optimistic.ts'
import { createWriter, type Writer } from './writer.ts'

const catalogue = builtInCatalogue()
const configMaps = catalogue.resource('', 'v1', 'configmaps')!
const stopping = new AbortController()
let log: ClusterLog
let streams: Streams

beforeEach(async () => {
  log = await openSqliteClusterLog({ dataDir: ':memory:' })
  streams = createStreams(log, { clock: systemClock })
  await Promise.all(streams.all.map(({ projection }) => projection.start(stopping.signal)))
})

afterEach(() => log.close())

function writerWith(
  plugins: {
    readonly admission?: readonly AdmissionPlugin[]
    readonly asyncAdmission?: readonly AsyncAdmissionPlugin[]
  } = {},
  over = streams,
): Writer {
  const bodies = createRequestBodies(catalogue)
  const { admission = [], asyncAdmission = [] } = plugins
  const parts = { bodies, streams: over, view: createView(over), admission, asyncAdmission }
  return createWriter({ ...parts, clock: systemClock, ids: systemIds })
}

const request = (name: string, body?: JsonObject, user = 'alice'): GatewayRequest => ({
  resource: configMaps,
  kind: catalogue.kind(configMaps),
  subresource: '',
  namespace: 'default',
  name,
  query: new URLSearchParams(),
  body: body && { value: body, contentType: 'application/json' },
  user: { name: user, groups: [] },
  defaultManager: 'test',
  requestId: systemIds.uuid(),
  provenance: {},
})

const manifest = (name: string, data: Record<string, string> = {}): JsonObject => ({ metadata: { name }, data })
const create = (writer: Writer, name: string, user?: string): Promise<WriteOutcome> =>
  writer.create(request('', manifest(name), user))
const update = (writer: Writer, name: string, data: Record<string, string>, user?: string): Promise<WriteOutcome> =>
  writer.update(request(name, manifest(name, data), user))
const stored = (name: string): KubeObject | undefined => createView(streams).get('configmaps', 'default', name)

/** Holds the writes of one user until told to let them go. */
function gateFor(user: string) {
  const gates: (() => void)[] = []
  const arrived = Promise.withResolvers<void>()
  const plugin: AsyncAdmissionPlugin = {
    name: 'Gate',
    handles: (attributes) => attributes.user.name === user,
    mutate: () => {
      const gate = Promise.withResolvers<void>()
      gates.push(gate.resolve)
      arrived.resolve()
      return gate.promise
    },
  }
  return { plugin, arrived: arrived.promise, calls: () => gates.length, open: (call: number) => gates[call]?.() }
}

const until = async (holds: () => boolean): Promise<void> => {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve))
}

test('who waits for others keeps neither other objects nor other writers of the same object waiting', async () => {
  const gate = gateFor('slow')
  const writer = writerWith({ asyncAdmission: [gate.plugin] })
  await create(writer, 'a')
  await create(writer, 'b')
  const slow = update(writer, 'a', { by: 'slow' }, 'slow')
  await gate.arrived
  await update(writer, 'b', { by: 'other' })
  await update(writer, 'a', { by: 'quick' })
  expect(stored('a')?.['data']).toEqual({ by: 'quick' })
  gate.open(0)
  // The object moved while it waited: the others are asked about what it is now.
  await until(() => gate.calls() === 2)
  gate.open(1)
  await slow
  expect(stored('a')?.['data']).toEqual({ by: 'slow' })
})

test('others are asked again a few times at most, and then the client is told', async () => {
  const gate = gateFor('slow')
  const writer = writerWith({ asyncAdmission: [gate.plugin] })
  await create(writer, 'a')
  const slow = update(writer, 'a', { by: 'slow' }, 'slow').catch((error: unknown) => error)
  for (let call = 0; call < asyncAttemptsMax; call++) {
    await until(() => gate.calls() === call + 1)
    await update(writer, 'a', { by: `quick ${call}` })
    gate.open(call)
  }
  const error = await slow
  expect(isApiError(error) && error.status).toMatchObject({ code: 409, reason: 'Conflict' })
  expect(gate.calls()).toBe(asyncAttemptsMax)
})

test('what others change is defaulted, validated and stored; what they warn of is said; what they refuse is not stored', async () => {
  const plugin: AsyncAdmissionPlugin = {
    name: 'Policy',
    handles: () => true,
    mutate: async ({ object }) => void (object!['data'] = { ...object!['data'], injected: 'yes' }),
    validate: async ({ object, name }) => {
      if (name === 'refused') throw new ApiError(forbidden({ group: '', resource: 'configmaps' }, name, 'by policy'))
      return [`saw ${Object.keys(object!['data']).join()}`]
    },
  }
  const writer = writerWith({ asyncAdmission: [plugin] })
  const { warnings } = await create(writer, 'a')
  expect(stored('a')?.['data']).toEqual({ injected: 'yes' })
  expect(warnings).toEqual(['saw injected'])
  await expect(create(writer, 'refused')).rejects.toThrow('by policy')
  expect(stored('refused')).toBeUndefined()
})

/** Refuses the writes of one user, after a look at the ConfigMap `rule`, and counts how often. */
function refusing() {
  let decisions = 0
  const plugin: AdmissionPlugin = {
    name: 'Refusing',
    validate({ name, user }, view) {
      if (user.name !== 'counted') return
      view.get('configmaps', 'default', 'rule')
      throw new ApiError(forbidden({ group: '', resource: 'configmaps' }, name, `decision ${++decisions}`))
    },
  }
  return plugin
}

/** A gateway that hears of everything late, while another has acknowledged `name` already. */
async function lateGateway(name: string): Promise<Writer> {
  const late = createStreams(
    laggingLog(log, systemClock, () => 100),
    { clock: systemClock },
  )
  await Promise.all(late.all.map(({ projection }) => projection.start(stopping.signal)))
  await create(writerWith(), name)
  return writerWith({ admission: [refusing()] }, late)
}

test('a refusal stands though the log had moved, when nothing moved that it rested on', async () => {
  await expect(create(await lateGateway('unrelated'), 'a', 'counted')).rejects.toThrow('decision 1')
})

test('a refusal is decided again when something had moved that it rested on', async () => {
  await expect(create(await lateGateway('rule'), 'a', 'counted')).rejects.toThrow('decision 2')
})

test('a component cannot make again what has gone since it looked', async () => {
  const writer = writerWith()
  await create(writer, 'a')
  const { sequence } = await writer.delete(request('a'))
  const again = (basis: number): Promise<WriteOutcome> =>
    writer.create({ ...request('', manifest('a')), provenance: { basis } })
  const refused = await again(sequence - 1).catch((err: unknown) => err)
  expect(isApiError(refused) && refused.status).toMatchObject({ code: 409, reason: 'Conflict' })
  expect(stored('a')).toBeUndefined()
  expect((await again(sequence)).code).toBe(201)
})

test('a name whose deletion is too long ago to be remembered is free again, and its history goes on', async () => {
  const few = createStreams(log, { clock: systemClock, tombstonesMax: 2 })
  await Promise.all(few.all.map(({ projection }) => projection.start(stopping.signal)))
  const writer = writerWith({}, few)
  for (const name of ['a', 'b', 'c', 'd']) {
    await create(writer, name)
    await writer.delete(request(name))
  }
  const subject = 'evt.core.configmaps.default.a'
  const { projection } = few.events
  expect(projection.tombstone(subject)).toBeUndefined()
  const before = (await log.events.last(subject))!.sequence
  const lastForgotten = (await log.events.last('evt.core.configmaps.default.b'))!.sequence
  expect(projection.remembersDeletionsAfter(lastForgotten)).toBe(true)
  expect(projection.remembersDeletionsAfter(lastForgotten - 1)).toBe(false)
  const { sequence } = await create(writer, 'a')
  expect((await log.events.get(sequence))!.headers['Shiplog-Previous']).toBe(String(before))
})

test('a list of the past is whole, also of what was deleted too long ago to be remembered', async () => {
  const few = createStreams(log, { clock: systemClock, tombstonesMax: 1 })
  await Promise.all(streams.all.map(({ projection }) => projection.waitFor(0)))
  const writer = writerWith()
  for (const name of ['a', 'b', 'c']) await create(writer, name)
  const then = await log.events.lastSequence()
  for (const name of ['a', 'b', 'c']) await writer.delete(request(name))
  // A gateway that starts now has no window of the past: it asks the log.
  await Promise.all(few.all.map(({ projection }) => projection.start(stopping.signal)))
  const past = await listAt(few.events, few.events.projection.table('configmaps'), configMaps, '', then)
  expect(past.versions.map(({ name }) => name)).toEqual(['a', 'b', 'c'])
})
