// A part of the benchmark: it starts what it needs, measures one thing, and leaves nothing.
import type { LogKind } from './cluster.ts'
import type { Figure } from './report.ts'

export interface PartOptions {
  /** The logs to measure on. */
  readonly logs: readonly LogKind[]
  /** Repetitions of what is repeated; medians are reported. */
  readonly repeat: number
  /** Run the server under the CPU profiler and print where its time went. */
  readonly profile: boolean
  /** One line for people, as things happen. */
  readonly progress: (line: string) => void
}

export interface Part {
  readonly name: string
  readonly about: string
  /** Measured on both logs unless one is asked for. */
  readonly onBothLogs?: boolean
  run(options: PartOptions): Promise<Figure[]>
}
