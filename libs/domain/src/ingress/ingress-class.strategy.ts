// IngressClasses: which controller serves an Ingress.
import { forbiddenField, notSupported, required, tooLong } from '@shiplog/api/field-errors'
import type { IngressClass } from '@shiplog/api/generated/types/networking-v1'
import { validateDomainPath } from '../domain-path.ts'
import { byRule, immutable, requiredName, section } from '../fields.ts'
import { dns1123Subdomain, pathSegment } from '../names.ts'
import type { Strategy } from '../strategy.ts'

const scopes = ['Cluster', 'Namespace']
const controllerCharactersMax = 250

export const ingressClassStrategy: Strategy<IngressClass> = {
  hasGeneration: true,
  setDefaults: (draft) => {
    const parameters = section(draft, 'spec').parameters
    if (parameters && !parameters.scope) parameters.scope = 'Cluster'
  },
  validatesAll: true,
  validate: (object) => {
    const controller = object.spec?.controller ?? ''
    const causes = validateDomainPath(controller, 'spec.controller')
    if (controller.length > controllerCharactersMax) causes.push(tooLong('spec.controller', controllerCharactersMax))
    const parameters = object.spec?.parameters
    if (!parameters) return causes
    const at = 'spec.parameters'
    if (typeof parameters.apiGroup === 'string')
      causes.push(...byRule(dns1123Subdomain, parameters.apiGroup, `${at}.apiGroup`))
    for (const key of ['kind', 'name'] as const)
      causes.push(...requiredName(pathSegment, parameters[key], `${at}.${key}`))
    const { scope = '', namespace } = parameters
    if (!scopes.includes(scope)) causes.push(notSupported(`${at}.scope`, scope, scopes))
    if (scope === 'Cluster' && typeof namespace === 'string')
      causes.push(forbiddenField(`${at}.namespace`, "`parameters.scope` is set to 'Cluster'"))
    if (scope === 'Namespace' && !namespace)
      causes.push(required(`${at}.namespace`, "`parameters.scope` is set to 'Namespace'"))
    return causes
  },
  validateUpdate: (next, before) =>
    immutable(next.spec?.controller ?? '', before.spec?.controller ?? '', 'spec.controller'),
}
