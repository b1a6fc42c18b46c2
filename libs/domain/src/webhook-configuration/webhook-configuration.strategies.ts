// Webhook configurations and admission policies: defaults, and what every webhook must say.
import { duplicate, invalidValue, notSupported, required } from '@shiplog/api/field-errors'
import type {
  MatchResources,
  MutatingAdmissionPolicy,
  MutatingAdmissionPolicyBinding,
  MutatingAdmissionPolicySpec,
  MutatingWebhook,
  MutatingWebhookConfiguration,
  NamedRuleWithOperations,
  ServiceReference,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
  ValidatingAdmissionPolicySpec,
  ValidatingWebhookConfiguration,
} from '@shiplog/api/generated/types/admissionregistration-v1'
import { validateLabelSelector } from '@shiplog/api/selectors'
import type { StatusCause } from '@shiplog/api/status'
import type { Decoded, Draft } from '@shiplog/api/decoded'
import { byRule, fill, items, section } from '../fields.ts'
import { dns1035Label, dns1123Subdomain, portNumber } from '../names.ts'
import { forTwin, type Strategy } from '../strategy.ts'
import {
  validateAdmissionPolicy,
  validateMutatingBinding,
  validateMutatingPolicy,
  validatePolicyBinding,
} from './admission-policy-validation.ts'
import { requestScope } from '../expressions/expression-scope.ts'
import { validatePolicyStatus } from './admission-policy-status.ts'
import { validateMatchConditions, validateRules } from './admission-rules.ts'

const defaultTimeoutSeconds = 10
const timeoutSecondsMax = 30
const defaultServicePort = 443
const sideEffects = ['None', 'NoneOnDryRun']

const setRules = (rules: Decoded<NamedRuleWithOperations[]> | null | undefined): void => {
  for (const rule of items(rules)) fill(rule, 'scope', '*')
}

const setWebhookDefaults =
  (mutating: boolean) =>
  (draft: Draft<MutatingWebhookConfiguration>): void => {
    for (const webhook of items(draft.webhooks)) {
      fill(webhook, 'failurePolicy', 'Fail')
      fill(webhook, 'matchPolicy', 'Equivalent')
      section(webhook, 'namespaceSelector')
      section(webhook, 'objectSelector')
      fill(webhook, 'timeoutSeconds', defaultTimeoutSeconds)
      if (mutating) fill(webhook, 'reinvocationPolicy', 'Never')
      if (webhook.clientConfig?.service) fill(webhook.clientConfig.service, 'port', defaultServicePort)
      setRules(webhook.rules)
    }
  }

const enums = [
  ['failurePolicy', ['Fail', 'Ignore']],
  ['matchPolicy', ['Equivalent', 'Exact']],
  ['reinvocationPolicy', ['IfNeeded', 'Never']],
] as const satisfies readonly (readonly [field: keyof MutatingWebhook, values: readonly string[]])[]
const reviewVersions = ['v1', 'v1beta1']

const validateReviewVersions = (versions: readonly string[], field: string): StatusCause[] => {
  if (versions.length === 0) return [required(field, 'must specify one of v1, v1beta1')]
  const causes: StatusCause[] = []
  versions.forEach((version, index) => {
    if (versions.indexOf(version) < index) causes.push(invalidValue(`${field}[${index}]`, version, 'duplicate version'))
    else causes.push(...byRule(dns1035Label, version, `${field}[${index}]`))
  })
  if (!versions.some((version) => reviewVersions.includes(version)))
    causes.push(invalidValue(field, versions, 'must include at least one of v1, v1beta1'))
  return causes
}

export const validateServiceReference = (service: Decoded<ServiceReference>, field: string): StatusCause[] => {
  const causes: StatusCause[] = []
  // Upstream tells of the one when the other is missing.
  if (!service.name) causes.push(required(`${field}.namespace`))
  if (!service.namespace) causes.push(required(`${field}.name`))
  for (const sentence of portNumber(service.port ?? 0))
    causes.push(invalidValue(`${field}.port`, service.port ?? 0, `port is not valid: ${sentence}`))
  const { path } = service
  if (typeof path !== 'string' || path === '/' || path === '') return causes
  if (!path.startsWith('/')) causes.push(invalidValue(`${field}.path`, path, "must start with a '/'"))
  if (path === '//') return [...causes, invalidValue(`${field}.path`, path, 'segment[0] may not be empty')]
  path
    .slice(1)
    .replace(/\/$/, '')
    .split('/')
    .forEach((segment, index) => {
      if (segment === '') causes.push(invalidValue(`${field}.path`, path, `segment[${index}] may not be empty`))
      else
        for (const sentence of dns1123Subdomain(segment))
          causes.push(invalidValue(`${field}.path`, path, `segment[${index}]: ${sentence}`))
    })
  return causes
}

