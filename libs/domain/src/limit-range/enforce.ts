// What a LimitRange asks of containers, pods and claims, in upstream's words (plugin/pkg/admission/limitranger).
import type {
  Container,
  LimitRange,
  LimitRangeItem,
  PersistentVolumeClaim,
  Pod,
} from '@shiplog/api/generated/types/core-v1'
import { formatQuantity, parseQuantity, type Quantity } from '@shiplog/api/quantity'
import { podAmounts } from '../quota/pod-amounts.ts'
import { readList, type ResourceList } from '../quota/resource-list.ts'

interface Amounts {
  readonly requests: ResourceList
  readonly limits: ResourceList
}

type Constraint = (
  item: { readonly type: string; readonly name: string; readonly bound: Quantity },
  of: Amounts,
) => string | undefined

const text = formatQuantity

const minimum: Constraint = ({ type, name, bound }, { requests, limits }) => {
  const request = requests.get(name)
  const limit = limits.get(name)
  const sentence = `minimum ${name} usage per ${type} is ${text(bound)}`
  if (!request) return `${sentence}.  No request is specified`
  if (request.nano < bound.nano) return `${sentence}, but request is ${text(request)}`
  return limit && limit.nano < bound.nano ? `${sentence}, but limit is ${text(limit)}` : undefined
}

const maximum: Constraint = ({ type, name, bound }, { requests, limits }) => {
  const request = requests.get(name)
  const limit = limits.get(name)
  const sentence = `maximum ${name} usage per ${type} is ${text(bound)}`
  if (!limit) return `${sentence}.  No limit is specified`
  if (limit.nano > bound.nano) return `${sentence}, but limit is ${text(limit)}`
  return request && request.nano > bound.nano ? `${sentence}, but request is ${text(request)}` : undefined
}

/** Of claims, which have no limits. */
const maximumRequest: Constraint = ({ type, name, bound }, { requests }) => {
  const request = requests.get(name)
  const sentence = `maximum ${name} usage per ${type} is ${text(bound)}`
  if (!request) return `${sentence}.  No request is specified`
  return request.nano > bound.nano ? `${sentence}, but request is ${text(request)}` : undefined
}

const ratioDigits = 6

const maximumRatio: Constraint = ({ type, name, bound }, { requests, limits }) => {
  const request = requests.get(name)
  const limit = limits.get(name)
  const sentence = `${name} max limit to request ratio per ${type} is ${text(bound)}`
  if (!request || request.nano === 0n) return `${sentence}, but no request is specified or request is 0`
  if (!limit || limit.nano === 0n) return `${sentence}, but no limit is specified or limit is 0`
  const ratio = Number(limit.nano) / Number(request.nano)
  return ratio > Number(bound.nano) / 1e9
    ? `${sentence}, but provided ratio is ${ratio.toFixed(ratioDigits)}`
    : undefined
}

const bounds = (
  constraint: Constraint,
  type: string,
  list: Readonly<Record<string, string>> | undefined,
  amounts: Amounts,
): readonly string[] =>
  Object.entries(list ?? {}).flatMap(
    ([name, bound]) => constraint({ type, name, bound: parseQuantity(bound) }, amounts) ?? [],
  )

const faultsOf = ({ type, min, max, maxLimitRequestRatio }: LimitRangeItem, amounts: Amounts): readonly string[] => [
  ...bounds(minimum, type, min, amounts),
  ...bounds(maximum, type, max, amounts),
  ...bounds(maximumRatio, type, maxLimitRequestRatio, amounts),
]

const amountsOfContainer = ({ resources }: Container): Amounts => ({
  requests: readList(resources?.requests),
  limits: readList(resources?.limits),
})

/** Neither what runs nor what runs beside it counts here: only what is asked for. */
function amountsOfPod(pod: Pod): Amounts {
  const { overhead: _, ...spec } = pod.spec
  const asked = { spec } as Pod
  return { requests: podAmounts(asked, 'requests'), limits: podAmounts(asked, 'limits') }
}

/** Several sentences at once, as upstream's aggregate of errors reads; the same is said once. */
function aggregate(faults: readonly string[]): string | undefined {
  const distinct = [...new Set(faults)]
  return distinct.length > 1 ? `[${distinct.join(', ')}]` : distinct[0]
}

/** Why a pod does not keep to the limits; undefined when it does. */
export function podFault({ spec: { limits } }: LimitRange, pod: Pod): string | undefined {
  const containers = [...(pod.spec.containers ?? []), ...(pod.spec.initContainers ?? [])].map(amountsOfContainer)
  return aggregate(
    (limits ?? []).flatMap((item) => {
      if (item.type === 'Container') return containers.flatMap((amounts) => faultsOf(item, amounts))
      return item.type === 'Pod' ? faultsOf(item, amountsOfPod(pod)) : []
    }),
  )
}

/** Why a claim does not keep to the limits; undefined when it does. */
export function claimFault({ spec: { limits } }: LimitRange, claim: PersistentVolumeClaim): string | undefined {
  const amounts: Amounts = { requests: readList(claim.spec.resources?.requests), limits: new Map() }
  return aggregate(
    (limits ?? []).flatMap(({ type, min, max }) =>
      type === 'PersistentVolumeClaim'
        ? [...bounds(minimum, type, min, amounts), ...bounds(maximumRequest, type, max, amounts)]
        : [],
    ),
  )
}

/** Fills in what containers do not say; an annotation of the pod tells what. Changes the pod. */
export function setLimitDefaults({ spec: { limits } }: LimitRange, pod: Pod): void {
  const ofContainers = (limits ?? []).filter(({ type }) => type === 'Container')
  const defaults = {
    requests: Object.assign({}, ...ofContainers.map((item) => item.defaultRequest)) as Record<string, string>,
    limits: Object.assign({}, ...ofContainers.map((item) => item.default)) as Record<string, string>,
  }
  const told = [
    ...(pod.spec.containers ?? []).flatMap((container) => fillContainer(container, defaults, 'container')),
    ...(pod.spec.initContainers ?? []).flatMap((container) => fillContainer(container, defaults, 'init container')),
  ]
  if (told.length === 0) return
  const annotations = (pod.metadata.annotations ??= {})
  annotations['kubernetes.io/limit-ranger'] = `LimitRanger plugin set: ${told.join('; ')}`
}

function fillContainer(
  container: Container,
  defaults: { readonly requests: Record<string, string>; readonly limits: Record<string, string> },
  what: string,
): readonly string[] {
  const filled = (side: 'requests' | 'limits', word: string): readonly string[] => {
    const own = container.resources?.[side]
    const names = Object.keys(defaults[side]).filter((name) => own?.[name] === undefined)
    if (names.length === 0) return []
    const resources = (container.resources ??= {})
    resources[side] = { ...own, ...Object.fromEntries(names.map((name) => [name, defaults[side][name]!])) }
    return [`${names.toSorted().join(', ')} ${word} for ${what} ${container.name}`]
  }
  return [...filled('requests', 'request'), ...filled('limits', 'limit')]
}
