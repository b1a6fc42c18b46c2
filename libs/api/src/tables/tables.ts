// Tables (meta.k8s.io/v1): which printer a resource has, and how rows become the answer that `kubectl get` asks for.
// Start-up does not need this module: load it with the first request for a Table.
import type { JsonObject, KubeObject } from '../kube-object.ts'
import * as cluster from './cluster.printers.ts'
import { nameColumn, printer } from './columns.ts'
import * as network from './network.printers.ts'
import { podPrinter } from './pod.printer.ts'
import type { Printer, TableColumn } from './printer.ts'
import * as storage from './storage.printers.ts'
import * as workload from './workload.printers.ts'

/** Kinds that upstream has no printer for (roles, limit ranges, custom resource definitions, …): name and birth. */
export const defaultPrinter: Printer = printer(
  [
    nameColumn,
    {
      name: 'Created At',
      type: 'date',
      format: '',
      description: 'When the object was created, by the clock of the server.',
      priority: 0,
    },
  ],
  (object) => [object.metadata.name, object.metadata.creationTimestamp ?? null],
)

/** By GroupResource; the printers read the fields of every served version. */
const printers: ReadonlyMap<string, Printer> = new Map([
  ['pods', podPrinter],
  ['podtemplates', workload.podTemplatePrinter],
  ['replicationcontrollers', workload.replicationControllerPrinter],
  ['replicasets.apps', workload.replicaSetPrinter],
  ['deployments.apps', workload.deploymentPrinter],
  ['statefulsets.apps', workload.statefulSetPrinter],
  ['daemonsets.apps', workload.daemonSetPrinter],
  ['controllerrevisions.apps', workload.controllerRevisionPrinter],
  ['jobs.batch', workload.jobPrinter],
  ['cronjobs.batch', workload.cronJobPrinter],
  ['poddisruptionbudgets.policy', workload.podDisruptionBudgetPrinter],
  ['podgroups.scheduling.k8s.io', workload.podGroupPrinter],
  ['priorityclasses.scheduling.k8s.io', workload.priorityClassPrinter],
  ['runtimeclasses.node.k8s.io', workload.runtimeClassPrinter],
  ['scales.autoscaling', workload.scalePrinter],
  ['horizontalpodautoscalers.autoscaling', network.horizontalPodAutoscalerPrinter],
  ['services', network.servicePrinter],
  ['endpoints', network.endpointsPrinter],
  ['endpointslices.discovery.k8s.io', network.endpointSlicePrinter],
  ['ingresses.networking.k8s.io', network.ingressPrinter],
  ['ingressclasses.networking.k8s.io', network.ingressClassPrinter],
  ['networkpolicies.networking.k8s.io', network.networkPolicyPrinter],
  ['servicecidrs.networking.k8s.io', network.serviceCidrPrinter],
  ['ipaddresses.networking.k8s.io', network.ipAddressPrinter],
  ['nodes', cluster.nodePrinter],
  ['namespaces', cluster.namespacePrinter],
  ['configmaps', cluster.configMapPrinter],
  ['secrets', cluster.secretPrinter],
  ['serviceaccounts', cluster.serviceAccountPrinter],
  ['events', cluster.eventPrinter],
  ['events.events.k8s.io', cluster.eventPrinter],
  ['resourcequotas', cluster.resourceQuotaPrinter],
  ['componentstatuses', cluster.componentStatusPrinter],
  ['rolebindings.rbac.authorization.k8s.io', cluster.roleBindingPrinter],
  ['clusterrolebindings.rbac.authorization.k8s.io', cluster.roleBindingPrinter],
  ['certificatesigningrequests.certificates.k8s.io', cluster.certificateSigningRequestPrinter],
  ['clustertrustbundles.certificates.k8s.io', cluster.clusterTrustBundlePrinter],
  ['leases.coordination.k8s.io', cluster.leasePrinter],
  ['leasecandidates.coordination.k8s.io', cluster.leaseCandidatePrinter],
  ['mutatingwebhookconfigurations.admissionregistration.k8s.io', cluster.webhookConfigurationPrinter],
  ['validatingwebhookconfigurations.admissionregistration.k8s.io', cluster.webhookConfigurationPrinter],
  ['validatingadmissionpolicies.admissionregistration.k8s.io', cluster.validatingAdmissionPolicyPrinter],
  ['mutatingadmissionpolicies.admissionregistration.k8s.io', cluster.mutatingAdmissionPolicyPrinter],
  ['validatingadmissionpolicybindings.admissionregistration.k8s.io', cluster.admissionPolicyBindingPrinter],
  ['mutatingadmissionpolicybindings.admissionregistration.k8s.io', cluster.admissionPolicyBindingPrinter],
  ['flowschemas.flowcontrol.apiserver.k8s.io', cluster.flowSchemaPrinter],
  ['prioritylevelconfigurations.flowcontrol.apiserver.k8s.io', cluster.priorityLevelConfigurationPrinter],
  ['apiservices.apiregistration.k8s.io', cluster.apiServicePrinter],
  ['storageversions.internal.apiserver.k8s.io', cluster.storageVersionPrinter],
  ['storageversionmigrations.storagemigration.k8s.io', cluster.storageVersionMigrationPrinter],
  ['persistentvolumes', storage.persistentVolumePrinter],
  ['persistentvolumeclaims', storage.persistentVolumeClaimPrinter],
  ['storageclasses.storage.k8s.io', storage.storageClassPrinter],
  ['volumeattributesclasses.storage.k8s.io', storage.volumeAttributesClassPrinter],
  ['volumeattachments.storage.k8s.io', storage.volumeAttachmentPrinter],
  ['csinodes.storage.k8s.io', storage.csiNodePrinter],
  ['csidrivers.storage.k8s.io', storage.csiDriverPrinter],
  ['deviceclasses.resource.k8s.io', storage.nameAndAgePrinter],
  ['resourceclaims.resource.k8s.io', storage.resourceClaimPrinter],
  ['resourceclaimtemplates.resource.k8s.io', storage.nameAndAgePrinter],
  ['resourceslices.resource.k8s.io', storage.resourceSlicePrinter],
])

