// The controller manager: all reconcilers over one view, as one service.
import type { ApiClient } from '@shiplog/api/api-client'
import { builtInRegistry } from '@shiplog/api/schema/registry'
import type { ObjectFeed } from '@shiplog/feed/object-feed'
import type { Reconciler } from '@shiplog/reconcile/reconciler'
import { createControllerRunner, type ControllerRunner } from '@shiplog/reconcile/runner'
import type { Shares } from '@shiplog/replicas/shares'
import type { Clock } from '@shiplog/runtime/clock'
import type { Ids } from '@shiplog/runtime/ids'
import type { MetricsRegistry } from '@shiplog/runtime/metrics'
import type { Logger } from '@shiplog/runtime/logger'
import { clusterRoleAggregationReconciler } from './cluster-role-aggregation/cluster-role-aggregation.reconciler.ts'
import { cronJobReconciler } from './cron-job/cron-job.reconciler.ts'
import { daemonSetReconciler } from './daemon-set/daemon-set.reconciler.ts'
import { deploymentReconciler } from './deployment/deployment.reconciler.ts'
import { endpointSliceReconciler } from './endpoint-slice/endpoint-slice.reconciler.ts'
import { endpointsReconciler } from './endpoints/endpoints.reconciler.ts'
import { createGarbageCollector } from './garbage-collector/garbage-collector.reconciler.ts'
import { jobReconciler } from './job/job.reconciler.ts'
import { createNamespaceReconciler } from './namespace/namespace.reconciler.ts'
import { nodeLifecycleReconciler } from './node-lifecycle/node-lifecycle.reconciler.ts'
import { createPodGarbageCollector } from './pod-garbage-collector/pod-garbage-collector.reconciler.ts'
import { pvProtectionReconciler } from './pv-protection/pv-protection.reconciler.ts'
import { pvcProtectionReconciler } from './pvc-protection/pvc-protection.reconciler.ts'
import { replicaSetReconciler, replicationControllerReconciler } from './replica-set/replica-set.reconciler.ts'
import { createResourceQuotaReconciler } from './resource-quota/resource-quota.reconciler.ts'
import { createRootCaReconciler } from './root-ca/root-ca.reconciler.ts'
import { serviceAccountReconciler } from './service-account/service-account.reconciler.ts'
import { statefulSetReconciler } from './stateful-set/stateful-set.reconciler.ts'
import { ttlAfterFinishedReconciler } from './ttl-after-finished/ttl-after-finished.reconciler.ts'
import { followedResources } from './shared/resources.ts'

/** The field manager of all writes. */
export const controllerManagerName = 'kube-controller-manager'

export interface ControllerManagerDeps {
  readonly feed: ObjectFeed
  readonly client: ApiClient
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Logger
  /** The cluster CA in PEM, for kube-root-ca.crt. */
  readonly rootCa: string
  /** Names of the reconcilers to run (`deployment`, `replicaset`, …); all when absent. */
  readonly controllers?: readonly string[]
  /** Which keys are this replica's; all when absent. */
  readonly shares?: Shares
  readonly metrics?: MetricsRegistry
}

/** All reconcilers of the manager. */
export function createReconcilers(options: { readonly rootCa: string }): readonly Reconciler[] {
  const resources = followedResources(builtInRegistry())
  return [
    createNamespaceReconciler(resources),
    serviceAccountReconciler,
    clusterRoleAggregationReconciler,
    createRootCaReconciler(options.rootCa),
    deploymentReconciler,
    replicaSetReconciler,
    replicationControllerReconciler,
    statefulSetReconciler,
    daemonSetReconciler,
    createGarbageCollector(resources),
    endpointSliceReconciler,
    endpointsReconciler,
    nodeLifecycleReconciler,
    createPodGarbageCollector(),
    jobReconciler,
    cronJobReconciler,
    ttlAfterFinishedReconciler,
    pvcProtectionReconciler,
    pvProtectionReconciler,
    createResourceQuotaReconciler(resources),
  ]
}

/** Creates the service; it works once `start` has resolved. */
export function createControllerManager(deps: ControllerManagerDeps): ControllerRunner {
  const wanted = deps.controllers === undefined ? undefined : new Set(deps.controllers)
  const all = createReconcilers({ rootCa: deps.rootCa })
  const unknown = [...(wanted ?? [])].filter((name) => !all.some((reconciler) => reconciler.name === name))
  if (unknown.length > 0) throw new Error(`unknown controllers: ${unknown.join(', ')}`)
  return createControllerRunner({
    name: controllerManagerName,
    feed: deps.feed,
    client: deps.client,
    clock: deps.clock,
    ids: deps.ids,
    log: deps.log,
    reconcilers: all.filter((reconciler) => wanted?.has(reconciler.name) ?? true),
    fieldManager: controllerManagerName,
    ...(deps.shares ? { shares: deps.shares } : {}),
    ...(deps.metrics ? { metrics: deps.metrics } : {}),
  })
}
