// SQL as a part of the cluster that the rest can do without: it begins after the cluster is ready, and when it cannot be
// started that is said, shown, and tried again, less and less often.
import type { Clock } from '@shiplog/runtime/clock'
import type { Ids } from '@shiplog/runtime/ids'
import { kubeletBackoff, type Lives } from '@shiplog/runtime/kept-process'
import type { MetricSample } from '@shiplog/runtime/metrics'
import type { Logger } from '@shiplog/runtime/logger'
import type { Reader } from '@shiplog/read-model/reader'
import type { PostgresOptions, RunningPostgres } from './postgres.ts'
import type { Part } from './shown-lives.ts'

export interface SqlPartOptions {
  /** `auto`, `off` (the default) or the URL of a PostgreSQL; see postgres.ts. */
  readonly postgres?: string
  readonly dataDir: string
  readonly clock: Clock
  readonly ids: Ids
  readonly logger: Logger
  readonly progress: (line: string) => void
}

/** What SQL is made from. */
export type SqlSource = Required<Pick<PostgresOptions, 'log' | 'inspection' | 'codec' | 'keys'>>

export interface SqlPart {
  begin(source: SqlSource): void
  /** What kube-system shows of it. */
  parts(): readonly (Part & { readonly name: string })[]
  metrics(): readonly MetricSample[]
  /** For people; undefined while there is no SQL. */
  reader(): Reader | undefined
  stop(): Promise<void>
}

/** SQL leaves the machine to those who waited for the cluster, for this long. */
const delayMs = 1_000
const projectorName = 'shiplog-projector'
const serverName = 'shiplog-postgres'

export function createSqlPart(options: SqlPartOptions): SqlPart {
  const { clock, progress } = options
  const choice = options.postgres ?? 'off'
  const ending = new AbortController()
  const { signal } = ending
  let is: 'off' | 'coming' | 'failing' | 'there' = choice === 'off' ? 'off' : 'coming'
  let sql: RunningPostgres | undefined
  let startedAtMs = 0
  /** Of a server that could not be started so far. */
  let failing: Lives = { running: false, restarts: 0, startedAtMs: 0, waitMs: 0 }
  let begun: Promise<void> | undefined

  async function run(source: SqlSource): Promise<void> {
    await clock.sleep(delayMs, signal)
    const { startPostgres } = await import('./postgres.ts')
    for (let waitMs = kubeletBackoff.firstMs; ; waitMs = Math.min(kubeletBackoff.maxMs, waitMs * 2)) {
      startedAtMs = clock.nowMs()
      try {
        sql = await startPostgres({ ...options, choice, ...source })
        is = sql === undefined ? 'off' : 'there'
        return
      } catch (error) {
        signal.throwIfAborted()
        const how = error instanceof Error ? error.message : String(error)
        is = 'failing'
        const lastEnd = { how, atMs: clock.nowMs(), exitCode: 1 }
        failing = { running: false, restarts: failing.restarts + 1, startedAtMs, lastEnd, waitMs }
        options.logger.warn({ err: error, waitMs }, 'failed to start SQL, retrying')
        progress(`SQL: off: ${how}; it is tried again in ${waitMs / 1_000} s`)
      }
      await clock.sleep(waitMs, signal)
    }
  }

  return {
    begin(source) {
      if (is === 'off') return
      begun = run(source).catch((err: unknown) => {
        if (!signal.aborted) options.logger.error({ err }, 'SQL disabled')
        is = 'off'
      })
    },
    parts() {
      if (is === 'off') return []
      if (is === 'coming') {
        return [projectorName, serverName].map((name) => ({ name, health: [], startedAtMs, coming: true }))
      }
      if (is === 'failing') return [{ name: serverName, health: [], startedAtMs, lives: failing }]
      const lives = sql!.lives?.()
      return [
        { name: projectorName, health: sql!.projector.health(), startedAtMs },
        ...(lives ? [{ name: serverName, health: [], startedAtMs, lives }] : []),
      ]
    },
    metrics: () => sql?.projector.metrics() ?? [],
    reader: () => sql?.reader,
    async stop() {
      ending.abort()
      await begun
      await sql?.stop()
    },
  }
}
