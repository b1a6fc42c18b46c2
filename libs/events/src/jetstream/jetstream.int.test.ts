// The log on a real nats-server against the contract, and what is its own: restarts, refusals, lost answers.
import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect as rawConnect } from '@nats-io/transport-node'
import { systemClock } from '@shiplog/runtime/clock'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { sealRecord } from '../integrity/checksum.ts'
import { compactLog } from '../integrity/compactor.ts'
import { batchOf, decodeEnvelope, header } from '../envelope.ts'
import { describeEventLogContract, followUntil, put, sample } from '../event-log.contract.ts'
import type { LogRecord } from '../event-log.ts'
import { createGroupCommitter } from '../commit/group-committer.ts'
import { openHighWaterMark, readMark } from '../integrity/high-water-mark.ts'
import { createSealer } from '../integrity/seals.ts'
import { describeFinding, verifyAtStart, verifying, verifyLog } from '../integrity/verify-log.ts'
import { connectJetStreamClusterLog, type JetStreamLogOptions } from './jetstream-log.ts'
import { requireNatsServer } from '@shiplog/nats-server/nats-binary'
import { type NatsChild, startNatsServer } from '@shiplog/nats-server/nats-child'

const server = await requireNatsServer()
/** `SHIPLOG_KILLS=200` for a longer run. */
const kills = Number(process.env['SHIPLOG_KILLS'] ?? 50)

