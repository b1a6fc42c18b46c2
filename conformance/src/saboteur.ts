// A proxy in front of the API that breaks one feature at a time. kubectl talks plain HTTP to it; it talks to the cluster
// with the administrator's certificate, so that everything but the sabotage stays as it is.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { Agent, request as httpsRequest } from 'node:https'
import type { AddressInfo } from 'node:net'
import { anonymousHeader } from './http.ts'
import type { Credentials } from './kubeconfig.ts'
import type { ProxiedAnswer, ProxiedRequest, Sabotage } from './sabotages.ts'

export interface Saboteur {
  /** `http://127.0.0.1:40000`. */
  readonly url: string
  /** What is broken from now on; undefined for nothing. */
  use(sabotage: Sabotage | undefined): void
  close(): void
}

export async function startSaboteur(credentials: Credentials): Promise<Saboteur> {
  const agent = new Agent({ ...credentials, keepAlive: true, maxSockets: 64 })
  const anonymousAgent = new Agent({ ca: credentials.ca, keepAlive: true, maxSockets: 4 })
  const target = new URL(credentials.server)
  let sabotage: Sabotage | undefined

  const server = createServer((incoming, outgoing) => {
    void serve(incoming, outgoing).catch((error: unknown) => {
      if (!outgoing.headersSent) outgoing.writeHead(502)
      outgoing.end(String(error))
    })
  })

  async function serve(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    for await (const chunk of incoming) chunks.push(chunk as Buffer)
    const { host: _host, connection: _connection, 'accept-encoding': _encoding, ...headers } = incoming.headers
    const request: ProxiedRequest = {
      method: incoming.method ?? 'GET',
      url: new URL(incoming.url ?? '/', target),
      headers,
      body: Buffer.concat(chunks),
    }
    const chosen = sabotage
    const own = chosen?.request?.(request)
    if (own) return finish(outgoing, own)
    forward(request, outgoing, chosen)
  }

  function forward(request: ProxiedRequest, outgoing: ServerResponse, chosen: Sabotage | undefined): void {
    delete request.headers['content-length']
    delete request.headers['transfer-encoding']
    const sent = httpsRequest({
      agent: request.headers[anonymousHeader] ? anonymousAgent : agent,
      host: target.hostname,
      port: target.port,
      method: request.method,
      path: request.url.pathname + request.url.search,
      headers: { ...request.headers, ...(request.body.length > 0 ? { 'content-length': request.body.length } : {}) },
    })
    sent.on('error', (error) => {
      if (!outgoing.headersSent) outgoing.writeHead(502)
      outgoing.end(String(error))
    })
    sent.on('response', (response) => {
      const isWatch = /^(1|true)$/.test(request.url.searchParams.get('watch') ?? '') && response.statusCode === 200
      if (isWatch) return relayWatch(response, outgoing, chosen)
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', () => outgoing.destroy())
      response.on('end', () => {
        const answer: ProxiedAnswer = {
          code: response.statusCode ?? 502,
          headers: response.headers,
          body: Buffer.concat(chunks),
        }
        chosen?.answer?.(answer, request)
        finish(outgoing, answer)
      })
    })
    outgoing.on('close', () => sent.destroy())
    sent.end(request.body)
  }

  function relayWatch(response: IncomingMessage, outgoing: ServerResponse, chosen: Sabotage | undefined): void {
    outgoing.writeHead(200, { 'content-type': response.headers['content-type'] ?? 'application/json' })
    outgoing.flushHeaders()
    let rest = ''
    response.setEncoding('utf8')
    response.on('data', (chunk: string) => {
      const lines = (rest + chunk).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) {
        const relayed = chosen?.watch ? chosen.watch(line) : line
        if (relayed !== undefined) outgoing.write(`${relayed}\n`)
      }
    })
    response.on('end', () => outgoing.end())
    response.on('error', () => outgoing.destroy())
  }

  function finish(outgoing: ServerResponse, answer: ProxiedAnswer): void {
    const {
      'content-length': _length,
      'transfer-encoding': _encoding,
      connection: _connection,
      ...headers
    } = answer.headers
    outgoing.writeHead(answer.code, { ...headers, 'content-length': answer.body.length })
    outgoing.end(answer.code === 304 ? undefined : answer.body)
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    use(next) {
      sabotage = next
    },
    close() {
      server.closeAllConnections()
      server.close()
      agent.destroy()
      anonymousAgent.destroy()
    },
  }
}