/** The printer of a resource: `printerFor('deployments.apps')`. Never fails: kinds without one get the default. */
export const printerFor = (groupResource: string): Printer => printers.get(groupResource) ?? defaultPrinter

/** Whether upstream's columns for the resource are known, rather than the default. */
export const hasPrinter = (groupResource: string): boolean => printers.has(groupResource)

/** What the `includeObject` parameter may say. */
export type IncludeObject = 'None' | 'Metadata' | 'Object'

export interface TableOptions {
  /** What each row carries of its object; default `Metadata`. */
  readonly includeObject?: IncludeObject
  /** The instant that ages are told against. */
  readonly nowMs: number
  /** The list's metadata (resourceVersion, continue, remainingItemCount); for one object, `{resourceVersion}`. */
  readonly listMetadata?: JsonObject
  /** False leaves out the columns' definitions: in a watch only the first event carries them. Default true. */
  readonly withColumns?: boolean
}

const columnJson = (column: TableColumn): JsonObject => ({ ...column })

/** One row: its cells, and what `includeObject` asks for of the object. */
export function rowOf(object: KubeObject, by: Printer, options: TableOptions): JsonObject {
  const conditions = by.conditions?.(object)
  return {
    cells: by.cells(object, options.nowMs),
    ...(conditions ? { conditions } : {}),
    object: included(object, options.includeObject ?? 'Metadata'),
  }
}

function included(object: KubeObject, include: IncludeObject): JsonObject | null {
  switch (include) {
    case 'None':
      return null
    case 'Object':
      return object
    case 'Metadata':
      return { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata: object.metadata }
  }
}

/** A whole Table, for a list or for one object. */
export const tableOf = (objects: readonly KubeObject[], by: Printer, options: TableOptions): JsonObject => ({
  kind: 'Table',
  apiVersion: 'meta.k8s.io/v1',
  metadata: options.listMetadata ?? {},
  columnDefinitions: options.withColumns === false ? null : by.columns.map(columnJson),
  rows: objects.map((object) => rowOf(object, by, options)),
})
