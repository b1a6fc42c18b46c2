// What the status of a claim may say of sizes, and of changes of size that are under way.
import { invalidValue, notSupported } from '@shiplog/api/field-errors'
import type { PersistentVolumeClaimStatus } from '@shiplog/api/generated/types/core-v1'
import type { StatusCause } from '@shiplog/api/status'
import type { Decoded } from '@shiplog/api/decoded'
import { byRule, entries } from '../fields.ts'
import { qualifiedName } from '../names.ts'
import { nanosOf } from '../quantities.ts'

const resizeStatuses = [
  ...['ControllerResizeInProgress', 'ControllerResizeInfeasible', 'NodeResizeInProgress', 'NodeResizeInfeasible'],
  'NodeResizePending',
]
const nanosPerUnit = 1_000_000_000n

/** Kubernetes itself knows one resource of claims; others are their owners'. */
const validateKey = (name: string, field: string): StatusCause[] => {
  const causes = byRule(qualifiedName, name, field)
  const native = !name.includes('/') || name.includes('kubernetes.io/')
  return causes.length > 0 || !native || name === 'storage' ? causes : [notSupported(field, name, ['storage'])]
}

const validateAmount = (quantity: string, field: string): StatusCause[] => {
  const nanos = nanosOf(quantity)
  return nanos !== undefined && nanos < 0n
    ? [invalidValue(field, Number(nanos / nanosPerUnit), 'must be a valid resource quantity')]
    : []
}

const validateAllocated = (name: string, quantity: string, field: string): StatusCause[] => {
  const wrong = validateKey(name, field)
  return wrong.length > 0 ? wrong : validateAmount(quantity, `${field}[${name}]`)
}

export const validateClaimStatus = (status: Decoded<PersistentVolumeClaimStatus>): StatusCause[] => [
  ...entries(status.capacity).flatMap(([name, quantity]) => validateAmount(quantity, `status.capacity[${name}]`)),
  ...entries(status.allocatedResourceStatuses).flatMap(([name, value]) => [
    ...validateKey(name, 'status.allocatedResourceStatuses'),
    // Upstream shows the resource, not what is said of it.
    ...(resizeStatuses.includes(value)
      ? []
      : [notSupported('status.allocatedResourceStatuses', name, [...resizeStatuses].sort())]),
  ]),
  ...entries(status.allocatedResources).flatMap(([name, quantity]) =>
    validateAllocated(name, quantity, 'status.allocatedResources'),
  ),
]
