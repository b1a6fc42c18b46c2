// The model in a real PostgreSQL: the contract of the port, what the roles may see, and payloads of older schemas.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createSchemaVersions } from '@shiplog/api/codec'
import { sealRecord } from '@shiplog/events/integrity/checksum'
import { encodeEnvelope, header } from '@shiplog/events/envelope'
import type { LogRecord } from '@shiplog/events/event-log'
import { createRecordCodec } from '@shiplog/feed/record-codec'
import { systemClock } from '@shiplog/runtime/clock'
import { systemIds } from '@shiplog/runtime/ids'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createPool, readerRole, secretReaderRole } from './database.ts'
import { type EmbeddedPostgres, startEmbeddedPostgres } from './embedded-postgres.ts'
import { createPostgresReadModel, prepare } from './postgres-read-model.ts'
import { readModelContract } from './read-model.contract.ts'
import { streamNames } from '@shiplog/feed/stream-of'

let directory = ''
let server: EmbeddedPostgres
let pool: ReturnType<typeof createPool>

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'shiplog-model-'))
  server = await startEmbeddedPostgres({ dataDir: directory, clock: systemClock, ids: systemIds })
  pool = createPool({ url: server.adminUrl, applicationName: 'test', statementTimeoutMs: 20_000 })
  await prepare(pool)
}, 60_000)
afterAll(async () => {
  await pool?.end()
  await server?.stop()
  rmSync(directory, { recursive: true, force: true })
})

const clear = async (): Promise<void> =>
  void (await pool.query('truncate shiplog.streams, shiplog.versions, shiplog.objects'))

const lines = async (query: string): Promise<string[]> =>
  (await pool.query<{ line: string }>(query)).rows.map(({ line }) => line)

readModelContract('PostgreSQL', {
  open: () => Promise.resolve(),
  dispose: () => Promise.resolve(),
  model: () => createPostgresReadModel(pool),
  clear,
  moveBehindItsBack: async (stream, position) =>
    void (await pool.query('update shiplog.streams set position = $2 where stream = $1', [
      streamNames.indexOf(stream) + 1,
      position,
    ])),
  look: async () => ({
    positions: await lines('select stream || $$ $$ || position as line from v1.projection order by 1'),
    versions: await lines(`select (array['events', 'leases', 'objectEvents'])[stream] || ' ' || sequence || ' ' ||
      group_resource || ' ' || namespace || '/' || name || ' ' || type || ' ' || case when deleted then '-' else '' end ||
      left(encode(sha256, 'hex'), 12) as line from shiplog.versions v order by v.stream, v.sequence`),
    objects: await lines(
      `select group_resource || ' ' || namespace || '/' || name || ' ' || sequence as line from v1.objects order by 1`,
    ),
    completeUntilMs: (
      await pool.query<{ ms: string }>(
        `select extract(epoch from complete_until) * 1000 as ms from v1.projection where stream = 'events' and complete_until is not null`,
      )
    ).rows.map(({ ms }) => Number(ms))[0],
  }),
})

function recordOf(sequence: number, subject: string, object: object | string, schema = 1, deleted = false, key?: string): LogRecord {
  const envelope = encodeEnvelope({ type: 'Changed', schema, actor: 'a', requestId: 'r', previous: 0, deleted })
  const { headers, payload } = sealRecord({
    subject,
    expected: 0,
    headers: { ...envelope, ...(key === undefined ? {} : { [header.key]: key }) },
    payload: Buffer.from(typeof object === 'string' ? object : JSON.stringify(object)),
  })
  return { subject, sequence, timeMs: 1_700_000_000_000 + sequence, headers, payload }
}

const identity = { incarnation: 'first', lastSequence: 1_000 }

