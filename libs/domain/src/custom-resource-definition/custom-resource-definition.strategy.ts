// CustomResourceDefinitions: names and versions of kinds that users bring.
import { invalidValue, notSupported, required } from '@shiplog/api/field-errors'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import type { StatusCause } from '@shiplog/api/status'
import { fillText, immutable, items, requiredName, section } from '../fields.ts'
import { dns1035Label, dns1123Subdomain } from '../names.ts'
import type { Strategy } from '../strategy.ts'

const scopes = ['Cluster', 'Namespaced']

const setDefaults = (draft: JsonObject): void => {
  const spec = section(draft, 'spec')
  fillText(section(spec, 'conversion'), 'strategy', 'None')
  const names = section(spec, 'names')
  if (typeof names['kind'] === 'string' && names['kind'] !== '') {
    fillText(names, 'singular', names['kind'].toLowerCase())
    fillText(names, 'listKind', `${names['kind']}List`)
  }
}

const storageVersions = (spec: JsonObject | undefined): string[] =>
  items(spec?.['versions'])
    .filter((version) => version.storage === true)
    .map((version) => version.name)

const validate = (definition: KubeObject): StatusCause[] => {
  const spec: JsonObject = definition['spec'] ?? {}
  const names: JsonObject = spec['names'] ?? {}
  const causes: StatusCause[] = []
  const expected = `${names['plural'] ?? ''}.${spec['group'] ?? ''}`
  if (definition.metadata.name !== expected)
    causes.push(invalidValue('metadata.name', definition.metadata.name, 'must be spec.names.plural+"."+spec.group'))
  causes.push(...requiredName(dns1123Subdomain, spec['group'], 'spec.group'))
  if (spec['group'] && !String(spec['group']).includes('.'))
    causes.push(invalidValue('spec.group', spec['group'], 'should be a domain with at least one dot'))
  if (!spec['scope']) causes.push(required('spec.scope'))
  else if (!scopes.includes(spec['scope'])) causes.push(notSupported('spec.scope', spec['scope'], scopes))
  if (items(spec['versions']).length === 0) causes.push(required('spec.versions', 'must have at least one version'))
  else if (storageVersions(spec).length !== 1)
    causes.push(
      invalidValue('spec.versions', spec['versions'], 'must have exactly one version marked as storage version'),
    )
  for (const key of ['plural', 'singular']) causes.push(...requiredName(dns1035Label, names[key], `spec.names.${key}`))
  if (!names['kind']) causes.push(required('spec.names.kind'))
  if (!names['listKind']) causes.push(required('spec.names.listKind'))
  return causes
}

export const customResourceDefinitionStrategy: Strategy = {
  anyFinalizers: true,
  allowUnconditionalUpdate: false,
  setDefaults,
  prepareForCreate: (draft) => {
    draft['status'] = {
      conditions: [],
      acceptedNames: { plural: '', kind: '' },
      storedVersions: storageVersions(draft['spec']),
    }
  },
  /** A new storage version is remembered: objects may be stored in it from now on. */
  prepareForUpdate: (draft, before) => {
    const status: JsonObject = before['status'] ?? {}
    const stored = new Set<string>([...items(status['storedVersions']), ...storageVersions(draft['spec'])])
    draft['status'] = { ...status, storedVersions: [...stored] }
  },
  validate,
  validateUpdate: (next, before) => [
    ...immutable(next['spec']?.group, before['spec']?.group, 'spec.group'),
    ...immutable(next['spec']?.scope, before['spec']?.scope, 'spec.scope'),
    ...immutable(next['spec']?.names?.plural, before['spec']?.names?.plural, 'spec.names.plural'),
  ],
}
