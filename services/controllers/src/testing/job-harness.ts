// Jobs on a fake cluster: what the tests of the Job controller share.
import type { Job } from '@shiplog/api/generated/types/batch-v1'
import type { Pod } from '@shiplog/api/generated/types/core-v1'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import { builtInRegistry } from '@shiplog/api/schema/registry'
import { createGarbageCollector } from '../garbage-collector/garbage-collector.reconciler.ts'
import { jobReconciler } from '../job/job.reconciler.ts'
import { isActive } from '../shared/pods.ts'
import { followedResources } from '../shared/resources.ts'
import { ttlAfterFinishedReconciler } from '../ttl-after-finished/ttl-after-finished.reconciler.ts'
import { pods } from './manifests.ts'
import { createReconcileHarness, type ReconcileHarness } from './reconcile-harness.ts'

export const harness = (options: Parameters<typeof createReconcileHarness>[1] = {}): ReconcileHarness =>
  createReconcileHarness(
    [jobReconciler, ttlAfterFinishedReconciler, createGarbageCollector(followedResources(builtInRegistry()))],
    options,
  )

export const jobs = { group: 'batch', resource: 'jobs', namespace: 'default' }

export const make = (h: ReconcileHarness, spec: JsonObject = {}, name = 'work'): KubeObject =>
  h.cluster.must({
    verb: 'create',
    ...jobs,
    body: {
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { name, namespace: 'default' },
      spec: {
        completions: 1,
        parallelism: 1,
        backoffLimit: 6,
        completionMode: 'NonIndexed',
        selector: { matchLabels: { 'job-name': name } },
        template: {
          metadata: { labels: { 'job-name': name } },
          spec: { restartPolicy: 'Never', containers: [{ name: 'main', image: 'x' }] },
        },
        ...spec,
      },
    },
  })

/** An Indexed Job all of whose indexes may run at once. */
export const makeIndexed = (h: ReconcileHarness, completions: number, spec: JsonObject = {}): KubeObject =>
  make(h, { completions, parallelism: completions, completionMode: 'Indexed', ...spec })

export const patchSpec = (h: ReconcileHarness, spec: JsonObject): KubeObject =>
  h.cluster.must({
    verb: 'patch',
    ...jobs,
    name: 'work',
    patchType: 'application/merge-patch+json',
    body: { spec },
  })

export const get = (h: ReconcileHarness): Job => h.cluster.get('jobs.batch', 'default/work')!

export const active = (h: ReconcileHarness): Pod[] => h.cluster.list('pods').filter(isActive)

export const indexText = (pod: Pod): string => pod.metadata.annotations!['batch.kubernetes.io/job-completion-index']!

export const byIndex = (h: ReconcileHarness, index: number): Pod =>
  active(h).find((pod) => indexText(pod) === String(index))!

export const condition = (h: ReconcileHarness, type: string): JsonObject | undefined =>
  (get(h)['status'].conditions as JsonObject[] | undefined)?.find((one) => one['type'] === type)

export const conditionTypes = (h: ReconcileHarness): string[] =>
  ((get(h)['status'].conditions ?? []) as JsonObject[]).map((one) => one['type'])

/** Lets a pod end, as a kubelet reports it. */
export function finish(
  h: ReconcileHarness,
  pod: Pod,
  phase: 'Succeeded' | 'Failed',
  { exitCode = phase === 'Failed' ? 1 : 0, disrupted = false } = {},
): void {
  const finishedAt = new Date(h.nowMs()).toISOString()
  h.cluster.must({
    verb: 'patch',
    ...pods,
    name: pod.metadata.name,
    subresource: 'status',
    patchType: 'application/merge-patch+json',
    body: {
      status: {
        phase,
        ...(disrupted ? { conditions: [{ type: 'DisruptionTarget', status: 'True' }] } : {}),
        containerStatuses: [{ name: 'main', state: { terminated: { exitCode, finishedAt } } }],
      },
    },
  })
}
