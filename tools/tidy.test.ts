import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import { importsOf, type SourceFile, tidy, workspaceOf } from './tidy.ts'

const root = resolve(import.meta.dirname, '..')
const folders = ['libs', 'services', 'apps', 'bench', 'conformance', 'sim', 'tools']

function* sourceFiles(folder: string): Generator<SourceFile> {
  for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
    const path = `${folder}/${entry.name}`
    if (entry.name === 'node_modules' || entry.name === 'generated' || entry.name.startsWith('.')) continue
    if (entry.isDirectory()) yield* sourceFiles(path)
    else if (/\.(ts|mjs)$/.test(entry.name)) yield { path, text: readFileSync(join(root, path), 'utf8') }
  }
}

const present = new Set(readdirSync(root))
// This file is left out: its examples are the very things that it forbids.
const files = folders
  .filter((folder) => present.has(folder))
  .flatMap((folder) => [...sourceFiles(folder)])
  .filter((file) => file.path !== 'tools/tidy.test.ts')
const nameOf = new Map(
  [...new Set(files.map((file) => workspaceOf(file.path)))].flatMap((workspace) => {
    try {
      const { name } = JSON.parse(readFileSync(join(root, workspace, 'package.json'), 'utf8')) as { name: string }
      return [[name, workspace] as const]
    } catch {
      return []
    }
  }),
)

test('the source tree keeps its rules', () => {
  expect(files.length).toBeGreaterThan(30)
  expect(tidy(files, nameOf)).toEqual([])
})

