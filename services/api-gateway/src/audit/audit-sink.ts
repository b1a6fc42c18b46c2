// Where events of the audit log go: lines in a file that is rotated, batches to a webhook. Whoever audits never waits: what does
// not fit into the buffers is dropped, and counted.
import type { JsonObject } from '@shiplog/api/kube-object'
import type { Clock } from '@shiplog/runtime/clock'
import type { Logger } from '@shiplog/runtime/logger'
import type { Counter, MetricsRegistry } from '@shiplog/runtime/metrics'
import { openRotatedFile, type RotationOptions } from './rotated-file.ts'

export interface AuditSink {
  write(event: JsonObject): void
  close(): Promise<void>
}

/** A `path` of `-` is the standard output. */
export type AuditLogOptions = RotationOptions

interface SinkDeps {
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: MetricsRegistry
}

const dropped = (metrics: MetricsRegistry, plugin: string): Counter =>
  metrics
    .counter({
      name: 'apiserver_audit_error_total',
      help: 'Counter of audit events that failed to be audited properly. Plugin identifies the plugin affected by the error.',
      labels: ['plugin'],
    })
    .with(plugin)

export function createAuditLog(options: AuditLogOptions, { clock, logger, metrics }: SinkDeps): AuditSink {
  const lost = dropped(metrics, 'log')
  if (options.path === '-')
    return {
      write: (event) => void process.stdout.write(`${JSON.stringify(event)}\n`),
      close: () => Promise.resolve(),
    }
  const file = openRotatedFile({ ...options, clock, logger, onLost: () => lost.inc() })
  return {
    write: (event) => file.write(Buffer.from(`${JSON.stringify(event)}\n`)),
    close: file.close,
  }
}

export interface AuditWebhookOptions {
  /** Sends a batch; rejects when it was not taken. */
  readonly send: (list: JsonObject) => Promise<void>
}

/** As upstream's defaults. */
const batchSizeMax = 400
const batchWaitMs = 30_000
const bufferMax = 10_000
const firstBackoffMs = 10_000
const triesMax = 5

export function createAuditWebhook({ send }: AuditWebhookOptions, { clock, logger, metrics }: SinkDeps): AuditSink {
  const lost = dropped(metrics, 'webhook')
  const waiting: JsonObject[] = []
  const closing = new AbortController()
  let timer: Disposable | undefined
  let sending: Promise<void> | undefined

  async function deliver(items: readonly JsonObject[]): Promise<void> {
    const list = { kind: 'EventList', apiVersion: 'audit.k8s.io/v1', metadata: {}, items }
    for (let count = 0; count < triesMax; count++) {
      try {
        return await send(list)
      } catch (err) {
        if (closing.signal.aborted || count === triesMax - 1) {
          logger.error({ err, events: items.length }, 'audit events were not delivered')
          lost.inc(items.length)
          return
        }
        await clock.sleep(firstBackoffMs * 1.5 ** count, closing.signal).catch(() => undefined)
      }
    }
  }

  function flush(): void {
    timer?.[Symbol.dispose]()
    timer = undefined
    if (sending || waiting.length === 0) return
    sending = deliver(waiting.splice(0, batchSizeMax)).finally(() => {
      sending = undefined
      if (waiting.length >= batchSizeMax || closing.signal.aborted) flush()
      else wait()
    })
  }

  function wait(): void {
    if (waiting.length > 0) timer ??= clock.after(batchWaitMs, flush)
  }

  return {
    write(event) {
      if (waiting.length >= bufferMax) {
        lost.inc()
        return
      }
      waiting.push(event)
      if (waiting.length >= batchSizeMax) flush()
      else wait()
    },
    async close() {
      closing.abort()
      flush()
      while (sending) await sending
    },
  }
}
