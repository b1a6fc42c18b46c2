// What the status of most kinds must hold: counts that are none below zero, none above the whole, and conditions in form.
import { duplicate, invalidValue, notSupported, required, tooLong } from '@shiplog/api/field-errors'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import type { StatusCause } from '@shiplog/api/status'
import { byRule, items, nonNegative } from './fields.ts'
import { ipWarnings, parseIp, validateLegacyIp } from './ip-addresses.ts'
import { dns1123Subdomain, qualifiedName } from './names.ts'

/** Each of these counts is missing or not below zero. */
export const validateCounts = (status: JsonObject, names: readonly string[]): StatusCause[] =>
  names.flatMap((name) => nonNegative(status[name], `status.${name}`))

/** None of these counts is above another: more ready than there are. */
export const validateAtMost = (
  status: JsonObject,
  names: readonly string[],
  whole: string,
  sentence = `cannot be greater than ${whole}`,
): StatusCause[] =>
  names.flatMap((name) =>
    (status[name] ?? 0) > (status[whole] ?? 0) ? [invalidValue(`status.${name}`, status[name] ?? 0, sentence)] : [],
  )

/** A count of collisions only grows. */
export const validateCollisionCount = (next: KubeObject, before: KubeObject): StatusCause[] => {
  const [now, was] = [next['status']?.collisionCount, before['status']?.collisionCount]
  if (typeof was !== 'number' || (typeof now === 'number' && now >= was)) return []
  return [invalidValue('status.collisionCount', now ?? 0, 'cannot be decremented')]
}

/** Of a workload: `parts` is what cannot be more than there are replicas. */
export const validateReplicaStatus = (
  status: JsonObject,
  parts: readonly string[],
  more: readonly string[],
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
export const validateConditions = (conditions: unknown, field: string): StatusCause[] => {
  const seen = new Map<string, number>()
  return items(conditions).flatMap((condition: JsonObject, index) => {
    const at = `${field}[${index}]`
    const { type = '', status, reason, message = '' } = condition
    const causes: StatusCause[] = type === '' ? [required(`${at}.type`)] : byRule(qualifiedName, type, `${at}.type`)
    if (seen.has(type)) causes.push(duplicate(`${at}.type`, type))
    seen.set(type, index)
    if (!conditionStatuses.includes(status)) causes.push(notSupported(`${at}.status`, status ?? '', conditionStatuses))
    causes.push(...nonNegative(condition['observedGeneration'], `${at}.observedGeneration`))
    if (!condition['lastTransitionTime']) causes.push(required(`${at}.lastTransitionTime`))
    if (!reason) causes.push(required(`${at}.reason`))
    else {
      if (!reasonRegex.test(reason)) causes.push(invalidValue(`${at}.reason`, reason, reasonSentence))
      if (reason.length > reasonCharactersMax) causes.push(tooLong(`${at}.reason`, reasonCharactersMax))
    }
    if (message.length > messageCharactersMax) causes.push(tooLong(`${at}.message`, messageCharactersMax))
    return causes
  })
}

/** Of addresses at which a load balancer is reached. */
export const loadBalancerWarnings = (object: KubeObject): string[] =>
  items(object['status']?.loadBalancer?.ingress).flatMap(({ ip }, index) =>
    ip ? ipWarnings(ip, `status.loadBalancer.ingress[${index}]`) : [],
  )

const ipModes = ['Proxy', 'VIP']

/** Where a load balancer is reached; `withMode`: services say of an address how packets reach it. */
export const validateLoadBalancerIngress = (
  next: KubeObject,
  before: KubeObject,
  withMode: boolean,
): StatusCause[] => {
  const known = items(before['status']?.loadBalancer?.ingress).flatMap(({ ip }) => (ip ? [String(ip)] : []))
  return items(next['status']?.loadBalancer?.ingress).flatMap((point: JsonObject, index) => {
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
    if (withMode && ipMode && ip && !ipModes.includes(ipMode)) causes.push(notSupported(`${at}.ipMode`, ipMode, ipModes))
    if (hostname) {
      causes.push(...byRule(dns1123Subdomain, hostname, `${at}.hostname`))
      if (parseIp(hostname))
        causes.push(invalidValue(`${at}.hostname`, hostname, 'must be a DNS name, not an IP address'))
    }
    return causes
  })
}
