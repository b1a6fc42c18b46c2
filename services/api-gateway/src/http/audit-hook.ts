// What the audit log is told of a request over HTTP. Without an auditor none of this is called.
import { isIP } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { decodeYaml } from '@shiplog/api/decode/decode-yaml'
import { decodeProtobuf, protobufMagic } from '@shiplog/api/decode/protobuf'
import { parseExactJson } from '@shiplog/api/exact-json'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import { builtInRegistry } from '@shiplog/api/schema/registry'
import { apiVersionOf } from '@shiplog/api/schema/schema'
import type { ServedKind } from '@shiplog/domain/catalogue/served-kind'
import type { User } from '@shiplog/domain/strategy'
import type { AuditedFacts, Auditor } from '../audit/auditor.ts'
import type { Authenticated } from '../access/authentication.ts'
import type { ValueAnswer } from '../operations/answer.ts'
import { inRequestedVersion } from '../representation/presenter.ts'
import { parsePastPath } from '../time-travel/moment.ts'
import { header, type HttpRequest } from './fastify-types.ts'
import { parseResourcePath } from './request-info.ts'
import { verbOf } from './resource-routes.ts'

const nobody: User = { name: '', groups: [] }

/** Begins to audit a request whose user is known. */
export function beginAudit(auditor: Auditor, request: HttpRequest, { user, impersonator }: Authenticated): void {
  const audit = auditor.begin(factsOf(request, impersonator ?? user, impersonator && user))
  if (!audit) return
  request.audit = audit
  audit.requestObject = () => objectOf(request)
}

export function auditUnauthenticated(auditor: Auditor, request: HttpRequest): void {
  const { raw } = request
  const [scheme, token] = (header(raw, 'authorization') ?? '').trim().split(/\s+/)
  const shown = [
    ...(/^basic$/i.test(scheme ?? '') && token ? ['basic'] : []),
    ...(/^bearer$/i.test(scheme ?? '') && token ? ['bearer'] : []),
    ...((raw.socket as TLSSocket).getPeerCertificate?.().raw ? ['x509'] : []),
  ]
  const what = shown.length > 0 ? `attempted: ${shown.join(', ')}` : 'no credentials provided'
  auditor.unauthenticated(factsOf(request, nobody), `Authentication failed, ${what}`)
}

function factsOf(request: HttpRequest, user: User, impersonated?: User): AuditedFacts {
  const { raw, method, searchParams } = request
  const path = readPath(request.path)
  const info = path === undefined ? undefined : readInfo(path)
  const verb = info ? verbOf(method, info, searchParams) : undefined
  const named = info && verb ? info : undefined
  return {
    auditID: request.requestId,
    requestURI: raw.url ?? '/',
    request: {
      user,
      verb: verb ?? (method === 'HEAD' ? 'get' : method.toLowerCase()),
      path: path ?? request.path,
      target: named && {
        ...{ group: named.group, resource: named.resource, subresource: named.subresource },
        ...{ namespace: named.namespace, name: named.name },
      },
    },
    apiVersion: named?.version ?? '',
    ...(impersonated ? { impersonated } : {}),
    sourceIPs: addressesOf(request),
    userAgent: header(raw, 'user-agent') ?? '',
  }
}

function readPath(path: string): string | undefined {
  try {
    return parsePastPath(path)?.path ?? path
  } catch {
    return undefined
  }
}

function readInfo(path: string): ReturnType<typeof parseResourcePath> {
  try {
    return parseResourcePath(path)
  } catch {
    return undefined
  }
}

/** Proxies on the way, and who is connected. */
function addressesOf({ raw }: HttpRequest): string[] {
  const forwarded = (header(raw, 'x-forwarded-for') ?? '').split(',').map((one) => one.trim())
  const own = (raw.socket.remoteAddress ?? '').replace(/^::ffff:/, '')
  return [...new Set([...forwarded, own].filter((one) => isIP(one) > 0))]
}

/** The body as it was sent. */
function objectOf({ body, headers }: HttpRequest): JsonObject | undefined {
  if (!Buffer.isBuffer(body) || body.length === 0) return undefined
  try {
    if (protobufMagic.every((byte, index) => body[index] === byte)) return decodeProtobuf(body, builtInRegistry())
    const text = body.toString('utf8')
    const isYaml = /yaml/.test(headers['content-type'] ?? '')
    return (isYaml ? decodeYaml(text).value : parseExactJson(text)) as JsonObject
  } catch {
    return undefined
  }
}

/** What was answered, in the version that was asked for. */
export function answeredObject(kind: ServedKind, answer: ValueAnswer): JsonObject {
  if (answer.kind === 'object') return inRequestedVersion(kind, answer.object)
  if (answer.kind === 'status') return answer.body
  const { resource } = kind
  const items: KubeObject[] = answer.versions.map((version) => inRequestedVersion(kind, version))
  return { kind: resource.listKind, apiVersion: apiVersionOf(resource.group, resource.version), metadata: answer.meta, items }
}
