// Which rules a kind has: `strategyFor('deployments.apps')`. Kinds without an entry have the generic rules only.
import type { ControllerRevision } from '@shiplog/api/generated/types/apps-v1'
import type { PodTemplate } from '@shiplog/api/generated/types/core-v1'
import { apiServiceStrategy } from './api-service/api-service.strategy.ts'
import { certificateSigningRequestStrategy } from './certificate-signing-request/certificate-signing-request.strategy.ts'
import { configMapStrategy } from './config-map/config-map.strategy.ts'
import { cronJobStrategy } from './cron-job/cron-job.strategy.ts'
import {
  csiDriverStrategy,
  csiNodeStrategy,
  csiStorageCapacityStrategy,
  volumeAttachmentStrategy,
  volumeAttributesClassStrategy,
} from './csi/csi.strategies.ts'
import { customResourceDefinitionStrategy } from './custom-resource-definition/custom-resource-definition.strategy.ts'
import { daemonSetStrategy } from './daemon-set/daemon-set.strategy.ts'
import { deploymentStrategy } from './deployment/deployment.strategy.ts'
import { claimTemplateStrategy, deviceClassStrategy, resourceClaimStrategy } from './device/device-claim.strategies.ts'
import { resourceSliceStrategy } from './device/resource-slice.strategy.ts'
import { endpointSliceStrategy } from './endpoint-slice/endpoint-slice.strategy.ts'
import { endpointsStrategy } from './endpoints/endpoints.strategy.ts'
import { eventStrategy } from './event/event.strategy.ts'
import { required } from '@shiplog/api/field-errors'
import type { Draft } from '@shiplog/api/decoded'
import { immutable, nonNegative, section } from './fields.ts'
import { flowSchemaStrategy, priorityLevelConfigurationStrategy } from './flow-control/flow-control.strategies.ts'
import { horizontalPodAutoscalerStrategy } from './horizontal-pod-autoscaler/horizontal-pod-autoscaler.strategy.ts'
import { ingressClassStrategy } from './ingress/ingress-class.strategy.ts'
import { ingressStrategy } from './ingress/ingress.strategy.ts'
import { jobStrategy } from './job/job.strategy.ts'
import { leaseStrategy } from './lease/lease.strategy.ts'
import { limitRangeStrategy } from './limit-range/limit-range.strategy.ts'
import { namespaceStrategy } from './namespace/namespace.strategy.ts'
import { networkPolicyStrategy } from './network-policy/network-policy.strategy.ts'
import { nodeStrategy } from './node/node.strategy.ts'
import { persistentVolumeClaimStrategy } from './persistent-volume-claim/persistent-volume-claim.strategy.ts'
import { persistentVolumeStrategy } from './persistent-volume/persistent-volume.strategy.ts'
import { setPodTemplateDefaults } from './pod/pod-defaults.ts'
import { templateWarnings } from './pod/pod-warnings.ts'
import { validatePodTemplate } from './pod/pod-spec-validation.ts'
import { podStrategy } from './pod/pod.strategy.ts'
import { podDisruptionBudgetStrategy } from './pod-disruption-budget/pod-disruption-budget.strategy.ts'
import { podGroupStrategy } from './pod-group/pod-group.strategy.ts'
import { workloadStrategy } from './pod-group/workload.strategy.ts'
import { priorityClassStrategy } from './priority-class/priority-class.strategy.ts'
import {
  clusterRoleBindingStrategy,
  clusterRoleStrategy,
  roleBindingStrategy,
  roleStrategy,
} from './rbac/rbac.strategies.ts'
import { replicaSetStrategy } from './replica-set/replica-set.strategy.ts'
import { replicationControllerStrategy } from './replication-controller/replication-controller.strategy.ts'
import { resourceQuotaStrategy } from './resource-quota/resource-quota.strategy.ts'
import { runtimeClassStrategy } from './runtime-class/runtime-class.strategy.ts'
import { secretStrategy } from './secret/secret.strategy.ts'
import { serviceAccountStrategy } from './service-account/service-account.strategy.ts'
import { ipAddressStrategy, serviceCidrStrategy } from './service/address.strategies.ts'
import { serviceStrategy } from './service/service.strategy.ts'
import { statefulSetStrategy } from './stateful-set/stateful-set.strategy.ts'
import { storageClassStrategy } from './storage-class/storage-class.strategy.ts'
import type { BuiltInResource, ObjectOf } from '@shiplog/api/object-of'
import type { Strategy } from './strategy.ts'
import {
  admissionPolicyBindingStrategy,
  admissionPolicyStrategy,
  mutatingAdmissionPolicyBindingStrategy,
  mutatingAdmissionPolicyStrategy,
  mutatingWebhookConfigurationStrategy,
  validatingWebhookConfigurationStrategy,
} from './webhook-configuration/webhook-configuration.strategies.ts'

const generic: Strategy = {}
const podTemplateStrategy: Strategy<PodTemplate> = {
  validatesAll: true,
  returnsDeleted: true,
  hasGeneration: true,
  setDefaults: (draft) => setPodTemplateDefaults(section(draft, 'template')),
  validate: (object) => validatePodTemplate(object.template, 'template'),
  warnings: templateWarnings((object: Draft<PodTemplate>) => object.template, 'template', false),
}

