// CertificateSigningRequests: who asks is recorded by the server, the request never changes, what was approved or denied is
// said through /approval alone, and the certificate, once there, stays.
import { X509Certificate } from 'node:crypto'
import { duplicate, forbiddenField, invalidValue, notSupported, required } from '@shiplog/api/field-errors'
import type {
  CertificateSigningRequest,
  CertificateSigningRequestCondition,
  CertificateSigningRequestSpec,
} from '@shiplog/api/generated/types/certificates-v1'
import { timestampOf } from '@shiplog/api/apply/managed-fields'
import type { StatusCause } from '@shiplog/api/status'
import type { Decoded, Draft } from '@shiplog/api/decoded'
import { items, keep, section, semanticEqual } from '../fields.ts'
import type { Strategy } from '../strategy.ts'
import { pemBlocks } from './pem.ts'
import { parseCertificateRequest } from './pkcs10.ts'
import { validateSignerName } from './signer-name.ts'

const decisions = ['Approved', 'Denied'] as const
/** Conditions that are only ever true, and never taken back. */
const lasting = [...decisions, 'Failed'] as const
const expirationSecondsMin = 600

const usages: ReadonlySet<unknown> = new Set([
  'any',
  'cert sign',
  'client auth',
  'code signing',
  'content commitment',
  'crl sign',
  'data encipherment',
  'decipher only',
  'digital signature',
  'email protection',
  'encipher only',
  'ipsec end system',
  'ipsec tunnel',
  'ipsec user',
  'key agreement',
  'key encipherment',
  'microsoft sgc',
  'netscape sgc',
  'ocsp signing',
  's/mime',
  'server auth',
  'signing',
  'timestamping',
])

type Request = Draft<CertificateSigningRequest>
type Condition = Decoded<CertificateSigningRequestCondition>

const textOf = (base64: string | undefined): string => Buffer.from(base64 ?? '', 'base64').toString('latin1')
const conditionsOf = (request: Request): readonly Condition[] => items(request.status?.conditions)
const ofType = (request: Request, type: string): readonly Condition[] =>
  conditionsOf(request).filter((condition) => condition.type === type)

/** What a client leaves out of a condition is filled in: when it was written, and since when it holds. */
const stampConditions = (draft: Request, before: Request, nowMs: number): void => {
  const now = timestampOf(nowMs)
  for (const condition of conditionsOf(draft)) {
    condition.lastUpdateTime ||= now
    const same = conditionsOf(before).find(
      (old) => old.type === condition.type && old.status === condition.status && old.lastTransitionTime,
    )
    condition.lastTransitionTime ||= same?.lastTransitionTime ?? now
  }
}

/** Who writes the status brings the decisions along as they are. */
const keepDecisions = (draft: Request, before: Request): void => {
  for (const type of decisions) {
    const old = ofType(before, type)
    const now = ofType(draft, type)
    if (old.length !== now.length) continue
    for (const [index, condition] of now.entries()) Object.assign(condition, old[index])
  }
}

const whyNoRequest = (base64: string | undefined): string | undefined => {
  try {
    return parseCertificateRequest(textOf(base64)).whyUnsigned()
  } catch (error) {
    return (error as Error).message
  }
}

const validateSpec = (spec: Decoded<CertificateSigningRequestSpec>): StatusCause[] => {
  const causes: StatusCause[] = []
  const why = whyNoRequest(spec.request)
  if (why) causes.push(invalidValue('spec.request', spec.request ?? '', why))
  const asked = items(spec.usages)
  if (asked.length === 0) causes.push(required('spec.usages'))
  asked.forEach((usage, index) => {
    const at = `spec.usages[${index}]`
    if (!usages.has(usage)) causes.push(notSupported(at, usage, [...usages] as string[]))
    if (asked.indexOf(usage) < index) causes.push(duplicate(at, usage))
  })
  causes.push(...validateSignerName(spec.signerName, 'spec.signerName'))
  const seconds = spec.expirationSeconds
  if (typeof seconds === 'number' && seconds < expirationSecondsMin)
    causes.push(
      invalidValue('spec.expirationSeconds', seconds, 'may not specify a duration less than 600 seconds (10 minutes)'),
    )
  return causes
}

