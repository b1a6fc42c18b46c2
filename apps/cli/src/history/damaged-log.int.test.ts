// Bits flipped in the files of a log, one record at a time: what the present does not rest on is told wherever the past is
// asked for, and never left out in silence; what it does rest on stops the start until somebody says what to give up.
import { execFile } from 'node:child_process'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import type { IncomingHttpHeaders } from 'node:http'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type RunningCluster, startCluster } from '@shiplog/all-in-one/cluster'
import type { ApiRequest } from '@shiplog/api/api-client'
import { silentLogger } from '@shiplog/runtime/logger'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { findNatsServer } from '../cluster/find-nats-server.ts'

vi.setConfig({ testTimeout: 90_000, hookTimeout: 120_000 })

interface Answer {
  readonly code: number
  readonly text: string
  readonly headers: IncomingHttpHeaders
}

let directory = ''
/** The log as it was before anything was harmed. */
const whole = (): string => join(directory, 'whole')
const at: Record<string, number> = {}

async function start(
  dataDir: string,
  log: 'embedded' | 'jetstream',
  progress: string[] = [],
  postgres = 'off',
): Promise<RunningCluster> {
  return await startCluster({
    dataDir,
    port: 0,
    log,
    simulatedNodes: 1,
    logger: silentLogger,
    findNatsServer: findNatsServer(() => undefined),
    progress: (line) => progress.push(line),
    postgres,
  })
}

async function ask(cluster: RunningCluster, what: Partial<ApiRequest>): Promise<number> {
  const client = cluster.gateway.clientFor({ name: 'ann', groups: ['system:masters'] })
  const result = await client.request({ verb: 'get', group: '', resource: 'configmaps', namespace: 'default', ...what })
  if (!result.ok) throw new Error(JSON.stringify(result.status))
  return result.sequence
}

function get(cluster: RunningCluster, path: string): Promise<Answer> {
  const file = (name: string): Buffer => readFileSync(join(cluster.dataDir, 'pki', name))
  return new Promise((resolve, reject) => {
    const tls = { ca: file('ca.crt'), cert: file('admin.crt'), key: file('admin.key'), agent: false as const }
    request(`${cluster.url}${path}`, tls, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => (text += chunk))
      response.on('end', () => resolve({ code: response.statusCode!, text, headers: response.headers }))
    })
      .on('error', reject)
      .end()
  })
}

function shiplog(dataDir: string, ...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    const [command, ...rest] = args
    const run = [join(import.meta.dirname, '../main.ts'), command!, '-d', dataDir, ...rest]
    execFile(process.execPath, run, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    )
  })
}

function filesBelow(path: string): string[] {
  if (!statSync(path).isDirectory()) return [path]
  return readdirSync(path).flatMap((name) => filesBelow(join(path, name)))
}

/**
 * Flips one bit of a text wherever the log's files hold it; gives how often. A tombstone repeats what the object said last:
 * where files only grow, it alone can be harmed.
 */
function flip(dataDir: string, text: string): number {
  let flipped = 0
  for (const file of filesBelow(dataDir).filter((name) => /\.(db|blk)$/.test(name) && !name.endsWith('index.db'))) {
    const bytes = readFileSync(file)
    const last = file.endsWith('.blk') && bytes.lastIndexOf(text)
    for (let place = last || bytes.indexOf(text); place >= 0; place = bytes.indexOf(text, place + 1)) {
      bytes[place + 2]! ^= 1
      flipped += 1
    }
    writeFileSync(file, bytes)
  }
  return flipped
}

const map = (name: string, marker: string) => ({ metadata: { name }, data: { marker } })

