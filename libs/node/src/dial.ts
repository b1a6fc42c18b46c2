// A connection to a port, or why there is none.
import { connect, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Clock } from '@shiplog/runtime/clock'
import type { PortStream } from './node-streams.ts'

/** A port that does not answer at all. */
const connectTimeoutMs = 10_000

/** A connection; or why there is none, in Go's words, which everybody knows. */
export function dial(host: string, port: number, clock: Clock): Promise<Socket | Error> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, allowHalfOpen: true })
    const limit = clock.after(connectTimeoutMs, () => fail(new Error('i/o timeout')))
    const fail = (error: NodeJS.ErrnoException): void => {
      limit[Symbol.dispose]()
      socket.destroy()
      resolve(new Error(dialFaults[error.code ?? ''] ?? error.message))
    }
    socket.once('error', fail)
    socket.once('connect', () => {
      limit[Symbol.dispose]()
      socket.off('error', fail)
      resolve(socket)
    })
  })
}

const dialFaults: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connect: connection refused',
  EHOSTUNREACH: 'connect: no route to host',
  ENETUNREACH: 'connect: network is unreachable',
  EADDRNOTAVAIL: 'connect: cannot assign requested address',
}

export const portStream = (socket: Duplex): PortStream => ({
  data: socket,
  closed: new Promise((resolve) => {
    let fault: string | undefined
    socket.on('error', (error: Error) => (fault = error.message))
    socket.once('close', () => resolve(fault))
  }),
})
