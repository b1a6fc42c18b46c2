// Which nats-servers live: each says its name and the id of its present life as soon as one connects, before anybody has
// to prove who they are. So a gateway can tell of servers that it is not connected to, and see restarts.
import { connect } from 'node:net'
import type { Clock } from '@shiplog/runtime/clock'

export interface NatsServerInfo {
  readonly name: string
  /** Another one after every restart. */
  readonly id: string
  readonly version: string
  /** As others know it: the host of its URL. */
  readonly host: string
}

const defaultPort = 4_222
const answerTimeoutMs = 1_000
const greetingBytesMax = 64 * 1024

/** Those of the servers at these URLs that answer within a second; each once, whatever ways lead to it. */
export async function probeNatsServers(urls: readonly string[], clock: Clock): Promise<readonly NatsServerInfo[]> {
  const found = await Promise.all(urls.map((url) => greeting(url, clock).catch(() => undefined)))
  const byId = new Map(found.filter((info) => info !== undefined).map((info) => [info.id, info]))
  return [...byId.values()]
}

function greeting(url: string, clock: Clock): Promise<NatsServerInfo> {
  const { hostname, port } = new URL(url.includes('://') ? url : `nats://${url}`)
  const host = hostname.replace(/^\[|\]$/g, '')
  const socket = connect({ host, port: port === '' ? defaultPort : Number(port) })
  return new Promise<NatsServerInfo>((resolve, reject) => {
    const late = clock.after(answerTimeoutMs, () => reject(new Error('no greeting in time')))
    let text = ''
    socket.on('data', (chunk) => {
      text += chunk.toString('utf8')
      const end = text.indexOf('\r\n')
      if (end < 0 && text.length < greetingBytesMax) return
      const info = /^INFO (\{.*\})/.exec(text.slice(0, Math.max(end, 0)))?.[1]
      const told = (info === undefined ? {} : JSON.parse(info)) as Record<string, unknown>
      const { server_name: name, server_id: id, version } = told
      if (typeof name === 'string' && typeof id === 'string')
        resolve({ name, id, version: String(version ?? ''), host })
      else reject(new Error('no nats-server'))
    })
    socket.on('error', reject)
    socket.on('close', () => {
      late[Symbol.dispose]()
      reject(new Error('closed before the greeting'))
    })
  }).finally(() => socket.destroy())
}
