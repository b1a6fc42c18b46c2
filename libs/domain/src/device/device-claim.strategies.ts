// Claims of devices, their templates, and classes of devices (k8s.io/kubernetes/pkg/apis/resource/validation).
import { duplicate, forbiddenField, invalidValue, notSupported, required, tooLong } from '@shiplog/api/field-errors'
import type {
  DeviceClass,
  DeviceConstraint,
  DeviceRequest,
  DeviceSelector,
  DeviceSubRequest,
  ResourceClaim,
  ResourceClaimSpec,
  ResourceClaimTemplate,
} from '@shiplog/api/generated/types/resource-v1'
import type { ObjectMeta } from '@shiplog/api/generated/types/meta-v1'
import { validateLabels } from '@shiplog/api/selectors'
import type { StatusCause } from '@shiplog/api/status'
import type { Decoded, Draft } from '@shiplog/api/decoded'
import { deviceExpressionProblem } from '../expressions/expression-scope.ts'
import { byRule, fillText, immutable, items, requiredName, section } from '../fields.ts'
import { validateAnnotations } from '../metadata-validation.ts'
import { dns1123Label, dns1123Subdomain } from '../names.ts'
import { isExtendedResource } from '../pod/extended-resources.ts'
import { type AdmissionView, lookUp } from '../admission.ts'
import type { Strategy } from '../strategy.ts'
import { validateClaimStatusUpdate } from './claim-status-validation.ts'
import { validateConfiguration, validateReferences } from './device-requests.ts'

const expressionCharactersMax = 10 * 1_024

/** What a request for devices asks for when it does not say how many. */
const setRequestDefaults = (spec: Decoded<ResourceClaimSpec>): void => {
  const fillRequest = (request: Decoded<DeviceSubRequest>): void => {
    fillText(request, 'allocationMode', 'ExactCount')
    if (request.allocationMode === 'ExactCount' && !request.count) request.count = 1
  }
  for (const request of items(spec.devices?.requests)) {
    if (request.exactly) fillRequest(request.exactly)
    items(request.firstAvailable).forEach(fillRequest)
  }
}

const validateSelectors = (selectors: Decoded<DeviceSelector[]> | undefined, field: string): StatusCause[] =>
  items(selectors).flatMap(({ cel }, index) => {
    const at = `${field}[${index}].cel`
    if (!cel) return [required(at)]
    const expression = cel.expression ?? ''
    if (expression.length > expressionCharactersMax) return [tooLong(`${at}.expression`, expressionCharactersMax)]
    const problem = deviceExpressionProblem(expression)
    return problem === undefined ? [] : [invalidValue(`${at}.expression`, expression, problem)]
  })

const validateAsked = (request: Decoded<DeviceSubRequest>, field: string): StatusCause[] => {
  const { deviceClassName, allocationMode, count = 0 } = request
  const causes = requiredName(dns1123Subdomain, deviceClassName, `${field}.deviceClassName`)
  causes.push(...validateSelectors(request.selectors, `${field}.selectors`))
  const at = `${field}.count`
  if (allocationMode === 'All') {
    if (count !== 0) causes.push(invalidValue(at, count, "must not be specified when allocationMode is 'All'"))
  } else if (allocationMode === 'ExactCount') {
    if (count <= 0) causes.push(invalidValue(at, count, 'must be greater than zero'))
  } else causes.push(notSupported(`${field}.allocationMode`, allocationMode ?? '', ['All', 'ExactCount']))
  return causes
}

const uniqueNames = (list: readonly { name?: string | undefined }[], field: string): StatusCause[] =>
  list.flatMap((item, index) =>
    list.slice(0, index).some((other) => (other.name ?? '') === (item.name ?? ''))
      ? [duplicate(`${field}[${index}]`, item.name ?? '')]
      : [],
  )

