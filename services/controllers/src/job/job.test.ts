import type { Pod } from '@shiplog/api/generated/types/core-v1'
import { describe, expect, test } from 'vitest'
import { active, condition, finish, get, harness, jobs, make } from '../testing/job-harness.ts'
import { pods } from '../testing/manifests.ts'
import { formatIndexes, parseIndexes } from './completed-indexes.ts'

describe('a Job', () => {
  test('is complete when its pod has succeeded, and counts it once', () => {
    const h = harness()
    make(h)
    h.settle()
    expect(active(h)).toHaveLength(1)
    expect(get(h)['status']).toMatchObject({ active: 1, ready: 1, startTime: '2026-01-01T00:00:00Z' })
    expect(active(h)[0]!.metadata.finalizers).toEqual(['batch.kubernetes.io/job-tracking'])
    finish(h, active(h)[0]!, 'Succeeded')
    h.settle()
    expect(get(h)['status']).toMatchObject({ succeeded: 1, ready: 0, terminating: 0, uncountedTerminatedPods: {} })
    expect(get(h)['status'].active).toBeUndefined()
    expect(get(h)['status'].completionTime).toBe('2026-01-01T00:00:00Z')
    for (const type of ['SuccessCriteriaMet', 'Complete']) {
      expect(condition(h, type)).toMatchObject({
        status: 'True',
        reason: 'CompletionsReached',
        message: 'Reached expected number of succeeded pods',
      })
    }
    expect(h.cluster.list('pods')[0]!.metadata.finalizers).toBeUndefined()
    expect(h.events).toContain('job-controller Completed Job completed')
    expect(h.secondRun()).toEqual([])
  })

  test('runs at most parallelism pods at a time until completions have succeeded', () => {
    const h = harness()
    make(h, { completions: 5, parallelism: 2 })
    h.settle()
    for (let left = 5; left > 0; left--) {
      expect(active(h)).toHaveLength(Math.min(2, left))
      finish(h, active(h)[0]!, 'Succeeded')
      h.settle()
    }
    expect(get(h)['status'].succeeded).toBe(5)
    expect(condition(h, 'Complete')).toBeDefined()
    expect(h.cluster.list('pods')).toHaveLength(5)
  })

  test('counts pods that vanish right after they succeeded', () => {
    const h = harness()
    make(h, { completions: 2 })
    h.settle()
    const [first] = active(h)
    finish(h, first!, 'Succeeded')
    // Held by its finalizer until it is counted.
    h.cluster.must({ verb: 'delete', ...pods, name: first!.metadata.name, body: { gracePeriodSeconds: 0 } })
    h.settle()
    expect(h.cluster.get('pods', `default/${first!.metadata.name}`)).toBeUndefined()
    expect(get(h)['status'].succeeded).toBe(1)
    finish(h, active(h)[0]!, 'Succeeded')
    h.settle()
    expect(get(h)['status'].succeeded).toBe(2)
    expect(condition(h, 'Complete')).toBeDefined()
  })

  test('tries again after a failure with growing pauses, and gives up beyond backoffLimit', () => {
    const h = harness()
    make(h, { backoffLimit: 2 })
    h.settle()
    const pauses = [10_000, 20_000]
    for (const pause of pauses) {
      finish(h, active(h)[0]!, 'Failed')
      h.advance(pause - 1_000)
      expect(active(h)).toHaveLength(0)
      h.advance(2_000)
      expect(active(h)).toHaveLength(1)
    }
    finish(h, active(h)[0]!, 'Failed')
    h.advance(100_000)
    expect(active(h)).toHaveLength(0)
    expect(get(h)['status'].failed).toBe(3)
    expect(condition(h, 'Failed')).toMatchObject({
      status: 'True',
      reason: 'BackoffLimitExceeded',
      message: 'Job has reached the specified backoff limit',
    })
    expect(condition(h, 'Complete')).toBeUndefined()
    expect(h.secondRun()).toEqual([])
  })

  test('fails when it is active longer than its deadline, and its pods go', () => {
    const h = harness()
    make(h, { activeDeadlineSeconds: 30 })
    h.settle()
    h.advance(31_000)
    expect(condition(h, 'Failed')).toMatchObject({ reason: 'DeadlineExceeded' })
    expect(active(h)).toHaveLength(0)
  })

  test('has no pods while suspended, and starts its clock when resumed', () => {
    const h = harness()
    make(h, { suspend: true })
    h.settle()
    expect(h.cluster.list('pods')).toHaveLength(0)
    expect(condition(h, 'Suspended')).toMatchObject({ status: 'True', reason: 'JobSuspended' })
    h.advance(60_000)
    h.cluster.must({
      verb: 'patch',
      ...jobs,
      name: 'work',
      patchType: 'application/merge-patch+json',
      body: { spec: { suspend: false } },
    })
    h.settle()
    expect(active(h)).toHaveLength(1)
    expect(get(h)['status'].startTime).toBe('2026-01-01T00:01:00Z')
    expect(condition(h, 'Suspended')).toMatchObject({ status: 'False', reason: 'JobResumed' })
  })

  test('that is indexed runs each index once and again after a failure', () => {
    const h = harness()
    make(h, { completions: 3, parallelism: 3, completionMode: 'Indexed' })
    h.settle()
    const byIndex = (index: number): Pod =>
      active(h).find((pod) => pod.metadata.annotations!['batch.kubernetes.io/job-completion-index'] === String(index))!
    expect([0, 1, 2].map((index) => byIndex(index)['spec'].hostname)).toEqual(['work-0', 'work-1', 'work-2'])
    finish(h, byIndex(0), 'Succeeded')
    finish(h, byIndex(2), 'Succeeded')
    finish(h, byIndex(1), 'Failed')
    h.settle()
    expect(get(h)['status']).toMatchObject({ completedIndexes: '0,2', succeeded: 2, failed: 1 })
    h.advance(11_000)
    finish(h, byIndex(1), 'Succeeded')
    h.settle()
    expect(get(h)['status']).toMatchObject({ completedIndexes: '0-2', succeeded: 3 })
    expect(condition(h, 'Complete')).toBeDefined()
  })

  test.each([
    'Background',
    'Foreground',
  ])('deleted with policy %s takes its pods along, whatever held them', (propagationPolicy) => {
    const h = harness()
    make(h, { completions: 3, parallelism: 3 })
    h.settle()
    finish(h, active(h)[0]!, 'Succeeded')
    h.cluster.must({ verb: 'delete', ...jobs, name: 'work', body: { propagationPolicy } })
    h.settle()
    expect(h.cluster.list('pods')).toEqual([])
    expect(h.cluster.list('jobs.batch')).toEqual([])
  })

  test('goes ttlSecondsAfterFinished after its end', () => {
    const h = harness()
    make(h, { ttlSecondsAfterFinished: 60 })
    h.settle()
    finish(h, active(h)[0]!, 'Succeeded')
    h.advance(59_000)
    expect(h.cluster.list('jobs.batch')).toHaveLength(1)
    h.advance(2_000)
    expect(h.cluster.list('jobs.batch')).toEqual([])
    expect(h.cluster.list('pods')).toEqual([])
  })
})

test.each([
  ['0-2,5', [0, 1, 2, 5]],
  ['3,4', [3, 4]],
  ['', []],
  ['1,3-6,9', [1, 3, 4, 5, 6, 9]],
])('indexes %s are %j', (text, indexes) => {
  expect([...parseIndexes(text, 10)]).toEqual(indexes)
  expect(formatIndexes(new Set(indexes))).toBe(text)
})
