// The contract of the EventLog port, as tests: what both adapters must do alike. `sqlite.int.test.ts` and
// `jetstream.int.test.ts` run it, each on its real store.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { encodeEnvelope } from './envelope.ts'
import type { Append, ClusterLog, EventLog, LogRecord } from './event-log.ts'
import { isExpiryMarker } from './expiry.ts'
import { createGroupCommitter } from './commit/group-committer.ts'
import { decodeToken, encodeToken, objectSubject, parseObjectSubject } from './subjects.ts'

export interface ContractSubject {
  /** A cluster log on fresh storage. */
  open(): Promise<ContractLog>
}

export interface ContractLog {
  readonly log: ClusterLog
  /** Closes and opens again on the same storage. */
  reopen(): Promise<ClusterLog>
  dispose(): Promise<void>
}

let serial = 0

/** An append for tests: a small JSON payload, a real envelope, a request id of its own. */
export function sample(subject: string, expected: number | undefined, payload: unknown = { n: 1 }): Append {
  serial += 1
  return {
    subject,
    expected,
    headers: encodeEnvelope({
      type: 'PodUpdated',
      schema: 1,
      actor: 'tester',
      requestId: `request-${process.pid}-${serial}`,
      previous: expected ?? 0,
      deleted: false,
    }),
    payload: Buffer.from(JSON.stringify(payload)),
  }
}

/** Appends one record and returns its sequence; throws on a conflict. */
export async function put(log: EventLog, subject: string, expected: number | undefined, payload?: unknown) {
  const result = await log.append([sample(subject, expected, payload)])
  if (!result.ok) throw new Error(`unexpected conflict: ${JSON.stringify(result.conflict)}`)
  return result.sequences[0]!
}

export async function collect(records: AsyncIterable<readonly LogRecord[]>): Promise<LogRecord[]> {
  const all: LogRecord[] = []
  for await (const batch of records) all.push(...batch)
  return all
}

/** Follows until `enough` says so; returns what came, and how many records the snapshot had. */
export async function followUntil(
  log: EventLog,
  options: { subjects: readonly string[]; from?: number },
  enough: (records: readonly LogRecord[], snapshotSize: number | undefined) => boolean,
): Promise<{ records: LogRecord[]; snapshotSize: number | undefined }> {
  const abort = new AbortController()
  const timer = setTimeout(() => abort.abort(), 20_000)
  const records: LogRecord[] = []
  let snapshotSize: number | undefined
  for await (const batch of log.follow({ ...options, signal: abort.signal })) {
    if (batch.length === 0) snapshotSize ??= records.length
    records.push(...batch)
    if (enough(records, snapshotSize)) abort.abort()
  }
  clearTimeout(timer)
  return { records, snapshotSize }
}

const bodyOf = (record: LogRecord | undefined): unknown =>
  record && JSON.parse(Buffer.from(record.payload).toString('utf8'))

const hostileNames = [
  'system:controller:*',
  'a>b',
  '>',
  '*',
  '_',
  'kube-root-ca.crt',
  '..',
  '.',
  '%2E',
  'with space',
  'ünïcødé-名前-🚀',
  '\u0000\r\n\t',
  '$JS.API.STREAM.DELETE.EVENTS',
  'x'.repeat(253),
  'CON',
  '-',
  '~',
  "'; drop table events; --",
]

