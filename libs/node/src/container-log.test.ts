import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '@shiplog/runtime/clock'
import { seededRandom } from '@shiplog/testing/seeded-random'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type ContainerLogQuery, logChunkBytesMax, readContainerLog } from './container-log-reader.ts'
import { type ContainerLogWriterOptions, createContainerLogWriter } from './container-log-writer.ts'

let directory: string
let nowMs: number
let running: boolean
const clock = { ...systemClock, nowMs: () => nowMs }

beforeEach(() => {
  directory = join(fs.mkdtempSync(join(tmpdir(), 'shiplog-log-')), 'main')
  nowMs = Date.UTC(2026, 10, 23, 10, 0, 0)
  running = false
})
afterEach(() => fs.rmSync(join(directory, '..'), { recursive: true, force: true }))

const writer = (options: Partial<ContainerLogWriterOptions> = {}) =>
  createContainerLogWriter({ directory, restartCount: 0, clock, ...options })

const reading = (query: ContainerLogQuery = {}, restartCount = 0, signal?: AbortSignal) =>
  readContainerLog({ directory, restartCount, isRunning: () => running }, query, {
    clock: systemClock,
    ...(signal ? { signal } : {}),
  })

async function read(query: ContainerLogQuery = {}, restartCount = 0): Promise<string> {
  let text = ''
  for await (const chunk of reading(query, restartCount)) {
    expect(chunk.length).toBeLessThanOrEqual(logChunkBytesMax)
    text += chunk.toString()
  }
  return text
}

const numbers = (from: number, to: number): string =>
  Array.from({ length: to - from + 1 }, (_, i) => `line ${from + i}\n`).join('')

describe('a log that is written and read', () => {
  test('is what was printed, in order, of both streams or of one', async () => {
    const log = writer()
    log.write('stdout', Buffer.from('a\nb'))
    log.write('stderr', Buffer.from('oops\n'))
    log.write('stdout', Buffer.from('c\n'))
    log.close()
    expect(await read()).toBe('a\noops\nbc\n')
    expect(await read({ stream: 'stderr' })).toBe('oops\n')
    expect(await read({ timestamps: true, tailLines: 1 })).toBe('2026-11-23T10:00:00.000000000Z bc\n')
    expect(await read({ limitBytes: 4 })).toBe('a\noo')
  })

  test('that nobody wrote is empty', async () => {
    expect(await read()).toBe('')
    expect(await read({ follow: true, tailLines: 3 })).toBe('')
  })

  test('goes on where it ended, and half a line that a killed writer left is cut off', async () => {
    const first = writer()
    first.write('stdout', Buffer.from('one\n'))
    fs.appendFileSync(join(directory, '0.log'), '2026-11-23T10:00:00.000000000Z stdout F hal')
    const second = writer()
    second.write('stdout', Buffer.from('two\n'))
    expect(await read()).toBe('one\ntwo\n')
    second.close()
    first.close()
  })

  test('is rotated, keeps the newest files, and is read as one', async () => {
    const log = writer({ fileBytesMax: 2_000, filesMax: 3 })
    for (let i = 1; i <= 500; i++) log.write('stdout', Buffer.from(`line ${i}\n`))
    log.close()
    const names = fs.readdirSync(directory).sort()
    expect(names.length).toBe(3)
    expect(names[0]).toBe('0.log')
    for (const name of names) expect(fs.statSync(join(directory, name)).size).toBeLessThanOrEqual(2_000)
    const all = await read()
    expect(all.endsWith(numbers(480, 500))).toBe(true)
    const first = Number(/^line (\d+)\n/.exec(all)?.[1])
    expect(all).toBe(numbers(first, 500))
    expect(first).toBeLessThan(440)
    expect(await read({ tailLines: 60 })).toBe(numbers(441, 500))
    expect(await read({ tailLines: 100_000 })).toBe(all)
    expect(await read({ tailLines: 0 })).toBe('')
  })

  test('its end is found without reading what comes before', async () => {
    const log = writer({ fileBytesMax: 8 * 1024 * 1024 })
    for (let i = 0; i < 100; i++) log.write('stdout', Buffer.from(numbers(1_000 * i + 1, 1_000 * (i + 1))))
    log.close()
    expect(await read({ tailLines: 5 })).toBe(numbers(99_996, 100_000))
    expect(await read({ tailLines: 5_000 })).toBe(numbers(95_001, 100_000))
  })

  test('shows what was printed from a moment on', async () => {
    const log = writer()
    for (let i = 0; i < 10; i++) {
      log.write('stdout', Buffer.from(`${i}\n`))
      nowMs += 1_000
    }
    log.close()
    expect(await read({ sinceMs: Date.UTC(2026, 10, 23, 10, 0, 7) })).toBe('7\n8\n9\n')
    expect(await read({ sinceMs: Date.UTC(2026, 10, 23, 10, 0, 2), tailLines: 2 })).toBe('8\n9\n')
  })

  test('each attempt has its own; those before the previous one are deleted', async () => {
    for (const restartCount of [0, 1, 2]) {
      const log = writer({ restartCount })
      log.write('stdout', Buffer.from(`attempt ${restartCount}\n`))
      log.close()
    }
    expect(await read({}, 2)).toBe('attempt 2\n')
    expect(await read({}, 1)).toBe('attempt 1\n')
    expect(await read({}, 0)).toBe('')
    expect(fs.readdirSync(directory).sort()).toEqual(['1.log', '2.log'])
  })

  test('nobody else on the machine may read it', () => {
    writer().close()
    expect(fs.statSync(directory).mode & 0o777).toBe(0o700)
    expect(fs.statSync(join(directory, '0.log')).mode & 0o777).toBe(0o600)
  })
})

