// A write as it is told to those who are asked about it: policies and webhooks see the object in the version that they know.
import { cloneJson } from '@shiplog/api/clone-json'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import { apiVersionOf, type ResourceInfo } from '@shiplog/api/schema/schema'
import { ApiError, badRequest } from '@shiplog/api/status'
import type { AdmissionAttributes } from '@shiplog/domain/admission'
import type { DeleteCommand } from '@shiplog/domain/decider'
import type { ServedKind } from '@shiplog/domain/catalogue/served-kind'
import type { AdmissionNotes, AskedWrite, Reinvocation, ShownForm } from '@shiplog/domain/write/async-admission'
import type { GatewayRequest } from '../request/gateway-request.ts'

export const askedWrite = (
  request: GatewayRequest,
  attributes: AdmissionAttributes,
  reinvocation: Reinvocation,
  notes: AdmissionNotes,
  { command, form }: AskedOptions = {},
): AskedWrite => ({
  ...attributes,
  kind: request.kind,
  options: optionsOf(request, attributes.operation, command),
  form: (resource) => form ?? formOf(request, resource),
  reinvocation,
  notes,
})

export interface AskedOptions {
  /** Of a deletion. */
  readonly command?: DeleteCommand
  /** Of what is of one kind and version, whatever was asked for. */
  readonly form?: ShownForm
}

/** A body that is of one kind and version: a Binding, an Eviction. */
export const bodyForm = (group: string, version: string, kind: string): ShownForm => ({
  ...{ group, version, kind },
  show: (object) => object,
  put: (draft, shown) => replaceContent(draft, shown as KubeObject),
})

const optionKinds: Readonly<Record<AdmissionAttributes['operation'], string>> = {
  CREATE: 'CreateOptions',
  UPDATE: 'UpdateOptions',
  DELETE: 'DeleteOptions',
  CONNECT: '',
}

function optionsOf(
  { query }: GatewayRequest,
  operation: AdmissionAttributes['operation'],
  command: DeleteCommand | undefined,
): JsonObject | undefined {
  const plain = optionKinds[operation]
  if (plain === '') return undefined
  const named = ['fieldManager', 'fieldValidation'].filter((name) => query.get(name))
  return {
    // Upstream tells of a patch as of an update.
    kind: plain,
    apiVersion: 'meta.k8s.io/v1',
    ...(query.has('dryRun') ? { dryRun: query.getAll('dryRun') } : {}),
    ...Object.fromEntries(named.map((name) => [name, query.get(name)])),
    ...(command ? deleteOptions(command) : {}),
  }
}

const deleteOptions = ({ gracePeriodSeconds, propagationPolicy, preconditions }: DeleteCommand): JsonObject => ({
  ...(gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds }),
  ...(preconditions === undefined ? {} : { preconditions }),
  ...(propagationPolicy === undefined ? {} : { propagationPolicy }),
})

/** Puts another content into the same object: others hold it. */
export function replaceContent(draft: KubeObject, content: KubeObject): void {
  for (const key of Object.keys(draft)) delete draft[key]
  Object.assign(draft, content)
}

function formOf({ kind, subresource, converting }: GatewayRequest, resource: ResourceInfo): ShownForm {
  const plain = subresource === 'scale' ? scaleForm(kind) : versionForm(kind, resource)
  if (!converting) return plain
  // Here is time to ask the webhook: who is asked about the write need not be asked again for it.
  return {
    ...plain,
    show: (object) => converting(() => plain.show(object)),
    put: async (draft, shown) => void (await converting(() => plain.put(draft, shown))),
  }
}

function versionForm(kind: ServedKind, resource: ResourceInfo): ShownForm {
  const { group, version } = resource
  const isRequested = resource === kind.resource
  const show = (object: KubeObject): JsonObject => {
    const shown = kind.fromStorage(object)
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

const inVersion = (kind: ServedKind, object: KubeObject, apiVersion: string): KubeObject =>
  (kind.versionConverter?.(object, apiVersion)?.object as KubeObject | undefined) ?? { ...object, apiVersion }

const scaleForm = (kind: ServedKind): ShownForm => ({
  ...{ group: 'autoscaling', version: 'v1', kind: 'Scale' },
  show: (object) => kind.readScale(object),
  put: (draft, shown) => kind.writeScale(draft, cloneJson(shown)),
})
