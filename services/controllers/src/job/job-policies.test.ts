import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import { describe, expect, test } from 'vitest'
import {
  active,
  byIndex,
  condition,
  conditionTypes,
  finish,
  get,
  harness,
  indexText,
  jobs,
  make,
  makeIndexed,
  patchSpec,
} from '../testing/job-harness.ts'
import { pods } from '../testing/manifests.ts'
import type { ReconcileHarness } from '../testing/reconcile-harness.ts'

const rule = (action: string, more: JsonObject): JsonObject => ({ action, ...more })
const onCode = (operator: string, values: number[], containerName?: string): JsonObject => ({
  onExitCodes: { operator, values, ...(containerName ? { containerName } : {}) },
})
const onDisruption = { onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }] }
const remove = (h: ReconcileHarness, pod: KubeObject): unknown =>
  h.cluster.must({ verb: 'delete', ...pods, name: pod.metadata.name })

/** Every status that the Job ever had. */
const statuses = (h: ReconcileHarness): JsonObject[] =>
  h.cluster.changes
    .filter(({ groupResource }) => groupResource === 'jobs.batch')
    .map(({ object }) => (object['status'] ?? {}) as JsonObject)
const everTypes = (h: ReconcileHarness): string[][] =>
  statuses(h).map((status) => ((status['conditions'] ?? []) as JsonObject[]).map((one) => one['type']))

describe('podFailurePolicy', () => {
  test('FailJob fails the Job after the first pod, and says by which rule', () => {
    const h = harness()
    make(h, {
      parallelism: 2,
      completions: 2,
      podReplacementPolicy: 'Failed',
      podFailurePolicy: { rules: [rule('Ignore', onDisruption), rule('FailJob', onCode('In', [42], 'main'))] },
    })
    h.settle()
    const [first] = active(h)
    finish(h, first!, 'Failed', { exitCode: 42 })
    h.advance(60_000)
    const message = `Container main for pod default/${first!.metadata.name} failed with exit code 42 matching FailJob rule at index 1`
    expect(condition(h, 'FailureTarget')).toMatchObject({ status: 'True', reason: 'PodFailurePolicy', message })
    expect(condition(h, 'Failed')).toMatchObject({ status: 'True', reason: 'PodFailurePolicy', message })
    expect(h.events).toContain(`job-controller PodFailurePolicy ${message}`)
    // The other one was ended with its Job, and counts as failed.
    expect(get(h)['status']).toMatchObject({ failed: 2, terminating: 0, uncountedTerminatedPods: {} })
    expect(h.cluster.changes.filter(({ type }) => type === 'PodCreated')).toHaveLength(2)
    // The verdict is there before the end.
    expect(everTypes(h)).toContainEqual(['FailureTarget'])
    expect(h.secondRun()).toEqual([])
  })

  test('Ignore replaces the pod and counts no failure', () => {
    const h = harness()
    make(h, { backoffLimit: 0, podFailurePolicy: { rules: [rule('Ignore', onDisruption)] } })
    h.settle()
    finish(h, active(h)[0]!, 'Failed', { disrupted: true })
    h.advance(11_000)
    expect(active(h)).toHaveLength(1)
    expect(get(h)['status'].failed).toBeUndefined()
    finish(h, active(h)[0]!, 'Succeeded')
    h.settle()
    expect(condition(h, 'Complete')).toBeDefined()
    for (const pod of h.cluster.list('pods')) expect(pod.metadata.finalizers).toBeUndefined()
  })

  test.each([
    ['Count', onCode('In', [3]), 3],
    ['Count', onCode('NotIn', [1]), 3],
  ])('%s by %j counts towards backoffLimit', (action, match, exitCode) => {
    const h = harness()
    make(h, {
      backoffLimit: 0,
      podFailurePolicy: { rules: [rule(action, match), rule('Ignore', onCode('NotIn', [0]))] },
    })
    h.settle()
    finish(h, active(h)[0]!, 'Failed', { exitCode })
    h.settle()
    expect(condition(h, 'Failed')).toMatchObject({ reason: 'BackoffLimitExceeded' })
    expect(get(h)['status'].failed).toBe(1)
  })

  test('FailIndex gives up the index at once', () => {
    const h = harness()
    makeIndexed(h, 2, {
      backoffLimitPerIndex: 3,
      backoffLimit: 2 ** 31 - 1,
      podFailurePolicy: { rules: [rule('FailIndex', onCode('In', [7]))] },
    })
    h.settle()
    finish(h, byIndex(h, 0), 'Failed', { exitCode: 7 })
    h.settle()
    expect(get(h)['status']).toMatchObject({ failedIndexes: '0', failed: 1 })
    finish(h, byIndex(h, 1), 'Succeeded')
    h.settle()
    expect(condition(h, 'Failed')).toMatchObject({ reason: 'FailedIndexes', message: 'Job has failed indexes' })
    expect(get(h)['status']).toMatchObject({ failedIndexes: '0', completedIndexes: '1', succeeded: 1, failed: 1 })
  })

  test('waits for a deleted pod to end before it judges it', () => {
    const h = harness({ terminates: () => false })
    make(h, { podFailurePolicy: { rules: [rule('FailJob', onCode('In', [42]))] } })
    h.settle()
    const [pod] = active(h)
    remove(h, pod!)
    h.advance(30_000)
    expect(active(h)).toHaveLength(0)
    expect(h.cluster.list('pods')).toHaveLength(1)
    expect(get(h)['status']).toMatchObject({ terminating: 1 })
    expect(get(h)['status'].failed).toBeUndefined()
  })
})

