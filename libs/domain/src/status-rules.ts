// What the status of most kinds must hold: counts that are none below zero, none above the whole, and conditions in form.
import { duplicate, invalidValue, notSupported, required, tooLong } from '@shiplog/api/field-errors'
import type { Condition } from '@shiplog/api/generated/types/meta-v1'
import type { LoadBalancerStatus } from '@shiplog/api/generated/types/core-v1'
import type { StatusCause } from '@shiplog/api/status'
import type { Decoded } from '@shiplog/api/decoded'
import { byRule, items, nonNegative } from './fields.ts'
import { ipWarnings, parseIp, validateLegacyIp } from './ip-addresses.ts'
import { dns1123Subdomain, qualifiedName } from './names.ts'

/** Each of these counts is missing or not below zero. */
export const validateCounts = <Status extends object>(
  status: Status,
  names: readonly (keyof Status & string)[],
): StatusCause[] => names.flatMap((name) => nonNegative(status[name], `status.${name}`))

/** None of these counts is above another: more ready than there are. */
export const validateAtMost = <Status extends object>(
  status: Status,
  names: readonly (keyof Status & string)[],
  whole: keyof Status & string,
  sentence = `cannot be greater than ${whole}`,
): StatusCause[] => {
  const countOf = (name: keyof Status): number => Number(status[name] ?? 0)
  return names.flatMap((name) =>
    countOf(name) > countOf(whole) ? [invalidValue(`status.${name}`, countOf(name), sentence)] : [],
  )
}

/** A count of collisions only grows. */
interface WithCollisionCount {
  readonly status?: { readonly collisionCount?: number | undefined } | undefined
}

export const validateCollisionCount = (next: WithCollisionCount, before: WithCollisionCount): StatusCause[] => {
  const [now, was] = [next.status?.collisionCount, before.status?.collisionCount]
  if (typeof was !== 'number' || (typeof now === 'number' && now >= was)) return []
  return [invalidValue('status.collisionCount', now ?? 0, 'cannot be decremented')]
}

interface ReplicaStatus {
  readonly replicas?: number | undefined
  readonly readyReplicas?: number | undefined
  readonly availableReplicas?: number | undefined
}

/** Of a workload: `parts` is what cannot be more than there are replicas. */
export const validateReplicaStatus = <Status extends ReplicaStatus>(
  status: Status,
  parts: readonly (keyof Status & string)[],
  more: readonly (keyof Status & string)[],
  ready = 'cannot be greater than readyReplicas',
): StatusCause[] => [
  ...validateCounts(status, ['replicas', ...parts, ...more]),
  ...validateAtMost(status, parts, 'replicas', 'cannot be greater than status.replicas'),
  ...validateAtMost(status, ['availableReplicas'], 'readyReplicas', ready),
]

const conditionStatuses = ['False', 'True', 'Unknown']
const reasonRegex = /^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$/
const reasonSentence =
  "a condition reason must start with alphabetic character, optionally followed by a string of alphanumeric characters or '_,:', and must end with an alphanumeric character or '_' (e.g. 'my_name',  or 'MY_NAME',  or 'MyName',  or 'ReasonA,ReasonB',  or 'ReasonA:ReasonB', regex used for validation is '[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?')"
const reasonCharactersMax = 1_024
const messageCharactersMax = 32_768

/** Conditions of the form that newer kinds share. */
export const validateConditions = (conditions: Decoded<Condition[]> | undefined, field: string): StatusCause[] => {
  const seen = new Map<string, number>()
  return items(conditions).flatMap((condition, index) => {
    const at = `${field}[${index}]`
    const { type = '', status = '', reason, message = '' } = condition
    const causes: StatusCause[] = type === '' ? [required(`${at}.type`)] : byRule(qualifiedName, type, `${at}.type`)
    if (seen.has(type)) causes.push(duplicate(`${at}.type`, type))
    seen.set(type, index)
    if (!conditionStatuses.includes(status)) causes.push(notSupported(`${at}.status`, status, conditionStatuses))
    causes.push(...nonNegative(condition.observedGeneration, `${at}.observedGeneration`))
    if (!condition.lastTransitionTime) causes.push(required(`${at}.lastTransitionTime`))
    if (!reason) causes.push(required(`${at}.reason`))
    else {
      if (!reasonRegex.test(reason)) causes.push(invalidValue(`${at}.reason`, reason, reasonSentence))
      if (reason.length > reasonCharactersMax) causes.push(tooLong(`${at}.reason`, reasonCharactersMax))
    }
    if (message.length > messageCharactersMax) causes.push(tooLong(`${at}.message`, messageCharactersMax))
    return causes
  })
}

interface WithLoadBalancer {
  readonly status?: { readonly loadBalancer?: Decoded<LoadBalancerStatus> | undefined } | undefined
}

/** Of addresses at which a load balancer is reached. */
export const loadBalancerWarnings = (object: WithLoadBalancer): string[] =>
  items(object.status?.loadBalancer?.ingress).flatMap(({ ip }, index) =>
    ip ? ipWarnings(ip, `status.loadBalancer.ingress[${index}]`) : [],
  )

const ipModes = ['Proxy', 'VIP']

/** Where a load balancer is reached; `withMode`: services say of an address how packets reach it. */
export const validateLoadBalancerIngress = (
  next: WithLoadBalancer,
  before: WithLoadBalancer,
  withMode: boolean,
): StatusCause[] => {
  const known = items(before.status?.loadBalancer?.ingress).flatMap(({ ip }) => (ip ? [ip] : []))
  return items(next.status?.loadBalancer?.ingress).flatMap((point, index) => {
    const at = `status.loadBalancer.ingress[${index}]`
    const { ip, hostname, ipMode } = point
    const causes: StatusCause[] = ip ? validateLegacyIp(ip, `${at}.ip`, known) : []
    if (withMode && ip && !ipMode) causes.push(required(`${at}.ipMode`, 'must be specified when `ip` is set'))
    if (withMode && ipMode && !ip)
      causes.push({
        reason: 'FieldValueForbidden',
        message: 'Forbidden: may not be specified when `ip` is not set',
        field: `${at}.ipMode`,
      })
    if (withMode && ipMode && ip && !ipModes.includes(ipMode))
      causes.push(notSupported(`${at}.ipMode`, ipMode, ipModes))
    if (hostname) {
      causes.push(...byRule(dns1123Subdomain, hostname, `${at}.hostname`))
      if (parseIp(hostname))
        causes.push(invalidValue(`${at}.hostname`, hostname, 'must be a DNS name, not an IP address'))
    }
    return causes
  })
}
