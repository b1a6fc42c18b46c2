// What containers and pods ask for: requests and limits of resources.
import { forbiddenField, invalidValue, required } from '@shiplog/api/field-errors'
import type { ResourceRequirements } from '@shiplog/api/generated/types/core-v1'
import type { StatusCause } from '@shiplog/api/status'
import type { Decoded } from '@shiplog/api/decoded'
import { byRule, entries } from '../fields.ts'
import { qualifiedName } from '../names.ts'
import { compareQuantities, nanosOf } from '../quantities.ts'

const nanosOfOne = 1_000_000_000n

export const isHugePages = (name: string): boolean => name.startsWith('hugepages-')
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

/** Whether an amount is some whole pages of the size that the resource's name tells. */
const isMultipleOfPage = (name: string, nanos: bigint): boolean => {
  const page = nanosOf(name.slice('hugepages-'.length))
  return page !== undefined && page > 0n && nanos % page === 0n
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
      if (nanos !== undefined && isExtended(name) && nanos % nanosOfOne !== 0n)
        causes.push(invalidValue(at, String(quantity), 'must be an integer'))
      if (nanos !== undefined && isHugePages(name) && !isMultipleOfPage(name, nanos))
        causes.push(
          invalidValue(at, String(quantity), `${String(quantity)} is not positive integer multiple of ${name}`),
        )
    }
  const asked = [...Object.keys(limits), ...Object.keys(requests)]
  if (asked.some(isHugePages) && !asked.includes('cpu') && !asked.includes('memory'))
    causes.push(forbiddenField(field, 'HugePages require cpu or memory'))
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
