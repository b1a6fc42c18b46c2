// Whether a write fits into the quotas of its namespace, and what they count afterwards. Pure. The quotas come back with a new
// `status.used`, to be stored in the same atomic group as the write itself: two writers can never spend the same room.
import type { ResourceQuota } from '@shiplog/api/generated/types/core-v1'
import type { KubeObject } from '@shiplog/api/kube-object'
import { type Evaluator, evaluatorFor, type QuotaWrite } from './evaluator.ts'
import { add, excess, one, pick, printList, readList, type ResourceList, writeList } from './resource-list.ts'
import { matches, namesTracked } from './scopes.ts'

export type Charged =
  | { readonly kind: 'admitted'; readonly quotas: readonly ResourceQuota[] }
  /** In upstream's words. */
  | { readonly kind: 'refused'; readonly why: string }

const nothing: Charged = { kind: 'admitted', quotas: [] }

export function charge(
  groupResource: string,
  write: QuotaWrite,
  quotas: readonly ResourceQuota[],
  nowMs: number,
): Charged {
  const evaluator = evaluatorFor(groupResource)
  if (!write.object || quotas.length === 0 || !evaluator.handles(write)) return nothing
  const concerned = quotas.filter((quota) => matches(quota, evaluator, write.object!))
  for (const quota of concerned) {
    const why = whyNotCountable(quota, evaluator, write.object)
    if (why) return { kind: 'refused', why }
  }
  const usage = evaluator.usage(write.object, nowMs)
  const negative = pick(usage, (_, { nano }) => nano < 0n)
  if (concerned.length > 0 && negative.size > 0)
    return { kind: 'refused', why: `quota usage is negative for resource(s): ${printNames(negative.keys())}` }
  const charged: ResourceQuota[] = []
  for (const quota of concerned) {
    const outcome = chargeOne(quota, deltaOf(quota, evaluator, write, usage, nowMs))
    if (typeof outcome === 'string') return { kind: 'refused', why: outcome }
    if (outcome) charged.push(outcome)
  }
  return { kind: 'admitted', quotas: charged }
}

const printNames = (names: Iterable<string>): string => [...names].toSorted().join(',')

/** The object does not say what it takes, or nobody has counted yet what is used. */
function whyNotCountable(quota: ResourceQuota, evaluator: Evaluator, object: KubeObject): string | undefined {
  const limited = namesTracked(evaluator, quota.status.hard)
  const missing = evaluator.missing?.(new Set(limited), object)
  if (missing) return `failed quota: ${quota.metadata.name}: ${missing}`
  return limited.every((name) => quota.status.used?.[name] !== undefined)
    ? undefined
    : `status unknown for quota: ${quota.metadata.name}, resources: ${printNames(limited)}`
}

/** What the write takes more than before; all of it when the object did not count for this quota before. */
function deltaOf(
  quota: ResourceQuota,
  evaluator: Evaluator,
  { operation, before }: QuotaWrite,
  usage: ResourceList,
  nowMs: number,
): ResourceList {
  const counted = operation === 'UPDATE' && before && matches(quota, evaluator, before)
  const delta = counted ? excess(usage, evaluator.usage(before, nowMs)) : usage
  return pick(delta, (name, { nano }) => nano !== 0n && quota.status.hard?.[name] !== undefined)
}

/** The quota with the write counted; undefined when it counts nothing; a sentence when it does not fit. */
function chargeOne(quota: ResourceQuota, requested: ResourceList): ResourceQuota | string | undefined {
  if (requested.size === 0) return undefined
  const hard = readList(quota.status.hard)
  const used = readList(quota.status.used)
  const next = add(used, requested)
  const exceeded = new Set([...requested.keys()].filter((name) => next.get(name)!.nano > hard.get(name)!.nano))
  if (exceeded.size === 0) return { ...quota, status: { ...quota.status, used: writeList(next) } }
  const [asked, had, limit] = [requested, used, hard].map((list) => printList(pick(list, (name) => exceeded.has(name))))
  return `exceeded quota: ${quota.metadata.name}, requested: ${asked}, used: ${had}, limited: ${limit}`
}

/** What a quota should show, counted anew: the objects of its namespace by group and plural. */
export function countedStatus(
  quota: ResourceQuota,
  objectsOf: (groupResource: string) => Iterable<KubeObject>,
  resourceOf: (name: string) => string | undefined,
  nowMs: number,
): ResourceQuota['status'] {
  const hard = quota.spec.hard ?? {}
  const asStored: ResourceQuota = { ...quota, status: { ...quota.status, hard } }
  let used: ResourceList = new Map()
  const resources = new Set(Object.keys(hard).flatMap((name) => resourceOf(name) ?? []))
  for (const resource of resources) {
    const evaluator = evaluatorFor(resource)
    for (const name of namesTracked(evaluator, hard)) used = add(used, new Map([[name, { ...one, nano: 0n }]]))
    for (const object of objectsOf(resource))
      if (matches(asStored, evaluator, object))
        used = add(
          used,
          pick(evaluator.usage(object, nowMs), (name) => hard[name] !== undefined),
        )
  }
  return { hard: { ...hard }, used: writeList(used) }
}