describe('backoffLimitPerIndex', () => {
  const spec = { backoffLimitPerIndex: 1, backoffLimit: 2 ** 31 - 1 }

  test('gives each index its own retries, pauses and count of failures', () => {
    const h = harness()
    makeIndexed(h, 3, spec)
    h.settle()
    expect(active(h).map((pod) => pod.metadata.annotations)).toContainEqual({
      'batch.kubernetes.io/job-completion-index': '0',
      'batch.kubernetes.io/job-index-failure-count': '0',
    })
    finish(h, byIndex(h, 0), 'Failed')
    finish(h, byIndex(h, 1), 'Succeeded')
    h.advance(9_000)
    expect(active(h).map(indexText)).toEqual(['2'])
    // The failed pod is held until the one that replaces it knows of it, and counted then.
    expect(get(h)['status'].failed).toBeUndefined()
    h.advance(2_000)
    expect(byIndex(h, 0).metadata.annotations!['batch.kubernetes.io/job-index-failure-count']).toBe('1')
    expect(get(h)['status']).toMatchObject({ failed: 1, failedIndexes: '' })
    finish(h, byIndex(h, 0), 'Failed')
    h.advance(60_000)
    expect(get(h)['status']).toMatchObject({ failed: 2, failedIndexes: '0', completedIndexes: '1' })
    expect(condition(h, 'Failed')).toBeUndefined()
    finish(h, byIndex(h, 2), 'Succeeded')
    h.settle()
    expect(condition(h, 'Failed')).toMatchObject({ reason: 'FailedIndexes' })
    expect(get(h)['status']).toMatchObject({ completedIndexes: '1,2', failedIndexes: '0', succeeded: 2 })
    expect(h.secondRun()).toEqual([])
  })

  test('keeps counting when the failed pod is deleted before it is replaced', () => {
    const h = harness()
    makeIndexed(h, 1, spec)
    h.settle()
    finish(h, byIndex(h, 0), 'Failed')
    h.settle()
    remove(h, h.cluster.list('pods')[0]!)
    h.advance(11_000)
    expect(byIndex(h, 0).metadata.annotations!['batch.kubernetes.io/job-index-failure-count']).toBe('1')
  })

  test('tells failures that were ignored apart', () => {
    const h = harness()
    makeIndexed(h, 1, { ...spec, podFailurePolicy: { rules: [rule('Ignore', onDisruption)] } })
    h.settle()
    finish(h, byIndex(h, 0), 'Failed', { disrupted: true })
    h.advance(11_000)
    expect(byIndex(h, 0).metadata.annotations).toMatchObject({
      'batch.kubernetes.io/job-index-failure-count': '0',
      'batch.kubernetes.io/job-index-ignored-failure-count': '1',
    })
    // The pause grows with every failure of the index, counted or not.
    finish(h, byIndex(h, 0), 'Failed', { disrupted: true })
    h.advance(19_000)
    expect(active(h)).toHaveLength(0)
    h.advance(2_000)
    expect(active(h)).toHaveLength(1)
  })

  test('fails the Job beyond maxFailedIndexes, and ends what runs', () => {
    const h = harness()
    makeIndexed(h, 4, { backoffLimitPerIndex: 0, backoffLimit: 2 ** 31 - 1, maxFailedIndexes: 1 })
    h.settle()
    finish(h, byIndex(h, 0), 'Failed')
    h.settle()
    expect(conditionTypes(h)).toEqual([])
    finish(h, byIndex(h, 1), 'Failed')
    h.settle()
    expect(condition(h, 'Failed')).toMatchObject({
      reason: 'MaxFailedIndexesExceeded',
      message: 'Job has exceeded the specified maximal number of failed indexes',
    })
    expect(get(h)['status']).toMatchObject({ failedIndexes: '0,1', failed: 4 })
    expect(active(h)).toEqual([])
  })
})

