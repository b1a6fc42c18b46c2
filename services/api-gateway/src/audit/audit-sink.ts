// Where events of the audit log go: lines in a file that is rotated, batches to a webhook. Whoever audits never waits: what does
// not fit into the buffers is dropped, and counted.
import { createWriteStream, existsSync, mkdirSync, openSync, readdirSync, renameSync, statSync, unlinkSync, type WriteStream } from 'node:fs'
import { basename, dirname, extname, join } from 'node:path'
import type { JsonObject } from '@shiplog/api/kube-object'
import type { Clock } from '@shiplog/runtime/clock'
import type { Logger } from '@shiplog/runtime/logger'
import type { Counter, MetricsRegistry } from '@shiplog/runtime/metrics'

export interface AuditSink {
  write(event: JsonObject): void
  close(): Promise<void>
}

export interface AuditLogOptions {
  /** `-` is the standard output. */
  readonly path: string
  readonly maxAgeDays?: number
  readonly maxBackups?: number
  readonly maxSizeMb?: number
}

interface SinkDeps {
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: MetricsRegistry
}

const dayMs = 24 * 60 * 60 * 1_000
const defaultMaxSizeMb = 100
/** Bytes that wait to be written to the file. */
const waitingBytesMax = 64 * 1024 * 1024

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
  const sizeMax = (options.maxSizeMb || defaultMaxSizeMb) * 1024 * 1024
  mkdirSync(dirname(options.path), { recursive: true })
  let size = existsSync(options.path) ? statSync(options.path).size : 0
  let stream = open(options.path, logger)

  function rotate(): void {
    stream.end()
    renameSync(options.path, backupName(options.path, clock.nowMs()))
    removeOld(options, clock.nowMs())
    stream = open(options.path, logger)
    size = 0
  }

  return {
    write(event) {
      const line = Buffer.from(`${JSON.stringify(event)}\n`)
      if (stream.writableLength > waitingBytesMax || line.length > sizeMax) {
        lost.inc()
        return
      }
      if (size > 0 && size + line.length > sizeMax) rotate()
      size += line.length
      stream.write(line)
    },
    close: () => new Promise((resolve) => stream.end(() => resolve())),
  }
}

const open = (path: string, logger: Logger): WriteStream =>
  createWriteStream(path, { fd: openSync(path, 'a', 0o600) }).on('error', (err) => logger.error({ err }, 'failed to write the audit log'))

/** `audit-2026-11-30T23-59-59.000.log`, as lumberjack names them. */
function backupName(path: string, nowMs: number): string {
  const extension = extname(path)
  const stamp = new Date(nowMs).toISOString().replace('Z', '').replaceAll(':', '-')
  return join(dirname(path), `${basename(path, extension)}-${stamp}${extension}`)
}

function removeOld({ path, maxAgeDays = 0, maxBackups = 0 }: AuditLogOptions, nowMs: number): void {
  const extension = extname(path)
  const start = `${basename(path, extension)}-`
  const backups = readdirSync(dirname(path))
    .filter((name) => name.startsWith(start) && name.endsWith(extension) && name !== basename(path))
    .sort()
    .reverse()
  for (const [index, name] of backups.entries()) {
    const whole = join(dirname(path), name)
    const isOld = maxAgeDays > 0 && nowMs - statSync(whole).mtimeMs > maxAgeDays * dayMs
    if (isOld || (maxBackups > 0 && index >= maxBackups)) unlinkSync(whole)
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
