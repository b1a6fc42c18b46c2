// Webhook configurations and admission policies: defaults, and what every webhook must say.
import { invalidValue, notSupported, required } from '@shiplog/api/field-errors'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import type { StatusCause } from '@shiplog/api/status'
import { fill, items, section } from '../fields.ts'
import type { Strategy } from '../strategy.ts'

const defaultTimeoutSeconds = 10
const timeoutSecondsMax = 30
const defaultServicePort = 443
const sideEffects = ['None', 'NoneOnDryRun']

const setRules = (rules: unknown): void => {
  for (const rule of items(rules)) fill(rule, 'scope', '*')
}

const setWebhookDefaults =
  (mutating: boolean) =>
  (draft: JsonObject): void => {
    for (const webhook of items(draft['webhooks'])) {
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

const validateWebhooks = (configuration: KubeObject): StatusCause[] =>
  items(configuration['webhooks']).flatMap((webhook: JsonObject, index) => {
    const at = `webhooks[${index}]`
    const causes: StatusCause[] = []
    const name: string = webhook['name'] ?? ''
    if (name === '') causes.push(required(`${at}.name`))
    else if (name.split('.').length < 3)
      causes.push(invalidValue(`${at}.name`, name, 'should be a domain with at least three segments separated by dots'))
    if (items(webhook['admissionReviewVersions']).length === 0)
      causes.push(required(`${at}.admissionReviewVersions`, 'must specify one of v1, v1beta1'))
    if (!webhook['sideEffects']) causes.push(required(`${at}.sideEffects`, 'must specify one of None, NoneOnDryRun'))
    else if (!sideEffects.includes(webhook['sideEffects']))
      causes.push(notSupported(`${at}.sideEffects`, webhook['sideEffects'], sideEffects))
    const timeout = webhook['timeoutSeconds']
    if (typeof timeout === 'number' && (timeout > timeoutSecondsMax || timeout < 1))
      causes.push(invalidValue(`${at}.timeoutSeconds`, timeout, 'the timeout value must be between 1 and 30 seconds'))
    const { url, service } = webhook['clientConfig'] ?? {}
    if (Boolean(url) === Boolean(service))
      causes.push(required(`${at}.clientConfig`, 'exactly one of url or service is required'))
    return causes
  })

const webhookConfiguration = (mutating: boolean): Strategy => ({
  hasGeneration: true,
  allowUnconditionalUpdate: false,
  setDefaults: setWebhookDefaults(mutating),
  validate: validateWebhooks,
})

const setMatchDefaults = (match: JsonObject | undefined): void => {
  if (!match) return
  fill(match, 'matchPolicy', 'Equivalent')
  section(match, 'namespaceSelector')
  section(match, 'objectSelector')
  setRules(match['resourceRules'])
  setRules(match['excludeResourceRules'])
}

const policy = (): Strategy => ({
  hasGeneration: true,
  allowUnconditionalUpdate: false,
  setDefaults: (draft) => {
    const spec = section(draft, 'spec')
    fill(spec, 'failurePolicy', 'Fail')
    setMatchDefaults(spec['matchConstraints'])
  },
})

const policyBinding = (): Strategy => ({
  hasGeneration: true,
  allowUnconditionalUpdate: false,
  setDefaults: (draft) => setMatchDefaults(draft['spec']?.matchResources),
})

export const mutatingWebhookConfigurationStrategy = webhookConfiguration(true)
export const validatingWebhookConfigurationStrategy = webhookConfiguration(false)
export const admissionPolicyStrategy = policy()
export const admissionPolicyBindingStrategy = policyBinding()