describe('successPolicy', () => {
  test.each([
    [{ succeededIndexes: '0' }, [0], 0],
    [{ succeededCount: 2 }, [1, 2], 0],
    [{ succeededIndexes: '0-2', succeededCount: 1 }, [2], 0],
  ])('by %j is met by the indexes %j', (met, indexes, ruleIndex) => {
    const h = harness()
    makeIndexed(h, 4, { successPolicy: { rules: [met, { succeededIndexes: '3' }] } })
    h.settle()
    for (const index of indexes) finish(h, byIndex(h, index), 'Succeeded')
    h.settle()
    const message = `Matched rules at index ${ruleIndex}`
    expect(condition(h, 'SuccessCriteriaMet')).toMatchObject({ status: 'True', reason: 'SuccessPolicy', message })
    expect(condition(h, 'Complete')).toMatchObject({ status: 'True', reason: 'SuccessPolicy', message })
    // SuccessCriteriaMet first, Complete when all pods have gone.
    expect(everTypes(h)).toContainEqual(['SuccessCriteriaMet'])
    expect(active(h)).toEqual([])
    expect(get(h)['status']).toMatchObject({ succeeded: indexes.length, terminating: 0 })
    // What it made superfluous did not fail.
    expect(get(h)['status'].failed).toBeUndefined()
    expect(h.secondRun()).toEqual([])
  })

  test.each([
    ['Indexed', { successPolicy: { rules: [{ succeededIndexes: '0' }] } }],
    ['NonIndexed', { completions: 1 }],
  ])('counts no pod of an %s Job that it ended, though that one exits with 0', (completionMode, spec) => {
    const h = harness({ terminates: () => false })
    makeIndexed(h, 2, { completionMode, ...spec })
    h.settle()
    // Of the NonIndexed one the second pod replaces the first, which takes its time to end.
    const [leaving] = active(h)
    if (completionMode === 'NonIndexed') remove(h, leaving!)
    h.advance(30_000)
    const [first, other = leaving] = active(h)
    finish(h, first!, 'Succeeded')
    h.round()
    expect(conditionTypes(h)).toEqual(['SuccessCriteriaMet'])
    finish(h, h.cluster.get('pods', `default/${other!.metadata.name}`)!, 'Succeeded')
    h.settle()
    expect(conditionTypes(h)).toEqual(['SuccessCriteriaMet', 'Complete'])
    expect(get(h)['status'].succeeded).toBe(1)
  })

  test('stands though pods fail later', () => {
    const h = harness({ terminates: () => false })
    makeIndexed(h, 2, { backoffLimit: 0, successPolicy: { rules: [{ succeededIndexes: '0' }] } })
    h.settle()
    finish(h, byIndex(h, 0), 'Succeeded')
    const other = byIndex(h, 1)
    h.settle()
    expect(conditionTypes(h)).toEqual(['SuccessCriteriaMet'])
    expect(get(h)['status']).toMatchObject({ terminating: 1 })
    finish(h, h.cluster.get('pods', `default/${other.metadata.name}`)!, 'Failed')
    h.settle()
    expect(conditionTypes(h)).toEqual(['SuccessCriteriaMet', 'Complete'])
  })
})

describe('pods that are removed without having failed', () => {
  test('are those of a suspended Job: nothing is counted, and they come back at once', () => {
    const h = harness()
    make(h, { parallelism: 2, completions: 4, backoffLimit: 0 })
    h.settle()
    patchSpec(h, { suspend: true })
    h.settle()
    expect(h.cluster.list('pods')).toEqual([])
    expect(get(h)['status'].startTime).toBeUndefined()
    expect(get(h)['status'].failed).toBeUndefined()
    patchSpec(h, { suspend: false })
    h.settle()
    expect(active(h)).toHaveLength(2)
    expect(conditionTypes(h)).toEqual(['Suspended'])
  })

  test('are those beyond parallelism', () => {
    const h = harness()
    make(h, { parallelism: 3, completions: 9, backoffLimit: 0 })
    h.settle()
    patchSpec(h, { parallelism: 1 })
    h.settle()
    expect(active(h)).toHaveLength(1)
    expect(get(h)['status'].failed).toBeUndefined()
    expect(conditionTypes(h)).toEqual([])
  })
})

