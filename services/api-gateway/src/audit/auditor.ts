// The audit log: every request that a rule of the policy names, in its stages, with what was asked and answered. Where there is
// no policy nothing of this is asked.
import type { JsonObject } from '@shiplog/api/kube-object'
import type { Status } from '@shiplog/api/status'
import { auditEvent, type AuditRecord, withoutManagedFields } from '@shiplog/domain/audit/audit-event'
import { auditDecision, type AuditedRequest, type AuditPolicy, type AuditStage } from '@shiplog/domain/audit/audit-policy'
import type { User } from '@shiplog/domain/strategy'
import type { MetricsRegistry } from '@shiplog/runtime/metrics'
import type { AuditSink } from './audit-sink.ts'

export interface AuditedFacts {
  readonly auditID: string
  readonly requestURI: string
  readonly request: AuditedRequest
  readonly apiVersion: string
  readonly impersonated?: User | undefined
  readonly sourceIPs: readonly string[]
  readonly userAgent: string
}

/** One request that is audited. */
export interface Audit {
  annotate(key: string, value: string): void
  /** The answer will come in time: its head has been sent. */
  started(code: number): void
  /** What was answered instead of an object. */
  refused(status: Status): void
  /** What was asked and answered; looked at when the request is over, and only where the level says so. */
  requestObject: (() => JsonObject | undefined) | undefined
  responseObject: (() => JsonObject | undefined) | undefined
  complete(code: number): void
}

export interface Auditor {
  /** Undefined for a request that no rule names. */
  begin(facts: AuditedFacts): Audit | undefined
  /** Credentials that nobody knows. */
  unauthenticated(facts: AuditedFacts, message: string): void
  close(): Promise<void>
}

export interface AuditorDeps {
  readonly policy: AuditPolicy
  readonly sinks: readonly AuditSink[]
  readonly nowMs: () => number
  readonly metrics: MetricsRegistry
}

export function createAuditor({ policy, sinks, nowMs, metrics }: AuditorDeps): Auditor {
  const levels = metrics.counter({
    name: 'apiserver_audit_level_total',
    help: 'Counter of policy levels for audit events (1 per request).',
    labels: ['level'],
  })
  const events = metrics
    .counter({ name: 'apiserver_audit_event_total', help: 'Counter of audit events generated and sent to the audit backend.' })
    .with()
  const write = (record: AuditRecord, stage: AuditStage): void => {
    const event = auditEvent(record, stage, nowMs())
    events.inc()
    for (const sink of sinks) sink.write(event)
  }

  function begin(facts: AuditedFacts): Audit | undefined {
    const { level, omitStages, omitManagedFields } = auditDecision(policy, facts.request)
    levels.with(level).inc()
    if (level === 'None') return undefined
    const annotations: Record<string, string> = {}
    const base = { ...facts, level, receivedMs: nowMs(), annotations } as AuditRecord
    const shown = (object: JsonObject | undefined) => (omitManagedFields ? withoutManagedFields(object) : object)
    let status: Partial<Status> | undefined
    let isOver = false
    const stage = (name: AuditStage, more: Partial<AuditRecord> = {}): void => {
      if (!omitStages.has(name)) write({ ...base, ...more }, name)
    }
    const answered = (code: number): Partial<Status> => status ?? { code }
    const objects = (): Partial<AuditRecord> => ({
      requestObject: level === 'Metadata' ? undefined : shown(audit.requestObject?.()),
      responseObject: level === 'RequestResponse' ? shown(audit.responseObject?.()) : undefined,
    })
    const audit: Audit = {
      requestObject: undefined,
      responseObject: undefined,
      annotate: (key, value) => void (annotations[key] ??= value),
      started: (code) => stage('ResponseStarted', { responseStatus: answered(code) }),
      refused: (refusal) => void (status = refusal),
      complete(code) {
        if (isOver) return
        isOver = true
        stage('ResponseComplete', { responseStatus: answered(code), ...objects() })
      },
    }
    stage('RequestReceived')
    return audit
  }

  return {
    begin,
    unauthenticated(facts, message) {
      const { level, omitStages } = auditDecision(policy, facts.request)
      levels.with(level).inc()
      if (level === 'None' || omitStages.has('ResponseStarted')) return
      const record = { ...facts, level, receivedMs: nowMs(), annotations: {}, responseStatus: { code: 401, message } }
      write(record as AuditRecord, 'ResponseStarted')
    },
    async close() {
      await Promise.all(sinks.map((sink) => sink.close()))
    },
  }
}
