// The controller manager: all reconcilers over one view, as one service.
import type { ApiClient } from '@shiplog/api/api-client'
import type { IpRanges } from '@shiplog/api/ip-address'
import { builtInRegistry } from '@shiplog/api/schema/registry'
import type { ObjectFeed } from '@shiplog/feed/object-feed'
import type { Reconciler } from '@shiplog/reconcile/reconciler'
import { createControllerRunner, type ControllerRunner } from '@shiplog/reconcile/runner'
import type { Shares } from '@shiplog/replicas/shares'
import type { Clock } from '@shiplog/runtime/clock'
import type { Ids } from '@shiplog/runtime/ids'
import type { MetricsRegistry } from '@shiplog/runtime/metrics'
import type { Logger } from '@shiplog/runtime/logger'
import type { CertificateSigner } from '@shiplog/control-plane/identity/certificate-signer'
import type { TokenSigner } from '@shiplog/control-plane/identity/signed-token'
import { bootstrapSignerReconciler } from './bootstrap-tokens/bootstrap-signer.reconciler.ts'
import { tokenCleanerReconciler } from './bootstrap-tokens/token-cleaner.reconciler.ts'
import { csrApprovingReconciler } from './certificates/csr-approving.reconciler.ts'
import { csrCleanerReconciler } from './certificates/csr-cleaner.reconciler.ts'
import { createCsrSigningReconciler } from './certificates/csr-signing.reconciler.ts'
import { legacyTokenCleanerReconciler } from './service-account-tokens/legacy-token-cleaner.reconciler.ts'
import { createServiceAccountTokenReconciler } from './service-account-tokens/service-account-token.reconciler.ts'
import { clusterRoleAggregationReconciler } from './cluster-role-aggregation/cluster-role-aggregation.reconciler.ts'
import { choiceProblem, isChosen } from './controller-names.ts'
import { cronJobReconciler } from './cron-job/cron-job.reconciler.ts'
import { daemonSetReconciler } from './daemon-set/daemon-set.reconciler.ts'
import { deploymentReconciler } from './deployment/deployment.reconciler.ts'
import { disruptionReconciler } from './disruption/disruption.reconciler.ts'
import { endpointSliceReconciler } from './endpoint-slice/endpoint-slice.reconciler.ts'
import { endpointSliceMirroringReconciler } from './endpoint-slice-mirroring/endpoint-slice-mirroring.reconciler.ts'
import { endpointsReconciler } from './endpoints/endpoints.reconciler.ts'
import { flowSchemaStatusReconciler } from './flow-schema-status/flow-schema-status.reconciler.ts'
import { createGarbageCollector } from './garbage-collector/garbage-collector.reconciler.ts'
import { ephemeralVolumeReconciler } from './ephemeral-volume/ephemeral-volume.reconciler.ts'
import { horizontalPodAutoscalerReconciler } from './horizontal-pod-autoscaler/horizontal-pod-autoscaler.reconciler.ts'
import { persistentVolumeBinderReconciler } from './persistent-volume-binder/persistent-volume-binder.reconciler.ts'
import { jobReconciler } from './job/job.reconciler.ts'
import { createNamespaceReconciler } from './namespace/namespace.reconciler.ts'
import { createNodeIpamReconciler } from './node-ipam/node-ipam.reconciler.ts'
import { nodeLifecycleReconciler } from './node-lifecycle/node-lifecycle.reconciler.ts'
import { createPodGarbageCollector } from './pod-garbage-collector/pod-garbage-collector.reconciler.ts'
import { policyStatusReconciler } from './policy-status/policy-status.reconciler.ts'
import { pvProtectionReconciler } from './pv-protection/pv-protection.reconciler.ts'
import { pvcProtectionReconciler } from './pvc-protection/pvc-protection.reconciler.ts'
import { replicaSetReconciler, replicationControllerReconciler } from './replica-set/replica-set.reconciler.ts'
import { resourceClaimReconciler } from './resource-claim/resource-claim.reconciler.ts'
import { createResourceQuotaReconciler } from './resource-quota/resource-quota.reconciler.ts'
import { createRootCaReconciler } from './root-ca/root-ca.reconciler.ts'
import type { AddressPool } from '@shiplog/api/address-pool'
import { createServiceLoadBalancerReconciler } from './service-load-balancer/service-load-balancer.reconciler.ts'
import { serviceAccountReconciler } from './service-account/service-account.reconciler.ts'
import { serviceCidrReconciler } from './service-cidr/service-cidr.reconciler.ts'
import { statefulSetReconciler } from './stateful-set/stateful-set.reconciler.ts'
import { taintEvictionReconciler } from './taint-eviction/taint-eviction.reconciler.ts'
import { ttlReconciler } from './ttl/ttl.reconciler.ts'
import { ttlAfterFinishedReconciler } from './ttl-after-finished/ttl-after-finished.reconciler.ts'
import { vacProtectionReconciler } from './vac-protection/vac-protection.reconciler.ts'
import { followedResources } from './shared/resources.ts'

