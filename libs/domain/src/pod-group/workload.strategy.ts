// Workloads: templates of the PodGroups that a controller makes. Nothing of the spec changes once it is there.
import { duplicate, required, tooMany } from '@shiplog/api/field-errors'
import type { Workload } from '@shiplog/api/generated/types/scheduling-v1alpha2'
import type { Draft } from '@shiplog/api/decoded'
import type { StatusCause } from '@shiplog/api/status'
import { immutable, items, optionalName, requiredName, section } from '../fields.ts'
import { dns1123Label, dns1123Subdomain, pathSegment } from '../names.ts'
import type { Strategy } from '../strategy.ts'
import { dropGated, validatePolicy } from './scheduling-policy.ts'

const templatesMax = 8

function validate({ spec }: Draft<Workload>): StatusCause[] {
  const causes: StatusCause[] = []
  const owner = spec?.controllerRef
  if (owner) {
    causes.push(...optionalName(dns1123Subdomain, owner.apiGroup, 'spec.controllerRef.apiGroup'))
    causes.push(...requiredName(pathSegment, owner.kind, 'spec.controllerRef.kind'))
    causes.push(...requiredName(pathSegment, owner.name, 'spec.controllerRef.name'))
  }
  const field = 'spec.podGroupTemplates'
  const templates = items(spec?.podGroupTemplates)
  if (templates.length === 0) return [...causes, required(field)]
  if (templates.length > templatesMax) return [...causes, tooMany(field, templates.length, templatesMax)]
  const names = new Set<string>()
  for (const [index, { name = '', schedulingPolicy }] of templates.entries()) {
    const place = `${field}[${index}]`
    if (names.has(name)) causes.push(duplicate(place, { name }))
    names.add(name)
    causes.push(...requiredName(dns1123Label, name, `${place}.name`))
    causes.push(...validatePolicy(schedulingPolicy, `${place}.schedulingPolicy`))
  }
  return causes
}

export const workloadStrategy: Strategy<Workload> = {
  setDefaults: (draft) => {
    for (const template of items(section(draft, 'spec').podGroupTemplates)) dropGated(template)
  },
  validate: (next, before) => (before ? [] : validate(next)),
  validateUpdate: ({ spec }, before) => [
    ...immutable(spec?.controllerRef, before.spec?.controllerRef, 'spec.controllerRef'),
    ...immutable(spec?.podGroupTemplates, before.spec?.podGroupTemplates, 'spec.podGroupTemplates'),
  ],
}
