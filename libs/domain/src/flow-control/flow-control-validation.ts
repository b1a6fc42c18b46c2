// What FlowSchemas and PriorityLevelConfigurations must say.
import { duplicate, forbiddenField, invalidValue, notSupported, required } from '@shiplog/api/field-errors'
import type {
  ExemptPriorityLevelConfiguration,
  FlowSchemaSpec,
  LimitedPriorityLevelConfiguration,
  NonResourcePolicyRule,
  PolicyRulesWithSubjects,
  PriorityLevelConfigurationSpec,
  QueuingConfiguration,
  ResourcePolicyRule,
  ServiceAccountSubject,
  Subject,
} from '@shiplog/api/generated/types/flowcontrol-v1'
import type { StatusCause } from '@shiplog/api/status'
import type { Decoded } from '@shiplog/api/decoded'
import { bootstrapFlowControl } from '../bootstrap-flow-control.ts'
import { byRule, items, semanticEqual } from '../fields.ts'
import { dns1123Label, dns1123Subdomain } from '../names.ts'

const precedenceMax = 10_000
const subjectKinds = ['Group', 'ServiceAccount', 'User']
const subjectFields = [
  ['ServiceAccount', 'serviceAccount'],
  ['User', 'user'],
  ['Group', 'group'],
] as const
const distinguishers = ['ByNamespace', 'ByUser']
const verbs = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'proxy', 'update', 'watch']
const exempt = 'exempt'
const mandatoryNames = [exempt, 'catch-all']
const queuesMax = 10_000_000
const entropyBitsMax = 60

/** What no cluster can do without has one form: taken from the objects that every cluster begins with. */
const mandatorySpec = (kind: string, name: string): object | undefined =>
  mandatoryNames.includes(name)
    ? bootstrapFlowControl('').find((one) => one.kind === kind && one.metadata.name === name)?.spec
    : undefined

/** Conditions of either kind: each has a type of its own, and nothing else is asked of them. */
export const validateConditionTypes = (
  conditions: Decoded<{ readonly type?: string }[]> | undefined,
): StatusCause[] => {
  const types = items(conditions).map(({ type = '' }) => type)
  return types.flatMap((type, index) => {
    const at = `status.conditions[${index}].type`
    return [
      ...(types.indexOf(type) < index ? [duplicate(at, type)] : []),
      ...(type === '' ? [required(at)] : []),
    ]
  })
}

export function validateFlowSchema(spec: Decoded<FlowSchemaSpec>, name: string): StatusCause[] {
  const causes: StatusCause[] = []
  const precedence = spec.matchingPrecedence ?? 0
  if (precedence <= 0) causes.push(invalidValue('spec.matchingPrecedence', precedence, 'must be a positive value'))
  if (precedence > precedenceMax)
    causes.push(invalidValue('spec.matchingPrecedence', precedence, `must not be greater than ${precedenceMax}`))
  const method = spec.distinguisherMethod
  if (method && !distinguishers.includes(method.type ?? ''))
    causes.push(notSupported('spec.distinguisherMethod.type', { Type: method.type ?? '' }, distinguishers))
  if (precedence === 1 && name !== exempt)
    causes.push(
      invalidValue(
        'spec.matchingPrecedence',
        precedence,
        "only the schema named 'exempt' may have matchingPrecedence 1",
      ),
    )
  const level = spec.priorityLevelConfiguration?.name ?? ''
  const at = 'spec.priorityLevelConfiguration.name'
  if (level === '') causes.push(required(at, 'must reference a priority level'))
  else causes.push(...byRule(dns1123Subdomain, level, at))
  items(spec.rules).forEach((rule, index) => {
    causes.push(...validateRule(rule, `spec.rules[${index}]`))
  })
  const mandatory = mandatorySpec('FlowSchema', name)
  if (mandatory && !semanticEqual(spec, mandatory))
    causes.push(invalidValue('spec', spec, `spec of '${name}' must equal the fixed value`))
  return causes
}