describe('Secrets', () => {
  beforeEach(clear)

  const places = [
    'select row_to_json(s)::text as line from v1.secrets s',
    'select row_to_json(s)::text as line from v1.secrets_history s',
    'select row_to_json(s)::text as line from v1.secrets_as_of(9) s',
    `select row_to_json(s)::text as line from v1.secrets_as_of('2023-11-14T22:13:20.004Z'::timestamptz) s`,
    'select row_to_json(s)::text as line from v1.objects s',
    'select row_to_json(s)::text as line from v1.history s',
    'select row_to_json(s)::text as line from v1.as_of(9) s',
    'select row_to_json(s)::text as line from v1.parked s',
  ]
  const content = Buffer.from('a password').toString('base64')
  const secret = (sequence: number, name: string, more: object = {}): LogRecord =>
    recordOf(sequence, `evt.core.secrets.default.${name}`, {
      kind: 'Secret',
      apiVersion: 'v1',
      metadata: {
        name,
        uid: name,
        annotations: {
          'kubectl.kubernetes.io/last-applied-configuration': `{"data":{"a":"${content}"}}`,
          plain: 'yes',
        },
      },
      type: 'Opaque',
      data: { a: content },
      ...more,
    })

  /** What a role is shown at all these places, bytes as text. */
  async function shownTo(role: string): Promise<string[]> {
    const client = await pool.connect()
    try {
      await client.query(`set role ${role}`)
      const shown: string[] = []
      for (const place of places) for (const { line } of (await client.query(place)).rows) shown.push(line)
      return shown.map((line) =>
        line.replaceAll(/\\\\x([0-9a-f]+)/g, (_all, hex: string) => Buffer.from(hex, 'hex').toString()),
      )
    } finally {
      await client.query('reset role')
      client.release()
    }
  }

  test('are shown with their contents to one role alone, wherever they stand; all else is shown to both', async () => {
    const map = recordOf(3, 'evt.core.configmaps.default.c', {
      kind: 'ConfigMap',
      metadata: { name: 'c', uid: 'c' },
      data: { a: 'open' },
    })
    const poisoned = secret(4, 'poisoned', { stringData: { a: 'x\0y' } })
    const records = [secret(1, 's'), secret(2, 's'), map, poisoned, recordOf(9, 'evt.core.configmaps.default.d', {})]
    await createPostgresReadModel(pool).withStream('events', identity, (claimed) => claimed.apply(records, 9))

    const reader = await shownTo(readerRole)
    const privileged = await shownTo(secretReaderRole)
    expect(reader).toHaveLength(privileged.length)
    expect(privileged.filter((line) => line.includes(content)).length).toBeGreaterThan(places.length)
    expect(reader.filter((line) => line.includes(content))).toEqual([])
    // Nor a hash by which a short one could be guessed.
    const hashes = await lines(
      `select encode(sha256, 'hex') as line from shiplog.versions where group_resource = 'secrets'`,
    )
    expect(hashes).toHaveLength(3)
    for (const hash of hashes) expect(reader.filter((line) => line.includes(hash))).toEqual([])
    // That there is one, of which type, and what else it says, is no secret; neither is what is none.
    const telling = (text: RegExp): number => reader.filter((line) => text.test(line)).length
    expect(telling(/"type": ?"Opaque"/)).toBeGreaterThan(3)
    expect(telling(/"plain": ?"yes"/)).toBeGreaterThan(3)
    expect(telling(/"a": ?"open"/)).toBeGreaterThan(2)
  })
})

