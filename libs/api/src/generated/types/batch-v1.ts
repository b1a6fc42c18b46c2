// Written by `npm run generate` from the same tables as kinds.json; see tools/generate/types.ts. Types only.
import type * as coreV1 from './core-v1.ts'
import type { ObjectMeta as StoredObjectMeta } from '../../kube-object.ts'
import type * as metaV1 from './meta-v1.ts'

export interface CronJob {
  kind: 'CronJob'
  apiVersion: 'batch/v1'
  metadata: StoredObjectMeta
  spec: CronJobSpec
  status: CronJobStatus
}

export interface CronJobList {
  kind: 'CronJobList'
  apiVersion: 'batch/v1'
  metadata: metaV1.ListMeta
  items: CronJob[] | null
}

export interface CronJobSpec {
  schedule: string
  timeZone?: string
  startingDeadlineSeconds?: number
  concurrencyPolicy?: 'Allow' | 'Forbid' | 'Replace'
  suspend?: boolean
  jobTemplate: JobTemplateSpec
  successfulJobsHistoryLimit?: number
  failedJobsHistoryLimit?: number
}

export interface CronJobStatus {
  active?: coreV1.ObjectReference[]
  lastScheduleTime?: string
  lastSuccessfulTime?: string
}

export interface Job {
  kind: 'Job'
  apiVersion: 'batch/v1'
  metadata: StoredObjectMeta
  spec: JobSpec
  status: JobStatus
}

export interface JobCondition {
  type: string
  status: string
  lastProbeTime?: string
  lastTransitionTime?: string
  reason?: string
  message?: string
}

export interface JobList {
  kind: 'JobList'
  apiVersion: 'batch/v1'
  metadata: metaV1.ListMeta
  items: Job[] | null
}

export interface JobSpec {
  parallelism?: number
  completions?: number
  activeDeadlineSeconds?: number
  podFailurePolicy?: PodFailurePolicy
  successPolicy?: SuccessPolicy
  backoffLimit?: number
  backoffLimitPerIndex?: number
  maxFailedIndexes?: number
  selector?: metaV1.LabelSelector
  manualSelector?: boolean
  template: coreV1.PodTemplateSpec
  ttlSecondsAfterFinished?: number
  completionMode?: 'Indexed' | 'NonIndexed'
  suspend?: boolean
  podReplacementPolicy?: 'Failed' | 'TerminatingOrFailed'
  managedBy?: string
}

export interface JobStatus {
  conditions?: JobCondition[]
  startTime?: string
  completionTime?: string
  active?: number
  succeeded?: number
  failed?: number
  terminating?: number
  completedIndexes?: string
  failedIndexes?: string
  uncountedTerminatedPods?: UncountedTerminatedPods
  ready?: number
}

export interface JobTemplateSpec {
  metadata: metaV1.ObjectMeta
  spec: JobSpec
}

export interface PodFailurePolicy {
  rules: PodFailurePolicyRule[] | null
}

export interface PodFailurePolicyOnExitCodesRequirement {
  containerName?: string
  operator: 'In' | 'NotIn'
  values: number[] | null
}

export interface PodFailurePolicyOnPodConditionsPattern {
  type: string
  status?: string
}

export interface PodFailurePolicyRule {
  action: 'Count' | 'FailIndex' | 'FailJob' | 'Ignore'
  onExitCodes?: PodFailurePolicyOnExitCodesRequirement
  onPodConditions?: PodFailurePolicyOnPodConditionsPattern[]
}

export interface SuccessPolicy {
  rules: SuccessPolicyRule[] | null
}

export interface SuccessPolicyRule {
  succeededIndexes?: string
  succeededCount?: number
}

export interface UncountedTerminatedPods {
  succeeded?: string[]
  failed?: string[]
}
