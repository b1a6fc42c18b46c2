// The ContainerUsage port: what running containers use of their node, for metrics.

export interface ContainerUsage {
  readonly podUid: string
  readonly namespace: string
  readonly pod: string
  readonly container: string
  /** When it was measured. */
  readonly timestampMs: number
  /** Thousandths of a millionth of a core, over the last interval. */
  readonly cpuNanocores: number
  /** Memory that cannot be taken away without harm: what evictions look at. */
  readonly memoryWorkingSetBytes: number
}

export interface UsageStats {
  /** Of every running container of the node. */
  usage(): Promise<readonly ContainerUsage[]>
}