const validateRule = (rule: Decoded<PolicyRulesWithSubjects>, field: string): StatusCause[] => {
  const causes: StatusCause[] = []
  const subjects = items(rule.subjects)
  if (subjects.length === 0) causes.push(required(`${field}.subjects`, 'subjects must contain at least one value'))
  subjects.forEach((subject, index) => {
    causes.push(...validateSubject(subject, `${field}.subjects[${index}]`))
  })
  const [resources, urls] = [items(rule.resourceRules), items(rule.nonResourceRules)]
  if (resources.length + urls.length === 0)
    causes.push(required(field, 'at least one of resourceRules and nonResourceRules has to be non-empty'))
  resources.forEach((one, index) => {
    causes.push(...validateResourceRule(one, `${field}.resourceRules[${index}]`))
  })
  urls.forEach((one, index) => {
    const at = `${field}.nonResourceRules[${index}]`
    causes.push(...validateVerbs(one, at))
    causes.push(
      ...validateList(
        one,
        'nonResourceURLs',
        at,
        'nonResourceURLs must contain at least one value',
        'non-resource URLs',
      ),
    )
  })
  return causes
}

const validateSubject = (subject: Decoded<Subject>, field: string): StatusCause[] => {
  const kind = subject.kind ?? ''
  if (!subjectKinds.includes(kind)) return [notSupported(`${field}.kind`, kind, subjectKinds)]
  const causes: StatusCause[] = []
  for (const [owner, key] of subjectFields) {
    const value: Decoded<ServiceAccountSubject> | undefined = subject[key]
    const at = `${field}.${key}`
    if (owner !== kind) {
      if (value) causes.push(forbiddenField(at, `${key} is forbidden when subject kind is not '${owner}'`))
      continue
    }
    if (!value) causes.push(required(at, `${key} is required when subject kind is '${owner}'`))
    else
      for (const part of owner === 'ServiceAccount' ? (['name', 'namespace'] as const) : (['name'] as const))
        if (!value[part]) causes.push(required(`${at}.${part}`))
  }
  return causes
}

type Rule = Decoded<ResourcePolicyRule & NonResourcePolicyRule>

const validateList = (
  rule: Rule,
  key: keyof Rule & ('verbs' | 'apiGroups' | 'resources' | 'namespaces' | 'nonResourceURLs'),
  field: string,
  missing: string,
  what: string,
): StatusCause[] => {
  const values = items(rule[key])
  if (values.length === 0) return [required(`${field}.${key}`, missing)]
  return values.length > 1 && values.includes('*')
    ? [invalidValue(`${field}.${key}`, values, `if '*' is present, must not specify other ${what}`)]
    : []
}

const validateVerbs = (rule: Rule, field: string): StatusCause[] => {
  const causes = validateList(rule, 'verbs', field, 'verbs must contain at least one value', 'verbs')
  const given = items(rule.verbs)
  if (given.length > 0 && !given.includes('*') && given.some((verb) => !verbs.includes(verb)))
    causes.push(notSupported(`${field}.verbs`, given, verbs))
  return causes
}

const validateResourceRule = (rule: Decoded<ResourcePolicyRule>, field: string): StatusCause[] => {
  const causes = [
    ...validateVerbs(rule, field),
    ...validateList(rule, 'apiGroups', field, 'resource rules must supply at least one api group', 'api groups'),
    ...validateList(rule, 'resources', field, 'resource rules must supply at least one resource', 'resources'),
  ]
  const namespaces = items(rule.namespaces)
  if (namespaces.length === 0 && rule.clusterScope === true) return causes
  causes.push(
    ...validateList(
      rule,
      'namespaces',
      field,
      'resource rules that are not cluster scoped must supply at least one namespace',
      'namespaces',
    ),
  )
  if (!namespaces.includes('*'))
    namespaces.forEach((namespace, index) => {
      for (const sentence of dns1123Label(namespace))
        causes.push(
          invalidValue(
            `${field}.namespaces[${index}]`,
            namespace,
            `each member of this list must be '*' or a DNS-1123 label; ${sentence}`,
          ),
        )
    })
  return causes
}

export function validatePriorityLevel(spec: Decoded<PriorityLevelConfigurationSpec>, name: string): StatusCause[] {
  const causes: StatusCause[] = []
  if ((name === exempt) !== (spec.type === 'Exempt'))
    causes.push(invalidValue('spec.type', spec.type ?? '', "must be 'Exempt' if and only if `name` is 'exempt'"))
  causes.push(...validateLevelType(spec))
  const mandatory = mandatorySpec('PriorityLevelConfiguration', name)
  const [given, fixed] =
    name === exempt ? [spec, mandatory].map((one) => ({ ...one, exempt: undefined })) : [spec, mandatory]
  if (mandatory && !semanticEqual(given, fixed)) {
    const but = name === exempt ? " except the 'spec.exempt' field" : ''
    causes.push(invalidValue('spec', spec, `spec of '${name}'${but} must equal the fixed value`))
  }
  return causes
}

