// Written by `npm run generate` from the same tables as kinds.json; see tools/generate/types.ts. Types only.
import type * as coreV1 from './core-v1.ts'
import type { ObjectMeta as StoredObjectMeta } from '../../kube-object.ts'
import type * as metaV1 from './meta-v1.ts'

export interface ControllerRevision {
  kind: 'ControllerRevision'
  apiVersion: 'apps/v1'
  metadata: StoredObjectMeta
  data?: unknown
  revision: number
}

export interface ControllerRevisionList {
  kind: 'ControllerRevisionList'
  apiVersion: 'apps/v1'
  metadata: metaV1.ListMeta
  items: ControllerRevision[] | null
}

export interface DaemonSet {
  kind: 'DaemonSet'
  apiVersion: 'apps/v1'
  metadata: StoredObjectMeta
  spec: DaemonSetSpec
  status: DaemonSetStatus
}

export interface DaemonSetCondition {
  type: string
  status: string
  lastTransitionTime?: string
  reason?: string
  message?: string
}

export interface DaemonSetList {
  kind: 'DaemonSetList'
  apiVersion: 'apps/v1'
  metadata: metaV1.ListMeta
  items: DaemonSet[] | null
}

export interface DaemonSetSpec {
  selector: metaV1.LabelSelector
  template: coreV1.PodTemplateSpec
  updateStrategy: DaemonSetUpdateStrategy
  minReadySeconds?: number
  revisionHistoryLimit?: number
}

export interface DaemonSetStatus {
  currentNumberScheduled: number
  numberMisscheduled: number
  desiredNumberScheduled: number
  numberReady: number
  observedGeneration?: number
  updatedNumberScheduled?: number
  numberAvailable?: number
  numberUnavailable?: number
  collisionCount?: number
  conditions?: DaemonSetCondition[]
}

export interface DaemonSetUpdateStrategy {
  type?: 'OnDelete' | 'RollingUpdate'
  rollingUpdate?: RollingUpdateDaemonSet
}

export interface Deployment {
  kind: 'Deployment'
  apiVersion: 'apps/v1'
  metadata: StoredObjectMeta
  spec: DeploymentSpec
  status: DeploymentStatus
}

export interface DeploymentCondition {
  type: string
  status: string
  lastUpdateTime?: string
  lastTransitionTime?: string
  reason?: string
  message?: string
}

export interface DeploymentList {
  kind: 'DeploymentList'
  apiVersion: 'apps/v1'
  metadata: metaV1.ListMeta
  items: Deployment[] | null
}

export interface DeploymentSpec {
  replicas?: number
  selector: metaV1.LabelSelector
  template: coreV1.PodTemplateSpec
  strategy: DeploymentStrategy
  minReadySeconds?: number
  revisionHistoryLimit?: number
  paused?: boolean
  progressDeadlineSeconds?: number
}

export interface DeploymentStatus {
  observedGeneration?: number
  replicas?: number
  updatedReplicas?: number
  readyReplicas?: number
  availableReplicas?: number
  unavailableReplicas?: number
  terminatingReplicas?: number
  conditions?: DeploymentCondition[]
  collisionCount?: number
}

export interface DeploymentStrategy {
  type?: 'Recreate' | 'RollingUpdate'
  rollingUpdate?: RollingUpdateDeployment
}

export interface ReplicaSet {
  kind: 'ReplicaSet'
  apiVersion: 'apps/v1'
  metadata: StoredObjectMeta
  spec: ReplicaSetSpec
  status: ReplicaSetStatus
}

export interface ReplicaSetCondition {
  type: string
  status: string
  lastTransitionTime?: string
  reason?: string
  message?: string
}

export interface ReplicaSetList {
  kind: 'ReplicaSetList'
  apiVersion: 'apps/v1'
  metadata: metaV1.ListMeta
  items: ReplicaSet[] | null
}

export interface ReplicaSetSpec {
  replicas?: number
  minReadySeconds?: number
  selector: metaV1.LabelSelector
  template: coreV1.PodTemplateSpec
}

export interface ReplicaSetStatus {
  replicas: number
  fullyLabeledReplicas?: number
  readyReplicas?: number
  availableReplicas?: number
  terminatingReplicas?: number
  observedGeneration?: number
  conditions?: ReplicaSetCondition[]
}

export interface RollingUpdateDaemonSet {
  maxUnavailable?: number | string
  maxSurge?: number | string
}

export interface RollingUpdateDeployment {
  maxUnavailable?: number | string
  maxSurge?: number | string
}

export interface RollingUpdateStatefulSetStrategy {
  partition?: number
  maxUnavailable?: number | string
}

export interface StatefulSet {
  kind: 'StatefulSet'
  apiVersion: 'apps/v1'
  metadata: StoredObjectMeta
  spec: StatefulSetSpec
  status: StatefulSetStatus
}

export interface StatefulSetCondition {
  type: string
  status: string
  lastTransitionTime?: string
  reason?: string
  message?: string
}

export interface StatefulSetList {
  kind: 'StatefulSetList'
  apiVersion: 'apps/v1'
  metadata: metaV1.ListMeta
  items: StatefulSet[] | null
}

export interface StatefulSetOrdinals {
  start?: number
}

export interface StatefulSetPersistentVolumeClaimRetentionPolicy {
  whenDeleted?: string
  whenScaled?: string
}

export interface StatefulSetSpec {
  replicas?: number
  selector: metaV1.LabelSelector
  template: coreV1.PodTemplateSpec
  volumeClaimTemplates?: coreV1.PersistentVolumeClaim[]
  serviceName?: string
  podManagementPolicy?: 'OrderedReady' | 'Parallel'
  updateStrategy: StatefulSetUpdateStrategy
  revisionHistoryLimit?: number
  minReadySeconds?: number
  persistentVolumeClaimRetentionPolicy?: StatefulSetPersistentVolumeClaimRetentionPolicy
  ordinals?: StatefulSetOrdinals
}

export interface StatefulSetStatus {
  observedGeneration?: number
  replicas: number
  readyReplicas?: number
  currentReplicas?: number
  updatedReplicas?: number
  currentRevision?: string
  updateRevision?: string
  collisionCount?: number
  conditions?: StatefulSetCondition[]
  availableReplicas?: number
}

export interface StatefulSetUpdateStrategy {
  type?: 'OnDelete' | 'RollingUpdate'
  rollingUpdate?: RollingUpdateStatefulSetStrategy
}