async function makeLog(log: 'embedded' | 'jetstream'): Promise<void> {
  const cluster = await start(whole(), log)
  const write = async (verb: ApiRequest['verb'], name: string, marker = ''): Promise<number> =>
    await ask(
      cluster,
      verb === 'create' ? { verb, body: map(name, marker) } : { verb, name, ...(verb === 'delete' ? {} : { body: map(name, marker) }) },
    )
  at['first'] = await write('create', 'gone', 'gone-created')
  for (let i = 0; i < 13; i++) await write('create', `other-${i}`, `other-${i}`)
  at['liveOne'] = await write('create', 'live', 'live-one')
  at['all'] = at['liveOne']
  await write('update', 'gone', 'gone-changed')
  at['deleted'] = await write('delete', 'gone')
  at['liveTwo'] = await write('update', 'live', 'live-two')
  await write('create', 'single', 'single-one')
  at['tombMade'] = await write('create', 'tomb', 'tomb-made')
  await write('update', 'tomb', 'tomb-last')
  at['tombDeleted'] = await write('delete', 'tomb')
  const event = {
    metadata: { name: 'noted', namespace: 'default' },
    involvedObject: { kind: 'ConfigMap', namespace: 'default', name: 'live' },
    reason: 'Noted',
    message: 'event-of-old',
    type: 'Normal',
  }
  await ask(cluster, { verb: 'create', resource: 'events', body: event })
  const lease = { metadata: { name: 'held' }, spec: { holderIdentity: 'lease-holder-1' } }
  await ask(cluster, { verb: 'create', group: 'coordination.k8s.io', resource: 'leases', body: lease })
  at['end'] = await write('update', 'other-0', 'the-end')
  await cluster.stop()
}

/** A copy of the log with these texts harmed. */
function harmed(name: string, ...texts: string[]): string {
  const dataDir = join(directory, name)
  cpSync(whole(), dataDir, { recursive: true })
  for (const text of texts) expect(flip(dataDir, text), text).toBeGreaterThan(0)
  return dataDir
}

const names = (answer: Answer): string[] => JSON.parse(answer.text).items.map((item: any) => item.metadata.name)
const maps = '/api/v1/namespaces/default/configmaps'

