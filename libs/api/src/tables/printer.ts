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

export interface Printer {
  readonly columns: readonly TableColumn[]
  /** One cell per column, priority 1 included. `nowMs` is the instant that ages are told against. */
  cells(object: KubeObject, nowMs: number): readonly (string | number | boolean | null)[]
}
