// metrics.k8s.io: what containers and nodes use now. Not among the kinds of the log: it is measured, and kept nowhere.
import type { ObjectMeta } from './kube-object.ts'

/** `{cpu: '12345n', memory: '1024Ki'}`. */
export type Usage = Readonly<Record<string, string>>

/** What is kept nowhere has no uid and no version. */
export type MetricsMeta = Pick<ObjectMeta, 'name' | 'namespace' | 'labels' | 'creationTimestamp'>

export interface ContainerMetrics {
  readonly name: string
  readonly usage: Usage
}

export interface PodMetrics {
  readonly kind: 'PodMetrics'
  readonly apiVersion: 'metrics.k8s.io/v1beta1'
  readonly metadata: MetricsMeta
  /** The end of the window in which it was measured. */
  readonly timestamp: string
  /** As Go writes durations: `15s`. */
  readonly window: string
  readonly containers: readonly ContainerMetrics[]
}

export interface NodeMetrics {
  readonly kind: 'NodeMetrics'
  readonly apiVersion: 'metrics.k8s.io/v1beta1'
  readonly metadata: MetricsMeta
  readonly timestamp: string
  readonly window: string
  readonly usage: Usage
}