describe.each(['embedded', 'jetstream'] as const)('the log %s', (log) => {
  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'shiplog-damage-'))
    await makeLog(log)
  })
  afterAll(() => rmSync(directory, { recursive: true, force: true }))

  describe('with a damaged record of an object that was deleted, and of one that changed since', () => {
    let cluster: RunningCluster
    let dataDir: string
    const progress: string[] = []
    beforeAll(async () => {
      dataDir = harmed('past', 'gone-created', 'live-one')
      cluster = await start(dataDir, log, progress, 'auto')
    })
    afterAll(() => cluster.stop())

    test('the start says so, and so does readyz', async () => {
      const both = new RegExp(`${at['first']}.*${at['liveOne']}`)
      await vi.waitFor(() => expect(progress.join('\n')).toMatch(/PAST IS DAMAGED/), 30_000)
      expect(progress.find((line) => line.includes('PAST IS DAMAGED'))).toMatch(both)
      const ready = await get(cluster, '/readyz?verbose')
      expect(ready.code).toBe(200)
      expect(ready.text).toMatch(new RegExp(`log-inspection ok: the past is damaged at sequence ${both.source}`))
      expect((await shiplog(dataDir, 'status')).stdout).toMatch(both)
      await vi.waitFor(async () => {
        const events = await get(cluster, '/api/v1/events')
        const told = JSON.parse(events.text).items.filter(({ reason }: any) => reason === 'LogDamaged')
        expect(told).toMatchObject([{ message: expect.stringMatching(both), type: 'Warning' }])
      }, 10_000)
    })

    test('the present is whole, and says nothing of it', async () => {
      const present = await get(cluster, maps)
      expect(names(present)).toHaveLength(13 + 2 + 1)
      expect(present.headers['warning']).toBeUndefined()
    })

    test('a list of then has all but what is damaged, and warns of that by its sequence', async () => {
      const list = await get(cluster, `/at/${at['all']}${maps}`)
      expect(names(list)).toHaveLength(13 + 1)
      expect(list.headers['warning']).toMatch(new RegExp(`299 - ".*sequence ${at['first']}, ${at['liveOne']}.*configmaps default/gone`))
      const exact = await get(cluster, `${maps}?resourceVersion=${at['all']}&resourceVersionMatch=Exact`)
      expect(names(exact)).toEqual(names(list))
      expect(exact.headers['warning']).toBe(list.headers['warning'])
      // Later versions say what those that are damaged do not.
      const later = await get(cluster, `/at/${at['tombMade']}${maps}`)
      expect(later.headers['warning']).toBeUndefined()
      expect(names(later)).toEqual(expect.arrayContaining(['live', 'tomb', 'single']))
    })

    test('a get of then is an error for what is damaged, and an answer for everything else', async () => {
      const lost = await get(cluster, `/at/${at['all']}${maps}/gone`)
      expect([lost.code, lost.text]).toEqual([500, expect.stringContaining(`sequence ${at['first']}`)])
      expect((await get(cluster, `/at/${at['all']}${maps}/live`)).code).toBe(500)
      expect((await get(cluster, `/at/${at['liveTwo']}${maps}/live`)).code).toBe(200)
      expect((await get(cluster, `/at/${at['all']}${maps}/other-3`)).code).toBe(200)
      expect((await get(cluster, `/at/${at['deleted']}${maps}/gone`)).code).toBe(404)
    })

    test('watches across the damage are told so, and those of what came later go on', async () => {
      const past = await get(cluster, `/at/${at['all']}${maps}?watch=true&resourceVersion=${at['first']! - 1}`)
      expect([past.code, past.text]).toEqual([500, expect.stringContaining(`sequence ${at['first']}`)])
      const initial = await get(cluster, `/at/${at['all']}${maps}?watch=true&timeoutSeconds=1`)
      expect(initial.headers['warning']).toContain(String(at['first']))
      expect(initial.text.match(/"ADDED"/g)).toHaveLength(14)
      const present = await get(cluster, `${maps}?watch=true&timeoutSeconds=1&resourceVersion=${at['first']! - 1}`)
      expect(present.text).toMatch(/"type":"ERROR".*"code":410/)
      const later = await get(cluster, `${maps}?watch=true&timeoutSeconds=1&resourceVersion=${at['liveTwo']}`)
      expect(later.text).not.toContain('ERROR')
      expect(later.text).toContain('single-one')
    })

    const checkCommands = async (): Promise<void> => {
      const told = await shiplog(dataDir, 'log', '--until', String(at['end']))
      expect(told.stdout).toMatch(new RegExp(`^ *${at['first']}  -  damaged record \\(.*\\)  of configmap/gone in default$`, 'm'))
      expect(told.stdout).toMatch(new RegExp(`^ *${at['liveOne']}  -  damaged record`, 'm'))
      expect(told.stdout.match(/ConfigMapCreated +configmap\/other-/g)).toHaveLength(13)
      expect(told.stderr).toContain(`damaged at sequence ${at['first']}, ${at['liveOne']}`)
      const history = await shiplog(dataDir, 'history', 'cm/live', '-o', 'json')
      expect(history.stdout.trim().split('\n').map((line) => JSON.parse(line))).toMatchObject([
        { sequence: at['liveOne'], damaged: expect.any(String) },
        { sequence: at['liveTwo'], type: 'ConfigMapUpdated' },
      ])
      expect(history.stderr).toContain(String(at['liveOne']))
      const one = await shiplog(dataDir, 'history', 'cm/gone')
      expect(one.stdout).toMatch(new RegExp(`^${at['first']}  -  damaged record`, 'm'))
      expect(one.stdout).toContain('ConfigMapDeleted')
      const diff = await shiplog(dataDir, 'diff', String(at['all']), String(at['liveTwo']), 'cm')
      expect(diff.stderr).toContain(String(at['liveOne']))
      const replay = await shiplog(dataDir, 'replay')
      expect(replay.stdout).toContain('0 different')
    }
    test('log, history, diff and replay show it, while the cluster runs', checkCommands)

    test('SQL has a row for it, in history and as of then', async () => {
      const rows = async (query: string): Promise<any[]> => {
        const { code, stdout, stderr } = await shiplog(dataDir, 'sql', '-o', 'json', '--fresh', query)
        if (code !== 0) throw new Error(stderr)
        return JSON.parse(stdout)
      }
      const columns = 'sequence, event_type, unreadable, object'
      const history = `select ${columns} from v1.configmaps_history where name = 'live' order by sequence`
      await vi.waitFor(
        async () =>
          expect(await rows(history)).toMatchObject([
            { sequence: at['liveOne'], unreadable: expect.stringMatching(/^damaged record: /), object: null },
            { sequence: at['liveTwo'], unreadable: null, object: { data: { marker: 'live-two' } } },
          ]),
        { timeout: 120_000, interval: 1_000 },
      )
      const then = await rows(`select name, unreadable from v1.configmaps_as_of(${at['all']}::bigint) order by name`)
      expect(then.filter(({ unreadable }) => unreadable !== null).map(({ name }) => name)).toEqual(['gone', 'live'])
      expect(then.filter(({ name }) => name.startsWith('other-'))).toHaveLength(13)
      const parked = await rows(`select sequence from v1.parked order by sequence`)
      expect(parked.map(({ sequence }) => sequence)).toEqual([at['first'], at['liveOne']])
    }, 180_000)

    test('and when it was stopped; verify says that only the past is concerned', async () => {
      await cluster.stop()
      await checkCommands()
      const verify = await shiplog(dataDir, 'verify')
      expect(verify.code).toBe(1)
      expect(verify.stderr).toContain('2 findings; only the past is concerned')
    })
  })

  test.each([
    ['of a live object, which goes back to its version before', 'live-two', 'live', /goes back to what it was at sequence/, 'live-one'],
    ['of a live object that has no other version', 'single-one', 'single', /no whole version of it is left/, undefined],
    ['that ended an object', 'tomb-last', 'tomb', /sequence/, undefined],
  ] as const)('a damaged record %s stops the start, and repair mends it', async (_, text, name, gaveUp, marker) => {
    const dataDir = harmed(`present-${name}`, text)
    await expect(start(dataDir, log)).rejects.toThrow(new RegExp(`configmaps.default.${name}`))
    const asked = await shiplog(dataDir, 'repair')
    expect(asked.code).toBe(1)
    expect(asked.stdout).toMatch(gaveUp)
    await expect(start(dataDir, log)).rejects.toThrow()
    // JetStream gives nothing of a record that it finds damaged: that it was a deletion has to be said.
    const end = name === 'tomb' && log === 'jetstream' ? ['--end', String(at['tombDeleted'])] : []
    expect(await shiplog(dataDir, 'repair', '--yes', ...end)).toMatchObject({ code: 0, stdout: expect.stringContaining('repaired at') })
    const verify = await shiplog(dataDir, 'verify')
    expect(verify.stderr).toBe('')
    expect(verify.stdout).toContain('accepted: ')
    const cluster = await start(dataDir, log)
    try {
      const answer = await get(cluster, `${maps}/${name}`)
      if (marker === undefined) expect(answer.code).toBe(404)
      else expect(JSON.parse(answer.text).data.marker).toBe(marker)
      // resourceVersions never go back, and the object can be written again.
      const list = await get(cluster, maps)
      expect(Number(JSON.parse(list.text).metadata.resourceVersion)).toBeGreaterThan(at['end']!)
      const again = await ask(cluster, marker === undefined ? { verb: 'create', body: map(name, 'new') } : { verb: 'update', name, body: map(name, 'new') })
      expect(again).toBeGreaterThan(at['end']!)
      expect(await get(cluster, `${maps}/${name}`)).toMatchObject({ code: 200 })
    } finally {
      await cluster.stop()
    }
    expect((await shiplog(dataDir, 'repair')).stdout).toContain('nothing to repair')
  })

  test('a damaged Lease or Event object counts as expired, and can be made anew', async () => {
    const dataDir = harmed('aging', 'event-of-old', 'lease-holder-1')
    const cluster = await start(dataDir, log)
    try {
      expect((await get(cluster, '/api/v1/namespaces/default/events/noted')).code).toBe(404)
      expect((await get(cluster, '/apis/coordination.k8s.io/v1/namespaces/default/leases/held')).code).toBe(404)
      const lease = { metadata: { name: 'held' }, spec: { holderIdentity: 'b' } }
      await ask(cluster, { verb: 'create', group: 'coordination.k8s.io', resource: 'leases', body: lease })
      expect(names(await get(cluster, maps))).toHaveLength(16)
    } finally {
      await cluster.stop()
    }
  })
})
