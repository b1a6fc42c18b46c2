// The way from here into the network between the nodes, and from there to the API: our end of the door.
import { existsSync, rmSync } from 'node:fs'
import { createServer, connect, type Socket } from 'node:net'

/** Connects to an address inside. Rejects with the code of the connection that failed there: `ECONNREFUSED`. */
export type Dial = (host: string, port: number, signal?: AbortSignal) => Promise<Socket>

const insidePath = (holderPid: number, path: string): string => `/proc/${holderPid}/root${path}`

export const doorIsOpen = (holderPid: number): boolean => existsSync(insidePath(holderPid, '/run/door.sock'))

/** Our end of the door of this holder, as others on this machine may be told of it. */
export const doorSocket = (holderPid: number): string => insidePath(holderPid, '/run/door.sock')

export const createDial = (holderPid: number): Dial => dialThrough(doorSocket(holderPid))

export const dialThrough =
  (doorPath: string): Dial =>
  (host, port, signal) =>
    new Promise((resolve, reject) => {
      const socket = connect({ path: doorPath, allowHalfOpen: true })
      const fail = (error: Error): void => {
        socket.destroy()
        reject(error)
      }
      const onAbort = (): void => fail(new Error('given up'))
      signal?.addEventListener('abort', onAbort, { once: true })
      const onEnd = (): void => fail(Object.assign(new Error('the door is closed'), { code: 'ECONNRESET' }))
      let answer = Buffer.alloc(0)
      // Not by 'data': whoever gets the socket finds it as a new one, neither flowing nor paused.
      const onReadable = (): void => {
        answer = Buffer.concat([answer, (socket.read() as Buffer | null) ?? Buffer.alloc(0)])
        const end = answer.indexOf(0x0a)
        if (end < 0) return
        socket.off('readable', onReadable)
        socket.off('error', fail)
        socket.off('end', onEnd)
        signal?.removeEventListener('abort', onAbort)
        const word = answer.subarray(0, end).toString('latin1')
        if (word !== 'ok') {
          fail(Object.assign(new Error(word), { code: word }))
          return
        }
        if (answer.length > end + 1) socket.unshift(answer.subarray(end + 1))
        resolve(socket)
      }
      socket.on('readable', onReadable)
      socket.once('error', fail)
      socket.once('end', onEnd)
      socket.once('connect', () => socket.write(`${host} ${port}\n`))
    })

/** Lets what sits inside reach a port of this machine: the API. */
export const letIn = (holderPid: number, port: number): Promise<Disposable> =>
  serveInside(insidePath(holderPid, '/run/api.sock'), '127.0.0.1', port)

/** Has the door listen on a port of its own for one of this machine. */
export async function letInAt(
  holderPid: number,
  { insidePort, host, port }: { readonly insidePort: number; readonly host: string; readonly port: number },
): Promise<Disposable> {
  const served = await serveInside(insidePath(holderPid, `/run/in-${insidePort}.sock`), host, port)
  const socket = await createDial(holderPid)('listen', insidePort)
  socket.destroy()
  return served
}

async function serveInside(path: string, host: string, port: number): Promise<Disposable> {
  rmSync(path, { force: true })
  const open = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const target = connect({ host, port, allowHalfOpen: true, noDelay: true })
    for (const socket of [client, target]) {
      open.add(socket)
      socket.once('close', () => open.delete(socket))
    }
    client.pipe(target)
    target.pipe(client)
    client.on('error', () => target.destroy())
    target.on('error', () => client.destroy())
    client.on('close', () => target.destroySoon())
    target.on('close', () => client.destroySoon())
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(path, resolve)
  })
  return {
    [Symbol.dispose]() {
      server.close()
      for (const socket of open) socket.destroy()
    },
  }
}
