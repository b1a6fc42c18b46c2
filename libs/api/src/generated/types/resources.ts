// Written by `npm run generate` from the same tables as kinds.json; see tools/generate/types.ts. Types only.
import type * as admissionregistrationV1 from './admissionregistration-v1.ts'
import type * as apiextensionsV1 from './apiextensions-v1.ts'
import type * as apiregistrationV1 from './apiregistration-v1.ts'
import type * as appsV1 from './apps-v1.ts'
import type * as autoscalingV2 from './autoscaling-v2.ts'
import type * as batchV1 from './batch-v1.ts'
import type * as certificatesV1 from './certificates-v1.ts'
import type * as coordinationV1 from './coordination-v1.ts'
import type * as coreV1 from './core-v1.ts'
import type * as discoveryV1 from './discovery-v1.ts'
import type * as flowcontrolV1 from './flowcontrol-v1.ts'
import type * as networkingV1 from './networking-v1.ts'
import type * as nodeV1 from './node-v1.ts'
import type * as policyV1 from './policy-v1.ts'
import type * as rbacV1 from './rbac-v1.ts'
import type * as resourceV1 from './resource-v1.ts'
import type * as schedulingV1 from './scheduling-v1.ts'
import type * as schedulingV1alpha2 from './scheduling-v1alpha2.ts'
import type * as storageV1 from './storage-v1.ts'

/** Stored objects by group resource. */
export interface ResourceTypes {
  configmaps: coreV1.ConfigMap
  endpoints: coreV1.Endpoints
  events: coreV1.Event
  limitranges: coreV1.LimitRange
  namespaces: coreV1.Namespace
  nodes: coreV1.Node
  persistentvolumeclaims: coreV1.PersistentVolumeClaim
  persistentvolumes: coreV1.PersistentVolume
  pods: coreV1.Pod
  podtemplates: coreV1.PodTemplate
  replicationcontrollers: coreV1.ReplicationController
  resourcequotas: coreV1.ResourceQuota
  secrets: coreV1.Secret
  serviceaccounts: coreV1.ServiceAccount
  services: coreV1.Service
  'apiservices.apiregistration.k8s.io': apiregistrationV1.APIService
  'controllerrevisions.apps': appsV1.ControllerRevision
  'daemonsets.apps': appsV1.DaemonSet
  'deployments.apps': appsV1.Deployment
  'replicasets.apps': appsV1.ReplicaSet
  'statefulsets.apps': appsV1.StatefulSet
  'horizontalpodautoscalers.autoscaling': autoscalingV2.HorizontalPodAutoscaler
  'cronjobs.batch': batchV1.CronJob
  'jobs.batch': batchV1.Job
  'certificatesigningrequests.certificates.k8s.io': certificatesV1.CertificateSigningRequest
  'ingressclasses.networking.k8s.io': networkingV1.IngressClass
  'ingresses.networking.k8s.io': networkingV1.Ingress
  'ipaddresses.networking.k8s.io': networkingV1.IPAddress
  'networkpolicies.networking.k8s.io': networkingV1.NetworkPolicy
  'servicecidrs.networking.k8s.io': networkingV1.ServiceCIDR
  'poddisruptionbudgets.policy': policyV1.PodDisruptionBudget
  'clusterrolebindings.rbac.authorization.k8s.io': rbacV1.ClusterRoleBinding
  'clusterroles.rbac.authorization.k8s.io': rbacV1.ClusterRole
  'rolebindings.rbac.authorization.k8s.io': rbacV1.RoleBinding
  'roles.rbac.authorization.k8s.io': rbacV1.Role
  'csidrivers.storage.k8s.io': storageV1.CSIDriver
  'csinodes.storage.k8s.io': storageV1.CSINode
  'csistoragecapacities.storage.k8s.io': storageV1.CSIStorageCapacity
  'storageclasses.storage.k8s.io': storageV1.StorageClass
  'volumeattachments.storage.k8s.io': storageV1.VolumeAttachment
  'volumeattributesclasses.storage.k8s.io': storageV1.VolumeAttributesClass
  'mutatingadmissionpolicies.admissionregistration.k8s.io': admissionregistrationV1.MutatingAdmissionPolicy
  'mutatingadmissionpolicybindings.admissionregistration.k8s.io': admissionregistrationV1.MutatingAdmissionPolicyBinding
  'mutatingwebhookconfigurations.admissionregistration.k8s.io': admissionregistrationV1.MutatingWebhookConfiguration
  'validatingadmissionpolicies.admissionregistration.k8s.io': admissionregistrationV1.ValidatingAdmissionPolicy
  'validatingadmissionpolicybindings.admissionregistration.k8s.io': admissionregistrationV1.ValidatingAdmissionPolicyBinding
  'validatingwebhookconfigurations.admissionregistration.k8s.io': admissionregistrationV1.ValidatingWebhookConfiguration
  'customresourcedefinitions.apiextensions.k8s.io': apiextensionsV1.CustomResourceDefinition
  'priorityclasses.scheduling.k8s.io': schedulingV1.PriorityClass
  'podgroups.scheduling.k8s.io': schedulingV1alpha2.PodGroup
  'workloads.scheduling.k8s.io': schedulingV1alpha2.Workload
  'leases.coordination.k8s.io': coordinationV1.Lease
  'runtimeclasses.node.k8s.io': nodeV1.RuntimeClass
  'endpointslices.discovery.k8s.io': discoveryV1.EndpointSlice
  'flowschemas.flowcontrol.apiserver.k8s.io': flowcontrolV1.FlowSchema
  'prioritylevelconfigurations.flowcontrol.apiserver.k8s.io': flowcontrolV1.PriorityLevelConfiguration
  'deviceclasses.resource.k8s.io': resourceV1.DeviceClass
  'resourceclaims.resource.k8s.io': resourceV1.ResourceClaim
  'resourceclaimtemplates.resource.k8s.io': resourceV1.ResourceClaimTemplate
  'resourceslices.resource.k8s.io': resourceV1.ResourceSlice
}
