// `pods/<name>/eviction`: a deletion that disruption budgets may refuse.
import { cloneJson } from '@shiplog/api/clone-json'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import { ApiError, badRequest, success } from '@shiplog/api/status'
import { items } from '@shiplog/domain/fields'
import { budgetsOf, chargeBudget, checkEviction, markEvicted } from '@shiplog/domain/subresources/eviction'
import type { GatewayRequest } from '../request/gateway-request.ts'
import { type Answer, statusAnswer } from './answer.ts'
import { bodyForm } from '../write/asked-write.ts'
import { admitBody, aimedAt, checkBodyOf, type OperationDeps, readObject } from './operation.ts'

/** The deletion that an eviction comes to: its options are decoded already. */
interface Deletion extends GatewayRequest {
  readonly body: { readonly value: JsonObject; readonly contentType: string }
}

export async function evictPod(deps: OperationDeps, request: GatewayRequest): Promise<Answer> {
  const { object: eviction } = deps.bodies.decode(request, 'io.k8s.api.policy.v1.Eviction', {
    kind: 'Eviction',
    apiVersion: 'policy/v1',
    alsoVersions: ['policy/v1beta1'],
  })
  checkBodyOf('Eviction', eviction, request)
  const asked = { object: eviction as KubeObject, form: bodyForm('policy', 'v1', 'Eviction') }
  const warnings = await admitBody(deps, request, 'CREATE', asked)
  const deletion = deletionOf(request, (eviction['deleteOptions'] ?? {}) as JsonObject)
  const victim = (await readObject(deps, request)).parse()
  const budgets = deps.view.list('poddisruptionbudgets.policy', request.namespace)
  const refusal = checkEviction(victim, budgets)
  if (refusal) throw new ApiError(refusal)
  if (!isDryRun(deletion)) for (const budget of budgetsOf(victim, budgets)) await charge(deps, request, victim, budget)
  const outcome = await deps.writer.delete(isDryRun(deletion) ? deletion : await markDisruption(deps, deletion))
  return statusAnswer(201, success(201), outcome.sequence, [...warnings, ...outcome.warnings])
}

/** Its options are those of the body; dryRun from there or from the query. */
export function deletionOf(request: GatewayRequest, options: JsonObject): Deletion {
  const asked = request.query.getAll('dryRun')
  const written = (options['dryRun'] as string[] | undefined) ?? []
  if (asked.length > 0 && written.length > 0 && asked.join() !== written.join())
    throw new ApiError(
      badRequest(
        `Non-matching dry-run options in request and content: [${asked.join(' ')}] and [${written.join(' ')}]`,
      ),
    )
  const value = { ...options, ...(written.length > 0 ? {} : { dryRun: asked }) }
  // Who has a say in evictions was asked already.
  return { ...request, admitted: true, subresource: '', body: { value, contentType: 'application/json' } }
}

const isDryRun = ({ body }: Deletion): boolean => (body.value['dryRun'] as string[]).length > 0

/** Sets the condition DisruptionTarget before the pod is deleted. Returns the deletion of the version that has it. */
async function markDisruption({ writer, nowMs }: OperationDeps, deletion: Deletion): Promise<Deletion> {
  const options = deletion.body.value
  const { uid, resourceVersion } = (options['preconditions'] ?? {}) as JsonObject
  const outcome = await writer.modify({ ...deletion, subresource: 'status', body: undefined }, (before) => {
    const draft = cloneJson(before)
    const isMeant =
      (!uid || uid === before.metadata.uid) && (!resourceVersion || resourceVersion === before.metadata.resourceVersion)
    // A pod that does not meet the preconditions stays as it is; the deletion refuses it.
    if (isMeant) markEvicted(draft, nowMs())
    return { draft }
  })
  const after = outcome.object?.metadata.resourceVersion
  const isMarked = items(outcome.object?.['status']?.conditions).some(({ reason }) => reason === 'EvictionByEvictionAPI')
  if (!resourceVersion || !after || !isMarked) return deletion
  const value = { ...options, preconditions: { ...options['preconditions'], resourceVersion: after } }
  return { ...deletion, body: { value, contentType: 'application/json' } }
}

/** Takes one disruption from a budget, by compare-and-set: concurrent evictions cannot overspend it. */
async function charge(
  { writer, nowMs }: OperationDeps,
  request: GatewayRequest,
  victim: KubeObject,
  budget: KubeObject,
): Promise<void> {
  const charge = aimedAt({ ...request, admitted: true as const }, ['policy', 'v1', 'poddisruptionbudgets'])
  const { name } = budget.metadata
  await writer.modify({ ...charge, name, subresource: 'status', body: undefined }, (before) => {
    const refusal = checkEviction(victim, [before])
    if (refusal) throw new ApiError(refusal)
    const draft = cloneJson(before)
    chargeBudget(draft, victim.metadata.name, nowMs())
    return { draft }
  })
}
