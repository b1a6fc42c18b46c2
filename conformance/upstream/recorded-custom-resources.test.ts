// Our expressions and our validation of custom resources beside upstream's, case by case.
import { expect, test } from 'vitest'
import { readCustomResourceDifferences } from './differences.ts'
import { judgeCreated, judgeRule, judgeUpdated, judgeValue } from './judge-custom-resources.ts'
import { readRecordedCustomResources } from './recorded-custom-resources.ts'

const recorded = readRecordedCustomResources()
const differences = readCustomResourceDifferences()
const timeoutMs = 120_000

/** The parser's own words for what is no expression are another library's here; that it is none is the same. */
const compared = (sentences: readonly string[]): string[] =>
  sentences.map((one) => one.replace(/ERROR: <input>:\d+:\d+: Syntax error[\s\S]*$/, 'Syntax error')).sort()

const differing = (kind: string, cases: Readonly<Record<string, unknown>>, ours: (name: string) => unknown): object[] =>
  Object.entries(cases).flatMap(([name, theirs]) => {
    const our = ours(name)
    if (JSON.stringify(our) === JSON.stringify(theirs)) return []
    return differences.covers(`${kind}: ${name}`, '') ? [] : [{ name, theirs, our }]
  })

test('expressions come to what they come to upstream', () => {
  const values = Object.fromEntries(Object.entries(recorded.values).map(([name, told]) => [name, compared(told)]))
  expect(differing('value', values, (name) => compared(judgeValue(name)))).toEqual([])
}, timeoutMs)

test('rules are taken and refused as upstream does', () => {
  const rules = Object.fromEntries(Object.entries(recorded.rules).map(([name, told]) => [name, compared(told)]))
  expect(differing('rule', rules, (name) => compared(judgeRule(name)))).toEqual([])
}, timeoutMs)

test('custom resources are taken and refused as upstream does, and stored as it stores them', () => {
  const created = judgeCreated()
  expect(created.size).toBe(Object.keys(recorded.created).length)
  expect(differing('create', recorded.created, (name) => created.get(name))).toEqual([])
  const updated = judgeUpdated()
  expect(updated.size).toBe(Object.keys(recorded.updated).length)
  expect(differing('update', recorded.updated, (name) => updated.get(name))).toEqual([])
  expect(differences.unused()).toEqual([])
}, timeoutMs)