test('a suspended Job without completions is complete and never started', () => {
  const h = harness()
  make(h, { completions: 0, suspend: true })
  h.settle()
  expect(conditionTypes(h)).toEqual(['SuccessCriteriaMet', 'Complete'])
  expect(get(h)['status'].startTime).toBeUndefined()
})

test('a Job that another controller manages is left alone', () => {
  const h = harness()
  make(h, { managedBy: 'example.com/queue' })
  h.settle()
  expect(h.cluster.list('pods')).toEqual([])
  expect(get(h).status).toEqual({})
})

describe('an elastic Indexed Job', () => {
  test('grows and shrinks with completions and parallelism', () => {
    const h = harness()
    makeIndexed(h, 4)
    h.settle()
    finish(h, byIndex(h, 1), 'Succeeded')
    finish(h, byIndex(h, 3), 'Succeeded')
    h.settle()
    patchSpec(h, { completions: 3, parallelism: 3 })
    h.settle()
    expect(active(h).map(indexText).sort()).toEqual(['0', '2'])
    expect(get(h)['status']).toMatchObject({ completedIndexes: '1', succeeded: 1 })
    patchSpec(h, { completions: 2, parallelism: 2 })
    h.settle()
    expect(active(h).map(indexText)).toEqual(['0'])
    patchSpec(h, { completions: 5, parallelism: 5 })
    h.settle()
    expect(active(h).map(indexText).sort()).toEqual(['0', '2', '3', '4'])
    for (const pod of active(h)) finish(h, pod, 'Succeeded')
    h.settle()
    expect(get(h)['status']).toMatchObject({ completedIndexes: '0-4', succeeded: 5 })
    expect(get(h)['status'].failed).toBeUndefined()
    expect(conditionTypes(h)).toEqual(['SuccessCriteriaMet', 'Complete'])
  })
})

describe('orphans', () => {
  const setMetadata = (h: ReconcileHarness, pod: KubeObject, metadata: JsonObject): unknown =>
    h.cluster.must({
      verb: 'patch',
      ...pods,
      name: pod.metadata.name,
      patchType: 'application/merge-patch+json',
      body: { metadata },
    })

  test('are adopted, with the finalizer, and count', () => {
    const h = harness()
    const job = make(h)
    h.settle()
    const [pod] = active(h)
    setMetadata(h, pod!, { ownerReferences: null, finalizers: null })
    h.settle()
    const after = h.cluster.get('pods', `default/${pod!.metadata.name}`)!
    expect(after.metadata.ownerReferences).toMatchObject([{ uid: job.metadata.uid, controller: true }])
    expect(after.metadata.finalizers).toEqual(['batch.kubernetes.io/job-tracking'])
    expect(h.cluster.list('pods')).toHaveLength(1)
    finish(h, after, 'Succeeded')
    h.settle()
    expect(condition(h, 'Complete')).toBeDefined()
  })

  test('are adopted though they have ended meanwhile', () => {
    const h = harness()
    make(h)
    h.settle()
    const [pod] = active(h)
    finish(h, pod!, 'Succeeded')
    setMetadata(h, pod!, { ownerReferences: null })
    h.settle()
    expect(get(h)['status']).toMatchObject({ succeeded: 1 })
  })

  test('are made by labels that do not match any more: released, without the finalizer, and replaced', () => {
    const h = harness()
    make(h)
    h.settle()
    const [pod] = active(h)
    setMetadata(h, pod!, { labels: { 'job-name': 'other' } })
    h.settle()
    const after = h.cluster.get('pods', `default/${pod!.metadata.name}`)!
    expect(after.metadata.ownerReferences).toBeUndefined()
    expect(after.metadata.finalizers).toBeUndefined()
    expect(h.cluster.list('pods')).toHaveLength(2)
  })

  test('that nobody adopts are let go', () => {
    const h = harness()
    make(h)
    h.settle()
    h.cluster.must({ verb: 'delete', ...jobs, name: 'work', body: { propagationPolicy: 'Orphan' } })
    h.settle()
    const [pod] = h.cluster.list('pods')
    expect(pod!.metadata.ownerReferences).toBeUndefined()
    expect(pod!.metadata.finalizers).toBeUndefined()
  })
})

