// Printers: the columns that `kubectl get` shows, as upstream's printers give them (kubernetes/pkg/printers/internalversion).
import type { KubeObject } from '../kube-object.ts'

export interface TableColumn {
  readonly name: string
  readonly type: 'string' | 'integer' | 'number' | 'boolean' | 'date'
  readonly format: '' | 'name' | 'date-time'
  readonly description: string
  /** 0 is always shown, 1 with `-o wide`. */
  readonly priority: number
}

export type Cell = string | number | bigint | boolean | null

/** A remark about a row, such as "this pod has run to its end". */
export interface RowCondition {
  readonly type: 'Completed'
  readonly status: 'True' | 'False' | 'Unknown'
  readonly reason?: string
  readonly message?: string
}

export interface Printer {
  readonly columns: readonly TableColumn[]
  /** One cell per column, priority 1 included. `nowMs` is the instant that ages are told against. */
  cells(object: KubeObject, nowMs: number): readonly Cell[]
  /** Remarks about the row; most kinds have none. */
  conditions?(object: KubeObject): readonly RowCondition[] | undefined
}