const validateRequest = (request: Decoded<DeviceRequest>, field: string): StatusCause[] => {
  const { exactly } = request
  const alternatives = items(request.firstAvailable)
  const causes = byRule(dns1123Label, request.name ?? '', `${field}.name`)
  const one = 'exactly one of `exactly` or `firstAvailable` is required'
  if (!exactly && alternatives.length === 0) return [...causes, required(field, one)]
  if (exactly && alternatives.length > 0)
    return [...causes, invalidValue(field, null, `${one}, but multiple fields are set`)]
  if (exactly) return [...causes, ...validateAsked(exactly, `${field}.exactly`)]
  const at = `${field}.firstAvailable`
  return [
    ...causes,
    ...alternatives.flatMap((other, index) => [
      ...byRule(dns1123Label, other.name ?? '', `${at}[${index}].name`),
      ...validateAsked(other, `${at}[${index}]`),
    ]),
    ...uniqueNames(alternatives, at),
  ]
}

const identifier = /^[A-Za-z_][A-Za-z0-9_]*$/
const identifierSentence =
  "a valid C identifier must start with alphabetic character or '_', followed by a string of alphanumeric characters or '_' (e.g. 'my_name',  or 'MY_NAME',  or 'MyName', regex used for validation is '[A-Za-z_][A-Za-z0-9_]*')"
const idCharactersMax = 32
const domainCharactersMax = 63

/** `memory` or `example.com/memory`. */
export const validateDeviceKey = (name: string, field: string, needsDomain = false): StatusCause[] => {
  if (name === '') return [required(field, 'name required')]
  const [first = '', ...rest] = name.split('/')
  const causes: StatusCause[] = []
  const validateId = (id: string): void => {
    if (id.length > idCharactersMax) causes.push(tooLong(field, idCharactersMax))
    if (!identifier.test(id)) causes.push(invalidValue(field, id, identifierSentence))
  }
  if (rest.length === 0) {
    validateId(first)
    if (needsDomain)
      causes.push(invalidValue(field, name, 'a fully qualified name must be a domain and a name separated by a slash'))
  } else if (rest.length === 1) {
    if (first === '') causes.push(required(field, 'the domain must not be empty'))
    else {
      if (first.length > domainCharactersMax) causes.push(tooLong(field, domainCharactersMax))
      causes.push(...byRule(dns1123Subdomain, first, field))
    }
    if (rest[0] === '') causes.push(required(field, 'the name must not be empty'))
    else validateId(rest[0]!)
  } else causes.push(invalidValue(field, name, 'must only have one slash'))
  return causes
}

const validateConstraint = (
  constraint: Decoded<DeviceConstraint>,
  requests: readonly Decoded<DeviceRequest>[],
  field: string,
): StatusCause[] => {
  const causes = validateReferences(constraint.requests, requests, `${field}.requests`)
  for (const key of ['matchAttribute', 'distinctAttribute'] as const) {
    const attribute = constraint[key]
    if (attribute !== undefined) return [...causes, ...validateDeviceKey(attribute, `${field}.${key}`, true)]
  }
  return [
    ...causes,
    required(field, 'exactly one of "matchAttribute" or "distinctAttribute" is required, but multiple fields are set'),
  ]
}

const validateClaimSpec = (spec: Decoded<ResourceClaimSpec> | undefined, field: string): StatusCause[] => {
  const devices = spec?.devices ?? {}
  const at = `${field}.devices`
  const requests = items(devices.requests)
  return [
    ...requests.flatMap((request, index) => validateRequest(request, `${at}.requests[${index}]`)),
    ...uniqueNames(requests, `${at}.requests`),
    ...items(devices.constraints).flatMap((constraint, index) =>
      validateConstraint(constraint, requests, `${at}.constraints[${index}]`),
    ),
    ...items(devices.config).flatMap((config, index) => [
      ...validateReferences(config.requests, requests, `${at}.config[${index}].requests`),
      ...validateConfiguration(config, `${at}.config[${index}]`),
    ]),
  ]
}

