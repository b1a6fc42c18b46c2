// Names that are not the cluster's are asked of others: of the servers of a stub domain, or of those of the node. What they
// say is remembered for as long as it is true, and at most half a minute.
import { createSocket } from 'node:dgram'
import { connect } from 'node:net'
import type { Clock } from '@shiplog/runtime/clock'
import { messageBytesMax, readAnswer } from './message.ts'
import { aged, ttlOffsets } from './wire-names.ts'

export interface ForwarderOptions {
  /** `10.0.0.2` or `10.0.0.2:5353`, tried in turn. */
  readonly servers: readonly string[]
  /** `corp.example` to its servers. */
  readonly stubDomains: ReadonlyMap<string, readonly string[]>
  readonly clock: Clock
  readonly randomId: () => number
}

export interface Forwarder {
  /** The answer, with the id of the query; undefined when nobody gives one. */
  ask(query: Buffer, name: string, way: 'udp' | 'tcp'): Promise<Buffer | undefined>
  readonly counts: { readonly asked: number; readonly hits: number; readonly failures: number }
}

const answerTimeoutMs = 1_500
/** Clients give up after five seconds: they are told before that. */
const askingMsMax = 4_000
/** One that did not answer is left alone for so long, so that nobody waits for it again. */
const downMs = 5_000
const cacheSecondsMax = 30
const negativeSecondsMax = 5
const cacheEntriesMax = 10_000
/** Questions that wait for others. */
const pendingMax = 2_000

interface Cached {
  readonly bytes: Buffer
  readonly atMs: number
  readonly untilMs: number
}

export function createForwarder(options: ForwarderOptions): Forwarder {
  const { clock, stubDomains } = options
  const cache = new Map<string, Cached>()
  const pending = new Map<string, Promise<Buffer | undefined>>()
  const downUntilMs = new Map<string, number>()
  const counts = { asked: 0, hits: 0, failures: 0 }

  const serversFor = (name: string): readonly string[] => {
    const labels = name.toLowerCase().split('.')
    for (let index = 0; index < labels.length; index++) {
      const servers = stubDomains.get(labels.slice(index).join('.'))
      if (servers) return servers
    }
    return options.servers
  }

  async function askServers(query: Buffer, name: string, way: 'udp' | 'tcp'): Promise<Buffer | undefined> {
    const startMs = clock.nowMs()
    for (const server of serversFor(name)) {
      const nowMs = clock.nowMs()
      if ((downUntilMs.get(server) ?? 0) > nowMs || nowMs - startMs > askingMsMax) continue
      const id = options.randomId() & 0xffff
      const own = Buffer.from(query)
      own.writeUInt16BE(id, 0)
      counts.asked++
      const answer = await askOne(own, id, serverAddress(server), way, clock).catch(() => undefined)
      if (answer !== undefined) return answer
      downUntilMs.set(server, clock.nowMs() + downMs)
    }
    counts.failures++
    return undefined
  }

  function remember(key: string, bytes: Buffer): void {
    const read = readAnswer(bytes)
    if (read === undefined || read.isTruncated || (read.code !== 'NOERROR' && read.code !== 'NXDOMAIN')) return
    if (ttlOffsets(bytes) === undefined) return
    const most = read.answers.length > 0 ? cacheSecondsMax : negativeSecondsMax
    const seconds = Math.min(read.ttlSeconds, most)
    if (seconds <= 0) return
    const nowMs = clock.nowMs()
    if (cache.size >= cacheEntriesMax) cache.delete(cache.keys().next().value!)
    cache.set(key, { bytes, atMs: nowMs, untilMs: nowMs + seconds * 1_000 })
  }

  return {
    counts,
    async ask(query, name, way) {
      const id = query.readUInt16BE(0)
      const key = `${way} ${query.toString('latin1', 2)}`
      const known = cache.get(key)
      const nowMs = clock.nowMs()
      if (known !== undefined && known.untilMs > nowMs) {
        counts.hits++
        return aged(known.bytes, id, Math.floor((nowMs - known.atMs) / 1_000))
      }
      cache.delete(key)
      let asking = pending.get(key)
      if (asking === undefined) {
        if (pending.size >= pendingMax) return undefined
        asking = askServers(query, name, way).finally(() => pending.delete(key))
        pending.set(key, asking)
        void asking.then((bytes) => bytes && remember(key, bytes))
      }
      const bytes = await asking
      return bytes === undefined ? undefined : aged(bytes, id, 0)
    },
  }
}

interface Address {
  readonly host: string
  readonly port: number
}

function serverAddress(text: string): Address {
  const [, host = text, port = '53'] = /^\[?([^\]]+?)\]?:(\d+)$/.exec(text.split(':').length > 2 && !text.startsWith('[') ? '' : text) ?? []
  return { host, port: Number(port) }
}

function askOne(query: Buffer, id: number, to: Address, way: 'udp' | 'tcp', clock: Clock): Promise<Buffer> {
  return way === 'udp' ? askByUdp(query, id, to, clock) : askByTcp(query, id, to, clock)
}

/** Each from a port of its own: who would forge an answer has to guess that, too. */
function askByUdp(query: Buffer, id: number, { host, port }: Address, clock: Clock): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4')
    const end = (how: () => void): void => {
      limit[Symbol.dispose]()
      socket.close()
      how()
    }
    const limit = clock.after(answerTimeoutMs, () => end(() => reject(new Error('no answer'))))
    socket.on('error', (error) => end(() => reject(error)))
    socket.on('message', (answer) => {
      if (!isAnswerTo(query, answer, id)) return
      end(() => resolve(answer))
    })
    socket.connect(port, host, () => socket.send(query))
  })
}

/** Same id, an answer, and the same question. */
function isAnswerTo(query: Buffer, answer: Buffer, id: number): boolean {
  if (answer.length < 12 || answer.readUInt16BE(0) !== id || (answer[2]! & 0x80) === 0) return false
  const end = questionEnd(query)
  if (answer.readUInt16BE(4) === 0) return true
  return (
    answer.length >= end &&
    answer.toString('latin1', 12, end).toLowerCase() === query.toString('latin1', 12, end).toLowerCase()
  )
}

function questionEnd(query: Buffer): number {
  let at = 12
  while (at < query.length && query[at] !== 0) at += query[at]! + 1
  return Math.min(at + 5, query.length)
}

function askByTcp(query: Buffer, id: number, { host, port }: Address, clock: Clock): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port })
    const limit = clock.after(answerTimeoutMs, () => socket.destroy(new Error('no answer')))
    let got = Buffer.alloc(0)
    socket.on('connect', () => {
      const head = Buffer.alloc(2)
      head.writeUInt16BE(query.length, 0)
      socket.write(Buffer.concat([head, query]))
    })
    socket.on('data', (chunk: Buffer) => {
      got = Buffer.concat([got, chunk])
      if (got.length < 2 || got.length < 2 + got.readUInt16BE(0)) {
        if (got.length > messageBytesMax + 2) socket.destroy(new Error('too long an answer'))
        return
      }
      const answer = got.subarray(2, 2 + got.readUInt16BE(0))
      if (isAnswerTo(query, answer, id)) resolve(answer)
      socket.destroy()
    })
    socket.on('error', reject)
    socket.on('close', () => {
      limit[Symbol.dispose]()
      reject(new Error('the server closed the connection'))
    })
  })
}