const controllerRevisionStrategy: Strategy<ControllerRevision> = {
  hasGeneration: false,
  validate: (object, before) => [
    ...nonNegative(object.revision, 'revision'),
    ...(!before && (object.data ?? null) === null ? [required('data', 'data is mandatory')] : []),
  ],
  validateUpdate: (next, before) => immutable(next.data, before.data, 'data'),
}

/** Each resource's strategy is one of its own kind: that of another does not compile. */
const strategies: { readonly [Resource in BuiltInResource]?: Strategy<ObjectOf<Resource>> } = {
  'apiservices.apiregistration.k8s.io': apiServiceStrategy,
  'certificatesigningrequests.certificates.k8s.io': certificateSigningRequestStrategy,
  'clusterrolebindings.rbac.authorization.k8s.io': clusterRoleBindingStrategy,
  'clusterroles.rbac.authorization.k8s.io': clusterRoleStrategy,
  configmaps: configMapStrategy,
  'controllerrevisions.apps': controllerRevisionStrategy,
  'cronjobs.batch': cronJobStrategy,
  'csidrivers.storage.k8s.io': csiDriverStrategy,
  'csinodes.storage.k8s.io': csiNodeStrategy,
  'csistoragecapacities.storage.k8s.io': csiStorageCapacityStrategy,
  'volumeattributesclasses.storage.k8s.io': volumeAttributesClassStrategy,
  'resourceclaimtemplates.resource.k8s.io': claimTemplateStrategy,
  'customresourcedefinitions.apiextensions.k8s.io': customResourceDefinitionStrategy,
  'daemonsets.apps': daemonSetStrategy,
  'deployments.apps': deploymentStrategy,
  'deviceclasses.resource.k8s.io': deviceClassStrategy,
  endpoints: endpointsStrategy,
  'endpointslices.discovery.k8s.io': endpointSliceStrategy,
  events: eventStrategy,
  'flowschemas.flowcontrol.apiserver.k8s.io': flowSchemaStrategy,
  'horizontalpodautoscalers.autoscaling': horizontalPodAutoscalerStrategy,
  'ingressclasses.networking.k8s.io': ingressClassStrategy,
  'ingresses.networking.k8s.io': ingressStrategy,
  'ipaddresses.networking.k8s.io': ipAddressStrategy,
  'jobs.batch': jobStrategy,
  'leases.coordination.k8s.io': leaseStrategy,
  limitranges: limitRangeStrategy,
  'mutatingadmissionpolicies.admissionregistration.k8s.io': mutatingAdmissionPolicyStrategy,
  'mutatingadmissionpolicybindings.admissionregistration.k8s.io': mutatingAdmissionPolicyBindingStrategy,
  'mutatingwebhookconfigurations.admissionregistration.k8s.io': mutatingWebhookConfigurationStrategy,
  namespaces: namespaceStrategy,
  'networkpolicies.networking.k8s.io': networkPolicyStrategy,
  nodes: nodeStrategy,
  persistentvolumeclaims: persistentVolumeClaimStrategy,
  persistentvolumes: persistentVolumeStrategy,
  'poddisruptionbudgets.policy': podDisruptionBudgetStrategy,
  pods: podStrategy,
  podtemplates: podTemplateStrategy,
  'podgroups.scheduling.k8s.io': podGroupStrategy,
  'priorityclasses.scheduling.k8s.io': priorityClassStrategy,
  'workloads.scheduling.k8s.io': workloadStrategy,
  'prioritylevelconfigurations.flowcontrol.apiserver.k8s.io': priorityLevelConfigurationStrategy,
  'replicasets.apps': replicaSetStrategy,
  replicationcontrollers: replicationControllerStrategy,
  'resourceclaims.resource.k8s.io': resourceClaimStrategy,
  resourcequotas: resourceQuotaStrategy,
  'resourceslices.resource.k8s.io': resourceSliceStrategy,
  'rolebindings.rbac.authorization.k8s.io': roleBindingStrategy,
  'roles.rbac.authorization.k8s.io': roleStrategy,
  'runtimeclasses.node.k8s.io': runtimeClassStrategy,
  secrets: secretStrategy,
  serviceaccounts: serviceAccountStrategy,
  'servicecidrs.networking.k8s.io': serviceCidrStrategy,
  services: serviceStrategy,
  'statefulsets.apps': statefulSetStrategy,
  'storageclasses.storage.k8s.io': storageClassStrategy,
  'validatingadmissionpolicies.admissionregistration.k8s.io': admissionPolicyStrategy,
  'validatingadmissionpolicybindings.admissionregistration.k8s.io': admissionPolicyBindingStrategy,
  'validatingwebhookconfigurations.admissionregistration.k8s.io': validatingWebhookConfigurationStrategy,
  'volumeattachments.storage.k8s.io': volumeAttachmentStrategy,
}
const strategyOf = new Map<string, unknown>(Object.entries(strategies))

/** The rules of a resource by its group and plural: `pods`, `deployments.apps`. */
export const strategyFor = (groupResource: string): Strategy =>
  (strategyOf.get(groupResource) as Strategy | undefined) ?? generic