describe('encrypted records', () => {
  beforeEach(clear)

  /** Keeps what it says where only the cipher finds it. */
  const said = new Map<number, object>()
  const codec = createRecordCodec({
    cipher: {
      decrypt: ({ sequence }) => ({ clear: Buffer.from(JSON.stringify(said.get(sequence))) }),
      encrypt: (append) => append,
    },
  })
  const secret = (sequence: number, name: string, deleted = false): LogRecord => {
    said.set(sequence, {
      kind: 'Secret',
      apiVersion: 'v1',
      metadata: {
        name,
        uid: name,
        labels: { app: 'db' },
        annotations: { 'kubectl.kubernetes.io/last-applied-configuration': 'canary', plain: 'yes' },
      },
      type: 'Opaque',
      data: { a: 'canary' },
    })
    return recordOf(sequence, `evt.core.secrets.default.${name}`, { encrypted: 'box' }, 1, deleted, name)
  }
  const write = (records: readonly LogRecord[], with_ = codec): Promise<unknown> =>
    createPostgresReadModel(pool, with_).withStream('events', identity, (claimed) => claimed.apply(records, records.at(-1)!.sequence))
  const everything = async (): Promise<string> => {
    const tables = await Promise.all(['versions', 'objects'].map((table) => lines(`select row_to_json(t)::text as line from shiplog.${table} t`)))
    return tables.flat().join('\n').replaceAll(/\\\\x([0-9a-f]+)/g, (_all, hex: string) => Buffer.from(hex, 'hex').toString())
  }

  test('are told as what they are, and nothing that they hold is in any table', async () => {
    await write([secret(1, 's'), secret(2, 's'), secret(3, 'gone'), secret(4, 'gone', true)])
    expect(await lines(`select name || ' ' || type || ' ' || (labels->>'app') as line from v1.secrets`)).toEqual(['s Opaque db'])
    expect(await lines(`select sequence || ' ' || uid as line from v1.secrets_history order by sequence`)).toEqual(['1 s', '2 s', '3 gone', '4 gone'])
    const all = await everything()
    expect(all).toContain('"plain": "yes"')
    expect(all).toContain('{"encrypted":"box"}')
    expect(all).not.toContain('canary')
  })

  test('whose key is destroyed are rows with a mark, and no others are', async () => {
    await write([secret(1, 's'), secret(2, 'gone'), secret(3, 'gone', true)])
    const gone = { subject: 'evt.core.secrets.default.gone', uid: 'gone', problem: 'its key was destroyed' }
    const forget = () => createPostgresReadModel(pool, codec).withStream('events', identity, (claimed) => claimed.forgetContents([gone, { ...gone, uid: 's' }]))
    await forget()
    await forget()
    const rows = await lines(
      `select sequence || ' ' || name || ' ' || actor || ' ' || coalesce(type, '-') || ' ' || coalesce(unreadable, '') as line from v1.secrets_history order by sequence`,
    )
    expect(rows).toEqual(['1 s a Opaque ', '2 gone a - its key was destroyed', '3 gone a - its key was destroyed'])
  })

  test('are told by a projector without keys as far as it knows, and anew by one that has them', async () => {
    await write([secret(1, 's')], createRecordCodec())
    expect(await lines(`select name || ' ' || unreadable as line from v1.secrets`)).toEqual([expect.stringMatching(/^s .*it is encrypted, and this process has no keys$/)])
    await write([secret(1, 's')])
    expect(await lines(`select name || ' ' || type as line from v1.secrets where unreadable is null`)).toEqual(['s Opaque'])
  })
})

describe('payloads of older schema versions', () => {
  beforeEach(clear)

  /** Version 2 has a field more. */
  const second = createRecordCodec({
    versions: createSchemaVersions({
      configmaps: { current: 2, upcasters: { 1: (object) => ({ ...object, immutable: true }) } },
    }),
  })
  const map = (sequence: number, name: string, schema: number): LogRecord =>
    recordOf(
      sequence,
      `evt.core.configmaps.default.${name}`,
      { kind: 'ConfigMap', metadata: { name, uid: name } },
      schema,
    )

  const immutables = (view: string): Promise<string[]> =>
    lines(
      `select name || ' ' || coalesce(immutable::text, 'null') || ' ' || coalesce(unreadable, '') as line from v1.${view} order by name, sequence`,
    )

  test('are columns as they are read today, and bytes as they are', async () => {
    const records = [map(1, 'old', 1), map(2, 'new', 2), map(3, 'newer', 3)]
    await createPostgresReadModel(pool, second).withStream('events', identity, (claimed) => claimed.apply(records, 3))
    for (const view of ['configmaps', 'configmaps_history']) {
      expect(await immutables(view)).toEqual(['new null ', expect.stringMatching(/^newer null .*upgrade Shiplog$/), 'old true '])
    }
    expect(await lines('select name as line from v1.parked')).toEqual(['newer'])
    const [stored] = await lines(`select convert_from(payload, 'UTF8') as line from v1.configmaps where name = 'old'`)
    expect(stored).toBe(Buffer.from(records[0]!.payload).toString())
  })

  test('are read anew when the schema versions have changed since', async () => {
    await createPostgresReadModel(pool).withStream('events', identity, (claimed) =>
      claimed.apply([map(1, 'old', 1)], 1),
    )
    expect(await immutables('configmaps')).toEqual(['old null '])
    let from: number | undefined
    await createPostgresReadModel(pool, second).withStream('events', identity, async (claimed) => {
      from = claimed.position
    })
    expect(from).toBe(0)
    expect(await immutables('configmaps')).toEqual([])
  })
})

