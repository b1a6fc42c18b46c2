// The supervisor's side of `attach`: what a container prints goes to whoever is attached as well as to its log, and what
// they type goes to its standard input. Who does not read makes the container wait, as with any runtime; but not for ever.
import type { Socket } from 'node:net'
import type { Clock } from '@shiplog/runtime/clock'
import { type AttachOrder, encodeFrame, frameKinds, frameReader } from './attach-frames.ts'
import { isAlive, type RunningProcess } from './running-process.ts'

/** An attached client that has taken nothing for so long is cut off, so that the container goes on. */
const stuckMs = 10_000

/** Serves an attachment on a connection until the container or the client is over. */
export function attachTo(
  process: RunningProcess | undefined,
  order: AttachOrder['attach'],
  socket: Socket,
  clock: Clock,
): void {
  if (process === undefined || !isAlive(process)) {
    socket.end(encodeFrame(frameKinds.refused, Buffer.from('container not running')))
    return
  }
  socket.write(encodeFrame(frameKinds.ready))
  const { child } = process
  const undo = new DisposableStack()
  for (const stream of ['stdout', 'stderr'] as const) {
    if (order[stream]) undo.use(copyOutput(process, stream, socket, clock))
  }
  if (order.stdin && child.stdin) takeInput(process, socket)
  const onEnd = (): void => void process.output.closed.then(() => socket.end(encodeFrame(frameKinds.end)))
  child.once('exit', onEnd)
  socket.once('close', () => {
    child.off('exit', onEnd)
    undo.dispose()
    // Asked for by `stdinOnce`: who was attached first was the last to type.
    if (order.stdin && process.order.stdinOnce) child.stdin?.end()
  })
}

function copyOutput({ child }: RunningProcess, stream: 'stdout' | 'stderr', socket: Socket, clock: Clock): Disposable {
  const from = child[stream]!
  let stuck: Disposable | undefined
  const resume = (): void => {
    stuck?.[Symbol.dispose]()
    stuck = undefined
    from.resume()
  }
  const onData = (bytes: Buffer): void => {
    if (socket.destroyed || socket.write(encodeFrame(frameKinds[stream], bytes))) return
    from.pause()
    stuck ??= clock.after(stuckMs, () => socket.destroy())
  }
  from.on('data', onData)
  socket.on('drain', resume)
  return {
    [Symbol.dispose]() {
      from.off('data', onData)
      resume()
    },
  }
}

function takeInput({ child }: RunningProcess, socket: Socket): void {
  const stdin = child.stdin!
  stdin.on('error', () => undefined)
  const read = frameReader((kind, bytes) => {
    if (kind !== frameKinds.stdin || stdin.writableEnded) return
    if (bytes.length === 0) stdin.end()
    else if (!stdin.write(bytes)) {
      socket.pause()
      stdin.once('drain', () => socket.resume())
    }
  })
  socket.on('data', (chunk: Buffer) => {
    try {
      read(chunk)
    } catch {
      socket.destroy()
    }
  })
}
