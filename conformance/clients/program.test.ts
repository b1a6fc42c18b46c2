import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test, vi } from 'vitest'
import { missingTools, programs } from './program.ts'

const directory = mkdtempSync(join(tmpdir(), 'shiplog-programs-'))
afterEach(() => {
  vi.unstubAllEnvs()
  rmSync(directory, { recursive: true, force: true })
})

test('a missing tool is one sentence that says how to get it', () => {
  vi.stubEnv('PATH', directory)
  const java = programs.find(({ name }) => name === 'fabric8')!
  writeFileSync(join(directory, 'mvn'), '')
  chmodSync(join(directory, 'mvn'), 0o755)
  expect(missingTools(java)).toEqual([
    'javac is not on PATH: install a JDK of 17 or later (Debian: apt-get install openjdk-17-jdk)',
  ])
})

test('every client but that of this checkout names its tools', () => {
  expect(programs.filter(({ tools }) => Object.keys(tools).length === 0).map(({ name }) => name)).toEqual(['client-node'])
})
