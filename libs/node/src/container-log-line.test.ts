import { describe, expect, test } from 'vitest'
import {
  createLogLines,
  createLogPrinter,
  createLogTail,
  logTextBytesMax,
  readLogHeader,
} from './container-log-line.ts'

const atMs = Date.UTC(2026, 10, 23, 19, 46, 13, 7)
const time = '2026-11-23T19:46:13.007000000Z'

describe('lines of output', () => {
  test('each line gets its time, its stream and the tag of a whole line', () => {
    const lines = createLogLines('stderr')
    expect(lines.push(Buffer.from('a\n\nb\n'), atMs).toString()).toBe(
      `${time} stderr F a\n${time} stderr F \n${time} stderr F b\n`,
    )
  })

  test('a line that comes in pieces is one line', () => {
    const lines = createLogLines('stdout')
    expect(lines.push(Buffer.from('he'), atMs).toString()).toBe('')
    expect(lines.push(Buffer.from('l'), atMs).toString()).toBe('')
    expect(lines.push(Buffer.from('lo\nx'), atMs).toString()).toBe(`${time} stdout F hello\n`)
    expect(lines.end(atMs).toString()).toBe(`${time} stdout P x\n`)
    expect(lines.end(atMs).toString()).toBe('')
  })

  test.each([
    [logTextBytesMax, ['F']],
    [logTextBytesMax + 1, ['P', 'F']],
    [2 * logTextBytesMax + 5, ['P', 'P', 'F']],
  ])('a line of %i bytes is cut into %j', (length, tags) => {
    for (const step of [length + 1, 1_000, 16_384]) {
      const lines = createLogLines('stdout')
      const output = Buffer.from(`${'z'.repeat(length)}\n`)
      let disk = ''
      for (let at = 0; at < output.length; at += step)
        disk += lines.push(output.subarray(at, at + step), atMs).toString()
      const parsed = disk.trimEnd().split('\n')
      expect(parsed.map((line) => line[38])).toEqual(tags)
      expect(parsed.every((line) => line.length <= 40 + logTextBytesMax)).toBe(true)
      expect(createLogPrinter({ timestamps: false }).print(Buffer.from(disk)).equals(output)).toBe(true)
    }
  })

  test('bytes that are no text survive', () => {
    const output = Buffer.from([0, 255, 10, 13, 10, 0xc3, 10])
    const disk = createLogLines('stdout').push(output, atMs)
    expect(createLogPrinter({ timestamps: false }).print(disk).equals(output)).toBe(true)
  })
})

describe('what a client sees', () => {
  const disk = Buffer.from(
    [
      '2026-11-23T10:00:00.000000000Z stdout F one',
      '2026-11-23T10:00:01.000000000Z stderr F two',
      'garbage',
      '2026-11-23T10:00:02.000000000Z stdout P thr',
      '2026-11-23T10:00:03.000000000Z stdout F ee',
      '2026-11-23T10:00:04.000000000Z stderr F four',
      '',
    ].join('\n'),
  )
  const show = (filter: Parameters<typeof createLogPrinter>[0]): string =>
    createLogPrinter(filter).print(disk).toString()

  test('text alone, or with the time of the beginning of each line', () => {
    expect(show({ timestamps: false })).toBe('one\ntwo\nthree\nfour\n')
    expect(show({ timestamps: true, stream: 'stdout' })).toBe(
      '2026-11-23T10:00:00.000000000Z one\n2026-11-23T10:00:02.000000000Z three\n',
    )
  })

  test('one stream, and from a moment on', () => {
    expect(show({ timestamps: false, stream: 'stderr' })).toBe('two\nfour\n')
    expect(show({ timestamps: false, sinceMs: Date.UTC(2026, 10, 23, 10, 0, 4) })).toBe('four\n')
    expect(show({ timestamps: false, sinceMs: Date.UTC(2026, 10, 23, 10, 0, 4, 1) })).toBe('')
  })

  test.each([
    [0, undefined, ''],
    [1, undefined, 'four\n'],
    [2, undefined, 'three\nfour\n'],
    [3, undefined, 'two\nthree\nfour\n'],
    [4, undefined, undefined],
    [1, 'stdout', 'three\n'],
    [2, 'stdout', undefined],
  ] as const)('the last %i lines of stream %s', (lines, stream, expected) => {
    const found = createLogTail(lines, stream).look(disk)
    if (expected === undefined) return expect(found).toBeUndefined()
    const filter = { timestamps: false, ...(stream ? { stream } : {}) }
    expect(createLogPrinter(filter).print(disk.subarray(found)).toString()).toBe(expected)
  })

  test('a last line that has not ended counts as one', () => {
    const open = Buffer.concat([disk, Buffer.from('2026-11-23T10:00:05.000000000Z stdout P prompt> \n')])
    const found = createLogTail(1, undefined).look(open)
    expect(createLogPrinter({ timestamps: false }).print(open.subarray(found)).toString()).toBe('prompt> ')
  })

  test('what is no line of ours is told apart', () => {
    const read = (text: string) => readLogHeader(Buffer.from(text), 0, text.length)
    expect(read(`${time} stdout F x`)).toMatchObject({ stream: 'stdout', whole: true })
    expect(read(`${time} stderr P `)).toMatchObject({ stream: 'stderr', whole: false })
    expect(read(`${time} stdout X x`)).toBeUndefined()
    expect(read(`${time} stdoutFF xx`)).toBeUndefined()
    expect(read('')).toBeUndefined()
  })

  test('times of runtimes, which leave out zeros, are read and shown in full', () => {
    const lines = Buffer.from(
      [
        '2026-11-23T10:00:01.12Z stdout F one',
        '2026-11-23T10:00:01.123456789Z stdout F two',
        '2026-11-23T10:00:02Z stdout F three',
        '',
      ].join('\n'),
    )
    expect(createLogPrinter({ timestamps: false }).print(lines).toString()).toBe('one\ntwo\nthree\n')
    expect(createLogPrinter({ timestamps: true }).print(lines).toString()).toBe(
      '2026-11-23T10:00:01.120000000Z one\n2026-11-23T10:00:01.123456789Z two\n2026-11-23T10:00:02.000000000Z three\n',
    )
    const since = createLogPrinter({ timestamps: false, sinceMs: Date.UTC(2026, 10, 23, 10, 0, 1, 121) })
    expect(since.print(lines).toString()).toBe('two\nthree\n')
    expect(createLogTail(2, undefined).look(lines)).toBe(lines.indexOf('2026-11-23T10:00:01.123'))
  })
})
