// Jobs and CronJobs.
import type { JsonObject } from '@shiplog/api/kube-object'
import type { Scenario } from '../scenario.ts'
import { cronJob, early, job, kubelet, pass, patch, remove, scenario, template } from './manifests.ts'

const work = 'jobs.batch/work'
const pods = { labels: { app: 'work' } }
const running = { ...pods, phase: 'Running' }
const failOn = (action: string, ...values: number[]): JsonObject => ({
  rules: [{ action, onExitCodes: { operator: 'In', values } }],
})
const ignoreDisruptions: JsonObject = {
  rules: [{ action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }] }],
}
const indexed = { completionMode: 'Indexed' }
const succeed = { pods: running, become: 'succeeded' } as const
const fail = { pods: running, become: { exitCode: 1 } } as const

export const jobScenarios: readonly Scenario[] = [
  scenario('job/succeeds', job('work'), kubelet, succeed),
  scenario('job/several', job('work', { completions: 3, parallelism: 2 }), kubelet, { pods: { ...running, take: 1 }, become: 'succeeded' }, kubelet, succeed),
  scenario('job/of-a-work-queue', job('work', { parallelism: 2 }), kubelet, { pods: { ...running, take: 1 }, become: 'succeeded' }, succeed),
  scenario('job/of-nothing', job('work', { completions: 0 })),
  scenario('job/without-parallelism', job('work', { parallelism: 0 }), patch(work, { spec: { parallelism: 1 } }), kubelet),
  scenario('job/fails-at-once', job('work', { backoffLimit: 0 }), kubelet, fail),
  scenario('job/fails-in-the-end', job('work', { backoffLimit: 1 }), kubelet, fail, pass(11), kubelet, fail),
  scenario('job/others-are-stopped-when-it-fails', job('work', { backoffLimit: 0, parallelism: 3, completions: 3 }), kubelet, { pods: { ...running, take: 1 }, become: { exitCode: 1 } }, kubelet),
  scenario('job/deadline', job('work', { activeDeadlineSeconds: 20 }), kubelet, pass(20), kubelet),
  scenario('job/suspended', job('work', { suspend: true }), patch(work, { spec: { suspend: false } }), kubelet, patch(work, { spec: { suspend: true } }), kubelet, patch(work, { spec: { suspend: false } }), kubelet, succeed),
  scenario('job/indexed', job('work', { ...indexed, completions: 3, parallelism: 3 }), kubelet, { pods: { index: 1 }, become: 'succeeded' }, succeed),
  scenario('job/indexed-with-a-failure', job('work', { ...indexed, completions: 2, parallelism: 2 }), kubelet, { pods: { index: 0 }, become: { exitCode: 1 } }, pass(11), kubelet, succeed),
  scenario('job/indexed-limit-for-each', job('work', { ...indexed, completions: 2, parallelism: 2, backoffLimitPerIndex: 0 }), kubelet, { pods: { index: 0 }, become: { exitCode: 1 } }, succeed),
  scenario('job/indexed-too-many-failed-indexes', job('work', { ...indexed, completions: 3, parallelism: 3, backoffLimitPerIndex: 0, maxFailedIndexes: 0 }), kubelet, { pods: { index: 2 }, become: { exitCode: 1 } }, kubelet),
  scenario('job/indexed-grows', job('work', { ...indexed, completions: 2, parallelism: 2 }), kubelet, patch(work, { spec: { completions: 3, parallelism: 3 } }), kubelet, succeed),
  scenario('job/indexed-shrinks', job('work', { ...indexed, completions: 3, parallelism: 3 }), kubelet, patch(work, { spec: { completions: 1, parallelism: 1 } }), kubelet, succeed),
  scenario('job/parallelism-shrinks', job('work', { completions: 4, parallelism: 3 }), kubelet, patch(work, { spec: { parallelism: 1 } }), kubelet),
  scenario('job/policy-fails-it', job('work', { podFailurePolicy: failOn('FailJob', 42) }), kubelet, { pods: running, become: { exitCode: 42 } }),
  scenario('job/policy-ignores', job('work', { backoffLimit: 0, podFailurePolicy: failOn('Ignore', 42) }), kubelet, { pods: running, become: { exitCode: 42 } }, pass(15), kubelet, succeed),
  scenario('job/policy-counts', job('work', { backoffLimit: 0, podFailurePolicy: failOn('Count', 42) }), kubelet, { pods: running, become: { exitCode: 42 } }),
  scenario('job/policy-fails-an-index', job('work', { ...indexed, completions: 2, parallelism: 2, backoffLimitPerIndex: 3, podFailurePolicy: failOn('FailIndex', 42) }), kubelet, { pods: { index: 0 }, become: { exitCode: 42 } }, succeed),
  scenario('job/a-disruption-is-ignored', job('work', { backoffLimit: 0, podFailurePolicy: ignoreDisruptions }), kubelet, { evict: running }, { pods: { ...pods, take: 1 }, become: { exitCode: 143 } }, pass(15), kubelet, succeed),
  scenario('job/success-policy', job('work', { ...indexed, completions: 3, parallelism: 3, successPolicy: { rules: [{ succeededIndexes: '0' }] } }), kubelet, { pods: { index: 0 }, become: 'succeeded' }, kubelet),
  scenario('job/success-policy-by-count', job('work', { ...indexed, completions: 3, parallelism: 3, successPolicy: { rules: [{ succeededCount: 2 }] } }), kubelet, { pods: { index: 0 }, become: 'succeeded' }, { pods: { index: 2 }, become: 'succeeded' }, kubelet),
  scenario('job/a-pod-goes', job('work'), kubelet, { removePods: running }, kubelet, succeed),
  scenario('job/waits-for-what-ends', job('work', { podReplacementPolicy: 'Failed' }), kubelet, { removePods: running }, { pods: { ...pods, take: 1 }, become: { exitCode: 137 } }, pass(11), kubelet),
  scenario('job/restarts-in-place', job('work', {}, { restartPolicy: 'OnFailure' }), kubelet, succeed),
  scenario('job/goes-after-its-time', job('work', { ttlSecondsAfterFinished: 15 }), kubelet, succeed, pass(16)),
  scenario('job/is-managed-by-another', job('work', { managedBy: 'example.com/other' })),
  scenario('job/goes-in-the-background', job('work', { parallelism: 2 }), kubelet, remove(work, 'Background'), kubelet),
  scenario('job/goes-and-leaves-orphans', job('work'), kubelet, remove(work, 'Orphan'), kubelet),
  scenario('job/is-refused', job('work', {}, { priorityClassName: 'none' })),

  scenario('cron-job/suspended', cronJob('tick', { suspend: true }), patch('cronjobs.batch/tick', { metadata: { labels: { a: 'b' } } })),
  scenario('cron-job/starts', early, cronJob('tick', { jobTemplate: { metadata: { labels: { x: 'y' }, annotations: { a: 'b' } }, spec: { template: template('tick', 'app:1', { restartPolicy: 'Never' }) } } }), pass(61), patch('cronjobs.batch/tick', { spec: { suspend: true } }), kubelet, { pods: { labels: { app: 'tick' }, phase: 'Running' }, become: 'succeeded' }, remove('cronjobs.batch/tick', 'Background')),
  scenario('cron-job/fails', early, cronJob('tick', { failedJobsHistoryLimit: 0, jobTemplate: { spec: { backoffLimit: 0, template: template('tick', 'app:1', { restartPolicy: 'Never' }) } } }), pass(61), patch('cronjobs.batch/tick', { spec: { suspend: true } }), kubelet, { pods: { labels: { app: 'tick' }, phase: 'Running' }, become: { exitCode: 1 } }),
  scenario('cron-job/keeps-no-history', early, cronJob('tick', { successfulJobsHistoryLimit: 0 }), pass(61), patch('cronjobs.batch/tick', { spec: { suspend: true } }), kubelet, { pods: { labels: { app: 'tick' }, phase: 'Running' }, become: 'succeeded' }),
]