const validateConditions = (request: Request, before: Request): StatusCause[] => {
  const at = 'status.conditions'
  const causes: StatusCause[] = []
  // What is stored already is not held against who writes something else.
  const wereBoth = decisions.every((type) => ofType(before, type).length > 0)
  const seen = new Set<string | undefined>()
  conditionsOf(request).forEach(({ type, status }, index) => {
    const known = (lasting as readonly unknown[]).includes(type) ? ['True'] : ['False', 'True', 'Unknown']
    if (!type) causes.push(required(`${at}[${index}].type`))
    if (!status) causes.push(required(`${at}[${index}].status`))
    else if (!known.includes(status)) causes.push(notSupported(`${at}[${index}].status`, status, known))
    const other = decisions.find((decision) => decision !== type)
    if (!wereBoth && (decisions as readonly unknown[]).includes(type) && seen.has(other))
      causes.push(invalidValue(at, type, 'Approved and Denied conditions are mutually exclusive'))
    if (seen.has(type)) causes.push(duplicate(`${at}[${index}].type`, type))
    seen.add(type)
  })
  return causes
}

const whyNoCertificate = (base64: string | undefined): string | undefined => {
  if (!base64) return undefined
  const blocks = pemBlocks(textOf(base64))
  if (blocks.length === 0) return 'must contain at least one CERTIFICATE PEM block'
  for (const { type, hasHeaders, bytes } of blocks) {
    if (type !== 'CERTIFICATE') return `only CERTIFICATE PEM blocks are allowed, found ${JSON.stringify(type)}`
    if (hasHeaders) return 'no PEM block headers are permitted'
    try {
      new X509Certificate(bytes)
    } catch {
      return 'x509: malformed certificate'
    }
  }
  return undefined
}

/** What the status says, as far as this write says it anew. */
const validateStatus = (next: Request, before: Request): StatusCause[] => {
  const certificate = next.status?.certificate
  const why = before.status?.certificate === certificate ? undefined : whyNoCertificate(certificate)
  return [
    ...validateConditions(next, before),
    ...(why ? [invalidValue('status.certificate', '<certificate data>', why)] : []),
  ]
}

const validateDecisions = (next: Request, before: Request): StatusCause[] => {
  const at = 'status.conditions'
  return decisions.flatMap((type) => {
    const [old, now] = [ofType(before, type), ofType(next, type)]
    const quoted = JSON.stringify(type)
    if (now.length > old.length) return [forbiddenField(at, `updates may not add a condition of type ${quoted}`)]
    return now.length === old.length && !semanticEqual(old, now)
      ? [forbiddenField(at, `updates may not modify a condition of type ${quoted}`)]
      : []
  })
}

/** What an update may change depends on the way that it comes: decisions by approval, the certificate by status. */
const validateChange = (next: Request, before: Request, way: string): StatusCause[] => {
  const causes: StatusCause[] = lasting
    .filter((type) => ofType(next, type).length < ofType(before, type).length)
    .map((type) =>
      forbiddenField('status.conditions', `updates may not remove a condition of type ${JSON.stringify(type)}`),
    )
  if (way !== 'approval') causes.push(...validateDecisions(next, before))
  const [old, now] = [before.status?.certificate ?? '', next.status?.certificate ?? '']
  if (old !== now && way !== 'status')
    causes.push(forbiddenField('status.certificate', 'updates may not set certificate content'))
  else if (old !== now && old !== '')
    causes.push(forbiddenField('status.certificate', 'updates may not modify existing certificate content'))
  return causes
}

export const certificateSigningRequestStrategy: Strategy<CertificateSigningRequest> = {
  hasGeneration: false,
  validateName: () => [],
  prepareForCreate: (draft, context) => {
    draft.status = {}
    const spec = section(draft, 'spec')
    const { user } = context
    spec.username = user.name
    spec.groups = [...user.groups]
    if (user.uid === undefined) delete spec.uid
    else spec.uid = user.uid
    if (user.extra === undefined) delete spec.extra
    else spec.extra = Object.fromEntries(Object.entries(user.extra).map(([key, values]) => [key, [...values]]))
  },
  prepareForUpdate: (draft, before) => {
    keep(draft, before, 'spec')
    keep(draft, before, 'status')
  },
  prepareForStatusUpdate: (draft, before, nowMs) => {
    keep(draft, before, 'spec')
    keepDecisions(draft, before)
    stampConditions(draft, before, nowMs)
  },
  // Approval writes conditions only; the certificate is the signer's.
  prepareForSubresource: (draft, before, subresource, nowMs) => {
    if (subresource !== 'approval') return
    keep(draft, before, 'spec')
    const { conditions } = draft.status ?? {}
    const { conditions: _, ...status } = before.status ?? {}
    draft.status = conditions ? { ...status, conditions } : status
    stampConditions(draft, before, nowMs)
  },
  validatesAll: true,
  validate: (request) => validateSpec(request.spec ?? {}),
  validateUpdate: (next, before, subresource = '') => [
    ...validateStatus(next, before),
    ...validateChange(next, before, subresource),
  ],
  validateStatusUpdate: (next, before) => [...validateStatus(next, before), ...validateChange(next, before, 'status')],
  selectableFields: (request) => ({ 'spec.signerName': request.spec?.signerName ?? '' }),
}