/** What the objects made from a template get from it; the rest of metadata is their own. */
const templateForbidden: readonly (readonly [field: keyof ObjectMeta, shown: string])[] = [
  ...(['name', 'generateName', 'namespace', 'selfLink'] as const).map((key) => [key, key] as const),
  ['uid', 'uID'],
  ...(['resourceVersion', 'generation', 'creationTimestamp', 'deletionTimestamp'] as const).map(
    (key) => [key, key] as const,
  ),
  ...(['deletionGracePeriodSeconds', 'ownerReferences', 'finalizers', 'managedFields'] as const).map(
    (key) => [key, key] as const,
  ),
]

const validateTemplateMetadata = (metadata: Decoded<ObjectMeta> | undefined, field: string): StatusCause[] => [
  ...templateForbidden.flatMap(([key, shown]) => {
    const value = metadata?.[key]
    const said = key === 'deletionGracePeriodSeconds' ? typeof value === 'number' : Boolean(value)
    return said ? [forbiddenField(`${field}.${shown}`, 'cannot be set')] : []
  }),
  ...validateLabels(metadata?.labels, `${field}.labels`),
  ...validateAnnotations(metadata?.annotations, `${field}.annotations`),
]

const adminAccessLabel = 'resource.kubernetes.io/admin-access'

/** Devices as their administrator uses them: only for namespaces that are marked for it. */
const validateAdminAccess = (
  requests: Decoded<DeviceRequest[]> | null | undefined,
  namespace: string | undefined,
  view: AdmissionView,
): StatusCause[] => {
  const index = items(requests).findIndex((request) => request.exactly?.adminAccess === true)
  if (index < 0 || isMarked(namespace, view)) return []
  return [forbiddenField(`spec.devices.requests[${index}].adminAccess`, adminAccessSentence)]
}

const isMarked = (namespace = '', view: AdmissionView): boolean =>
  lookUp(view, 'namespaces', '', namespace)?.metadata.labels?.[adminAccessLabel] === 'true'

const adminAccessSentence = `admin access to devices requires the \`${adminAccessLabel}: true\` label on the containing namespace`

const common = { hasGeneration: false, returnsDeleted: true, validatesAll: true } as const

export const resourceClaimStrategy: Strategy<ResourceClaim> = {
  ...common,
  setDefaults: (draft) => setRequestDefaults(section(draft, 'spec')),
  validateAgainst: (claim, before, view) =>
    before ? [] : validateAdminAccess(claim.spec?.devices?.requests, claim.metadata.namespace, view),
  hasExpressions: true,
  // It never changes.
  validate: (claim, before) => (before ? [] : validateClaimSpec(claim.spec, 'spec')),
  validateUpdate: (next, before) => immutable(next.spec, before.spec, 'spec'),
  validateStatusUpdate: validateClaimStatusUpdate,
}

export const claimTemplateStrategy: Strategy<ResourceClaimTemplate> = {
  ...common,
  setDefaults: (draft) => setRequestDefaults(section(section(draft, 'spec'), 'spec')),
  validateAgainst: (template, before, view) =>
    before ? [] : validateAdminAccess(template.spec?.spec?.devices?.requests, template.metadata.namespace, view),
  hasExpressions: true,
  validate: (template) => [
    ...validateTemplateMetadata(template.spec?.metadata, 'spec.metadata'),
    ...validateClaimSpec(template.spec?.spec, 'spec.spec'),
  ],
  validateUpdate: (next, before) => immutable(next.spec, before.spec, 'spec'),
}

const validateClass = (object: Draft<DeviceClass>): StatusCause[] => {
  const spec = object.spec ?? {}
  const extended = spec.extendedResourceName
  return [
    ...validateSelectors(spec.selectors, 'spec.selectors'),
    ...items(spec.config).flatMap((config, index) => validateConfiguration(config, `spec.config[${index}]`)),
    ...(typeof extended === 'string' && !isExtendedResource(extended)
      ? [invalidValue('spec.extendedResourceName', extended, 'must be a valid extended resource name')]
      : []),
  ]
}

export const deviceClassStrategy: Strategy<DeviceClass> = {
  ...common,
  hasGeneration: true,
  anyGenerateName: true,
  hasExpressions: true,
  validate: validateClass,
}
