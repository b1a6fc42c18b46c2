// The parts of the tour's test: it must find every command of a page, and notice a word that is not true.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { consoleBlocks } from './console-blocks.ts'
import { differenceOf, rules } from './same-output.ts'

const root = join(import.meta.dirname, '../..')

describe('a page', () => {
  test('is read as commands with what they print, and blocks that are not run with the reason', () => {
    const page = [
      '# A page',
      '```console',
      '$ one --two   # why; exit code 3',
      'printed',
      '',
      '  and this',
      '$ a \\',
      '    b',
      '```',
      '<!-- not run: it needs the moon -->',
      '```console',
      '$ fly             # until Ctrl-C',
      '```',
      '```sh',
      '$ nothing',
      '```',
    ].join('\n')
    const [first, second, ...more] = consoleBlocks(page)
    expect(more).toEqual([])
    expect(first!.notRun).toBeUndefined()
    expect(first!.commands).toEqual([
      {
        text: 'one --two   # why; exit code 3',
        comment: 'why; exit code 3',
        line: 3,
        printed: ['printed', '  and this'],
        exitCode: 3,
        endsByCtrlC: false,
      },
      { text: 'a \\\n    b', comment: '', line: 7, printed: [], exitCode: 0, endsByCtrlC: false },
    ])
    expect(second).toMatchObject({ notRun: 'it needs the moon', commands: [{ endsByCtrlC: true }] })
  })

  test('that shows output before any command is wrong', () => {
    expect(() => consoleBlocks('```console\nprinted\n```')).toThrow('line 2: output without a command')
  })
})

describe('output', () => {
  const printed = [
    'NAME                   READY   STATUS    RESTARTS   AGE   IP           NODE',
    'web-7957885594-8nsjx   1/1     Running   0          1s    10.244.1.2   node-1',
  ]

  test('is the same when only that differs which must: widths, ages, addresses, random names and their nodes', () => {
    expect(
      differenceOf(printed, [
        '> shiplog@0.1.0 start',
        '',
        'NAME                   READY   STATUS    RESTARTS   AGE     IP            NODE',
        'web-7957885594-mc288   1/1     Running   0          1m12s   10.244.12.2   node-2',
      ]),
    ).toBeUndefined()
  })

  test.each([
    [
      'another word',
      ['NAME  READY  STATUS  RESTARTS  AGE  IP  NODE', 'web-7957885594-mc288  1/1  Pending  0  1s  10.0.0.1  node-1'],
    ],
    [
      'another count',
      ['NAME  READY  STATUS  RESTARTS  AGE  IP  NODE', 'web-7957885594-mc288  1/1  Running  1  1s  10.0.0.1  node-1'],
    ],
    [
      'another template',
      ['NAME  READY  STATUS  RESTARTS  AGE  IP  NODE', 'web-b75df6df4-mc288  1/1  Running  0  1s  10.0.0.1  node-1'],
    ],
    ['a line less', ['NAME  READY  STATUS  RESTARTS  AGE  IP  NODE']],
    ['a line more', [...printed, 'web-7957885594-mc288  1/1  Running  0  1s  10.0.0.1  node-1']],
    ['nothing', []],
  ])('is not the same with %s', (_what, actual) => {
    expect(differenceOf(printed, actual)).toBeDefined()
  })

  test('may be shortened on the page by …, within a line and over lines, and no further', () => {
    expect(differenceOf(['a b …', '…', 'd'], ['a b c', 'x', 'y', 'd'])).toBeUndefined()
    expect(differenceOf(['a …'], ['a b', 'c'])).toBe('printed was also c')
    expect(differenceOf(['…', 'd'], ['x', 'y'])).toContain('nothing like it was printed')
    expect(differenceOf(['a b …'], ['a c'])).toBeDefined()
  })

  test('that is told exactly stays exact: the node of a pod that was named, counts of what differs, exit words', () => {
    expect(differenceOf(['stuck  1/1  node-1'], ['stuck  1/1  node-2'])).toBeDefined()
    expect(
      differenceOf(['9 attempts, 9 identical, 0 different'], ['7 attempts, 7 identical, 1 different']),
    ).toBeDefined()
    expect(
      differenceOf(['9 attempts, 9 identical, 0 different'], ['7 attempts, 7 identical, 0 different']),
    ).toBeUndefined()
  })
})

describe('the pages', () => {
  const pages = [
    'README.md',
    'docs/time-travel.md',
    'docs/sql.md',
    'docs/running-services-apart.md',
    'docs/process-nodes.md',
  ] as const
  const blocks = pages.flatMap((page) =>
    consoleBlocks(readFileSync(join(root, page), 'utf8')).map((block) => ({ page, ...block })),
  )

  test('leave few blocks out, each with its reason', () => {
    const notRun = blocks.filter((block) => block.notRun !== undefined).map(({ page, notRun }) => `${page}: ${notRun}`)
    expect(notRun).toEqual([
      "README.md: it is what runs this page's test",
      'docs/sql.md: psql is no part of the set-up',
      'docs/running-services-apart.md: it needs a Docker engine',
      'docs/running-services-apart.md: what it starts, apart starts; the ports are those of this page',
    ])
  })

  test.each(
    blocks.flatMap(({ page, commands }) => commands.map((command) => [`${page}:${command.line}`, command] as const)),
  )('%s: a changed word in what it prints would be noticed', (_where, { printed }) => {
    for (const [index, line] of printed.entries()) {
      for (const word of line.match(/[A-Za-z]{4,}/g) ?? []) {
        const plain = rules.reduce((text, { pattern, as }) => text.replace(pattern, as), line)
        if (!new RegExp(`\\b${word}\\b`).test(plain)) continue
        const actual = printed.with(index, line.replace(word, `${word}x`))
        expect(differenceOf(printed, actual)).toBeDefined()
        break
      }
    }
  })
})
