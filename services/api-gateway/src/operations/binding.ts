// Binds a pod to a node: `pods/<name>/binding`, or the old `bindings` collection; and pods of a gang together (bindings.ts).
import { cloneJson } from '@shiplog/api/clone-json'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import { success } from '@shiplog/api/status'
import { applyBinding } from '@shiplog/domain/subresources/binding'
import type { GatewayRequest } from '../request/gateway-request.ts'
import { type Answer, statusAnswer } from './answer.ts'
import { bodyForm } from '../write/asked-write.ts'
import { bindTogether, isPlacements } from './bindings.ts'
import { admitBody, aimedAt, checkBodyOf, type OperationDeps } from './operation.ts'

export const bindPod = (deps: OperationDeps, request: GatewayRequest): Promise<Answer> => {
  const binding = decodeBinding(deps, request)
  return bind(deps, request, binding, request.name)
}

/** The pod is the one that the body names. A List of them: a scheduler binds the pods of a gang, all or none. */
export const createBinding = (deps: OperationDeps, request: GatewayRequest): Promise<Answer> => {
  if (isPlacements(request.body)) return bindTogether(deps, request)
  const binding = decodeBinding(deps, request)
  return bind(deps, request, binding, String(binding['metadata']?.name ?? ''))
}

const decodeBinding = ({ bodies }: OperationDeps, request: GatewayRequest): JsonObject =>
  bodies.decode(request, 'io.k8s.api.core.v1.Binding', { kind: 'Binding', apiVersion: 'v1' }).object

async function bind(
  deps: OperationDeps,
  request: GatewayRequest,
  binding: JsonObject,
  podName: string,
): Promise<Answer> {
  checkBodyOf('Binding', binding, { namespace: request.namespace, name: podName })
  const { writer, nowMs } = deps
  const warnings = await admitBody(deps, { ...request, name: podName }, 'CREATE', {
    object: binding as KubeObject,
    form: bodyForm('', 'v1', 'Binding'),
  })
  const outcome = await writer.modify(
    { ...aimedAt({ ...request, admitted: true as const }, ['', 'v1', 'pods']), name: podName, subresource: 'binding' },
    (before) => {
      const draft = cloneJson(before)
      applyBinding(draft, binding, { nowMs: nowMs() })
      return { draft }
    },
    { code: 201 },
  )
  return statusAnswer(201, success(201), outcome.sequence, [...warnings, ...outcome.warnings])
}
