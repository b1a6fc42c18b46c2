// Watchers of one class: who reads gets everything in order, who does not holds nothing of its own and is cut in the end.
import { createManualClock } from '@shiplog/testing/manual-clock'
import { expect, test } from 'vitest'
import { createOutgoing } from './outgoing.ts'
import type { FrameSink } from './watch.ts'
import { createMemberClass, watchBufferBytesMax } from './watch-class.ts'

/** A socket that takes as many bytes as it is told to before it is full, and keeps count of what waits in it. */
function socketThat(takes: number, mayCutFrames = true) {
  const closed = new AbortController()
  let full = Promise.withResolvers<void>()
  const state = { received: [] as Buffer[], bytes: 0, waiting: 0, ended: false, writes: 0 }
  const sink: FrameSink = {
    write(bytes) {
      state.writes++
      state.received.push(bytes)
      state.bytes += bytes.length
      if (state.bytes <= takes) return true
      state.waiting += bytes.length
      return false
    },
    drained: () => full.promise,
    get buffered() {
      return state.waiting
    },
    end: () => {
      state.ended = true
    },
    destroy: () => closed.abort(),
    closed: closed.signal,
    mayCutFrames,
  }
  return {
    sink,
    state,
    text: () => Buffer.concat(state.received).toString(),
    /** Reads all from now on. */
    read() {
      takes = Number.POSITIVE_INFINITY
      state.waiting = 0
      const drained = full
      full = Promise.withResolvers()
      drained.resolve()
    },
  }
}

async function turns(count = 20): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve))
}

const frame = (name: string, bytes: number): Buffer => Buffer.from(`${name.padEnd(bytes - 1, '.')}\n`)

test('two thousand watchers of a large object hold it once, and their sockets a bounded part of it', async () => {
  const outgoing = createOutgoing(createManualClock())
  const members = createMemberClass(outgoing)
  const sockets = Array.from({ length: 2_000 }, () => socketThat(0))
  for (const { sink } of sockets) members.join(sink)
  const large = frame('large', 1_000_000)
  members.tell([large])
  await turns(200)
  const waiting = sockets.reduce((sum, { state }) => sum + state.waiting, 0)
  expect(sockets.every(({ state }) => state.writes === 1)).toBe(true)
  expect(waiting).toBeLessThanOrEqual(64 * 1024 * 1024)
  expect(members.keptBytes).toBe(large.length)
  // What was handed over are views of the one frame.
  expect(sockets.every(({ state }) => state.received[0]!.buffer === large.buffer)).toBe(true)
  for (const each of sockets) each.read()
  await turns(2_000)
  expect(sockets.every(({ state }) => state.bytes === large.length)).toBe(true)
  expect(Buffer.concat(sockets[7]!.state.received).equals(large)).toBe(true)
  expect(members.keptBytes).toBe(0)
})

test('frames reach everybody in order, also one that reads late, and who reads nothing is cut at the bound', async () => {
  const members = createMemberClass(createOutgoing(createManualClock()))
  const [quick, late, never] = [socketThat(Number.POSITIVE_INFINITY), socketThat(10_000), socketThat(10_000)]
  for (const { sink } of [quick, late, never]) members.join(sink)
  const told: Buffer[] = []
  const tell = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) {
      const one = [frame(`a${told.length}`, 30_000), frame(`b${told.length}`, 500)]
      told.push(...one)
      members.tell(one)
      await turns(3)
    }
  }
  await tell(100)
  expect(quick.text()).toBe(Buffer.concat(told).toString())
  expect(late.state.bytes).toBeLessThan(200_000)
  late.read()
  await turns(200)
  expect(late.text()).toBe(Buffer.concat(told).toString())
  expect(never.sink.closed.aborted).toBe(false)
  await tell(60)
  expect(never.sink.closed.aborted).toBe(true)
  expect(members.size).toBe(2)
  expect(late.text()).toBe(Buffer.concat(told).toString())
  expect(members.keptBytes).toBe(0)
  expect(told.reduce((sum, { length }) => sum + length, 0)).toBeGreaterThan(watchBufferBytesMax)
})

test('a sink of messages gets whole frames only', async () => {
  const members = createMemberClass(createOutgoing(createManualClock()))
  const socket = socketThat(Number.POSITIVE_INFINITY, false)
  members.join(socket.sink)
  members.tell([frame('a', 300_000), frame('b', 100), frame('c', 100)])
  await turns()
  expect(socket.state.received.every((bytes) => bytes.at(-1) === 0x0a)).toBe(true)
  expect(socket.state.bytes).toBe(300_200)
})

test('nothing is written between to one that is behind', async () => {
  const members = createMemberClass(createOutgoing(createManualClock()))
  const socket = socketThat(0)
  const member = members.join(socket.sink)
  members.tell([frame('a', 300_000)])
  await turns()
  expect(member.writeBetween(frame('bookmark', 20))).toBe(false)
  socket.read()
  await member.untilCaughtUp()
  await turns()
  expect(member.writeBetween(frame('bookmark', 20))).toBe(true)
  expect(socket.text().endsWith(`${frame('bookmark', 20).toString()}`)).toBe(true)
})
