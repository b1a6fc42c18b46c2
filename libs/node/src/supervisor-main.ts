// The supervisor as a process of its own: `node supervisor-main.ts <node directory>`. It listens on a socket in that
// directory, which only its owner can enter, serves one agent at a time, and ends by itself when nothing runs and no agent
// has been there for a minute. The process runtime starts it when it needs one.
import { chmodSync, rmSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { DirectoryLocked, lockDirectory, lockHolder } from '@shiplog/runtime/directory-lock'
import { systemClock } from '@shiplog/runtime/clock'
import type { Logger } from '@shiplog/runtime/logger'
import { socketName, supervisorDirectory } from './pod-directories.ts'
import { attachOrderOf } from './attach-frames.ts'
import { createSupervisor, makeNodeDirectory } from './supervisor.ts'
import { lineOf, lineReader, type Order, type Orders, protocolVersion } from './supervisor-protocol.ts'

const idleMsMax = 60_000
const idleCheckMs = 5_000
const leaveMs = 50
/** What a supervisor that is itself asked to end gives the processes. */
const endGraceMs = 2_000

const directory = process.argv[2]
if (directory === undefined) {
  process.stderr.write('usage: supervisor-main.ts <node directory>\n')
  process.exit(2)
}
// Names of sockets are short; inside the directory the name is.
process.chdir(directory)

const line = (level: string, fields: object, message: string): void => {
  const { err, ...rest } = fields as { err?: unknown }
  const fault = err === undefined ? {} : { err: err instanceof Error ? (err.stack ?? err.message) : String(err) }
  process.stderr.write(lineOf({ level, timeMs: systemClock.nowMs(), ...rest, ...fault, message }))
}
const log: Logger = {
  debug: () => undefined,
  info: (fields, message) => line('info', fields, message),
  warn: (fields, message) => line('warn', fields, message),
  error: (fields, message) => line('error', fields, message),
  child: () => log,
}

makeNodeDirectory(supervisorDirectory(directory))
const lock = (() => {
  try {
    return lockDirectory(supervisorDirectory(directory))
  } catch (error) {
    // Another one was started at the same moment, and serves.
    if (error instanceof DirectoryLocked) process.exit(0)
    throw error
  }
})()

// A fault in here must not end the processes that it keeps: they could not be taken up again.
process.on('uncaughtException', (err) => log.error({ err }, 'supervisor error'))
process.on('unhandledRejection', (err) => log.error({ err }, 'supervisor error'))

let agent: Socket | undefined
let lastBusyMs = systemClock.nowMs()
const supervisor = createSupervisor({
  directory,
  clock: systemClock,
  log,
  onEnded: (record) => void agent?.write(lineOf({ ended: record })),
})

async function carryOut<Which extends Order>(order: Which, request: unknown): Promise<Orders[Order]['answer']> {
  switch (order) {
    case 'hello': {
      const { version } = request as Orders['hello']['request']
      if (version !== protocolVersion)
        throw new Error(`this supervisor speaks version ${protocolVersion}, not ${version}`)
      return supervisor.records()
    }
    case 'start':
      return supervisor.start(request as Orders['start']['request'])
    case 'stop': {
      const { containerID, graceMs } = request as Orders['stop']['request']
      supervisor.stop(containerID, graceMs)
      return true
    }
    case 'exec': {
      const { containerID, command, timeoutMs } = request as Orders['exec']['request']
      return supervisor.exec(containerID, command, timeoutMs)
    }
    case 'place':
      return supervisor.placeOf((request as Orders['place']['request']).containerID)
    case 'remove': {
      const { podUid, all } = request as Orders['remove']['request']
      await supervisor.remove(podUid, all)
      return true
    }
    case 'end':
      await supervisor.end((request as Orders['end']['request']).graceMs)
      return true
    default:
      throw new Error(`no such order: ${order}`)
  }
}

const server = createServer((socket) => {
  let attached = false
  const read = lineReader((value) => {
    const attachment = attachOrderOf(value)
    if (attachment && agent !== socket) {
      attached = true
      socket.removeAllListeners('data')
      supervisor.attach(attachment, socket)
      return
    }
    const { id, order, request } = value as { id: number; order: Order; request: unknown }
    if (order === 'hello') {
      if (agent !== socket) agent?.destroy()
      agent = socket
    } else if (agent !== socket) return socket.destroy()
    void carryOut(order, request).then(
      (answer) => {
        if (!socket.destroyed) socket.write(lineOf({ id, answer }))
        if (order === 'end') leave()
      },
      (error: unknown) => {
        if (!socket.destroyed)
          socket.write(lineOf({ id, error: error instanceof Error ? error.message : String(error) }))
      },
    )
  })
  socket.on('data', (chunk: Buffer) => {
    try {
      read(chunk)
    } catch (err) {
      log.error({ err }, 'invalid message from agent')
      socket.destroy()
    }
  })
  socket.on('error', () => undefined)
  socket.on('close', () => {
    if (attached) return
    if (agent === socket) agent = undefined
    lastBusyMs = systemClock.nowMs()
  })
})

function leave(): void {
  server.close()
  rmSync(socketName, { force: true })
  lock.release()
  agent?.end()
  // The last answer gets out first.
  void systemClock.sleep(leaveMs).then(() => process.exit(0))
}

systemClock.every(idleCheckMs, () => {
  // Somebody removed the directory: no agent will ever find this again.
  if (lockHolder(supervisorDirectory(directory))?.pid !== process.pid) void supervisor.end(endGraceMs).then(leave)
  else if (agent !== undefined || supervisor.runningCount() > 0) lastBusyMs = systemClock.nowMs()
  else if (systemClock.nowMs() - lastBusyMs >= idleMsMax) leave()
})
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.on(signal, () => void supervisor.end(endGraceMs).then(leave))
}
process.on('SIGHUP', () => undefined)

server.on('error', (err) => {
  // Nobody could reach it: the next one may have more luck.
  log.error({ err }, 'supervisor cannot listen')
  lock.release()
  process.exit(1)
})
rmSync(socketName, { force: true })
server.listen(socketName, () => chmodSync(socketName, 0o600))
