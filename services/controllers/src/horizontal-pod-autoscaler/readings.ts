// What an autoscaler is told of the world outside the view: the scale of its target and one reading for each of its metrics.
// It is recorded with what the autoscaler does, so it is JSON and says no more than the calculation uses. Amounts are
// thousandths, as upstream counts them.

/** `[amount, taken at (ms since the epoch), over so many milliseconds]`. */
export type PodReading = readonly [milli: number, atMs: number, windowMs: number]

export type Reading =
  /** Why there is none, in words for the condition. */
  | { readonly fault: string }
  /** Of each pod, by name. */
  | { readonly pods: Readonly<Record<string, PodReading>> }
  /** Of one object. */
  | { readonly value: number }
  /** Of something outside the cluster: all its series. */
  | { readonly values: readonly number[] }

/** The subresource `scale` of the target. */
export interface ScaleReading {
  readonly group: string
  readonly version?: string
  readonly resource: string
  readonly resourceVersion: string
  readonly specReplicas: number
  readonly statusReplicas: number
  readonly selector: string
}

export interface AutoscalerReadings {
  readonly scale?: ScaleReading
  /** Why there is no scale. */
  readonly scaleFault?: string
  /** In the order of `spec.metrics`; absent when none were asked for. */
  readonly metrics?: readonly Reading[]
}