describe('views of custom resources', () => {
  beforeEach(clear)

  const definition = (properties: object, group = 'example.com') => ({
    kind: 'CustomResourceDefinition',
    metadata: { name: `widgets.${group}`, uid: 'd' },
    spec: {
      group,
      scope: 'Namespaced',
      names: { plural: 'widgets', kind: 'Widget' },
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          schema: { openAPIV3Schema: { type: 'object', properties: { spec: { type: 'object', properties } } } },
        },
      ],
    },
  })
  const subjectOf = (group = 'example.com') =>
    `evt.apiextensions%2Ek8s%2Eio.customresourcedefinitions._.widgets%2E${group.replace('.', '%2E')}`
  const widget = (sequence: number, spec: object) =>
    recordOf(sequence, 'evt.example%2Ecom.widgets.default.w', {
      kind: 'Widget',
      apiVersion: 'example.com/v1',
      metadata: { name: 'w', namespace: 'default', uid: 'w' },
      spec,
    })
  const viewsOfWidgets = (): Promise<string[]> =>
    lines(`select viewname as line from pg_views where schemaname = 'v1' and viewname like 'widgets%' order by 1`)

  test('come with their definition, typed by its schema, follow it, and go with it', async () => {
    const sizes = { size: { type: 'integer' }, madeAt: { type: 'string', format: 'date-time' } }
    await createPostgresReadModel(pool).withStream('events', identity, async (claimed) => {
      await claimed.apply([recordOf(1, subjectOf(), definition(sizes)), widget(2, { size: 3, madeAt: '2026-01-01T00:00:00Z' })], 2)
      expect(await viewsOfWidgets()).toEqual(['widgets', 'widgets_history'])
      const shown = `select size + 1 || ' ' || extract(year from made_at at time zone 'UTC') as line from v1.widgets`
      expect(await lines(shown)).toEqual(['4 2026'])
      const client = await pool.connect()
      try {
        await client.query(`set role ${readerRole}`)
        expect((await client.query('select size from v1.widgets_as_of(2)')).rows).toEqual([{ size: '3' }])
      } finally {
        await client.query('reset role')
        client.release()
      }
      // Another type: PostgreSQL would not let the column be replaced.
      await claimed.apply([recordOf(3, subjectOf(), definition({ size: { type: 'string' } }))], 3)
      expect(await lines(`select size || '!' as line from v1.widgets`)).toEqual(['3!'])
      // A kind of another group with the same plural has a longer name.
      await claimed.apply([recordOf(4, subjectOf('other.org'), definition(sizes, 'other.org'))], 4)
      expect(await viewsOfWidgets()).toEqual([
        'widgets',
        'widgets_history',
        'widgets_other_org',
        'widgets_other_org_history',
      ])
      await claimed.apply([recordOf(5, subjectOf(), definition(sizes), 1, true)], 5)
      expect(await viewsOfWidgets()).toEqual(['widgets_other_org', 'widgets_other_org_history'])
    })
    // Another log has definitions of its own.
    await createPostgresReadModel(pool).withStream('events', { incarnation: 'second', lastSequence: 1 }, async () => undefined)
    expect(await viewsOfWidgets()).toEqual([])
  })
})