function validateLevelType(spec: Decoded<PriorityLevelConfigurationSpec>): StatusCause[] {
  const { type = '', limited, exempt } = spec
  if (type === 'Limited')
    return [
      ...(exempt ? [forbiddenField('spec.exempt', 'must be nil if the type is Limited')] : []),
      ...(limited ? validateLimited(limited) : [required('spec.limited', 'must not be empty when type is Limited')]),
    ]
  if (type === 'Exempt')
    return [
      ...(limited ? [forbiddenField('spec.limited', 'must be nil if the type is not Limited')] : []),
      ...(exempt ? validateShares(exempt, 'spec.exempt') : []),
    ]
  return [type === '' ? required('spec.type') : notSupported('spec.type', type, ['Exempt', 'Limited'])]
}

const validateShares = (holder: Decoded<ExemptPriorityLevelConfiguration>, field: string): StatusCause[] => {
  const { nominalConcurrencyShares: shares, lendablePercent: lendable } = holder
  return [
    ...(typeof shares === 'number' && shares < 0
      ? [invalidValue(`${field}.nominalConcurrencyShares`, shares, 'must be a non-negative integer')]
      : []),
    ...(typeof lendable === 'number' && (lendable < 0 || lendable > 100)
      ? [invalidValue(`${field}.lendablePercent`, lendable, 'must be between 0 and 100, inclusive')]
      : []),
  ]
}

const validateLimited = (limited: Decoded<LimitedPriorityLevelConfiguration>): StatusCause[] => {
  const at = 'spec.limited'
  const causes = validateShares(limited, at)
  const borrowing = limited.borrowingLimitPercent
  if (typeof borrowing === 'number' && borrowing < 0)
    causes.push(invalidValue(`${at}.borrowingLimitPercent`, borrowing, 'if specified, must be a non-negative integer'))
  const { type, queuing } = limited.limitResponse ?? {}
  const place = `${at}.limitResponse`
  if (!type) causes.push(required(`${place}.type`))
  else if (type === 'Reject') {
    if (queuing)
      causes.push(forbiddenField(`${place}.queuing`, 'must be nil if limited.limitResponse.type is not Limited'))
  } else if (type !== 'Queue') causes.push(notSupported(`${place}.type`, type, ['Queue', 'Reject']))
  else if (!queuing)
    causes.push(required(`${place}.queuing`, 'must not be empty if limited.limitResponse.type is Limited'))
  else causes.push(...validateQueuing(queuing, `${place}.queuing`))
  return causes
}

const validateQueuing = (queuing: Decoded<QueuingConfiguration>, field: string): StatusCause[] => {
  const { queues = 0, handSize = 0, queueLengthLimit = 0 } = queuing
  const causes: StatusCause[] = []
  if (queueLengthLimit <= 0)
    causes.push(invalidValue(`${field}.queueLengthLimit`, queueLengthLimit, 'must be positive'))
  if (queues <= 0) causes.push(invalidValue(`${field}.queues`, queues, 'must be positive'))
  else if (queues > queuesMax)
    causes.push(invalidValue(`${field}.queues`, queues, `must not be greater than ${queuesMax}`))
  if (handSize <= 0) causes.push(invalidValue(`${field}.handSize`, handSize, 'must be positive'))
  else if (handSize > queues)
    causes.push(invalidValue(`${field}.handSize`, handSize, `should not be greater than queues (${queues})`))
  else if (entropyBits(queues, handSize) > entropyBitsMax)
    causes.push(
      invalidValue(
        `${field}.handSize`,
        handSize,
        `required entropy bits of deckSize ${queues} and handSize ${handSize} should not be greater than ${entropyBitsMax}`,
      ),
    )
  return causes
}

/** How many bits dealing a hand of queues out of all takes. */
const entropyBits = (deckSize: number, handSize: number): number => {
  let bits = 0
  for (let card = 0; card < handSize; card++) bits += Math.log2(deckSize - card)
  return Math.ceil(bits)
}
