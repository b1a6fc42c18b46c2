// CustomResourceDefinitions: names and versions of kinds that users bring.
import type { CustomResourceDefinitionStatus } from '@shiplog/api/generated/types/apiextensions-v1'
import type { JsonObject } from '@shiplog/api/kube-object'
import { fillText, immutable, items, section } from '../fields.ts'
import { validateDefinition } from './custom-resource-definition-validation.ts'
import { cleanupFinalizer, deletionStages, setCondition } from './definition-status.ts'
import type { Strategy } from '../strategy.ts'
import type { CustomResourceDefinition, JSONSchemaProps } from '@shiplog/api/generated/types/apiextensions-v1'
import { goQuote } from '@shiplog/api/decode/go-quote'
import type { Draft } from '@shiplog/api/decoded'
import { unrecognizedFormats } from '@shiplog/custom-resources/rules/unrecognized-formats'

const setDefaults = (draft: JsonObject): void => {
  const spec = section(draft, 'spec')
  if (!spec['conversion']) spec['conversion'] = { strategy: 'None' }
  const names = section(spec, 'names')
  if (typeof names['kind'] === 'string' && names['kind'] !== '') {
    fillText(names, 'singular', names['kind'].toLowerCase())
    fillText(names, 'listKind', `${names['kind']}List`)
  }
}

const storageVersions = (spec: JsonObject | undefined): string[] =>
  items(spec?.['versions'])
    .filter((version) => version.storage === true)
    .map((version) => version.name ?? '')

const formatsOf = ({ spec }: Draft<CustomResourceDefinition>): readonly string[] =>
  items(spec?.versions).flatMap(({ schema }) =>
    schema?.openAPIV3Schema ? unrecognizedFormats(schema.openAPIV3Schema as JSONSchemaProps) : [],
  )

/** What was there before is not told again. */
const formatWarnings = (next: Draft<CustomResourceDefinition>, before?: Draft<CustomResourceDefinition>): readonly string[] => {
  const known = new Set(before ? formatsOf(before) : [])
  return formatsOf(next)
    .filter((format) => !known.has(format))
    .map((format) => `unrecognized format ${goQuote(format)}`)
}

export const customResourceDefinitionStrategy: Strategy<CustomResourceDefinition> = {
  anyFinalizers: true,
  allowUnconditionalUpdate: false,
  setDefaults,
  prepareForCreate: (draft) => {
    draft['status'] = {
      conditions: null,
      acceptedNames: { plural: '', kind: '' },
      storedVersions: storageVersions(draft['spec']).slice(0, 1),
    }
  },
  /** A new storage version is remembered: objects may be stored in it from now on. */
  prepareForUpdate: (draft, before) => {
    const status: JsonObject = before['status'] ?? {}
    const stored = new Set<string>([...items(status['storedVersions']), ...storageVersions(draft['spec'])])
    draft['status'] = { ...status, storedVersions: [...stored] }
  },
  /** Its objects go first (see definition-status.ts). */
  markDeleted: (draft, nowMs) => {
    const finalizers = draft.metadata.finalizers ?? []
    if (!finalizers.includes(cleanupFinalizer)) draft.metadata.finalizers = [...finalizers, cleanupFinalizer]
    setCondition(section(draft, 'status') as CustomResourceDefinitionStatus, deletionStages.pending, nowMs)
  },
  validatesAll: true,
  validate: validateDefinition,
  hasExpressions: true,
  warnings: formatWarnings,
  validateUpdate: (next, before) => [
    ...immutable(next['spec']?.group, before['spec']?.group, 'spec.group'),
    ...immutable(next['spec']?.scope, before['spec']?.scope, 'spec.scope'),
    ...immutable(next['spec']?.names?.plural, before['spec']?.names?.plural, 'spec.names.plural'),
  ],
}
