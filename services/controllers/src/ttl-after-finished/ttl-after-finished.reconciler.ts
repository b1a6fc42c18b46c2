// TTL after finished: removes a finished Job, and its pods with it, so many seconds after it ended.
import { forResource, settled, type Reconciler } from '@shiplog/reconcile/reconciler'
import { findCondition } from '../shared/conditions.ts'
import { isBeingDeleted } from '../shared/ownership.ts'

export const ttlAfterFinishedReconciler: Reconciler = {
  name: 'ttl-after-finished',
  component: 'ttl-after-finished-controller',
  resources: [forResource('jobs.batch')],
  reconcile: (key, view, context) => {
    const job = view.get('jobs.batch', key)
    const seconds = job?.spec.ttlSecondsAfterFinished
    if (!job || isBeingDeleted(job) || seconds === undefined || seconds === null) return settled
    const conditions = job.status.conditions ?? []
    const end = ['Complete', 'Failed']
      .map((type) => findCondition(conditions, type))
      .find((condition) => condition?.status === 'True')
    if (!end) return settled
    const untilMs = Date.parse(end.lastTransitionTime ?? '') + seconds * 1000 - context.nowMs
    if (untilMs > 0) return { requeueAfterMs: untilMs }
    const preconditions = { uid: job.metadata.uid, resourceVersion: job.metadata.resourceVersion }
    return {
      commands: [
        {
          request: {
            verb: 'delete',
            group: 'batch',
            resource: 'jobs',
            namespace: job.metadata.namespace!,
            name: job.metadata.name,
            body: { apiVersion: 'v1', kind: 'DeleteOptions', propagationPolicy: 'Foreground', preconditions },
          },
        },
      ],
    }
  },
}