describe('on nats-server', () => {
  const freshDir = (): string => mkdtempSync(join(tmpdir(), 'shiplog-jetstream-'))

  describeEventLogContract('JetStream', {
    open: async () => {
      const dataDir = freshDir()
      const child = await startNatsServer({ binary: server!.path, dataDir })
      const connectLog = () =>
        connectJetStreamClusterLog({ servers: child.url, credentials: child.credentials.gateway })
      let log = await connectLog()
      return {
        log,
        reopen: async () => {
          await log.close()
          log = await connectLog()
          return log
        },
        dispose: async () => {
          await log.close()
          await child.stop()
          rmSync(dataDir, { recursive: true, force: true })
        },
      }
    },
  })

  describe('restarts and damage', () => {
    let dataDir: string
    let child: NatsChild
    const connectLog = (more: Partial<JetStreamLogOptions> = {}) =>
      connectJetStreamClusterLog({ servers: child.url, credentials: child.credentials.gateway, ...more })
    const start = async (): Promise<void> => {
      child = await startNatsServer({ binary: server!.path, dataDir })
    }
    beforeEach(async () => {
      dataDir = freshDir()
      await start()
    })
    afterEach(async () => {
      await child.stop()
      rmSync(dataDir, { recursive: true, force: true })
    })

    test(`every acknowledged append is found at its sequence after ${kills} kills of nats-server under load`, async () => {
      const cluster = await connectLog()
      const log = cluster.events
      const committer = createGroupCommitter(log)
      const acknowledged: { subject: string; sequence: number; requestId: string }[] = []
      const seen: number[] = []
      const abort = new AbortController()
      const following = (async () => {
        for await (const batch of log.follow({ subjects: ['>'], from: 1, signal: abort.signal })) {
          for (const record of batch) seen.push(record.sequence)
        }
      })()
      const unavailable: string[] = []
      let stop = false
      const writer = async (id: number): Promise<void> => {
        let last = 0
        for (let turn = 0; !stop; turn += 1) {
          const at = `evt.core.pods.kill-${id}.web`
          const group = [sample(at, last, { id, turn })]
          if (id % 4 === 0)
            group.push(sample(`guard.room.${id}`, undefined), sample(`evt.core.pods.kill-${id}.n-${turn}`, 0))
          try {
            const result = await (id % 3 === 0 ? log.append(group) : committer.commit(group))
            if (!result.ok) throw new Error(`a writer alone on its subject lost: ${JSON.stringify(result)}`)
            last = result.sequences[0]!
            for (const [index, member] of group.entries()) {
              const requestId = member.headers[header.requestId]!
              acknowledged.push({ subject: member.subject, sequence: result.sequences[index]!, requestId })
            }
          } catch (error) {
            if ((error as Error).name !== 'LogUnavailable') throw error
            unavailable.push((error as Error).message)
            last = (await log.last(at))?.sequence ?? 0
          }
        }
      }
      const writers = Array.from({ length: 24 }, (_, id) => writer(id))
      for (let kill = 0; kill < kills; kill += 1) {
        // Under load, whatever the machine does besides: some writes have been acknowledged since the last kill.
        const before = acknowledged.length
        while (acknowledged.length < before + 40) await systemClock.sleep(5)
        await systemClock.sleep(Math.random() * 100)
        child.kill()
      }
      await systemClock.sleep(300)
      stop = true
      await Promise.all(writers)
      expect(unavailable).toEqual([])

      const records = new Map<number, LogRecord>()
      const requests = new Map<string, number>()
      const batches = new Map<string, number[]>()
      for await (const page of log.read()) {
        for (const record of page) {
          records.set(record.sequence, record)
          const { requestId } = decodeEnvelope(record.headers)
          requests.set(requestId, (requests.get(requestId) ?? 0) + 1)
          const batch = batchOf(record.headers)
          if (batch) batches.set(batch.id, [...(batches.get(batch.id) ?? []), record.sequence])
        }
      }
      expect(acknowledged.length).toBeGreaterThan(kills * 20)
      for (const { subject, sequence, requestId } of acknowledged) {
        expect(records.get(sequence)?.subject).toBe(subject)
        expect(decodeEnvelope(records.get(sequence)!.headers).requestId).toBe(requestId)
      }
      expect([...requests.values()].filter((times) => times !== 1)).toEqual([])
      expect(records.size).toBe(await log.lastSequence())
      for (const sequences of batches.values()) {
        expect(sequences).toEqual([sequences[0], sequences[0]! + 1, sequences[0]! + 2])
      }
      // The follower went through all restarts: nothing missed, nothing twice.
      while (seen.length < records.size) await systemClock.sleep(20)
      abort.abort()
      await following
      expect(seen).toEqual(Array.from({ length: records.size }, (_, index) => index + 1))
      await cluster.close()
    }, 300_000)

    test('a server whose parent was killed ends, at the latest by the next start; one whose parent lives is left alone', async () => {
      await expect(start()).rejects.toThrow(`in use by process ${process.pid}`)
      const other = join(dataDir, 'other')
      const script = `
        import { startNatsServer } from ${JSON.stringify(new URL('../../../nats-server/src/nats-child.ts', import.meta.url).href)}
        const child = await startNatsServer({ binary: ${JSON.stringify(server!.path)}, dataDir: ${JSON.stringify(other)} })
        console.log(child.pid)
        setInterval(() => {}, 1000)`
      const parent = spawn(process.execPath, ['--input-type=module', '-e', script], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      const stale = Number(await new Promise((resolve) => parent.stdout.once('data', (data) => resolve(String(data)))))
      const gone = new Promise((resolve) => parent.once('exit', resolve))
      parent.kill('SIGKILL')
      await gone
      const next = await startNatsServer({ binary: server!.path, dataDir: other })
      // It may be dead for a moment before its new parent takes note of it.
      const isThere = (): boolean => {
        try {
          return process.kill(stale, 0)
        } catch {
          return false
        }
      }
      await expect.poll(isThere, { timeout: 10_000 }).toBe(false)
      await next.stop()
    })

    test('after compaction under load, and kills of the server, the log still verifies', async () => {
      const cluster = await connectLog()
      const log = cluster.events
      const sealer = createSealer({ log, clock: systemClock, recordsPerSeal: 50 })
      await sealer.start()
      const committer = createGroupCommitter(log)
      const lasts = new Map<number, { sequence: number; checksum: string }>()
      const write = async (pod: number, deleted = false): Promise<void> => {
        const last = lasts.get(pod)
        const append = sample(`evt.core.pods.default.pod-${pod}`, last?.sequence ?? 0)
        const headers = deleted ? { ...append.headers, [header.deleted]: '1' } : append.headers
        const sealed = sealRecord({ ...append, headers }, last?.checksum)
        const result = await committer.commit([sealed, sample(`guard.room.node-${pod}`, undefined)])
        if (!result.ok) throw new Error(`pod ${pod} lost: ${JSON.stringify(result.conflict)}`)
        lasts.set(pod, { sequence: result.sequences[0]!, checksum: sealed.headers[header.checksum]! })
      }
      const writing = Promise.all(
        Array.from({ length: 10 }, async (_, pod) => {
          for (let turn = 0; turn < 40; turn += 1) await write(pod)
        }),
      )
      const later = { ...systemClock, nowMs: () => systemClock.nowMs() + 60_000 }
      const compact = () =>
        compactLog({ log, clock: later, subjects: ['evt.>', 'guard.>'], tombstonesOlderThanMs: 1000 })
      let forgotten = 0
      for (let round = 0; round < 3; round += 1) {
        await systemClock.sleep(150)
        forgotten += (await compact()).forgotten
        child.kill()
      }
      await writing
      await write(3, true)
      await sealer.stop()
      const report = await compact()
      expect(report.purged).toBe(1)
      forgotten += report.forgotten
      expect(forgotten).toBeGreaterThan(500)
      lasts.delete(3)
      child.kill()
      for (let pod = 0; pod < 10; pod += 1) await write(pod)
      const whole = await verifyLog(log)
      expect(whole.findings.map(describeFinding)).toEqual([])
      expect(whole.compacted).toBe(forgotten)
      await cluster.close()
      const again = await connectLog()
      await verifyAtStart(again.events, undefined)
      expect(await again.events.recordCount()).toBe((await again.events.lastSequence()) - forgotten)
      await again.close()
    }, 60_000)

    test('a stream that once existed is never made anew', async () => {
      const first = await connectLog()
      const { incarnation } = first.events
      await put(first.events, 'evt.core.pods.default.a', 0)
      await first.close()
      const same = await connectLog({ expectIncarnation: incarnation })
      await same.close()
      await expect(connectLog({ expectIncarnation: 'EVENTS other' })).rejects.toThrow('is another one')
      await child.stop()
      rmSync(join(dataDir, 'nats', 'store'), { recursive: true })
      await start()
      await expect(connectLog({ expectIncarnation: incarnation })).rejects.toThrow('never made anew')
      const fresh = await connectLog()
      expect(fresh.events.incarnation).not.toBe(incarnation)
      await fresh.close()
    })

    test('the reader may follow but not write, and cannot connect as another', async () => {
      const writer = await connectLog()
      await put(writer.events, 'evt.core.pods.default.a', 0)
      const reader = await connectLog({ credentials: child.credentials.reader, readOnly: true })
      const { records } = await followUntil(reader.events, { subjects: ['evt.>'] }, (_, size) => size === 1)
      expect(records).toHaveLength(1)
      expect((await reader.events.last('evt.core.pods.default.a'))?.sequence).toBe(1)
      const refused = put(reader.events, 'evt.core.pods.default.b', 0)
      await expect(refused).rejects.toMatchObject({ name: 'LogUnavailable' })
      expect(await writer.events.lastSequence()).toBe(1)
      await reader.close()
      await writer.close()
      const wrong = { ...child.credentials.gateway, password: 'guess' }
      await expect(connectLog({ credentials: wrong })).rejects.toThrow('Cannot connect to NATS')
    }, 30_000)

    test('a stream of another make is refused with the field that differs', async () => {
      const raw = await rawConnect({
        servers: child.url,
        user: 'gateway',
        pass: child.credentials.gateway.password,
        inboxPrefix: '_INBOX_gateway',
      })
      await raw.request(
        '$JS.API.STREAM.CREATE.EVENTS',
        JSON.stringify({
          name: 'EVENTS',
          subjects: ['evt.>'],
          storage: 'file',
          max_age: 3_600_000_000_000,
          allow_direct: true,
        }),
      )
      await raw.close()
      await expect(connectLog()).rejects.toThrow('Stream EVENTS has max_age = 3600000000000 where Shiplog needs 0')
    })

    for (const [what, harm] of [
      [
        'a flipped bit in the middle',
        (bytes: Buffer) =>
          Buffer.from(bytes).fill(bytes[bytes.length >> 1]! ^ 4, bytes.length >> 1, (bytes.length >> 1) + 1),
      ],
      ['a cut file', (bytes: Buffer) => bytes.subarray(0, bytes.length >> 1)],
      ['a file without its end', (bytes: Buffer) => bytes.subarray(0, bytes.length - 100)],
    ] as const) {
      test(`${what} is found at start-up, with subject and sequence`, async () => {
        const cluster = await connectLog()
        const marked = openHighWaterMark({ file: join(dataDir, 'mark'), log: cluster.events, clock: systemClock })
        const { observe } = marked
        const sealer = createSealer({ log: cluster.events, clock: systemClock, recordsPerSeal: 100, onStored: observe })
        await sealer.start()
        const committer = createGroupCommitter(cluster.events, { onStored: observe })
        for (let index = 0; index < 300; index += 1) {
          const append = sealRecord(sample(`evt.core.pods.default.pod-${index}`, 0, { padding: 'x'.repeat(500) }))
          expect((await committer.commit([append])).ok).toBe(true)
        }
        await sealer.stop()
        await marked.stop()
        await cluster.close()
        await child.stop()
        const messages = join(dataDir, 'nats', 'store', 'jetstream', '$G', 'streams', 'EVENTS', 'msgs')
        const block = join(messages, readdirSync(messages).find((file) => file.endsWith('.blk'))!)
        writeFileSync(block, harm(readFileSync(block)))
        await start()
        const startUp = (async () => {
          const again = await connectLog({ expectIncarnation: (await readMark(join(dataDir, 'mark')))!.incarnation })
          try {
            await verifyAtStart(again.events, await readMark(join(dataDir, 'mark')))
            for await (const batch of verifying(again.events).follow({
              subjects: ['>'],
              signal: AbortSignal.timeout(3000),
            })) {
              if (batch.length === 0) break
            }
          } finally {
            await again.close()
          }
        })()
        await expect(startUp).rejects.toThrow(/(evt\.core\.pods|seal)\S* (at|was acknowledged at) sequence \d+/)
      }, 60_000)
    }
  })
})
