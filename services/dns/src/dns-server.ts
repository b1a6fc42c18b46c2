// The sockets: one of UDP, and TCP for what is too long for it.
import { createSocket, type Socket as UdpSocket } from 'node:dgram'
import { createServer, type Server, type Socket } from 'node:net'
import type { Answerer } from './answerer.ts'

export interface DnsServer extends AsyncDisposable {
  readonly port: number
}

const connectionsMax = 500
const idleTimeoutMs = 10_000
const waitingBytesMax = 1 << 17

export async function startDnsServer(answerer: Answerer, host: string, port: number): Promise<DnsServer> {
  const udp = createSocket({ type: host.includes(':') ? 'udp6' : 'udp4' })
  udp.on('message', (bytes, from) => {
    const answer = answerer.answer(bytes, 'udp')
    // A client that is gone is no fault of ours.
    const send = (message: Buffer | undefined): void => void (message && udp.send(message, from.port, from.address, () => undefined))
    if (answer instanceof Promise) void answer.then(send, () => undefined)
    else send(answer)
  })
  await new Promise<void>((resolve, reject) => {
    udp.once('error', reject)
    udp.bind(port, host, () => {
      udp.off('error', reject)
      udp.on('error', () => undefined)
      resolve()
    })
  })
  const bound = udp.address().port
  const open = new Set<Socket>()
  const tcp = createServer((socket) => serveConnection(answerer, socket, open))
  tcp.maxConnections = connectionsMax
  await listen(tcp, host, bound)
  return {
    port: bound,
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy()
      await Promise.all([closed(udp), new Promise((resolve) => tcp.close(resolve))])
    },
  }
}

const closed = (udp: UdpSocket): Promise<void> => new Promise((resolve) => udp.close(resolve))

const listen = (tcp: Server, host: string, port: number): Promise<void> =>
  new Promise((resolve, reject) => {
    tcp.once('error', reject)
    tcp.listen(port, host, () => {
      tcp.off('error', reject)
      tcp.on('error', () => undefined)
      resolve()
    })
  })

/** Messages with their lengths before them, any number. */
function serveConnection(answerer: Answerer, socket: Socket, open: Set<Socket>): void {
  open.add(socket)
  let got = Buffer.alloc(0)
  socket.setTimeout(idleTimeoutMs, () => socket.destroy())
  socket.on('error', () => socket.destroy())
  socket.on('close', () => open.delete(socket))
  const send = (message: Buffer | undefined): void => {
    if (message === undefined || socket.destroyed) return
    const head = Buffer.alloc(2)
    head.writeUInt16BE(message.length, 0)
    socket.write(Buffer.concat([head, message]))
  }
  socket.on('data', (chunk: Buffer) => {
    got = Buffer.concat([got, chunk])
    while (got.length >= 2 && got.length >= 2 + got.readUInt16BE(0)) {
      const message = got.subarray(2, 2 + got.readUInt16BE(0))
      got = got.subarray(2 + message.length)
      const answer = answerer.answer(Buffer.from(message), 'tcp')
      if (answer instanceof Promise) void answer.then(send, () => undefined)
      else send(answer)
    }
    // Who asks without reading is not read either.
    if (got.length > waitingBytesMax || socket.writableLength > waitingBytesMax) socket.destroy()
  })
}