test('restarts in place count towards backoffLimit, of all containers and pods together', () => {
  const h = harness()
  make(h, {
    parallelism: 2,
    completions: 2,
    backoffLimit: 4,
    template: {
      metadata: { labels: { 'job-name': 'work' } },
      spec: { restartPolicy: 'OnFailure', containers: [{ name: 'main', image: 'x' }] },
    },
  })
  h.settle()
  const restart = (pod: KubeObject, restartCount: number): unknown =>
    h.cluster.must({
      verb: 'patch',
      ...pods,
      name: pod.metadata.name,
      subresource: 'status',
      patchType: 'application/merge-patch+json',
      body: { status: { containerStatuses: [{ name: 'main', restartCount }] } },
    })
  const [first, second] = active(h)
  restart(first!, 2)
  restart(second!, 1)
  h.settle()
  expect(conditionTypes(h)).toEqual([])
  restart(active(h)[1]!, 2)
  h.settle()
  expect(condition(h, 'Failed')).toMatchObject({ reason: 'BackoffLimitExceeded' })
})

test('the name of an index’s pod shows the index, however long the Job’s name is', () => {
  const h = harness()
  make(h, { completions: 12, parallelism: 12, completionMode: 'Indexed' }, 'n'.repeat(60))
  h.settle()
  expect(
    active(h)
      .map((pod) => /-(\d+)-[a-z0-9]{5}$/.exec(pod.metadata.name)?.[1])
      .sort(),
  ).toEqual(Array.from({ length: 12 }, (_, index) => String(index)).sort())
})

test.each([
  ['before', 29_999, false],
  ['at', 30_001, true],
])('the deadline counts from the last time the Job went on: %s it', (_when, afterMs, isOver) => {
  const h = harness()
  make(h, { activeDeadlineSeconds: 30 })
  h.settle()
  h.advance(20_000)
  patchSpec(h, { suspend: true })
  h.advance(100_000)
  expect(conditionTypes(h)).toEqual(['Suspended'])
  patchSpec(h, { suspend: false })
  h.settle()
  h.advance(afterMs)
  expect(condition(h, 'Failed') !== undefined).toBe(isOver)
})

test('no status that the controller writes breaks upstream’s rules for them', () => {
  const specs: JsonObject[] = [
    { completions: 3, parallelism: 3 },
    { completions: 3, parallelism: 3, backoffLimit: 0 },
    { completions: 3, parallelism: 3, completionMode: 'Indexed', successPolicy: { rules: [{ succeededCount: 1 }] } },
    { completions: 3, parallelism: 3, completionMode: 'Indexed', backoffLimitPerIndex: 0 },
    { completions: 3, parallelism: 3, podReplacementPolicy: 'Failed' },
  ]
  for (const spec of specs) {
    const h = harness()
    make(h, spec)
    h.settle()
    for (let step = 0; step < 8; step++) {
      const [pod] = active(h)
      if (pod) finish(h, pod, step % 2 === 0 ? 'Failed' : 'Succeeded')
      if (step === 3) patchSpec(h, { suspend: true })
      h.advance(15_000)
      if (step === 3) patchSpec(h, { suspend: false })
      h.advance(15_000)
    }
    let before: JsonObject = {}
    for (const status of statuses(h)) {
      const types = ((status['conditions'] ?? []) as JsonObject[])
        .filter((one) => one['status'] === 'True')
        .map((one) => one['type'] as string)
      const isOver = types.includes('Complete') || types.includes('Failed')
      expect(status['ready'] ?? 0).toBeLessThanOrEqual(status['active'] ?? 0)
      expect(status['failed'] ?? 0).toBeGreaterThanOrEqual(before['failed'] ?? 0)
      expect(status['succeeded'] ?? 0).toBeGreaterThanOrEqual(before['succeeded'] ?? 0)
      expect(types.includes('Complete') && types.includes('FailureTarget')).toBe(false)
      expect(types.includes('SuccessCriteriaMet') && types.includes('FailureTarget')).toBe(false)
      if (types.includes('Complete')) expect(types).toContain('SuccessCriteriaMet')
      if (types.includes('Failed')) expect(types).toContain('FailureTarget')
      expect(status['completionTime'] !== undefined).toBe(types.includes('Complete'))
      if (isOver) {
        expect(status).toMatchObject({ terminating: 0, uncountedTerminatedPods: {} })
        expect(status['active']).toBeUndefined()
        expect(status['startTime']).toBeDefined()
        expect(status['uncountedTerminatedPods']).toEqual({})
      }
      before = status
    }
    expect(conditionTypes(h).some((type) => type === 'Complete' || type === 'Failed')).toBe(true)
  }
})