/** Declares the contract's tests for one adapter. */
export function describeEventLogContract(name: string, subject: ContractSubject): void {
  describe(`EventLog contract: ${name}`, () => {
    let opened: ContractLog
    let cluster: ClusterLog
    let log: EventLog
    let area = 0
    const fresh = (): string => {
      area += 1
      return `evt.core.pods.area-${area}`
    }

    beforeAll(async () => {
      opened = await subject.open()
      cluster = opened.log
      log = cluster.events
    })
    afterAll(async () => opened?.dispose())

    test('the store of keys is a log of its own, and what is erased there leaves the newest word', async () => {
      const { keys } = cluster
      const before = await log.lastSequence()
      const first = await put(keys, 'key.uid-1', 0, { wrapped: 'a' })
      await put(keys, 'key.uid-2', 0, { wrapped: 'b' })
      const second = await put(keys, 'key.uid-1', first, { destroyed: true })
      expect((await keys.append([sample('key.uid-1', first)])).ok).toBe(false)
      await keys.erase('key.uid-1')
      await keys.erase('key.uid-1')
      await keys.erase('key.nobody')
      expect(await keys.get(first)).toBeUndefined()
      expect(bodyOf(await keys.last('key.uid-1'))).toEqual({ destroyed: true })
      expect([...(await keys.countBySubject())].sort()).toEqual([['key.uid-1', 1], ['key.uid-2', 1]])
      expect(await put(keys, 'key.uid-1', second)).toBeGreaterThan(second)
      expect(await log.lastSequence()).toBe(before)
    })

    test('the state as of any sequence is what a reader of the prefix would have folded', async () => {
      const area = fresh()
      const names = Array.from({ length: 12 }, (_, index) => `${area}.n${index}`)
      const written: { readonly subject: string; readonly sequence: number }[] = []
      const lasts = new Map<string, number>()
      for (let step = 0; step < 60; step += 1) {
        const subject = names[(step * 7 + (step >> 3)) % names.length]!
        const sequence = await put(log, subject, lasts.get(subject) ?? 0, { step })
        lasts.set(subject, sequence)
        written.push({ subject, sequence })
      }
      for (const { sequence: at } of [{ sequence: written[0]!.sequence - 1 }, ...written, written.at(-1)!]) {
        const expected = new Map<string, number>()
        for (const { subject, sequence } of written) if (sequence <= at) expected.set(subject, sequence)
        const state = await collect(log.stateAt(at, [`${area}.>`]))
        expect(state.map((record) => record.sequence)).toEqual([...expected.values()].sort((a, b) => a - b))
        for (const subject of names) {
          expect((await log.lastUpTo(subject, at))?.sequence).toBe(expected.get(subject))
        }
      }
    })

    test('the state of more subjects than one answer holds is complete', async () => {
      const area = fresh()
      const count = 1_100
      for (let from = 0; from < count; from += 100) {
        const group = Array.from({ length: 100 }, (_, index) => sample(`${area}.n${from + index}`, 0))
        expect((await log.append(group)).ok).toBe(true)
      }
      const at = await log.lastSequence()
      await put(log, `${area}.n7`, undefined)
      const state = await collect(log.stateAt(at, [`${area}.>`]))
      expect(state).toHaveLength(count)
      expect(state.every((record) => record.sequence <= at)).toBe(true)
    })

    test('an appended record is read back as it was written, at its sequence', async () => {
      const at = `${fresh()}.web`
      const append = sample(at, 0, { hello: 'wörld' })
      const before = Date.now() - 1000
      const result = await log.append([append])
      expect(result.ok).toBe(true)
      const sequence = result.ok ? result.sequences[0]! : 0
      const record = await log.get(sequence)
      expect(record?.subject).toBe(at)
      expect(record?.sequence).toBe(sequence)
      expect({ ...record?.headers }).toEqual(append.headers)
      expect(Buffer.from(record!.payload).equals(append.payload)).toBe(true)
      expect(record!.timeMs).toBeGreaterThan(before)
      expect((await log.last(at))?.sequence).toBe(sequence)
      expect(await log.lastSequence()).toBeGreaterThanOrEqual(sequence)
      expect(await log.get(sequence + 1000)).toBeUndefined()
      expect(await log.get(0)).toBeUndefined()
      expect(await log.last(`${at}-nobody`)).toBeUndefined()
    })

    test('a stale expectation is refused with the subject, and nothing is stored', async () => {
      const at = `${fresh()}.web`
      const first = await put(log, at, 0)
      const end = await log.lastSequence()
      for (const stale of [0, first - 1, first + 1]) {
        const refused = await log.append([sample(at, stale)])
        expect(refused.ok).toBe(false)
        if (!refused.ok) {
          expect(refused.conflict.subject).toBe(at)
          expect(refused.conflict.expected).toBe(stale)
          expect([first, undefined]).toContain(refused.conflict.actual)
        }
      }
      expect(await log.lastSequence()).toBe(end)
      expect(await put(log, at, first)).toBeGreaterThan(first)
      expect(await put(log, at, undefined)).toBeGreaterThan(first)
    })

    test('a group is stored whole with contiguous sequences, or not at all', async () => {
      const at = fresh()
      const one = await put(log, `${at}.one`, 0)
      const good = await log.append([
        sample(`${at}.one`, one),
        sample(`${at}.two`, 0),
        sample('guard.quota.x', undefined),
      ])
      expect(good.ok).toBe(true)
      const sequences = good.ok ? good.sequences : []
      expect(sequences).toEqual([sequences[0], sequences[0]! + 1, sequences[0]! + 2])
      const end = await log.lastSequence()
      for (const stale of [0, 1, 2]) {
        const members = [
          sample(`${at}.one`, stale === 0 ? one : sequences[0]),
          sample(`${at}.two`, stale === 1 ? 0 : sequences[1]),
          sample('guard.quota.x', stale === 2 ? 1 : sequences[2]),
        ]
        const refused = await log.append(members)
        expect(refused).toMatchObject({ ok: false, conflict: { subject: members[stale]!.subject } })
      }
      expect(await log.lastSequence()).toBe(end)
      expect((await log.last(`${at}.two`))?.sequence).toBe(sequences[1])
    })

    test('a group that could not be stored on every adapter is a TypeError', async () => {
      const at = fresh()
      await expect(log.append([])).rejects.toThrow(TypeError)
      await expect(log.append([sample(`${at}.a`, 0), sample(`${at}.a`, 0)])).rejects.toThrow(TypeError)
      for (const bad of ['', 'evt..x', '.evt', 'evt.', 'evt.*.x', 'evt.>', 'evt. .x', `evt.${'x'.repeat(2000)}`]) {
        await expect(log.append([sample(bad, 0)])).rejects.toThrow(TypeError)
      }
      const header = { ...sample(`${at}.h`, 0), headers: { 'X-Evil': 'a\r\nNats-Msg-Id: 1' } }
      await expect(log.append([header])).rejects.toThrow(TypeError)
      await expect(log.append([{ ...sample(`${at}.b`, 0), payload: Buffer.alloc(5 * 1024 * 1024) }])).rejects.toThrow(
        TypeError,
      )
    })

    test('of many writers that race on one subject exactly one wins each round', async () => {
      const at = `${fresh()}.contested`
      let expected = 0
      for (let round = 0; round < 25; round += 1) {
        const results = await Promise.all(
          Array.from({ length: 24 }, (_, writer) => log.append([sample(at, expected, { round, writer })])),
        )
        const winners = results.flatMap((result, writer) => (result.ok ? [{ writer, at: result.sequences[0]! }] : []))
        expect(winners).toHaveLength(1)
        const last = await log.last(at)
        expect(last?.sequence).toBe(winners[0]!.at)
        expect(bodyOf(last)).toEqual({ round, writer: winners[0]!.writer })
        expect(last!.sequence).toBeGreaterThan(expected)
        expected = last!.sequence
      }
      expect(await collect(log.read({ subjects: [at] }))).toHaveLength(25)
    }, 60_000)

    test('hostile names are subjects of their own and come back as they were', async () => {
      const namespace = `hostile-${fresh().split('-')[1]}`
      const subjects = hostileNames.map((name) =>
        objectSubject({ group: 'rbac.authorization.k8s.io', resource: 'roles', namespace, name }),
      )
      expect(new Set(subjects).size).toBe(hostileNames.length)
      for (const [index, at] of subjects.entries()) await put(log, at, 0, { name: hostileNames[index] })
      for (const [index, at] of subjects.entries()) {
        expect(bodyOf(await log.last(at))).toEqual({ name: hostileNames[index] })
        expect(parseObjectSubject(at)?.name).toBe(hostileNames[index])
        expect(decodeToken(encodeToken(hostileNames[index]!))).toBe(hostileNames[index])
      }
      const all = await collect(log.read({ subjects: [`evt.rbac%2Eauthorization%2Ek8s%2Eio.roles.${namespace}.>`] }))
      expect(all.map((record) => record.subject)).toEqual(subjects)
    })

    test('a create over a tombstone expects the tombstone', async () => {
      const at = `${fresh()}.phoenix`
      const born = await put(log, at, 0)
      const tombstone = sample(at, born)
      const gone = await log.append([{ ...tombstone, headers: { ...tombstone.headers, 'Shiplog-Deleted': '1' } }])
      const grave = gone.ok ? gone.sequences[0]! : 0
      expect(await log.append([sample(at, 0)])).toMatchObject({ ok: false })
      const again = await put(log, at, grave)
      expect((await log.last(at))?.sequence).toBe(again)
      expect((await collect(log.read({ subjects: [at] }))).map((record) => record.sequence)).toEqual([
        born,
        grave,
        again,
      ])
    })

    test('a read is filtered, bounded on both sides and in order', async () => {
      const at = fresh()
      const written: number[] = []
      for (let index = 0; index < 20; index += 1)
        written.push(await put(log, `${at}.pod-${index % 5}`, undefined, { index }))
      const numbers = async (options: Parameters<EventLog['read']>[0]) =>
        (await collect(log.read(options))).map((record) => record.sequence)
      expect(await numbers({ subjects: [`${at}.>`] })).toEqual(written)
      expect(await numbers({ subjects: [`${at}.>`], from: written[5]!, to: written[9]! })).toEqual(written.slice(5, 10))
      expect(await numbers({ subjects: [`${at}.pod-1`, `${at}.pod-3`] })).toEqual(
        written.filter((_, index) => index % 5 === 1 || index % 5 === 3),
      )
      expect(await numbers({ subjects: ['evt.*.pods.*.pod-4'], from: written[0]! })).toEqual(
        written.filter((_, index) => index % 5 === 4),
      )
      expect(await numbers({ from: written.at(-1)! + 1 })).toEqual([])
      expect(await numbers({ from: written[3]!, to: written[3]! })).toEqual([written[3]])
      expect(await log.firstSequence()).toBe(1)
    })

    test('a follower gets the last record of every subject, the mark, and then everything, nothing missed or twice', async () => {
      const at = fresh()
      const before = new Map<string, number>()
      for (let index = 0; index < 300; index += 1) {
        const where = `${at}.pod-${index % 100}`
        before.set(where, await put(log, where, before.get(where) ?? 0, { index }))
      }
      const writing = (async () => {
        for (let index = 0; index < 400; index += 1) {
          await Promise.all(
            [0, 1, 2, 3].map((lane) => put(log, `${at}.pod-${(index * 4 + lane) % 150}`, undefined, { index })),
          )
        }
        await put(log, `${at}.the-end`, 0)
      })()
      const followers = await Promise.all(
        Array.from({ length: 5 }, async (_, delay) => {
          await new Promise((resolve) => setTimeout(resolve, delay * 40))
          return followUntil(
            log,
            { subjects: [`${at}.>`] },
            (records, size) => size !== undefined && records.at(-1)?.subject === `${at}.the-end`,
          )
        }),
      )
      await writing
      const history = await collect(log.read({ subjects: [`${at}.>`] }))
      for (const { records, snapshotSize } of followers) {
        const sequences = records.map((record) => record.sequence)
        expect(sequences).toEqual([...sequences].sort((a, b) => a - b))
        expect(new Set(sequences).size).toBe(sequences.length)
        const boundary = sequences[snapshotSize! - 1]!
        const expectedSnapshot = new Map<string, number>()
        for (const record of history)
          if (record.sequence <= boundary) expectedSnapshot.set(record.subject, record.sequence)
        const snapshot = new Map(records.slice(0, snapshotSize).map((record) => [record.subject, record.sequence]))
        expect(snapshot).toEqual(expectedSnapshot)
        const after = history.filter((record) => record.sequence > boundary).map((record) => record.sequence)
        expect(sequences.slice(snapshotSize)).toEqual(after)
      }
    }, 60_000)

    test('a follower from a sequence gets the mark first and then every record from there on', async () => {
      const at = fresh()
      const written: number[] = []
      for (let index = 0; index < 30; index += 1) written.push(await put(log, `${at}.a`, undefined))
      const running = followUntil(
        log,
        { subjects: [`${at}.>`], from: written[10]! },
        (records) => records.length === 40,
      )
      for (let index = 0; index < 20; index += 1) written.push(await put(log, `${at}.a`, undefined))
      const { records, snapshotSize } = await running
      expect(snapshotSize).toBe(0)
      expect(records.map((record) => record.sequence)).toEqual(written.slice(10))
    })

    test('filters may overlap or cross: a record comes once', async () => {
      const at = fresh()
      for (const name of ['a', 'b', 'c']) await put(log, `${at}.${name}`, 0)
      const area = at.split('.').at(-1)!
      for (const subjects of [
        [`${at}.>`, `${at}.a`, 'evt.core.pods.*.b'],
        [`evt.*.pods.${area}.a`, `evt.core.*.${area}.a`, `${at}.b`, `${at}.c`],
      ]) {
        const { records } = await followUntil(log, { subjects }, (got, size) => {
          return size !== undefined && got.filter((record) => record.subject.startsWith(at)).length === 3
        })
        const own = records.filter((record) => record.subject.startsWith(at)).map((record) => record.subject)
        expect(own).toEqual([`${at}.a`, `${at}.b`, `${at}.c`])
      }
    })

    test('a follower of an empty place gets the mark at once, and ends when its signal aborts', async () => {
      const { records, snapshotSize } = await followUntil(
        log,
        { subjects: ['evt.core.nothing.>'] },
        (_, size) => size === 0,
      )
      expect(records).toEqual([])
      expect(snapshotSize).toBe(0)
    })

    test('a follower that reads slowly misses nothing while thousands of records pass', async () => {
      const at = fresh()
      const abort = new AbortController()
      const seen: number[] = []
      const total = 4000
      const following = (async () => {
        for await (const batch of log.follow({ subjects: [`${at}.>`], signal: abort.signal })) {
          seen.push(...batch.map((record) => record.sequence))
          if (seen.length < total) await new Promise((resolve) => setTimeout(resolve, 5))
          else return
        }
      })()
      const padding = 'x'.repeat(20_000)
      for (let index = 0; index < total / 100; index += 1) {
        const group = Array.from({ length: 100 }, (_, lane) =>
          sample(`${at}.pod-${lane}`, undefined, { index, padding }),
        )
        expect((await log.append(group)).ok).toBe(true)
      }
      await following
      abort.abort()
      expect(seen).toHaveLength(total)
      expect(seen).toEqual(Array.from({ length: total }, (_, index) => seen[0]! + index))
    }, 60_000)

    test('compaction keeps compare-and-set intact under load', async () => {
      const at = fresh()
      const subjects = Array.from({ length: 10 }, (_, index) => `${at}.pod-${index}`)
      const lasts = new Map<string, number>()
      let stop = false
      const compacting = (async () => {
        let rounds = 0
        while (!stop) {
          for (const each of subjects) await log.compact(each)
          rounds += 1
          await new Promise((resolve) => setImmediate(resolve))
        }
        return rounds
      })()
      await Promise.all(
        subjects.map(async (each) => {
          for (let index = 0; index < 60; index += 1) {
            lasts.set(each, await put(log, each, lasts.get(each) ?? 0, { index }))
            if (index % 10 === 5) expect(await log.append([sample(each, 0)])).toMatchObject({ ok: false })
          }
        }),
      )
      stop = true
      expect(await compacting).toBeGreaterThan(0)
      for (const each of subjects) await log.compact(each)
      const left = await collect(log.read({ subjects: [`${at}.>`] }))
      expect(new Map(left.map((record) => [record.subject, record.sequence]))).toEqual(lasts)
      expect(left).toHaveLength(subjects.length)
      for (const each of subjects) {
        expect(await log.append([sample(each, 0)])).toMatchObject({ ok: false })
        await put(log, each, lasts.get(each)!)
      }
    }, 60_000)

    test('a purged subject may be created again, and sequences are never given twice', async () => {
      const at = `${fresh()}.gone`
      const born = await put(log, at, 0)
      const grave = await put(log, at, born)
      await log.purge(at)
      expect(await log.last(at)).toBeUndefined()
      expect(await log.get(grave)).toBeUndefined()
      expect(await log.lastSequence()).toBeGreaterThanOrEqual(grave)
      expect(await put(log, at, 0)).toBeGreaterThan(grave)
    })

    test('leases keep the last record of a subject only, with compare-and-set', async () => {
      const at = 'lease.kube-node-lease.node-1'
      let expected = 0
      for (let beat = 0; beat < 10; beat += 1) expected = await put(cluster.leases, at, expected, { beat })
      expect(await cluster.leases.append([sample(at, expected - 1)])).toMatchObject({ ok: false })
      const all = await collect(cluster.leases.read({ subjects: ['lease.>'] }))
      expect(all.map((record) => record.sequence)).toEqual([expected])
    })

    test('Event objects expire, followers are told, and the name is free again', async () => {
      const at = 'oev.default.web%2E17'
      const append = { ...sample(at, 0), ttlSeconds: 1 }
      const running = followUntil(cluster.objectEvents, { subjects: ['oev.>'] }, (records) =>
        records.some(isExpiryMarker),
      )
      expect((await cluster.objectEvents.append([append])).ok).toBe(true)
      const { records } = await running
      expect(records.map((record) => record.subject)).toEqual([at, at])
      expect(records[1]!.headers['Shiplog-Deleted']).toBe('1')
      expect(records[1]!.payload.length).toBe(0)
      const last = await cluster.objectEvents.last(at)
      expect(isExpiryMarker(last!)).toBe(true)
      const again = await cluster.objectEvents.append([{ ...sample(at, last!.sequence), ttlSeconds: 3600 }])
      expect(again.ok).toBe(true)
    })

    test('the group committer: a stale group fails alone and its neighbours succeed', async () => {
      const at = fresh()
      const committer = createGroupCommitter(log)
      const first = await Promise.all(
        Array.from({ length: 120 }, (_, index) => committer.commit([sample(`${at}.pod-${index}`, 0)])),
      )
      expect(first.every((result) => result.ok)).toBe(true)
      const second = await Promise.all(
        first.map((result, index) => {
          const sequence = result.ok ? result.sequences[0]! : -1
          const members = [sample(`${at}.pod-${index}`, index % 7 === 3 ? sequence + 1 : sequence)]
          if (index % 5 === 0) members.push(sample(`guard.room.${at.slice(-3)}-${index}`, 0))
          return committer.commit(members)
        }),
      )
      for (const [index, result] of second.entries()) {
        if (index % 7 === 3) {
          expect(result).toMatchObject({ ok: false, conflict: { subject: `${at}.pod-${index}` } })
          expect((await log.last(`${at}.pod-${index}`))?.sequence).toBe(
            first[index]!.ok ? first[index]!.sequences[0] : 0,
          )
          expect(await log.last(`guard.room.${at.slice(-3)}-${index}`)).toBeUndefined()
        } else {
          expect(result.ok).toBe(true)
          for (const [place, sequence] of (result.ok ? result.sequences : []).entries()) {
            const record = await log.get(sequence)
            expect(record?.subject).toBe(place === 0 ? `${at}.pod-${index}` : `guard.room.${at.slice(-3)}-${index}`)
            if (result.ok && result.sequences.length > 1) {
              expect(record?.headers['Shiplog-Batch']).toMatch(new RegExp(` ${place + 1} 2$`))
            }
          }
        }
      }
    }, 60_000)

    test('the group committer: writers of one subject are served one after the other', async () => {
      const at = `${fresh()}.same`
      const committer = createGroupCommitter(log)
      const results = await Promise.all(Array.from({ length: 50 }, () => committer.commit([sample(at, 0)])))
      expect(results.filter((result) => result.ok)).toHaveLength(1)
      const blind = await Promise.all(Array.from({ length: 50 }, () => committer.commit([sample(at, undefined)])))
      expect(blind.every((result) => result.ok)).toBe(true)
      expect(await collect(log.read({ subjects: [at] }))).toHaveLength(51)
    })

    test('reopening finds everything, and the same incarnation', async () => {
      const at = `${fresh()}.keeps`
      const sequence = await put(log, at, 0, { kept: true })
      const end = await log.lastSequence()
      const { incarnation } = log
      cluster = await opened.reopen()
      log = cluster.events
      expect(log.incarnation).toBe(incarnation)
      expect(await log.lastSequence()).toBe(end)
      expect(bodyOf(await log.get(sequence))).toEqual({ kept: true })
      expect(await put(log, at, sequence)).toBe(end + 1)
    })
  })
}