describe('a full disk', () => {
  test('stops nobody; what was lost is counted, and the log says so once there is room again', async () => {
    let full = false
    const log = writer({
      disk: {
        writeSync: ((file: number, bytes: Uint8Array, offset: number) => {
          if (!full) return fs.writeSync(file, bytes, offset)
          if (offset === 0) return fs.writeSync(file, bytes, 0, 20)
          throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' })
        }) as typeof fs.writeSync,
      },
    })
    log.write('stdout', Buffer.from('before\n'))
    full = true
    log.write('stdout', Buffer.from('lost one\n'))
    log.write('stderr', Buffer.from('lost two\n'))
    expect(log.droppedBytes).toBe(18)
    expect(await read()).toBe('before\n')
    full = false
    log.write('stdout', Buffer.from('after\n'))
    expect(log.droppedBytes).toBe(0)
    log.close()
    const text = await read()
    expect(text).toMatch(/^before\n\[shiplog: 18 bytes of output could not be written .*ENOSPC.*\]\nafter\n$/)
  })

  test('a directory that cannot be made loses output, not the process', () => {
    fs.writeFileSync(directory, 'a file in its place')
    const log = writer()
    log.write('stdout', Buffer.from('x\n'))
    expect(log.droppedBytes).toBe(2)
    log.close()
    expect(log.droppedBytes).toBe(2)
  })
})

describe('following', () => {
  test('gives what is printed meanwhile, over rotations, and ends when the container has ended', async () => {
    running = true
    const log = writer({ fileBytesMax: 5_000 })
    log.write('stdout', Buffer.from(numbers(1, 10)))
    const following = reading({ follow: true, tailLines: 2 })
    let text = String((await following.next()).value)
    const rest = (async () => {
      for await (const chunk of following) text += chunk.toString()
    })()
    for (let i = 11; i <= 400; i++) {
      log.write('stdout', Buffer.from(`line ${i}\n`))
      if (i % 40 === 0) await systemClock.sleep(30)
    }
    log.close()
    running = false
    await rest
    expect(text).toBe(numbers(9, 400))
  })

  test('waits for a container that has not begun', async () => {
    running = true
    const following = read({ follow: true })
    await systemClock.sleep(30)
    const log = writer()
    log.write('stdout', Buffer.from('hello\n'))
    log.close()
    running = false
    expect(await following).toBe('hello\n')
  })

  test('nothing is read ahead of a reader that does not take it; what was rotated away meanwhile is said', async () => {
    running = true
    const log = writer({ fileBytesMax: 100_000, filesMax: 3 })
    log.write('stdout', Buffer.from('first\n'))
    const chunks = reading({ follow: true })
    expect((await chunks.next()).value?.toString()).toBe('first\n')
    for (let i = 0; i < 60; i++) log.write('stdout', Buffer.from(`${String(i).padStart(2, '0')}${'x'.repeat(9_997)}\n`))
    log.close()
    running = false
    let rest = ''
    for await (const chunk of chunks) rest += chunk.toString()
    expect(rest).toMatch(/rotated away/)
    expect(rest.endsWith(`59${'x'.repeat(9_997)}\n`)).toBe(true)
    expect(rest.startsWith('00')).toBe(true)
  })

  test.each([
    1, 2, 3, 4, 5,
  ])('whatever is printed, however it is cut and rotated, arrives as it was (seed %i)', async (seed) => {
    const { below } = seededRandom(seed)
    running = true
    const log = writer({ fileBytesMax: 20_000 + below(60_000), filesMax: 1_000 })
    const printed: Buffer[] = []
    const follower = (async () => {
      const chunks: Buffer[] = []
      for await (const chunk of reading({ follow: true })) {
        chunks.push(chunk)
        if (below(10) === 0) await systemClock.sleep(below(15))
      }
      return Buffer.concat(chunks)
    })()
    for (let i = 0; i < 150; i++) {
      const bytes = Buffer.alloc(below(below(5) === 0 ? 50_000 : 500), below(256))
      for (let newline = below(200); newline < bytes.length; newline += 1 + below(40_000)) bytes[newline] = 0x0a
      log.write('stdout', bytes)
      printed.push(bytes)
      if (below(8) === 0) await systemClock.sleep(below(5))
    }
    log.close()
    running = false
    const all = Buffer.concat(printed)
    expect((await follower).equals(all)).toBe(true)
    const again: Buffer[] = []
    for await (const chunk of reading()) again.push(chunk)
    expect(Buffer.concat(again).equals(all)).toBe(true)
    // The last lines, counted in what was printed.
    const lines = 1 + below(5)
    let start = all.length - (all.at(-1) === 0x0a ? 1 : 0)
    for (let n = 0; n < lines && start >= 0; n++) start = start === 0 ? -1 : all.lastIndexOf(0x0a, start - 1)
    const tail: Buffer[] = []
    for await (const chunk of reading({ tailLines: lines })) tail.push(chunk)
    expect(Buffer.concat(tail).equals(all.subarray(start + 1))).toBe(true)
  })

  test('an abort ends it at once, and leaves no file open', async () => {
    running = true
    const log = writer()
    log.write('stdout', Buffer.from('x\n'))
    const abort = new AbortController()
    const chunks = reading({ follow: true }, 0, abort.signal)
    await chunks.next()
    const next = chunks.next()
    abort.abort()
    expect(await next).toEqual({ done: true, value: undefined })
    log.close()
    const open = fs
      .readdirSync('/proc/self/fd')
      .map((fd) => {
        try {
          return fs.readlinkSync(`/proc/self/fd/${fd}`)
        } catch {
          return ''
        }
      })
      .filter((path) => path.startsWith(directory))
    expect(open).toEqual([])
  })
})
