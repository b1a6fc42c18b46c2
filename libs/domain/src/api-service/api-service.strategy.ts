// An APIService: who serves a version of a group (k8s.io/kube-aggregator/pkg/apis/apiregistration/validation).
import type { Draft } from '@shiplog/api/decoded'
import { invalidValue, notSupported, required } from '@shiplog/api/field-errors'
import type { APIService } from '@shiplog/api/generated/types/apiregistration-v1'
import { goQuote } from '@shiplog/api/decode/go-quote'
import type { StatusCause } from '@shiplog/api/status'
import { byRule, fill, items } from '../fields.ts'
import { dns1035Label, dns1123Subdomain, pathSegment } from '../names.ts'
import type { Strategy } from '../strategy.ts'

const groupPriorityMax = 20_000
const versionPriorityMax = 1_000
const conditionStatuses = ['True', 'False', 'Unknown']

export const apiServiceStrategy: Strategy<APIService> = {
  hasGeneration: false,
  allowUnconditionalUpdate: false,
  validateName: pathSegment,
  setDefaults: (draft) => {
    const service = draft.spec?.service
    if (service) fill(service, 'port', 443)
  },
  validate: (next) => validateApiService(next),
  validateStatusUpdate: ({ status }) =>
    items(status?.conditions).flatMap((condition, index) =>
      conditionStatuses.includes(condition.status ?? '')
        ? []
        : [notSupported(`status.conditions[${index}].status`, condition.status ?? '', conditionStatuses)],
    ),
}

function validateApiService({ metadata, spec = {} }: Draft<APIService>): StatusCause[] {
  const { group = '', version = '', groupPriorityMinimum = 0, versionPriority = 0, service } = spec
  const { caBundle = '', insecureSkipTLSVerify = false } = spec
  const name = `${version}.${group}`
  const causes: StatusCause[] = []
  if (metadata.name !== name && pathSegment(metadata.name).length === 0)
    causes.push(invalidValue('metadata.name', metadata.name, `must be \`spec.version+"."+spec.group\`: ${goQuote(name)}`))
  if (group === '' && version !== 'v1')
    causes.push(required('spec.group', 'only v1 may have an empty group and it better be legacy kube'))
  if (group !== '') causes.push(...byRule(dns1123Subdomain, group, 'spec.group'))
  causes.push(...byRule(dns1035Label, version, 'spec.version'))
  if (groupPriorityMinimum <= 0 || groupPriorityMinimum > groupPriorityMax)
    causes.push(invalidValue('spec.groupPriorityMinimum', groupPriorityMinimum, 'must be positive and less than 20000'))
  if (versionPriority <= 0 || versionPriority > versionPriorityMax)
    causes.push(invalidValue('spec.versionPriority', versionPriority, 'must be positive and less than 1000'))
  const insecureAt = 'spec.insecureSkipTLSVerify'
  if (!service) {
    const bytes = `${Buffer.from(caBundle, 'base64').length} bytes`
    if (caBundle !== '') causes.push(invalidValue('spec.caBundle', bytes, 'local APIServices may not have a caBundle'))
    if (insecureSkipTLSVerify) causes.push(invalidValue(insecureAt, true, 'local APIServices may not have insecureSkipTLSVerify'))
    return causes
  }
  if (!service.namespace) causes.push(required('spec.service.namespace'))
  if (!service.name) causes.push(required('spec.service.name'))
  if (insecureSkipTLSVerify && caBundle !== '') causes.push(invalidValue(insecureAt, true, 'may not be true if caBundle is present'))
  return causes
}