describe('each rule bites', () => {
  const comment = '// Why.\n'
  const names = new Map([
    ['@shiplog/api', 'libs/api'],
    ['@shiplog/domain', 'libs/domain'],
    ['@shiplog/events', 'libs/events'],
    ['@shiplog/testing', 'libs/testing'],
    ['@shiplog/scheduler', 'services/scheduler'],
    ['@shiplog/api-gateway', 'services/api-gateway'],
  ])
  const find = (path: string, code: string): readonly string[] => tidy([{ path, text: comment + code }], names)

  test.each([
    [
      'an arrow that points back',
      'libs/api/src/x.ts',
      `import { a } from '@shiplog/domain/strategy'`,
      'may not import',
    ],
    [
      'a type import is an arrow too',
      'libs/events/src/x.ts',
      `import type { a } from '@shiplog/api/y'`,
      'may not import',
    ],
    ['a service in a service', 'services/scheduler/src/x.ts', `import '@shiplog/api-gateway/y'`, 'may not import'],
    ['a late import', 'libs/api/src/x.ts', `const m = await import('@shiplog/domain/y')`, 'may not import'],
    [
      'an import over several lines',
      'libs/api/src/x.ts',
      `import {\n  a,\n  b,\n} from '@shiplog/domain/y'`,
      'may not import',
    ],
    ['a re-export', 'libs/api/src/x.ts', `export { a } from '@shiplog/domain/y'`, 'may not import'],
    ['a path into another package', 'libs/api/src/x.ts', `import '../../domain/src/y.ts'`, 'reaches into libs/domain'],
    ['the package itself', 'libs/api/src/x.ts', `import '@shiplog/api/y'`, 'use a relative path'],
    ['test helpers in the product', 'services/scheduler/src/x.ts', `import '@shiplog/testing/y'`, 'is for tests'],
    ['no extension', 'libs/api/src/x.ts', `import './y'`, 'has no extension'],
    [
      'a vendor package elsewhere',
      'services/scheduler/src/x.ts',
      `import fastify from 'fastify'`,
      'may only be imported',
    ],
    ['a vendor package without a folder', 'services/scheduler/src/x.ts', `import 'left-pad'`, 'has no folder'],
    ['SQLite outside its adapter', 'services/scheduler/src/x.ts', `import 'node:sqlite'`, 'may only be imported'],
    ['a test tool in the product', 'libs/api/src/x.ts', `import fc from 'fast-check'`, 'does not ship it'],
    ['I/O in a pure folder', 'libs/domain/src/x.ts', `import fs from 'node:fs'`, 'this folder is pure'],
    ['the clock', 'services/scheduler/src/x.ts', `const now = Date.now()`, 'clock.nowMs()'],
    ['the present moment', 'services/scheduler/src/x.ts', `const now = new Date()`, 'clock.nowMs()'],
    ['a timer', 'services/scheduler/src/x.ts', `setTimeout(() => 1, 5)`, 'clock.sleep'],
    ['a timer beside the clock', 'libs/runtime/src/x.ts', `setTimeout(() => 1, 5)`, 'clock.sleep'],
    ['a timer in disguise', 'services/scheduler/src/x.ts', `AbortSignal.timeout(5)`, 'clock.after'],
    ['a timer by import', 'libs/runtime/src/x.ts', `import { setTimeout } from 'node:timers/promises'`, 'a Clock'],
    ['an interval', 'services/scheduler/src/x.ts', `setInterval(() => 1, 5)`, 'clock.every'],
    ['chance', 'libs/domain/src/x.ts', `const n = Math.random()`, 'ids.integer'],
    ['an enum', 'libs/domain/src/x.ts', `export enum A { B }`, 'string literals'],
    ['a namespace', 'libs/domain/src/x.ts', `namespace A {}`, 'a module'],
    ['a parameter property', 'libs/domain/src/x.ts', `class A { constructor(readonly b: 1) {} }`, 'assigned in'],
    ['an unfinished repair', 'libs/domain/src/x.ts', `const a = 1 // FIX${'ME'}`, 'the repair itself'],
    ['a task without an issue', 'libs/domain/src/x.ts', `const a = 1 // TO${'DO'} later`, 'or do it'],
    ['camel case', 'libs/domain/src/podStrategy.ts', '', 'kebab-case'],
    ['a barrel', 'libs/domain/src/index.ts', '', 'no barrels'],
  ])('%s', (_name, path, code, finding) => {
    expect(find(path, code).join('\n')).toContain(finding)
  })

  test('a file without an opening comment', () => {
    expect(tidy([{ path: 'libs/api/src/x.ts', text: 'export const a = 1\n' }], names).join()).toContain('begin with')
  })

  test.each([
    ['an arrow that points down', 'libs/domain/src/x.ts', `import { a } from '@shiplog/api/y'`],
    ['a library in a service', 'services/scheduler/src/x.ts', `import { a } from '@shiplog/domain/y'`],
    ['test helpers in a test', 'services/scheduler/src/x.test.ts', `import '@shiplog/testing/y'`],
    ['a tool that sets a test up', 'libs/events/src/x.int.test.ts', `import '../../../tools/nats-server/provide.ts'`],
    ['test helpers in what tests share', 'services/scheduler/src/testing/x.ts', `import '@shiplog/testing/y'`],
    ['time in a test', 'services/scheduler/src/x.int.test.ts', `const now = Date.now()`],
    ['time in the runtime', 'libs/runtime/src/clock.ts', `const now = Date.now()`],
    ['a given time', 'libs/api/src/x.ts', `const text = new Date(nowMs).toISOString()`],
    ['the port', 'libs/api/src/x.ts', `await clock.setTimeout(5)`],
    ['a commented import', 'libs/api/src/x.ts', `// import '@shiplog/domain/y'`],
    ['a task with an issue', 'libs/domain/src/x.ts', `// TO${'DO'} (#12): later`],
  ])('allowed: %s', (_name, path, code) => {
    expect(find(path, code)).toEqual([])
  })

  test('imports are read in every form', () => {
    expect(
      importsOf(`import a from 'a'\nimport 'b'\nexport * from "c"\nconst d = await import('d')\nimport.meta.url`),
    ).toEqual(['a', 'b', 'c', 'd'])
  })
})
