// What every service of the control plane is: something that starts, tells its health, and stops.

export interface HealthCheck {
  /** Short name as in `/readyz?verbose`: `log`, `informer-sync`. */
  readonly name: string
  readonly ok: boolean
  /** One sentence when not ok. */
  readonly reason?: string
  /** What is worth knowing though it is ok; shown by `?verbose` alone. */
  readonly note?: string
}

export interface Service {
  /** The component's name as kube-system shows it: `kube-scheduler`. */
  readonly name: string
  /** Resolves when the service does its work (its view is complete), not merely when it was launched. */
  start(): Promise<void>
  /** Ends all work within 5 s. Safe to call twice, and before `start` has resolved. */
  stop(): Promise<void>
  health(): readonly HealthCheck[]
}