export const validateUrl = (url: string, field: string): StatusCause[] => {
  const form = 'desired format: https://host[/path]'
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(url)?.[1] ?? ''
  const authority = /^[a-z][a-z0-9+.-]*:\/\/([^/?#]*)/i.exec(url)?.[1] ?? ''
  const userEnd = authority.lastIndexOf('@')
  const host = authority.slice(userEnd + 1)
  const causes: StatusCause[] = []
  // What is wrong is the scheme, so the scheme is shown.
  if (scheme !== 'https') causes.push(invalidValue(field, scheme, `'https' is the only allowed URL scheme; ${form}`))
  if (host === '') causes.push(invalidValue(field, host, `host must be specified; ${form}`))
  if (userEnd >= 0)
    causes.push(invalidValue(field, authority.slice(0, userEnd), 'user information is not permitted in the URL'))
  for (const [mark, sentence] of [
    ['#', 'fragments are not permitted in the URL'],
    ['?', 'query parameters are not permitted in the URL'],
  ] as const) {
    const rest = url.split(mark)[1]?.split('#')[0]
    if (rest) causes.push(invalidValue(field, rest, sentence))
  }
  return causes
}

const validateWebhooks = (configuration: Draft<MutatingWebhookConfiguration>): StatusCause[] => {
  const names = new Set<string>()
  return items(configuration.webhooks).flatMap((webhook, index) => {
    const at = `webhooks[${index}]`
    const causes: StatusCause[] = []
    const name = webhook.name ?? ''
    if (name === '') causes.push(required(`${at}.name`))
    else {
      const wrong = byRule(dns1123Subdomain, name, `${at}.name`)
      causes.push(...wrong)
      if (wrong.length === 0 && name.split('.').length < 3)
        causes.push(
          invalidValue(`${at}.name`, name, 'should be a domain with at least three segments separated by dots'),
        )
    }
    if (names.has(name)) causes.push(duplicate(`${at}.name`, name))
    names.add(name)
    causes.push(...validateReviewVersions(items(webhook.admissionReviewVersions), `${at}.admissionReviewVersions`))
    causes.push(...validateRules(webhook.rules, `${at}.rules`))
    causes.push(...validateMatchConditions(webhook.matchConditions, requestScope, `${at}.matchConditions`))
    for (const [key, values] of enums) {
      const value = webhook[key]
      if (value !== undefined && !(values as readonly string[]).includes(value))
        causes.push(notSupported(`${at}.${key}`, value, values))
    }
    for (const key of ['namespaceSelector', 'objectSelector'] as const)
      causes.push(...validateLabelSelector(webhook[key], `${at}.${key}`))
    if (typeof webhook.sideEffects !== 'string')
      causes.push(required(`${at}.sideEffects`, 'must specify one of None, NoneOnDryRun'))
    else if (!sideEffects.includes(webhook.sideEffects))
      causes.push(notSupported(`${at}.sideEffects`, webhook.sideEffects, sideEffects))
    const timeout = webhook.timeoutSeconds
    if (typeof timeout === 'number' && (timeout > timeoutSecondsMax || timeout < 1))
      causes.push(invalidValue(`${at}.timeoutSeconds`, timeout, 'the timeout value must be between 1 and 30 seconds'))
    const { url, service } = webhook.clientConfig ?? {}
    if ((url === undefined) === !service)
      causes.push(required(`${at}.clientConfig`, 'exactly one of url or service is required'))
    else if (service) causes.push(...validateServiceReference(service, `${at}.clientConfig.service`))
    else if (url !== undefined) causes.push(...validateUrl(url, `${at}.clientConfig.url`))
    return causes
  })
}

/** A webhook that validates has the fields of one that mutates but `reinvocationPolicy`. */
const webhookConfiguration = (mutating: boolean): Strategy<MutatingWebhookConfiguration> => ({
  hasGeneration: true,
  allowUnconditionalUpdate: false,
  anyFinalizers: true,
  setDefaults: setWebhookDefaults(mutating),
  validatesAll: true,
  hasExpressions: true,
  validate: validateWebhooks,
})

const setMatchDefaults = (match: Decoded<MatchResources> | undefined): void => {
  if (!match) return
  fill(match, 'matchPolicy', 'Equivalent')
  section(match, 'namespaceSelector')
  section(match, 'objectSelector')
  setRules(match.resourceRules)
  setRules(match.excludeResourceRules)
}

const setPolicyDefaults = (spec: Decoded<ValidatingAdmissionPolicySpec | MutatingAdmissionPolicySpec>): void => {
  fill(spec, 'failurePolicy', 'Fail')
  setMatchDefaults(spec.matchConstraints)
}

const common = { hasGeneration: true, allowUnconditionalUpdate: false, anyFinalizers: true, validatesAll: true } as const

const validatingPolicy: Strategy<ValidatingAdmissionPolicy> = {
  ...common,
  setDefaults: (draft) => setPolicyDefaults(section(draft, 'spec')),
  hasExpressions: true,
  validate: (object) => validateAdmissionPolicy(object.spec ?? {}, object.metadata.name),
  validateStatusUpdate: ({ status }) => validatePolicyStatus(status),
}

const mutatingPolicy: Strategy<MutatingAdmissionPolicy> = {
  ...common,
  setDefaults: (draft) => setPolicyDefaults(section(draft, 'spec')),
  hasExpressions: true,
  validate: (object) => validateMutatingPolicy(object.spec ?? {}),
}

const validatingBinding: Strategy<ValidatingAdmissionPolicyBinding> = {
  ...common,
  setDefaults: (draft) => setMatchDefaults(draft.spec?.matchResources),
  validate: (object) => validatePolicyBinding(object.spec ?? {}),
}

const mutatingBinding: Strategy<MutatingAdmissionPolicyBinding> = {
  ...common,
  setDefaults: (draft) => setMatchDefaults(draft.spec?.matchResources),
  validate: (object) => validateMutatingBinding(object.spec ?? {}),
}

export const mutatingWebhookConfigurationStrategy = webhookConfiguration(true)
export const validatingWebhookConfigurationStrategy = forTwin<ValidatingWebhookConfiguration>(
  webhookConfiguration(false),
)
export const admissionPolicyStrategy = validatingPolicy
export const mutatingAdmissionPolicyStrategy = mutatingPolicy
export const admissionPolicyBindingStrategy = validatingBinding
export const mutatingAdmissionPolicyBindingStrategy = mutatingBinding
