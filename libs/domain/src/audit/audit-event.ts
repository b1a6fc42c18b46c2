// Events of the audit log, in the form of audit.k8s.io/v1.
import type { JsonObject } from '@shiplog/api/kube-object'
import type { Status } from '@shiplog/api/status'
import type { User } from '../strategy.ts'
import type { AuditedRequest, AuditLevel, AuditStage } from './audit-policy.ts'

/** What is known of a request while it goes on. */
export interface AuditRecord {
  readonly level: AuditLevel
  readonly auditID: string
  readonly requestURI: string
  readonly request: AuditedRequest
  readonly apiVersion: string
  readonly impersonated?: User
  readonly sourceIPs: readonly string[]
  readonly userAgent: string
  readonly receivedMs: number
  readonly annotations: Readonly<Record<string, string>>
  readonly responseStatus?: Partial<Status>
  readonly requestObject?: JsonObject | undefined
  readonly responseObject?: JsonObject | undefined
}

/** With microseconds, as Go prints a MicroTime. */
const microTime = (ms: number): string => new Date(ms).toISOString().replace('Z', '000Z')

const userInfo = ({ name, uid, groups, extra }: User): JsonObject => ({
  username: name,
  ...(uid ? { uid } : {}),
  ...(groups.length > 0 ? { groups } : {}),
  ...(extra && Object.keys(extra).length > 0 ? { extra } : {}),
})

interface Named {
  readonly metadata?: { readonly name?: string; readonly uid?: string; readonly resourceVersion?: string }
}

export function auditEvent(record: AuditRecord, stage: AuditStage, stageMs: number): JsonObject {
  const { level, request, annotations, responseStatus, requestObject, responseObject } = record
  return {
    kind: 'Event',
    apiVersion: 'audit.k8s.io/v1',
    level,
    auditID: record.auditID,
    stage,
    requestURI: record.requestURI,
    verb: request.verb,
    user: userInfo(request.user),
    ...(record.impersonated ? { impersonatedUser: userInfo(record.impersonated) } : {}),
    ...(record.sourceIPs.length > 0 ? { sourceIPs: record.sourceIPs } : {}),
    ...(record.userAgent ? { userAgent: record.userAgent } : {}),
    ...(request.target ? { objectRef: objectReference(record) } : {}),
    ...(responseStatus ? { responseStatus: shownStatus(responseStatus) } : {}),
    ...(requestObject && level !== 'Metadata' ? { requestObject } : {}),
    ...(responseObject && level === 'RequestResponse' ? { responseObject } : {}),
    requestReceivedTimestamp: microTime(record.receivedMs),
    stageTimestamp: microTime(stageMs),
    ...(Object.keys(annotations).length > 0 ? { annotations } : {}),
  }
}

function objectReference({ request, apiVersion, requestObject }: AuditRecord): JsonObject {
  const { resource, namespace, name, group, subresource } = request.target!
  const { metadata = {} } = (requestObject ?? {}) as Named
  const known = name || metadata.name
  return {
    resource,
    ...(namespace ? { namespace } : {}),
    ...(known ? { name: known } : {}),
    ...(metadata.uid ? { uid: metadata.uid } : {}),
    ...(group ? { apiGroup: group } : {}),
    apiVersion,
    ...(metadata.resourceVersion ? { resourceVersion: metadata.resourceVersion } : {}),
    ...(subresource ? { subresource } : {}),
  }
}

/** A status without what says that it is one. */
const shownStatus = ({ status, message, reason, details, code }: Partial<Status>): JsonObject => ({
  metadata: {},
  ...(status ? { status } : {}),
  ...(message ? { message } : {}),
  ...(reason ? { reason } : {}),
  ...(details ? { details } : {}),
  ...(code === undefined ? {} : { code }),
})

/** The object without its managed fields; of a list, its items. */
export function withoutManagedFields(object: JsonObject | undefined): JsonObject | undefined {
  if (!object) return undefined
  const { items, metadata } = object
  if (Array.isArray(items)) return { ...object, items: items.map((item) => withoutManagedFields(item as JsonObject)) }
  const { managedFields, ...rest } = (metadata ?? {}) as JsonObject
  if (managedFields === undefined) return object
  return { ...object, metadata: rest }
}
