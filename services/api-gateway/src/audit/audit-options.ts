// The audit log as flags configure it.
import type { MetricsRegistry } from '@shiplog/runtime/metrics'
import type { Clock } from '@shiplog/runtime/clock'
import type { Logger } from '@shiplog/runtime/logger'
import { parseAuditPolicy } from '@shiplog/domain/audit/audit-policy'
import { postJson } from '../remote/remote-service.ts'
import type { RemoteService } from '../remote/remote-service.ts'
import { createAuditor, type Auditor } from './auditor.ts'
import { type AuditLogOptions, createAuditLog, createAuditWebhook } from './audit-sink.ts'

export interface AuditOptions {
  /** The text of the policy's file. */
  readonly policy: string
  readonly log?: AuditLogOptions
  readonly webhook?: RemoteService
}

/** Longest that a batch may take. */
const webhookTimeoutMs = 30_000

export function openAuditor(
  { policy, log, webhook }: AuditOptions,
  deps: { readonly clock: Clock; readonly logger: Logger; readonly metrics: MetricsRegistry },
): Auditor {
  const sinks = [
    ...(log ? [createAuditLog(log, deps)] : []),
    ...(webhook
      ? [createAuditWebhook({ send: async (list) => void (await postJson(webhook, list, webhookTimeoutMs)) }, deps)]
      : []),
  ]
  return createAuditor({ policy: parseAuditPolicy(policy), sinks, nowMs: () => deps.clock.nowMs(), metrics: deps.metrics })
}
