// A port in the network namespace of a node, served from here: a short-lived process goes in, binds the port, hands the socket
// over and is gone. A socket stays in the namespace that it was made in.
import { spawn } from 'node:child_process'
import type { Server } from 'node:net'
import type { Clock } from '@shiplog/runtime/clock'

const timeoutMs = 10_000

/** What the process runs; in text, so that it works the same from a bundle. All addresses, of IPv4 alone where there is no IPv6. */
const program = `
const { createServer } = require('node:net')
const port = Number(process.argv[1])
const fail = (error) => process.send({ error: error.message }, () => process.exit(1))
const open = (host, orElse) => {
  const server = createServer()
  server.once('error', orElse)
  server.listen({ port, host }, () => process.send({}, server, () => process.exit(0)))
}
open('::', (error) => (error.code === 'EADDRINUSE' ? fail(error) : open('0.0.0.0', fail)))
`

/** Rejects with what the process says: `listen EADDRINUSE: address already in use :::10256`. */
export function listenInside(namespacePid: number, port: number, clock: Clock): Promise<Server> {
  return new Promise((resolve, reject) => {
    const child = spawn(
      'nsenter',
      ['-t', String(namespacePid), '--net', process.execPath, '-e', program, String(port)],
      { stdio: ['ignore', 'ignore', 'ignore', 'ipc'], env: { PATH: process.env['PATH'] ?? '' } },
    )
    const limit = clock.after(timeoutMs, () => child.kill('SIGKILL'))
    child.on('message', (message: { readonly error?: string }, handle) => {
      if (message.error !== undefined) reject(new Error(message.error))
      else if (handle !== undefined) resolve(handle as Server)
    })
    child.on('error', reject)
    child.on('exit', (code, signal) => {
      limit[Symbol.dispose]()
      reject(new Error(`port ${port} cannot be opened in the node: ${code ?? signal}`))
    })
  })
}
