// PodGroups: pods that are scheduled together. Nothing of the spec changes once it is there.
import { required } from '@shiplog/api/field-errors'
import type { PodGroup } from '@shiplog/api/generated/types/scheduling-v1alpha2'
import type { Draft } from '@shiplog/api/decoded'
import type { StatusCause } from '@shiplog/api/status'
import { immutable, requiredName, section } from '../fields.ts'
import { dns1123Label, dns1123Subdomain } from '../names.ts'
import { validateConditions } from '../status-rules.ts'
import type { Strategy } from '../strategy.ts'
import { dropGated, validatePolicy } from './scheduling-policy.ts'

function validate({ spec }: Draft<PodGroup>): StatusCause[] {
  const causes: StatusCause[] = []
  const reference = spec?.podGroupTemplateRef
  if (reference) {
    const field = 'spec.podGroupTemplateRef.workload'
    const { workload } = reference
    if (!workload) causes.push(required(field))
    else {
      causes.push(...requiredName(dns1123Subdomain, workload.workloadName, `${field}.workloadName`))
      causes.push(...requiredName(dns1123Label, workload.podGroupTemplateName, `${field}.podGroupTemplateName`))
    }
  }
  return [...causes, ...validatePolicy(spec?.schedulingPolicy, 'spec.schedulingPolicy')]
}

export const podGroupStrategy: Strategy<PodGroup> = {
  setDefaults: (draft) => dropGated(section(draft, 'spec')),
  validate: (next, before) => (before ? [] : validate(next)),
  validateUpdate: ({ spec }, before) => [
    ...immutable(spec?.podGroupTemplateRef, before.spec?.podGroupTemplateRef, 'spec.podGroupTemplateRef'),
    ...immutable(spec?.schedulingPolicy, before.spec?.schedulingPolicy, 'spec.schedulingPolicy'),
  ],
  validateStatusUpdate: ({ status }) => validateConditions(status?.conditions, 'status.conditions'),
}
