// Written by `npm run generate` from the same tables as kinds.json; see tools/generate/types.ts. Types only.
import type { ObjectMeta as StoredObjectMeta } from '../../kube-object.ts'
import type * as metaV1 from './meta-v1.ts'

export interface CrossVersionObjectReference {
  kind: string
  name: string
  apiVersion?: string
}

export interface HorizontalPodAutoscaler {
  kind: 'HorizontalPodAutoscaler'
  apiVersion: 'autoscaling/v1'
  metadata: StoredObjectMeta
  spec: HorizontalPodAutoscalerSpec
  status: HorizontalPodAutoscalerStatus
}

export interface HorizontalPodAutoscalerList {
  kind: 'HorizontalPodAutoscalerList'
  apiVersion: 'autoscaling/v1'
  metadata: metaV1.ListMeta
  items: HorizontalPodAutoscaler[] | null
}

export interface HorizontalPodAutoscalerSpec {
  scaleTargetRef: CrossVersionObjectReference
  minReplicas?: number
  maxReplicas: number
  targetCPUUtilizationPercentage?: number
}

export interface HorizontalPodAutoscalerStatus {
  observedGeneration?: number
  lastScaleTime?: string
  currentReplicas: number
  desiredReplicas: number
  currentCPUUtilizationPercentage?: number
}

export interface Scale {
  kind: 'Scale'
  apiVersion: 'autoscaling/v1'
  metadata: StoredObjectMeta
  spec: ScaleSpec
  status: ScaleStatus
}

export interface ScaleSpec {
  replicas?: number
}

export interface ScaleStatus {
  replicas: number
  selector?: string
}
