import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import type { FakeCluster } from '@shiplog/testing/fake-cluster'
import { describe, expect, test } from 'vitest'
import { createReconcileHarness, type ReconcileHarness } from '../testing/reconcile-harness.ts'
import { playWithEveryDeath } from '../testing/two-runners-sim.ts'
import { cronJobReconciler } from './cron-job.reconciler.ts'

// Time begins at 2026-01-01T00:00:00Z: minute 29453760.
const cronJobs = { group: 'batch', resource: 'cronjobs', namespace: 'default' }
const jobs = { group: 'batch', resource: 'jobs', namespace: 'default' }
const minuteMs = 60_000

const harness = (): ReconcileHarness => createReconcileHarness([cronJobReconciler])
const jobPod: JsonObject = { spec: { restartPolicy: 'Never', containers: [{ name: 'main', image: 'x' }] } }
const manifest = (spec: JsonObject): JsonObject => ({
  apiVersion: 'batch/v1',
  kind: 'CronJob',
  metadata: { name: 'tick', namespace: 'default' },
  spec: {
    schedule: '*/5 * * * *',
    concurrencyPolicy: 'Allow',
    suspend: false,
    successfulJobsHistoryLimit: 3,
    failedJobsHistoryLimit: 1,
    jobTemplate: { metadata: { labels: { a: 'b' } }, spec: { template: jobPod } },
    ...spec,
  },
})
const make = (h: ReconcileHarness, spec: JsonObject = {}): KubeObject =>
  h.cluster.must({ verb: 'create', ...cronJobs, body: manifest(spec) })
const patch = (h: ReconcileHarness, spec: JsonObject): KubeObject =>
  h.cluster.must({
    verb: 'patch',
    ...cronJobs,
    name: 'tick',
    patchType: 'application/merge-patch+json',
    body: { spec },
  })
const minutesOf = (h: ReconcileHarness): number[] =>
  h.cluster.list('jobs.batch').map(({ metadata }) => Number(metadata.name.split('-').at(-1)) - 29_453_760)
const status = (h: ReconcileHarness) => h.cluster.get('cronjobs.batch', 'default/tick')!.status!
const end = (cluster: FakeCluster, name: string, type: string, atMs: number): KubeObject => {
  const time = new Date(atMs).toISOString().replace('.000Z', 'Z')
  const types = [type === 'Complete' ? 'SuccessCriteriaMet' : 'FailureTarget', type]
  const body = {
    ...cluster.get('jobs.batch', `default/${name}`)!,
    status: {
      startTime: time,
      ...(type === 'Complete' ? { completionTime: time } : {}),
      conditions: types.map((one) => ({ type: one, status: 'True', lastTransitionTime: time })),
    },
  }
  return cluster.must({ verb: 'update', ...jobs, name, subresource: 'status', body })
}
const endAll = (h: ReconcileHarness, type = 'Complete'): void => {
  for (const job of h.cluster.list('jobs.batch')) {
    if (!job.status.conditions) end(h.cluster, job.metadata.name, type, h.nowMs())
  }
}

