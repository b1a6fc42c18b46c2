import { describe, expect, test } from 'vitest'
import { compare, type SuiteRecord, summary, updated } from './record.ts'
import { outcomesOf, reasonOf } from './report.ts'

const record: SuiteRecord = {
  kubernetes: '1.36.3',
  specs: { '[sig-apps] a': 'passed', '[sig-apps] b': 'no pods', '[sig-cli] c': 'passed' },
}
const ran = (spec: string, state: 'passed' | 'failed' | 'not run', why?: string) => ({
  spec,
  state,
  seconds: 1,
  ...(why ? { why } : {}),
})

describe('the record of the conformance suite', () => {
  test('a spec that passed and fails now is worse; one that failed and passes is better', () => {
    const { worse, better } = compare(record, [
      ran('[sig-apps] a', 'failed', 'timed out'),
      ran('[sig-apps] b', 'passed'),
      ran('[sig-cli] c', 'not run'),
    ])
    expect(worse).toEqual(['[sig-apps] a: timed out'])
    expect(better).toEqual(['[sig-apps] b'])
  })

  test('an update keeps what the run did not reach', () => {
    const next = updated(record, [
      ran('[sig-apps] b', 'passed'),
      ran('[sig-cli] c', 'not run'),
      ran('[sig-cli] d', 'not run'),
    ])
    expect(next.specs).toEqual({
      '[sig-apps] a': 'passed',
      '[sig-apps] b': 'passed',
      '[sig-cli] c': 'passed',
      '[sig-cli] d': 'not run',
    })
    expect(summary(next)).toEqual(['sig-apps: 2 of 2', 'sig-cli: 1 of 2', 'all: 3 of 4'])
  })
})

describe('an update of the record', () => {
  test('only improves it: what passed stays so, what failed gets the reason of now', () => {
    const next = updated(record, [ran('[sig-apps] a', 'failed', 'timed out'), ran('[sig-apps] b', 'failed', 'no service')])
    expect(next.specs).toMatchObject({ '[sig-apps] a': 'passed', '[sig-apps] b': 'no service' })
  })
})

describe('the report of ginkgo', () => {
  const spec = (State: string, more: object = {}) => ({
    ContainerHierarchyTexts: ['[sig-apps] Job'],
    LeafNodeText: 'should run [Conformance]',
    LeafNodeType: 'It',
    State,
    RunTime: 2e9,
    ...more,
  })

  test('specs that were filtered away and the nodes around specs are left out', () => {
    const set = { ...spec('passed'), LeafNodeType: 'SynchronizedBeforeSuite' }
    expect(outcomesOf([{ SpecReports: [set, spec('skipped'), spec('passed')] }])).toEqual([
      { spec: '[sig-apps] Job should run [Conformance]', state: 'passed', seconds: 2 },
    ])
  })

  test('what the limit cut off was not run; a panic and a timeout are failures', () => {
    const states = outcomesOf([{ SpecReports: ['interrupted', 'timedout', 'panicked'].map((state) => spec(state)) }])
    expect(states.map(({ state }) => state)).toEqual(['not run', 'failed', 'failed'])
    const cut = spec('timedout', { Failure: { Message: 'A suite timeout occurred' } })
    expect(outcomesOf([{ SpecReports: [cut] }])).toMatchObject([{ state: 'not run' }])
  })

  test('a reason is one line that reads the same in the next run', () => {
    expect(reasonOf('error waiting for pods:\nGet https://127.0.0.1:6443: pod job-4711 after 5m0s')).toBe(
      'Get https://…: pod job-… after …',
    )
  })
})
