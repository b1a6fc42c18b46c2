// What a pod asks for as a whole (`spec.resources`): its defaults from what its containers ask for, and its rules
// (defaultPodRequests and validatePodResources of k8s.io/kubernetes, AggregateContainerRequests of component-helpers).
import { forbiddenField, invalidValue, notSupported } from '@shiplog/api/field-errors'
import type { Container, PodSpec, ResourceRequirements } from '@shiplog/api/generated/types/core-v1'
import { addQuantities, formatQuantity, parseQuantity, type Quantity } from '@shiplog/api/quantity'
import type { StatusCause } from '@shiplog/api/status'
import type { Decoded } from '@shiplog/api/decoded'
import { byRule, entries, items, section } from '../fields.ts'
import { qualifiedName } from '../names.ts'
import { compareQuantities, nanosOf } from '../quantities.ts'
import { isExtended, isHugePages, validateResources } from './resource-validation.ts'

const podLevelResources = ['cpu', 'hugepages-', 'memory']

const isPodLevelResource = (name: string): boolean => name === 'cpu' || name === 'memory' || isHugePages(name)
const isOvercommitted = (name: string): boolean => !isExtended(name) && !isHugePages(name)

type Spec = Decoded<PodSpec>
type Amounts = Map<string, Quantity>

const amountsOf = (container: Decoded<Container>, list: 'requests' | 'limits'): Amounts =>
  new Map(
    entries(container.resources?.[list]).flatMap(([name, quantity]) =>
      nanosOf(quantity) === undefined ? [] : [[name, parseQuantity(quantity)]],
    ),
  )

const add = (sum: Amounts, more: Amounts): void => {
  for (const [name, quantity] of more) sum.set(name, sum.has(name) ? addQuantities(sum.get(name)!, quantity) : quantity)
}

const raise = (most: Amounts, other: Amounts): void => {
  for (const [name, quantity] of other) if (quantity.nano > (most.get(name)?.nano ?? -1n)) most.set(name, quantity)
}

/** What the containers of a pod need at once: all that run side by side, or an init container beside its sidecars. */
function aggregate(spec: Spec, list: 'requests' | 'limits'): Amounts {
  const sum: Amounts = new Map()
  for (const container of items(spec.containers)) add(sum, amountsOf(container, list))
  const sidecars: Amounts = new Map()
  const initial: Amounts = new Map()
  for (const container of items(spec.initContainers)) {
    const own = amountsOf(container, list)
    if (container.restartPolicy === 'Always') {
      add(sum, own)
      add(sidecars, own)
      raise(initial, sidecars)
    } else {
      add(own, sidecars)
      raise(initial, own)
    }
  }
  raise(sum, initial)
  return sum
}

/** What a pod that says some of its resources asks for, after the defaults of its containers. */
export function setPodResourceDefaults(spec: Spec): void {
  const whole = spec.resources
  if (!whole) return
  const given = (list: 'requests' | 'limits'): number => entries(whole[list]).length
  if (given('limits') + given('requests') === 0) return
  for (const [name, limit] of aggregate(spec, 'limits'))
    if (isHugePages(name) && !whole.requests?.[name] && !whole.limits?.[name])
      section(whole, 'limits')[name] = formatQuantity(limit)
  if (given('limits') === 0) return
  const requests: Record<string, string> = { ...whole.requests }
  for (const [name, requested] of aggregate(spec, 'requests'))
    if (isPodLevelResource(name) && isOvercommitted(name)) requests[name] ??= formatQuantity(requested)
  for (const [name, limit] of entries(whole.limits)) if (isPodLevelResource(name)) requests[name] ??= limit
  if (Object.keys(requests).length > 0) whole.requests = requests
}

const validatePodResourceName = (name: string, field: string): StatusCause[] => {
  const causes = byRule(qualifiedName, name, field)
  if (causes.length > 0) return causes
  if (!name.includes('/') && !['cpu', 'memory', 'ephemeral-storage'].includes(name) && !isHugePages(name))
    return [invalidValue(field, name, 'must be a standard resource type or fully qualified')]
  return isPodLevelResource(name) ? [] : [notSupported(field, name, podLevelResources)]
}

/** The whole holds what its containers ask for. */
const validateConsistency = (spec: Spec, whole: Decoded<ResourceRequirements>, field: string): StatusCause[] => {
  const causes: StatusCause[] = []
  for (const list of ['requests', 'limits'] as const)
    for (const [name, sum] of aggregate(spec, list)) {
      const asked = whole[list]?.[name]
      if ((list === 'limits' && !isHugePages(name)) || asked === undefined) continue
      const text = formatQuantity(sum)
      if ((compareQuantities(text, asked) ?? 0) > 0)
        causes.push(
          invalidValue(
            `${field}.${list}[${name}]`,
            String(asked),
            `must be greater than or equal to aggregate container ${list} of ${text}`,
          ),
        )
    }
  items(spec.containers).forEach((container, index) => {
    for (const [name, limit] of entries(container.resources?.limits)) {
      const most = whole.limits?.[name]
      if ((compareQuantities(limit, most) ?? 0) > 0)
        causes.push(
          invalidValue(
            `${field}.containers[${index}][${name}].limits`,
            String(limit),
            `must be less than or equal to pod limits of ${most}`,
          ),
        )
    }
  })
  return causes
}

/** `spec.resources` of a pod or a template. */
export const validatePodResources = (spec: Spec, field: string): StatusCause[] => {
  const whole = spec.resources ?? {}
  if (spec.os?.name === 'windows') return [forbiddenField(field, 'may not be set for a windows pod')]
  return [
    ...(items(whole.claims).length > 0
      ? [forbiddenField(`${field}.claims`, 'claims may not be set for Resources at pod-level')]
      : []),
    ...validateResources(whole, field, validatePodResourceName),
    ...validateConsistency(spec, whole, field),
  ]
}
