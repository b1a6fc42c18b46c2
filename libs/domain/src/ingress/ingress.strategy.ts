// Ingresses: which host and path leads to which service.
import { invalidValue, notSupported, required } from '@shiplog/api/field-errors'
import type { TypedLocalObjectReference } from '@shiplog/api/generated/types/core-v1'
import type { HTTPIngressPath, Ingress, IngressBackend, IngressRule } from '@shiplog/api/generated/types/networking-v1'
import type { StatusCause } from '@shiplog/api/status'
import type { Decoded, Draft } from '@shiplog/api/decoded'
import { byRule, items, requiredName } from '../fields.ts'
import { dns1123Label, dns1123Subdomain, pathSegment, portName, portNumber, wildcardSubdomain } from '../names.ts'
import { loadBalancerWarnings, validateLoadBalancerIngress } from '../status-rules.ts'
import type { Strategy } from '../strategy.ts'

const classAnnotation = 'kubernetes.io/ingress.class'
const pathTypes = ['Exact', 'ImplementationSpecific', 'Prefix']
const badSequences = ['//', '/./', '/../', '%2f', '%2F']
const badSuffixes = ['/..', '/.']

const validateResourceBackend = (resource: Decoded<TypedLocalObjectReference>, field: string): StatusCause[] => [
  ...(typeof resource.apiGroup === 'string' ? byRule(dns1123Subdomain, resource.apiGroup, `${field}.apiGroup`) : []),
  ...requiredName(pathSegment, resource.kind, `${field}.kind`),
  ...requiredName(pathSegment, resource.name, `${field}.name`),
]

const validateBackend = (backend: Decoded<IngressBackend> | undefined, field: string): StatusCause[] => {
  const service = backend?.service
  const resource = backend?.resource
  if (resource)
    return service
      ? [invalidValue(field, '', 'cannot set both resource and service backends')]
      : validateResourceBackend(resource, `${field}.resource`)
  if (!service) return [invalidValue(field, '', 'resource or service backend is required')]
  const causes = requiredName(dns1123Label, service.name, `${field}.service.name`)
  const { name, number } = service.port ?? {}
  const at = `${field}.service.port`
  if (name && number) causes.push(invalidValue(field, '', 'cannot set both port name & port number'))
  else if (name) causes.push(...byRule(portName, name, `${at}.name`))
  else if (number)
    for (const sentence of portNumber(number)) causes.push(invalidValue(`${at}.number`, number, sentence))
  else causes.push(required(field, 'port name or number is required'))
  return causes
}

const validatePath = (path: Decoded<HTTPIngressPath>, field: string): StatusCause[] => {
  const causes: StatusCause[] = []
  const type = path.pathType
  const text = path.path ?? ''
  if (typeof type !== 'string') return [required(`${field}.pathType`, 'pathType must be specified')]
  if (!pathTypes.includes(type)) causes.push(notSupported(`${field}.pathType`, type, pathTypes))
  else if (type === 'ImplementationSpecific') {
    if (text !== '' && !text.startsWith('/'))
      causes.push(invalidValue(`${field}.path`, text, 'must be an absolute path'))
  } else {
    if (!text.startsWith('/')) causes.push(invalidValue(`${field}.path`, text, 'must be an absolute path'))
    for (const bad of badSequences)
      if (text.includes(bad)) causes.push(invalidValue(`${field}.path`, text, `must not contain '${bad}'`))
    for (const bad of badSuffixes)
      if (text.endsWith(bad)) causes.push(invalidValue(`${field}.path`, text, `cannot end with '${bad}'`))
  }
  return [...causes, ...validateBackend(path.backend, `${field}.backend`)]
}

const validateRule = (rule: Decoded<IngressRule>, field: string): StatusCause[] => {
  const causes: StatusCause[] = []
  const host = rule.host ?? ''
  if (host) {
    if (/^[\d.]+$/.test(host) || host.includes(':'))
      causes.push(invalidValue(`${field}.host`, host, 'must be a DNS name, not an IP address'))
    causes.push(...byRule(host.includes('*') ? wildcardSubdomain : dns1123Subdomain, host, `${field}.host`))
  }
  if (!rule.http) return causes
  const paths = items(rule.http.paths)
  if (paths.length === 0) causes.push(required(`${field}.http.paths`))
  return [...causes, ...paths.flatMap((path, index) => validatePath(path, `${field}.http.paths[${index}]`))]
}

const validate = (ingress: Draft<Ingress>): StatusCause[] => {
  const spec = ingress.spec ?? {}
  const rules = items(spec.rules)
  const causes: StatusCause[] = []
  if (rules.length === 0 && !spec.defaultBackend)
    causes.push(invalidValue('spec', null, 'either `defaultBackend` or `rules` must be specified'))
  causes.push(...rules.flatMap((rule, index) => validateRule(rule, `spec.rules[${index}]`)))
  if (spec.defaultBackend) causes.push(...validateBackend(spec.defaultBackend, 'spec.defaultBackend'))
  if (spec.ingressClassName) causes.push(...byRule(dns1123Subdomain, spec.ingressClassName, 'spec.ingressClassName'))
  items(spec.tls).forEach((entry, index) => {
    if (entry.secretName) causes.push(...byRule(dns1123Subdomain, entry.secretName, `spec.tls[${index}].secretName`))
    items(entry.hosts).forEach((host, position) => {
      const rule = host.includes('*') ? wildcardSubdomain : dns1123Subdomain
      causes.push(...byRule(rule, host, `spec.tls[${index}].hosts[${position}]`))
    })
  })
  return causes
}

export const ingressStrategy: Strategy<Ingress> = {
  statusWarnings: loadBalancerWarnings,
  validateStatusUpdate: (next, before) => validateLoadBalancerIngress(next, before, false),
  prepareForCreate: (draft) => {
    draft.status = { loadBalancer: {} }
  },
  validatesAll: true,
  validateCreate: ({ metadata, spec }) => {
    const [annotation, name] = [metadata.annotations?.[classAnnotation], spec?.ingressClassName]
    return annotation !== undefined && name !== undefined && annotation !== name
      ? [
          invalidValue(
            `annotations.${classAnnotation}`,
            annotation,
            'must match `ingressClassName` when both are specified',
          ),
        ]
      : []
  },
  validate,
  warnings: ({ metadata, spec }, before) =>
    !before && metadata.annotations?.[classAnnotation] !== undefined && !spec?.ingressClassName
      ? [`annotation ${JSON.stringify(classAnnotation)} is deprecated, please use 'spec.ingressClassName' instead`]
      : [],
}
