// One operation: a handler, and what handlers share.
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import { groupResourceOf } from '@shiplog/api/schema/schema'
import { ApiError, badRequest, notFound, routeNotFound } from '@shiplog/api/status'
import type { AdmissionAttributes, AdmissionPlugin, AdmissionView } from '@shiplog/domain/admission'
import { type AsyncAdmissionPlugin, createAdmissionNotes, type ShownForm } from '@shiplog/domain/write/async-admission'
import { builtInCatalogue } from '@shiplog/domain/catalogue/catalogue'
import { checkNamespace } from '@shiplog/domain/decider'
import type { ServiceAccountTokens } from '../access/service-account-tokens.ts'
import { nodeMetrics, podMetrics } from '../metrics/metrics-objects.ts'
import type { Converter } from '../conversion/converter.ts'
import type { UsageSource } from '../metrics/usage-store.ts'
import type { Reader } from '../read/reader.ts'
import type { WatchSource } from '../read/watch-source.ts'
import type { GatewayRequest } from '../request/gateway-request.ts'
import { parseResourceVersion } from '../request/list-options.ts'
import type { RequestBodies } from '../request/request-body.ts'
import type { Kinds } from '../store/kinds.ts'
import type { Version } from '../store/version.ts'
import type { Connections } from '../streaming/connections.ts'
import type { PodLogSource } from '../streaming/pod-logs.ts'
import { askToMutate, askToValidate } from '../write/asking.ts'
import { othersFor, type Writer } from '../write/writer.ts'
import type { Answer } from './answer.ts'
import { componentStatuses } from './component-statuses.ts'
import type { ReviewDeps } from './reviews.ts'

export interface OperationDeps {
  readonly kinds: Kinds
  readonly reader: Reader
  readonly writer: Writer
  readonly bodies: RequestBodies
  readonly converter: Converter
  readonly view: AdmissionView
  /** For what is written through no writer: a token, an eviction. */
  readonly admission: readonly AdmissionPlugin[]
  readonly asyncAdmission: readonly AsyncAdmissionPlugin[]
  /** Absent where no tokens of service accounts are known. */
  readonly serviceAccountTokens: ServiceAccountTokens | undefined
  readonly reviews: ReviewDeps
  readonly watches: WatchSource
  readonly podLogs: PodLogSource
  readonly connections: Connections
  /** What nodes use now; absent where answers are of the past. */
  readonly usage?: UsageSource
  /** The time that answers are as of. */
  readonly nowMs: () => number
  readonly logIsHealthy: () => boolean
}

export type Operation = (deps: OperationDeps, request: GatewayRequest) => Promise<Answer>

/** A request of the same user, aimed at another resource, which is built in. */
export function aimedAt<Request extends GatewayRequest>(
  request: Request,
  [group, version, name]: readonly [group: string, version: string, resource: string],
): Request {
  const catalogue = builtInCatalogue()
  const resource = catalogue.resource(group, version, name)!
  return { ...request, resource, kind: catalogue.kind(resource) }
}

/** What is made when it is asked for, and read like what is stored. */
export function computedVersions(deps: OperationDeps, request: GatewayRequest): Version[] | undefined {
  const { view, nowMs, usage } = deps
  const { resource, namespace } = request
  switch (groupResourceOf(resource.group, resource.resource)) {
    case 'componentstatuses':
      return componentStatuses(view, deps.logIsHealthy())
    case 'pods.metrics.k8s.io':
      return podMetrics({ view, usage: present(usage), nowMs }, namespace)
    case 'nodes.metrics.k8s.io':
      return nodeMetrics({ view, usage: present(usage), nowMs })
    default:
      return undefined
  }
}

function present(usage: UsageSource | undefined): UsageSource {
  if (usage) return usage
  throw new ApiError({ ...routeNotFound(), message: 'what was used in the past is not known: the log does not hold it' })
}

/** The object of the URL. */
export async function readObject(deps: OperationDeps, request: GatewayRequest): Promise<Version> {
  const { resource, namespace, name, query } = request
  const computed = computedVersions(deps, request)
  if (!computed) return await deps.reader.get(resource, namespace, name, parseResourceVersion(query.get('resourceVersion')))
  const found = computed.find((version) => version.name === name && version.namespace === namespace)
  if (!found) throw new ApiError(notFound(resource, name))
  return found
}

/** A body that makes something happen to the object of the URL must mean that object. */
export function checkBodyOf(kind: string, body: JsonObject, { namespace, name }: { namespace: string; name: string }): void {
  const metadata = ((body['metadata'] as JsonObject | undefined) ??= {}) as KubeObject['metadata']
  const elsewhere = checkNamespace(metadata, namespace)
  if (elsewhere) throw new ApiError(elsewhere)
  if ((metadata.name ?? '') !== name) throw new ApiError(badRequest(`name in URL does not match name in ${kind} object`))
}

/**
 * Asks admission about what is no write of the stored object itself: a Binding, an Eviction, a connection. Gives the warnings of
 * those who were asked; `object` is changed by them. Throws ApiError.
 */
export async function admitBody(
  { admission, asyncAdmission, view }: OperationDeps,
  request: GatewayRequest,
  operation: AdmissionAttributes['operation'],
  body: { readonly object: KubeObject | undefined; readonly form: ShownForm },
): Promise<readonly string[]> {
  const { resource, subresource, namespace, name, user, query } = request
  const { object, form } = body
  const attributes: AdmissionAttributes = {
    ...{ operation, group: resource.group, resource: resource.resource, subresource, namespace, name, user },
    ...{ object, before: undefined, dryRun: query.has('dryRun') },
  }
  const notes = createAdmissionNotes()
  const asked = { request, asyncAdmission: othersFor(asyncAdmission, request, operation) }
  const nothing = (): void => undefined
  if (asked.asyncAdmission.length > 0) await askToMutate(asked, attributes, notes, { form }, { after: nothing, again: nothing })
  for (const plugin of admission) plugin.validate?.(attributes, view)
  if (asked.asyncAdmission.length > 0) await askToValidate(asked, attributes, notes, { form })
  return notes.warnings
}