/** The field manager of all writes. */
export const controllerManagerName = 'kube-controller-manager'

export interface ControllerManagerDeps extends ReconcilersOptions {
  readonly feed: ObjectFeed
  readonly client: ApiClient
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Logger
  /** The cluster CA in PEM, for kube-root-ca.crt. */
  readonly rootCa: string
  /** Which controllers run, by upstream's names (controller-names.ts): `*,-cronjob-controller`; all when absent. */
  readonly controllers?: readonly string[]
  /** Which keys are this replica's; all when absent. */
  readonly shares?: Shares
  readonly metrics?: MetricsRegistry
}

export interface ReconcilersOptions {
  readonly rootCa: string
  /** Who signs tokens that lie in Secrets; without one such Secrets stay empty. */
  readonly tokenSigner?: TokenSigner | undefined
  /** Who signs certificates that were approved; without one they stay unsigned. */
  readonly certificateSigner?: CertificateSigner | undefined
  /** Addresses for Services of type LoadBalancer; without any somebody else has to give them. */
  readonly loadBalancerPool?: AddressPool | undefined
  /** Whether nodes get ranges for their pods, upstream's --allocate-node-cidrs, and from which: the default ones when absent. */
  readonly nodeCidrs?: { readonly podRanges?: IpRanges | undefined } | undefined
}

/** All reconcilers of the manager. */
export function createReconcilers(options: ReconcilersOptions): readonly Reconciler[] {
  const { tokenSigner, certificateSigner, nodeCidrs } = options
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
    endpointSliceMirroringReconciler,
    endpointsReconciler,
    nodeLifecycleReconciler,
    ...(nodeCidrs ? [createNodeIpamReconciler(nodeCidrs.podRanges)] : []),
    taintEvictionReconciler,
    serviceCidrReconciler,
    ttlReconciler,
    createPodGarbageCollector(),
    policyStatusReconciler,
    flowSchemaStatusReconciler,
    jobReconciler,
    cronJobReconciler,
    disruptionReconciler,
    horizontalPodAutoscalerReconciler,
    ttlAfterFinishedReconciler,
    persistentVolumeBinderReconciler,
    ephemeralVolumeReconciler,
    resourceClaimReconciler,
    pvcProtectionReconciler,
    pvProtectionReconciler,
    vacProtectionReconciler,
    ...(tokenSigner ? [createServiceAccountTokenReconciler(tokenSigner, options.rootCa)] : []),
    legacyTokenCleanerReconciler,
    csrApprovingReconciler,
    ...(certificateSigner ? [createCsrSigningReconciler(certificateSigner)] : []),
    csrCleanerReconciler,
    bootstrapSignerReconciler,
    tokenCleanerReconciler,
    createResourceQuotaReconciler(resources),
    ...(options.loadBalancerPool ? [createServiceLoadBalancerReconciler(options.loadBalancerPool)] : []),
  ]
}

/** Creates the service; it works once `start` has resolved. */
export function createControllerManager(deps: ControllerManagerDeps): ControllerRunner {
  const choice = deps.controllers ?? ['*']
  const all = createReconcilers(deps)
  const problem = choiceProblem(
    choice,
    all.map(({ name }) => name),
  )
  if (problem !== undefined) throw new Error(problem)
  return createControllerRunner({
    name: controllerManagerName,
    feed: deps.feed,
    client: deps.client,
    clock: deps.clock,
    ids: deps.ids,
    log: deps.log,
    reconcilers: all.filter(({ name }) => isChosen(name, choice)),
    fieldManager: controllerManagerName,
    ...(deps.shares ? { shares: deps.shares } : {}),
    ...(deps.metrics ? { metrics: deps.metrics } : {}),
  })
}
