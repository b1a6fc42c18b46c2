// The runtime's side of `attach`: a connection of its own to the supervisor, which the container's process belongs to.
import type { Socket } from 'node:net'
import { PassThrough, Writable } from 'node:stream'
import { type AttachOrder, encodeFrame, frameKinds, frameReader } from './attach-frames.ts'
import { RuntimeFailure } from './container-runtime.ts'
import type { ContainerStream, StreamExit, StreamOptions, StreamTarget } from './node-streams.ts'
import { dialSupervisor } from './supervisor-link.ts'
import { lineOf } from './supervisor-protocol.ts'

/** Rejects with RuntimeFailure. */
export async function attachToProcess(
  directory: string,
  { containerID }: StreamTarget,
  { stdin, stdout, stderr }: StreamOptions,
): Promise<ContainerStream> {
  const socket = await dialSupervisor(directory)
  if (!socket) throw new RuntimeFailure('AttachFailed', 'container not running')
  const order: AttachOrder = { attach: { containerID, stdin, stdout, stderr } }
  socket.write(lineOf(order))
  const outputs = { stdout: new PassThrough(), stderr: new PassThrough() }
  const ready = Promise.withResolvers<void>()
  const exit = readOutput(socket, outputs, ready.resolve)
  const failed = exit.then(({ error }) => {
    throw new RuntimeFailure('AttachFailed', error ?? 'container not running')
  })
  await Promise.race([ready.promise, failed])
  failed.catch(() => undefined)
  return {
    ...(stdin ? { stdin: inputOf(socket) } : {}),
    ...(stdout ? { stdout: outputs.stdout } : {}),
    ...(stderr ? { stderr: outputs.stderr } : {}),
    resize: () => undefined,
    exit,
    close() {
      socket.destroy()
      for (const output of Object.values(outputs)) output.destroy()
    },
  }
}

/** Resolves when the container or the connection is over; who only left is no failure. */
function readOutput(
  socket: Socket,
  outputs: { readonly stdout: PassThrough; readonly stderr: PassThrough },
  onReady: () => void,
): Promise<StreamExit> {
  return new Promise((resolve) => {
    let exit: StreamExit = { exitCode: 0, error: 'the connection to the supervisor of the container broke' }
    const read = frameReader((kind, bytes) => {
      if (kind === frameKinds.ready) onReady()
      else if (kind === frameKinds.end) exit = { exitCode: 0 }
      else if (kind === frameKinds.refused) exit = { exitCode: 0, error: bytes.toString() }
      else if (kind === frameKinds.stdout || kind === frameKinds.stderr) {
        const output = kind === frameKinds.stdout ? outputs.stdout : outputs.stderr
        // The bytes are the reader's own from here on.
        if (output.destroyed || output.write(Buffer.from(bytes))) return
        socket.pause()
        output.once('drain', () => socket.resume())
      }
    })
    socket.on('data', (chunk: Buffer) => {
      try {
        read(chunk)
      } catch {
        socket.destroy()
      }
    })
    socket.on('error', () => undefined)
    socket.once('close', () => {
      for (const output of Object.values(outputs)) output.end()
      resolve(exit)
    })
  })
}

const inputBytesMax = 64 * 1024

const inputOf = (socket: Socket): Writable => {
  const send = (bytes: Buffer, done: (error?: Error | null) => void): void => {
    const part = bytes.subarray(0, inputBytesMax)
    socket.write(encodeFrame(frameKinds.stdin, part), (error) => {
      if (error) done(error)
      else if (part.length < bytes.length) send(bytes.subarray(part.length), done)
      else done()
    })
  }
  const input = new Writable({
    write: (bytes: Buffer, _encoding, done) => send(bytes, done),
    final(done) {
      socket.write(encodeFrame(frameKinds.stdin))
      done()
    },
  })
  input.on('error', () => undefined)
  return input
}
