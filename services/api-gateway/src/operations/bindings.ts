// Binds several pods of one namespace together, all or none: `POST …/bindings` with a List of Bindings, by which a scheduler
// places a gang. It is no part of Kubernetes' API; only components may send it.
import { cloneJson } from '@shiplog/api/clone-json'
import type { Decoded } from '@shiplog/api/decoded'
import type { Binding } from '@shiplog/api/generated/types/core-v1'
import { placementsMax } from '@shiplog/api/placements'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import { ApiError, badRequest, requestEntityTooLarge, success } from '@shiplog/api/status'
import { applyBinding } from '@shiplog/domain/subresources/binding'
import { bodyForm } from '../write/asked-write.ts'
import type { Body, GatewayRequest } from '../request/gateway-request.ts'
import { type Answer, statusAnswer } from './answer.ts'
import { admitBody, aimedAt, checkBodyOf, type OperationDeps } from './operation.ts'

const mark = '"kind":"List"'
const markedWithin = 64

/** Told by how the body begins: what is bound one by one is not parsed for it. */
export function isPlacements(body: Body | undefined): boolean {
  if (body === undefined) return false
  if ('value' in body) return 'kind' in body.value && (body.value as { readonly kind: unknown }).kind === 'List'
  return Buffer.from(body.bytes.buffer, body.bytes.byteOffset, Math.min(markedWithin, body.bytes.byteLength)).includes(mark)
}

interface Placements {
  readonly items: readonly JsonObject[]
  /** What each decision leaves in the log, in the order of the items. */
  readonly decisions?: readonly string[]
}

function placementsOf({ body, provenance }: GatewayRequest): Placements {
  // Only a component has a basis.
  if (provenance.basis === undefined) throw new ApiError(badRequest('Bindings are created one by one'))
  let list: Partial<Placements>
  try {
    const value: unknown = 'value' in body! ? body.value : JSON.parse(Buffer.from(body!.bytes).toString('utf8'))
    list = value as Partial<Placements>
  } catch {
    throw new ApiError(badRequest('the List of Bindings is no JSON'))
  }
  const { items, decisions } = list
  const areTexts = decisions === undefined || (Array.isArray(decisions) && decisions.every((one) => typeof one === 'string'))
  if (!Array.isArray(items) || items.length === 0 || !areTexts) throw new ApiError(badRequest('a List of Bindings has items'))
  if (items.length > placementsMax) throw new ApiError(requestEntityTooLarge(`limit is ${placementsMax} bindings`))
  return decisions === undefined ? { items } : { items, decisions }
}

export async function bindTogether(deps: OperationDeps, request: GatewayRequest): Promise<Answer> {
  const { bodies, writer, nowMs } = deps
  const { items, decisions } = placementsOf(request)
  const warnings: string[] = []
  const names = new Set<string>()
  const changes = []
  for (const [index, item] of items.entries()) {
    const body = { value: item, contentType: undefined }
    const { object } = bodies.decode({ ...request, body }, 'io.k8s.api.core.v1.Binding', { kind: 'Binding', apiVersion: 'v1' })
    const binding = object as Decoded<Binding>
    const { name = '' } = binding.metadata ?? {}
    if (names.has(name)) throw new ApiError(badRequest(`pod ${name} is bound twice`))
    names.add(name)
    checkBodyOf('Binding', object, { namespace: request.namespace, name })
    const form = bodyForm('', 'v1', 'Binding')
    warnings.push(...(await admitBody(deps, { ...request, name }, 'CREATE', { object: object as KubeObject, form })))
    const { once, ...rest } = request
    const decision = decisions?.[index]
    const provenance = decision === undefined ? request.provenance : { ...request.provenance, decision }
    changes.push({
      request: {
        ...aimedAt({ ...rest, provenance, admitted: true as const }, ['', 'v1', 'pods']),
        ...{ name, subresource: 'binding' },
        // The guards are taken once for all.
        ...(once && index === 0 ? { once } : {}),
      },
      mutate: (before: KubeObject) => {
        const draft = cloneJson(before)
        applyBinding(draft, binding, { nowMs: nowMs() })
        return { draft }
      },
    })
  }
  const sequence = await writer.modifyTogether(changes)
  return statusAnswer(201, success(201), sequence, warnings)
}
