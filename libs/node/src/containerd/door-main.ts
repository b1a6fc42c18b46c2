// The door: a small process in the network between the nodes. Who sits outside reaches pods and nodes through its socket;
// what sits inside reaches the API through a port of it. It knows no more of either than bytes.
import { createServer, connect, type Socket } from 'node:net'
import { rmSync } from 'node:fs'

const [apiAddress = '', apiPort = '0'] = process.argv.slice(2)
const outsideSocket = '/run/door.sock'
const apiSocket = '/run/api.sock'
const connectTimeoutMs = 10_000
const lineBytesMax = 256

/** Joins two connections; each side may be ended alone. */
function join(left: Socket, right: Socket): void {
  left.pipe(right)
  right.pipe(left)
  left.on('error', () => right.destroy())
  right.on('error', () => left.destroy())
  left.on('close', () => right.destroySoon())
  right.on('close', () => left.destroySoon())
}

/** The first line says where to: `10.244.1.5 8080`, or what to listen on: `listen 5001`; the answer is `ok`, or the error's code. */
function serveOutside(client: Socket): void {
  let head = Buffer.alloc(0)
  client.on('error', () => client.destroy())
  const onData = (chunk: Buffer): void => {
    head = Buffer.concat([head, chunk])
    const end = head.indexOf(0x0a)
    if (end < 0) {
      if (head.length > lineBytesMax) client.destroy()
      return
    }
    client.off('data', onData)
    client.pause()
    const [host = '', port = ''] = head.subarray(0, end).toString('latin1').split(' ')
    const rest = head.subarray(end + 1)
    if (host === 'listen') {
      listenFor(Number(port)).then(
        () => client.end('ok\n'),
        (error: NodeJS.ErrnoException) => client.end(`${error.code ?? error.message}\n`),
      )
      return
    }
    const target = connect({ host, port: Number(port), allowHalfOpen: true, noDelay: true })
    target.setTimeout(connectTimeoutMs, () => target.destroy(Object.assign(new Error('timeout'), { code: 'ETIMEDOUT' })))
    target.once('error', (error: NodeJS.ErrnoException) => client.end(`${error.code ?? error.message}\n`))
    client.once('close', () => target.destroySoon())
    target.once('connect', () => {
      target.setTimeout(0)
      target.removeAllListeners('error')
      client.write('ok\n')
      if (rest.length > 0) target.write(rest)
      join(client, target)
    })
  }
  client.on('data', onData)
}

const listening = new Set<number>()

/** What comes to this port goes to whoever serves its socket. */
async function listenFor(port: number): Promise<void> {
  if (listening.has(port)) return
  const server = createServer({ allowHalfOpen: true }, (client) => {
    join(client, connect({ path: `/run/in-${port}.sock`, allowHalfOpen: true }))
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, apiAddress, resolve)
  })
  listening.add(port)
}

rmSync(outsideSocket, { force: true })
createServer({ allowHalfOpen: true }, serveOutside).listen(outsideSocket)
createServer({ allowHalfOpen: true }, (client) => {
  const target = connect({ path: apiSocket, allowHalfOpen: true })
  join(client, target)
}).listen(Number(apiPort), apiAddress)
