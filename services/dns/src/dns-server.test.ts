// Real sockets on the loopback: what a client sees.
import { createSocket } from 'node:dgram'
import { connect } from 'node:net'
import * as packet from 'dns-packet'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { systemClock } from '@shiplog/runtime/clock'
import { type Answerer, createAnswerer } from './answerer.ts'
import { type DnsServer, startDnsServer } from './dns-server.ts'
import { createForwarder } from './forwarder.ts'
import { readAnswer, readQuery, refusalOf } from './message.ts'
import { slice, smallCluster } from './testing/names.ts'
import { aged, ttlOffsets } from './wire-names.ts'

const zone = { domain: 'cluster.local', ttlSeconds: 30 }
const query = (name: string, type: string, id = 7, more: object = {}): Buffer =>
  packet.encode({ type: 'query', id, flags: 256, questions: [{ name, type: type as 'A' }], ...more })

const overUdp = (port: number, message: Buffer): Promise<packet.DecodedPacket & { rcode: string }> =>
  new Promise((resolve, reject) => {
    const socket = createSocket('udp4')
    socket.on('message', (bytes) => {
      socket.close()
      resolve(packet.decode(bytes) as never)
    })
    socket.on('error', reject)
    socket.send(message, port, '127.0.0.1')
  })

const overTcp = (port: number, message: Buffer): Promise<packet.DecodedPacket> =>
  new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(packet.streamEncode(packet.decode(message) as never)))
    let got = Buffer.alloc(0)
    socket.on('data', (chunk: Buffer) => {
      got = Buffer.concat([got, chunk])
      if (got.length < 2 || got.length < 2 + got.readUInt16BE(0)) return
      socket.destroy()
      resolve(packet.streamDecode(got) as packet.DecodedPacket)
    })
    socket.on('error', reject)
  })

describe('the DNS on the wire', () => {
  const view = smallCluster()
  let upstream: DnsServer
  let server: DnsServer
  let answerer: Answerer
  let asked = 0

  beforeAll(async () => {
    view.apply(
      slice('db', Array.from({ length: 100 }, (_, host) => ({ addresses: [`10.244.1.${host}`], conditions: { ready: true } })), []),
    )
    const other: Answerer = {
      forget: () => undefined,
      answer(bytes) {
        asked++
        const { name } = readQuery(bytes) as { name: string }
        if (name === 'silent.example') return undefined
        const answers = [{ name, type: 'A' as const, ttl: 60, data: '192.0.2.1' }]
        return packet.encode({ type: 'response', id: bytes.readUInt16BE(0), questions: [{ name, type: 'A' }], answers })
      },
    }
    upstream = await startDnsServer(other, '127.0.0.1', 0)
    const servers = [`127.0.0.1:${upstream.port}`]
    const forwarder = createForwarder({ servers, stubDomains: new Map(), clock: systemClock, randomId: () => 4_711 })
    answerer = createAnswerer({ view, zone, forwarder, isReady: () => true })
    server = await startDnsServer(answerer, '127.0.0.1', 0)
  })
  afterAll(async () => {
    await server[Symbol.asyncDispose]()
    await upstream[Symbol.asyncDispose]()
  })

  test('answers with the id and the question of the client, the second time too', async () => {
    for (const id of [7, 8]) {
      const answer = await overUdp(server.port, query('web.default.svc.cluster.local', 'A', id))
      expect([answer.id, answer.rcode, answer.flag_aa]).toEqual([id, 'NOERROR', true])
      expect(answer.answers).toMatchObject([{ type: 'A', data: '10.96.0.20', ttl: 30 }])
    }
  })

  test('says what is too long for a datagram, and TCP has it whole', async () => {
    const name = 'db.default.svc.cluster.local'
    const short = await overUdp(server.port, query(name, 'A'))
    expect(short.flag_tc).toBe(true)
    expect(short.answers!.length).toBeLessThan(40)
    expect((await overTcp(server.port, query(name, 'A'))).answers).toHaveLength(100)
    const options = [{ type: 'OPT' as const, name: '.', udpPayloadSize: 4_096, flags: 0, options: [] }]
    expect((await overUdp(server.port, query(name, 'A', 7, { additionals: options }))).answers!.length).toBeGreaterThan(short.answers!.length)
  })

  test('asks others for other names, once for as long as their answer is true', async () => {
    const before = asked
    for (const id of [11, 12]) {
      const answer = await overUdp(server.port, query('www.example.com', 'A', id))
      expect([answer.id, answer.answers?.map((one) => (one as { data: string }).data)]).toEqual([id, ['192.0.2.1']])
    }
    expect(asked).toBe(before + 1)
  })

  test('adds what an alias stands for, inside and outside', async () => {
    const addresses = async (name: string) =>
      (await overUdp(server.port, query(name, 'A'))).answers?.map((one) => (one as { data: string }).data)
    expect(await addresses('in.default.svc.cluster.local')).toEqual(['web.default.svc.cluster.local', '10.96.0.20'])
    expect(await addresses('out.default.svc.cluster.local')).toEqual(['www.example.com', '192.0.2.1'])
  })

  test('forgets its answers when the cluster changes', async () => {
    const name = '10-244-1-200.db.default.svc.cluster.local'
    expect((await overUdp(server.port, query(name, 'A'))).rcode).toBe('NXDOMAIN')
    view.apply(slice('db', [{ addresses: ['10.244.1.200'], conditions: { ready: true } }], []))
    answerer.forget()
    expect((await overUdp(server.port, query(name, 'A'))).rcode).toBe('NOERROR')
  })

  test('tells before the client gives up that nobody answers', async () => {
    expect((await overUdp(server.port, query('silent.example', 'A'))).rcode).toBe('SERVFAIL')
    const start = systemClock.nowMs()
    expect((await overUdp(server.port, query('other.example', 'A'))).rcode).toBe('SERVFAIL')
    expect(systemClock.nowMs() - start).toBeLessThan(500)
  })

  test('lives through whatever it is sent', () => {
    const good = query('web.default.svc.cluster.local', 'A')
    const bent = fc.tuple(fc.nat({ max: good.length - 1 }), fc.nat({ max: 255 })).map(([at, byte]) => {
      const copy = Buffer.from(good)
      copy[at] = byte
      return copy
    })
    const any = fc.uint8Array({ maxLength: 80 }).map((bytes) => Buffer.from(bytes))
    fc.assert(
      fc.property(fc.oneof(bent, any), (bytes) => {
        const answer = answerer.answer(bytes, 'udp')
        void (answer instanceof Promise && answer.catch(() => undefined))
        if (Buffer.isBuffer(answer)) expect(packet.decode(answer).type).toBe('response')
        readAnswer(bytes)
        if (bytes.length >= 12) aged(bytes, 1, 1)
        for (const at of ttlOffsets(bytes) ?? []) expect(at + 4).toBeLessThanOrEqual(bytes.length)
      }),
      { numRuns: 3_000 },
    )
  })

  test('refuses what it cannot read, and says nothing to an answer', () => {
    const head = Buffer.alloc(12)
    head.writeUInt16BE(9, 0)
    head[5] = 5
    expect(refusalOf(head, 'FORMERR').subarray(0, 4)).toEqual(Buffer.from([0, 9, 0x80, 1]))
    expect(answerer.answer(head, 'udp')).toEqual(refusalOf(head, 'FORMERR'))
    const answer = Buffer.from(query('web.default.svc.cluster.local', 'A'))
    answer[2] = 0x80
    expect(answerer.answer(answer, 'udp')).toBeUndefined()
  })
})
