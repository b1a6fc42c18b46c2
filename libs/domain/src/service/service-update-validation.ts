// What an update of a service may not change (ValidateServiceUpdate of k8s.io/kubernetes/pkg/apis/core/validation).
import type { Decoded, Draft } from '@shiplog/api/decoded'
import { forbiddenField, invalidValue } from '@shiplog/api/field-errors'
import type { Service, ServiceSpec } from '@shiplog/api/generated/types/core-v1'
import type { StatusCause } from '@shiplog/api/status'
import { items } from '../fields.ts'
import { isHeadless } from './service-validation.ts'

const unchanging = 'may not change once set'

/** A second address may come, and go when the policy says so; what is there does not change. */
const validateAddressChange = (now: Decoded<ServiceSpec>, was: Decoded<ServiceSpec>): StatusCause[] => {
  if (isHeadless(now) && isHeadless(was)) return []
  const [old, next] = [items(was.clusterIPs), items(now.clusterIPs)]
  if (old.length > 0 && next.length === 0)
    return [invalidValue('spec.clusterIPs[0]', next, 'primary clusterIP can not be unset')]
  const causes = old
    .slice(0, old.length === next.length ? old.length : 1)
    .flatMap((address, index) =>
      address === next[index] ? [] : [invalidValue(`spec.clusterIPs[${index}]`, next, unchanging)],
    )
  if (old.length > next.length && next.length === 1 && now.ipFamilyPolicy !== 'SingleStack')
    causes.push(
      invalidValue(
        'spec.ipFamilyPolicy',
        now.ipFamilyPolicy,
        "must be set to 'SingleStack' when releasing the secondary clusterIP",
      ),
    )
  return causes
}

/** As for the addresses; headless services may have others at any time. */
const validateFamilyChange = (now: Decoded<ServiceSpec>, was: Decoded<ServiceSpec>): StatusCause[] => {
  if (isHeadless(now) || isHeadless(was)) return []
  const [old, next] = [items(was.ipFamilies), items(now.ipFamilies)]
  const isSameLength = old.length === next.length
  const causes = old.slice(0, isSameLength ? old.length : 1).flatMap((family, index) =>
    next.length === 0 || family === next[index]
      ? []
      : // Upstream shows the addresses here when their number differs.
        [invalidValue('spec.ipFamilies[0]', isSameLength ? next : now.clusterIPs, unchanging)],
  )
  if (old.length > next.length && next.length === 1 && now.ipFamilyPolicy !== 'SingleStack')
    causes.push(
      invalidValue(
        'spec.ipFamilyPolicy',
        now.ipFamilyPolicy,
        "must be set to 'SingleStack' when releasing the secondary ipFamily",
      ),
    )
  return causes
}

/** What an update of a service may not change. */
export const validateServiceUpdate = (next: Draft<Service>, before: Draft<Service>): StatusCause[] => {
  const now = next.spec ?? {}
  const was = before.spec ?? {}
  const causes: StatusCause[] = []
  if (now.type !== 'ExternalName' && was.type !== 'ExternalName')
    causes.push(...validateAddressChange(now, was), ...validateFamilyChange(now, was))
  const balanced = now.type === 'LoadBalancer' && was.type === 'LoadBalancer'
  if (balanced && (now.loadBalancerClass ?? null) !== (was.loadBalancerClass ?? null))
    causes.push(invalidValue('spec.loadBalancerClass', now.loadBalancerClass, 'may not change once set'))
  const checked = (spec: Decoded<ServiceSpec>): boolean =>
    spec.type === 'LoadBalancer' && spec.externalTrafficPolicy === 'Local'
  if (checked(now) && checked(was) && now.healthCheckNodePort !== was.healthCheckNodePort)
    causes.push(forbiddenField('spec.healthCheckNodePort', 'field is immutable'))
  return causes
}
