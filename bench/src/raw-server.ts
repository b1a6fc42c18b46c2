// The raw primitive under a GET: a process of its own with node:https and nothing behind it, which answers every request
// with the same bytes. Its parent sends key, certificate and body; it answers with its port.
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'

export interface RawServerSetup {
  readonly ca: string
  readonly cert: string
  readonly key: string
  readonly bodyBytes: number
}

process.once('message', (setup) => {
  const { ca, cert, key, bodyBytes } = setup as RawServerSetup
  const body = Buffer.alloc(bodyBytes, 'x')
  const server = createServer({ ca, cert, key, requestCert: true, rejectUnauthorized: false }, (_request, response) => {
    response.setHeader('content-type', 'application/json')
    response.setHeader('content-length', body.length)
    response.end(body)
  })
  server.listen(0, '127.0.0.1', () => process.send!((server.address() as AddressInfo).port))
})
process.once('disconnect', () => process.exit(0))
