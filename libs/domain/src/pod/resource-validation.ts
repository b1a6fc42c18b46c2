// What containers and pods ask for: requests and limits of resources.
import { invalidValue, notSupported, required } from '@shiplog/api/field-errors'
import type { PodSpec, ResourceRequirements } from '@shiplog/api/generated/types/core-v1'
import { addQuantities, formatQuantity, parseQuantity } from '@shiplog/api/quantity'
import type { StatusCause } from '@shiplog/api/status'
import type { Decoded } from '@shiplog/api/decoded'
import { byRule, entries, items } from '../fields.ts'
import { qualifiedName } from '../names.ts'
import { compareQuantities, nanosOf } from '../quantities.ts'

const isHugePages = (name: string): boolean => name.startsWith('hugepages-')
export const isExtended = (name: string): boolean =>
  name.includes('/') && !name.includes('kubernetes.io/') && !name.startsWith('requests.')

/** The name of a resource that a container may ask for. */
export const validateContainerResourceName = (name: string, field: string): StatusCause[] => {
  const causes = byRule(qualifiedName, name, field)
  if (!name.includes('/')) {
    if (causes.length > 0) return [...causes, invalidValue(field, name, 'must be a standard resource for containers')]
    if (name !== 'cpu' && name !== 'memory' && name !== 'ephemeral-storage' && !isHugePages(name)) {
      causes.push(invalidValue(field, name, 'must be a standard resource type or fully qualified'))
      causes.push(invalidValue(field, name, 'must be a standard resource for containers'))
    }
  } else if (!name.includes('kubernetes.io/') && name.startsWith('requests.'))
    causes.push(invalidValue(field, name, "doesn't follow extended resource name standard"))
  return causes
}

/** Requests and limits of a container (or of a pod as a whole). */
export const validateResources = (
  resources: Decoded<ResourceRequirements> | undefined,
  field: string,
  validateName: (name: string, field: string) => StatusCause[] = validateContainerResourceName,
): StatusCause[] => {
  if (!resources) return []
  const causes: StatusCause[] = []
  const { limits = {}, requests = {} } = resources
  for (const [list, key] of [
    [limits, 'limits'],
    [requests, 'requests'],
  ] as const)
    for (const [name, quantity] of entries(list)) {
      const at = `${field}.${key}[${name}]`
      causes.push(...validateName(name, at))
      const nanos = nanosOf(quantity)
      if (nanos !== undefined && nanos < 0n)
        causes.push(invalidValue(at, String(quantity), 'must be greater than or equal to 0'))
      if (nanos !== undefined && (isExtended(name) || isHugePages(name)) && nanos % 1_000_000_000n !== 0n)
        causes.push(invalidValue(at, String(quantity), 'must be an integer'))
    }
  for (const [name, quantity] of entries(requests)) {
    const limit = limits[name]
    const fixed = isExtended(name) || isHugePages(name)
    if (limit === undefined || limit === null) {
      if (fixed) causes.push(required(`${field}.limits`, 'Limit must be set for non overcommitable resources'))
      continue
    }
    const order = compareQuantities(quantity, limit)
    if (order === undefined || order === 0) continue
    if (fixed)
      causes.push(invalidValue(`${field}.requests`, String(quantity), `must be equal to ${name} limit of ${limit}`))
    else if (order > 0)
      causes.push(
        invalidValue(`${field}.requests`, String(quantity), `must be less than or equal to ${name} limit of ${limit}`),
      )
  }
  return causes
}

const podLevelResources = ['cpu', 'hugepages-', 'memory']

const validatePodResourceName = (name: string, field: string): StatusCause[] => {
  const causes = byRule(qualifiedName, name, field)
  if (causes.length > 0) return causes
  if (!name.includes('/') && !['cpu', 'memory', 'ephemeral-storage'].includes(name) && !isHugePages(name))
    return [invalidValue(field, name, 'must be a standard resource type or fully qualified')]
  return name === 'cpu' || name === 'memory' || isHugePages(name) ? [] : [notSupported(field, name, podLevelResources)]
}

/** What a pod asks for as a whole holds what its containers ask for. */
export const validatePodResources = (spec: Decoded<PodSpec>, field: string): StatusCause[] => {
  const whole = spec.resources ?? {}
  const causes = validateResources(whole, field, validatePodResourceName)
  for (const [name, requested] of entries(whole.requests)) {
    const sum = sumOf(items(spec.containers).map((container) => container.resources?.requests?.[name]))
    if (sum !== undefined && (compareQuantities(sum, requested) ?? 0) > 0)
      causes.push(
        invalidValue(
          `${field}.requests[${name}]`,
          String(requested),
          `must be greater than or equal to aggregate container requests of ${sum}`,
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

const sumOf = (quantities: readonly unknown[]): string | undefined => {
  const given = quantities.flatMap((one) => (nanosOf(one) === undefined ? [] : [parseQuantity(String(one))]))
  return given.length === 0 ? undefined : formatQuantity(given.reduce(addQuantities))
}