describe('a CronJob', () => {
  test('starts a Job at each time of its schedule, and notes it', () => {
    const h = harness()
    make(h)
    h.advance(4 * minuteMs)
    expect(minutesOf(h)).toEqual([])
    h.advance(7 * minuteMs)
    expect(minutesOf(h)).toEqual([5, 10])
    const [job] = h.cluster.list('jobs.batch')
    expect(job!.metadata).toMatchObject({
      labels: { a: 'b' },
      annotations: { 'batch.kubernetes.io/cronjob-scheduled-timestamp': '2026-01-01T00:05:00Z' },
      ownerReferences: [{ kind: 'CronJob', name: 'tick', controller: true }],
    })
    expect(status(h)).toMatchObject({ lastScheduleTime: '2026-01-01T00:10:00Z' })
    expect(status(h).active!.map(({ name }) => name)).toEqual(['tick-29453765', 'tick-29453770'])
    expect(h.events).toEqual([
      'cronjob-controller SuccessfulCreate Created job tick-29453765',
      'cronjob-controller SuccessfulCreate Created job tick-29453770',
    ])
    expect(h.secondRun()).toEqual([])
  })

  test('says when a Job has ended, and keeps as many ended ones as it is told', () => {
    const h = harness()
    make(h, { successfulJobsHistoryLimit: 1, failedJobsHistoryLimit: 0 })
    for (const type of ['Complete', 'Complete', 'Failed']) {
      h.advance(5 * minuteMs + 200)
      endAll(h, type)
      h.settle()
    }
    expect(minutesOf(h)).toEqual([10])
    expect(status(h)).toMatchObject({ lastScheduleTime: '2026-01-01T00:15:00Z' })
    expect(status(h).lastSuccessfulTime).toMatch(/^2026-01-01T00:10:00/)
    expect(status(h).active).toBeUndefined()
    const seen = h.events.filter((event) => event.includes('SawCompletedJob'))
    // Of the failed one, which is not kept, nobody is told that it ended: as upstream.
    expect(seen).toEqual([
      'cronjob-controller SawCompletedJob Saw completed job: tick-29453765, condition: Complete',
      'cronjob-controller SawCompletedJob Saw completed job: tick-29453770, condition: Complete',
    ])
    expect(h.events).toContain('cronjob-controller SuccessfulDelete Deleted job tick-29453765')
  })

  test('follows the clock of its time zone', () => {
    const h = harness()
    make(h, { schedule: '30 5 * * *', timeZone: 'Asia/Kathmandu' })
    h.advance(24 * 60 * minuteMs)
    expect(minutesOf(h)).toEqual([23 * 60 + 45])
    const [job] = h.cluster.list('jobs.batch')
    expect(job!.metadata.annotations!['batch.kubernetes.io/cronjob-scheduled-timestamp']).toBe(
      '2026-01-02T05:30:00+05:45',
    )
  })

  test('follows @every from its last time', () => {
    const h = harness()
    make(h, { schedule: '@every 7m' })
    h.advance(22 * minuteMs)
    expect(minutesOf(h)).toEqual([7, 14, 21])
  })

  test('that must not overlap waits with Forbid, and removes what runs with Replace', () => {
    for (const [policy, minutes] of [
      ['Allow', [5, 10]],
      ['Forbid', [5]],
      ['Replace', [10]],
    ] as const) {
      const h = harness()
      make(h, { concurrencyPolicy: policy })
      h.advance(11 * minuteMs)
      expect(minutesOf(h)).toEqual(minutes)
      if (policy !== 'Forbid') continue
      expect(h.events.at(-1)).toContain('JobAlreadyActive Not starting job because prior execution is running')
      endAll(h)
      h.settle()
      expect(minutesOf(h)).toEqual([5, 10])
    }
  })

  test('starts nothing while suspended, and what it missed once when it goes on', () => {
    const h = harness()
    make(h, { suspend: true })
    h.advance(23 * minuteMs)
    expect(minutesOf(h)).toEqual([])
    patch(h, { suspend: false })
    h.settle()
    expect(minutesOf(h)).toEqual([20])
  })

  test('starts nothing that is later than its deadline', () => {
    const h = harness()
    make(h, { suspend: true, startingDeadlineSeconds: 100 })
    h.advance(23 * minuteMs)
    patch(h, { suspend: false })
    h.settle()
    expect(minutesOf(h)).toEqual([])
    h.advance(2 * minuteMs + 200)
    expect(minutesOf(h)).toEqual([25])
  })

  test('that has missed very many times says so, and starts one', () => {
    const h = harness()
    make(h, { suspend: true, schedule: '* * * * *' })
    h.advance(200 * minuteMs)
    patch(h, { suspend: false })
    h.settle()
    expect(minutesOf(h)).toEqual([200])
    expect(h.events[0]).toContain(
      'TooManyMissedTimes too many missed start times. Set or decrease .spec.startingDeadline',
    )
  })

  test('starts no second Job for a time, also when the first is gone before it could be noted', () => {
    const h = harness()
    make(h)
    const name = 'tick-29453765'
    h.cluster.must({
      verb: 'create',
      ...jobs,
      body: { apiVersion: 'batch/v1', kind: 'Job', metadata: { name, namespace: 'default' }, spec: { template: jobPod } },
    })
    h.cluster.must({ verb: 'delete', ...jobs, name, body: { propagationPolicy: 'Background' } })
    h.advance(6 * minuteMs)
    expect(minutesOf(h)).toEqual([])
    expect(status(h).lastScheduleTime).toBe('2026-01-01T00:05:00Z')
  })

  test('tells of Jobs that it did not make, of those that vanish, and of a schedule that is none', () => {
    const h = harness()
    make(h)
    h.advance(6 * minuteMs)
    h.cluster.must({ verb: 'delete', ...jobs, name: 'tick-29453765', body: { propagationPolicy: 'Background' } })
    const { uid } = h.cluster.get('cronjobs.batch', 'default/tick')!.metadata
    const ownerReferences = [{ apiVersion: 'batch/v1', kind: 'CronJob', name: 'tick', uid, controller: true }]
    const body = {
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { name: 'by-hand', namespace: 'default', ownerReferences },
      spec: { template: jobPod },
    }
    h.cluster.must({ verb: 'create', ...jobs, body })
    h.settle()
    // No gateway takes such a schedule; an older version might have.
    const stored = h.cluster.get('cronjobs.batch', 'default/tick')!
    h.cluster.put('cronjobs.batch', { ...stored, spec: { ...stored.spec, schedule: '* * nonsense' } })
    h.settle()
    const told = h.events.map((event) => event.split(' ').slice(1).join(' '))
    expect(told).toContain('MissingJob Active job went missing: tick-29453765')
    expect(told).toContain('UnexpectedJob Saw a job that the controller did not create or forgot: by-hand')
    expect(told).toContain(
      'UnparseableSchedule unparseable schedule: "* * nonsense" : expected exactly 5 fields, found 3: [* * nonsense]',
    )
  })
})

test.each([
  'Allow',
  'Replace',
])('two runners start each Job once with %s, though one is killed', (concurrencyPolicy) => {
  const story = {
    reconcilers: [cronJobReconciler],
    restMs: 11 * minuteMs,
    deeds: [
      (cluster: FakeCluster) => cluster.must({ verb: 'create', ...cronJobs, body: manifest({ concurrencyPolicy }) }),
      (cluster: FakeCluster) => {
        for (const { metadata } of cluster.list('jobs.batch'))
          end(cluster, metadata.name, 'Complete', Date.parse('2026-01-01T00:11:00Z'))
      },
    ],
  }
  playWithEveryDeath(story, ({ cluster, created }) => {
    expect([...created('jobs.batch')].sort()).toEqual([
      'tick-29453765',
      'tick-29453770',
      'tick-29453775',
      'tick-29453780',
    ])
    const [cronJob] = cluster.list('cronjobs.batch')
    expect(cronJob!.status).toMatchObject({ lastScheduleTime: '2026-01-01T00:20:00Z' })
    expect(cronJob!.status!.active).toHaveLength(concurrencyPolicy === 'Allow' ? 2 : 1)
  })
})
