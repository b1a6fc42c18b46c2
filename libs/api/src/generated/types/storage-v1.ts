// Written by `npm run generate` from the same tables as kinds.json; see tools/generate/types.ts. Types only.
import type * as coreV1 from './core-v1.ts'
import type { ObjectMeta as StoredObjectMeta } from '../../kube-object.ts'
import type * as metaV1 from './meta-v1.ts'

export interface CSIDriver {
  kind: 'CSIDriver'
  apiVersion: 'storage.k8s.io/v1'
  metadata: StoredObjectMeta
  spec: CSIDriverSpec
}

export interface CSIDriverList {
  kind: 'CSIDriverList'
  apiVersion: 'storage.k8s.io/v1'
  metadata: metaV1.ListMeta
  items: CSIDriver[] | null
}

export interface CSIDriverSpec {
  attachRequired?: boolean
  podInfoOnMount?: boolean
  volumeLifecycleModes?: string[]
  storageCapacity?: boolean
  fsGroupPolicy?: string
  tokenRequests?: TokenRequest[]
  requiresRepublish?: boolean
  seLinuxMount?: boolean
  nodeAllocatableUpdatePeriodSeconds?: number
  serviceAccountTokenInSecrets?: boolean
  preventPodSchedulingIfMissing?: boolean
}

export interface CSINode {
  kind: 'CSINode'
  apiVersion: 'storage.k8s.io/v1'
  metadata: StoredObjectMeta
  spec: CSINodeSpec
}

export interface CSINodeDriver {
  name: string
  nodeID: string
  topologyKeys?: string[] | null
  allocatable?: VolumeNodeResources
}

export interface CSINodeList {
  kind: 'CSINodeList'
  apiVersion: 'storage.k8s.io/v1'
  metadata: metaV1.ListMeta
  items: CSINode[] | null
}

export interface CSINodeSpec {
  drivers: CSINodeDriver[] | null
}

export interface CSIStorageCapacity {
  kind: 'CSIStorageCapacity'
  apiVersion: 'storage.k8s.io/v1'
  metadata: StoredObjectMeta
  nodeTopology?: metaV1.LabelSelector
  storageClassName: string
  capacity?: string
  maximumVolumeSize?: string
}

export interface CSIStorageCapacityList {
  kind: 'CSIStorageCapacityList'
  apiVersion: 'storage.k8s.io/v1'
  metadata: metaV1.ListMeta
  items: CSIStorageCapacity[] | null
}

export interface StorageClass {
  kind: 'StorageClass'
  apiVersion: 'storage.k8s.io/v1'
  metadata: StoredObjectMeta
  provisioner: string
  parameters?: Record<string, string>
  reclaimPolicy?: 'Delete' | 'Recycle' | 'Retain'
  mountOptions?: string[]
  allowVolumeExpansion?: boolean
  volumeBindingMode?: 'Immediate' | 'WaitForFirstConsumer'
  allowedTopologies?: coreV1.TopologySelectorTerm[]
}

export interface StorageClassList {
  kind: 'StorageClassList'
  apiVersion: 'storage.k8s.io/v1'
  metadata: metaV1.ListMeta
  items: StorageClass[] | null
}

export interface TokenRequest {
  audience: string
  expirationSeconds?: number
}

export interface VolumeAttachment {
  kind: 'VolumeAttachment'
  apiVersion: 'storage.k8s.io/v1'
  metadata: StoredObjectMeta
  spec: VolumeAttachmentSpec
  status: VolumeAttachmentStatus
}

export interface VolumeAttachmentList {
  kind: 'VolumeAttachmentList'
  apiVersion: 'storage.k8s.io/v1'
  metadata: metaV1.ListMeta
  items: VolumeAttachment[] | null
}

export interface VolumeAttachmentSource {
  persistentVolumeName?: string
  inlineVolumeSpec?: coreV1.PersistentVolumeSpec
}

export interface VolumeAttachmentSpec {
  attacher: string
  source: VolumeAttachmentSource
  nodeName: string
}

export interface VolumeAttachmentStatus {
  attached: boolean
  attachmentMetadata?: Record<string, string>
  attachError?: VolumeError
  detachError?: VolumeError
}

export interface VolumeAttributesClass {
  kind: 'VolumeAttributesClass'
  apiVersion: 'storage.k8s.io/v1'
  metadata: StoredObjectMeta
  driverName: string
  parameters?: Record<string, string>
}

export interface VolumeAttributesClassList {
  kind: 'VolumeAttributesClassList'
  apiVersion: 'storage.k8s.io/v1'
  metadata: metaV1.ListMeta
  items: VolumeAttributesClass[] | null
}

export interface VolumeError {
  time?: string
  message?: string
  errorCode?: number
}

export interface VolumeNodeResources {
  count?: number
}
