// A write as it is told to those who are asked about it: policies and webhooks see the object in the version that they know.
import { cloneJson } from '@shiplog/api/clone-json'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import { apiVersionOf, type ResourceInfo } from '@shiplog/api/schema/schema'
import { ApiError, badRequest } from '@shiplog/api/status'
import type { AdmissionAttributes } from '@shiplog/domain/admission'
import type { ServedKind } from '@shiplog/domain/catalogue/served-kind'
import type { AdmissionNotes, AskedWrite, Reinvocation, ShownForm } from '@shiplog/domain/write/async-admission'
import type { GatewayRequest } from '../request/gateway-request.ts'

export const askedWrite = (
  request: GatewayRequest,
  attributes: AdmissionAttributes,
  reinvocation: Reinvocation,
  notes: AdmissionNotes,
): AskedWrite => ({
  ...attributes,
  kind: request.kind,
  options: optionsOf(request, attributes.operation),
  form: (resource) => (isOwnForm(request) ? formOfItself(attributes.object) : formOf(request, resource)),
  reinvocation,
  notes,
})

const optionKinds: Readonly<Record<AdmissionAttributes['operation'], string>> = {
  CREATE: 'CreateOptions',
  UPDATE: 'UpdateOptions',
  DELETE: 'DeleteOptions',
  CONNECT: '',
}

function optionsOf({ query, body }: GatewayRequest, operation: AdmissionAttributes['operation']): JsonObject | undefined {
  const plain = optionKinds[operation]
  if (plain === '') return undefined
  // A patch's media type is what tells it from an update.
  const isPatch = operation === 'UPDATE' && (body?.contentType ?? '').includes('patch+')
  const named = ['fieldManager', 'fieldValidation'].filter((name) => query.get(name))
  return {
    kind: isPatch ? 'PatchOptions' : plain,
    apiVersion: 'meta.k8s.io/v1',
    ...(query.has('dryRun') ? { dryRun: query.getAll('dryRun') } : {}),
    ...Object.fromEntries(named.map((name) => [name, query.get(name)])),
    ...(query.get('force') === 'true' ? { force: true } : {}),
  }
}

/** Puts another content into the same object: others hold it. */
export function replaceContent(draft: KubeObject, content: KubeObject): void {
  for (const key of Object.keys(draft)) delete draft[key]
  Object.assign(draft, content)
}

function formOf({ kind, subresource }: GatewayRequest, resource: ResourceInfo): ShownForm {
  if (subresource === 'scale') return scaleForm(kind)
  const { group, version } = resource
  const isRequested = resource === kind.resource
  const show = (object: KubeObject): JsonObject => {
    const requested = kind.fromStorage(object)
    // `put` changes the draft itself: what was shown before stays as it was.
    const shown = requested === object ? { ...object } : requested
    return isRequested ? shown : inVersion(kind, shown, apiVersionOf(group, version))
  }
  const put = (draft: KubeObject, shown: JsonObject): void => {
    const requested = isRequested
      ? shown
      : inVersion(kind, shown as KubeObject, apiVersionOf(kind.resource.group, kind.resource.version))
    const { object, errors } = kind.decode(requested)
    if (errors.length > 0) throw new ApiError(badRequest(errors[0]!))
    replaceContent(draft, kind.toStorage(object as KubeObject))
  }
  return { group, version, kind: resource.kind, show, put }
}

/** Subresources that are the object itself, or the part of it that their name says. */
const ofObject = new Set(['', 'status', 'scale', 'finalize', 'approval', 'ephemeralcontainers', 'resize'])

/** What is sent to other subresources (an Eviction, a Binding, options of a connection) is a kind of its own. */
const isOwnForm = ({ subresource }: GatewayRequest): boolean => !ofObject.has(subresource)

function formOfItself(object: KubeObject | undefined): ShownForm {
  const { kind = '', apiVersion = '' } = object ?? {}
  const [version = '', group = ''] = apiVersion.split('/').reverse()
  return { group, version, kind, show: (shown) => ({ ...shown }), put: (draft, shown) => replaceContent(draft, shown as KubeObject) }
}

const inVersion = (kind: ServedKind, object: KubeObject, apiVersion: string): KubeObject =>
  (kind.versionConverter?.(object, apiVersion)?.object as KubeObject | undefined) ?? { ...object, apiVersion }

const scaleForm = (kind: ServedKind): ShownForm => ({
  ...{ group: 'autoscaling', version: 'v1', kind: 'Scale' },
  show: (object) => kind.readScale(object),
  put: (draft, shown) => kind.writeScale(draft, cloneJson(shown)),
})
