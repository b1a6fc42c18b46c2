import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'
import type { SourceFile } from './tidy.ts'
import { untypedAccessCeilings, untypedAccessCounts, untypedAccesses } from './untyped-access.ts'

const root = resolve(import.meta.dirname, '..')

function* sourceFiles(folder: string): Generator<SourceFile> {
  for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
    const path = `${folder}/${entry.name}`
    if (entry.name === 'node_modules' || entry.name === 'generated' || entry.name.startsWith('.')) continue
    if (entry.isDirectory()) yield* sourceFiles(path)
    else if (entry.name.endsWith('.ts')) yield { path, text: readFileSync(join(root, path), 'utf8') }
  }
}

test('no workspace has more untyped field accesses than its ceiling', () => {
  const counts = untypedAccessCounts(['libs', 'services', 'apps'].flatMap((folder) => [...sourceFiles(folder)]))
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0)
  console.log(`untyped field accesses: ${total}`)
  for (const [workspace, count] of counts) console.log(`  ${workspace}: ${count}`)
  const above = [...counts].filter(([workspace, count]) => count > (untypedAccessCeilings[workspace] ?? 0))
  expect(above, 'type the object (libs/api/src/object-of.ts) instead of reading its field by name').toEqual([])
})

test('counts accesses, not types, comments or literals', () => {
  expect(untypedAccesses(`const x = pod['spec']?.['nodeName']; call(pod)['status']!['phase']`)).toBe(4)
  expect(untypedAccesses(`type A = Pod['spec']; const list = ['a']; // pod['spec']`)).toBe(0)
  expect(untypedAccesses(`process.env['HOME']; labels['app.kubernetes.io/name']`)).toBe(0)
})
