// What a CustomResourceDefinition must say: its names, its versions, and what each version looks like
// (k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation).
import { duplicate, forbiddenField, invalidValue, notSupported, required } from '@shiplog/api/field-errors'
import type {
  CustomResourceColumnDefinition,
  CustomResourceConversion,
  CustomResourceDefinition,
  CustomResourceDefinitionNames,
  CustomResourceDefinitionVersion,
  CustomResourceSubresources,
  JSONSchemaProps,
  SelectableField,
} from '@shiplog/api/generated/types/apiextensions-v1'
import type { KubeObject } from '@shiplog/api/kube-object'
import type { StatusCause } from '@shiplog/api/status'
import { builtInRegistry } from '@shiplog/api/schema/registry'
import { validateSchema } from '@shiplog/custom-resources/rules/validate-schema'
import type { MetadataRules } from '@shiplog/custom-resources/values/embedded-resources'
import type { Decoded, Draft } from '@shiplog/api/decoded'
import { items, semanticEqual } from '../fields.ts'
import { validateObjectMeta } from '../metadata-validation.ts'
import { dns1035Label, dns1123Subdomain, pathSegment } from '../names.ts'
import { validateServiceReference, validateUrl } from '../webhook-configuration/webhook-configuration.strategies.ts'

const scopes = ['Cluster', 'Namespaced']
const columnTypes = ['boolean', 'date', 'integer', 'number', 'string']
const columnFormats = ['byte', 'date', 'date-time', 'double', 'float', 'int32', 'int64', 'password']
const strategies = ['None', 'Webhook']
const reviewVersions = ['v1', 'v1beta1']
const deprecationCharactersMax = 256
const selectableFieldsMax = 8

type Version = Decoded<CustomResourceDefinitionVersion>

/** Each part of a version; where all versions have the same, upstream's errors tell of the definition as a whole. */
const versionParts = [
  ['schema', 'validation'],
  ['subresources', 'subresources'],
  ['additionalPrinterColumns', 'additionalPrinterColumns'],
  ['selectableFields', 'selectableFields'],
] as const

/** Names are told of with all that is wrong with them in one sentence. */
const joined = (name: string, field: string, before = ''): StatusCause[] => {
  const sentences = dns1035Label(name)
  return sentences.length === 0 ? [] : [invalidValue(field, name, before + sentences.join(','))]
}

const validateNames = (names: Decoded<CustomResourceDefinitionNames>, field: string): StatusCause[] => {
  const causes: StatusCause[] = []
  for (const key of ['plural', 'singular', 'kind', 'listKind'] as const)
    if (!names[key]) causes.push(required(`${field}.${key}`))
  for (const key of ['plural', 'singular'] as const)
    if (names[key]) causes.push(...joined(names[key], `${field}.${key}`))
  for (const key of ['kind', 'listKind'] as const) {
    const sentences = dns1035Label((names[key] ?? '').toLowerCase())
    if (names[key] && sentences.length > 0)
      causes.push(
        invalidValue(
          `${field}.${key}`,
          names[key],
          `may have mixed case, but should otherwise match: ${sentences.join(',')}`,
        ),
      )
  }
  if (names.kind && names.kind === names.listKind)
    causes.push(invalidValue(`${field}.listKind`, names.listKind, 'kind and listKind may not be the same'))
  for (const list of ['shortNames', 'categories'] as const)
    items(names[list]).forEach((name, index) => {
      causes.push(...joined(name, `${field}.${list}[${index}]`))
    })
  return causes
}

const validateColumn = (column: Decoded<CustomResourceColumnDefinition>, field: string): StatusCause[] => {
  const { name, type, format, jsonPath = '' } = column
  const wanted = `must be one of ${columnTypes.join(',')}`
  return [
    ...(name ? [] : [required(`${field}.name`)]),
    ...(!type
      ? [required(`${field}.type`, wanted)]
      : columnTypes.includes(type)
        ? []
        : [invalidValue(`${field}.type`, type, wanted)]),
    ...(format && !columnFormats.includes(format)
      ? [invalidValue(`${field}.format`, format, `must be one of ${columnFormats.join(',')}`)]
      : []),
    ...(jsonPath === '' ? [required(`${field}.JSONPath`)] : simplePath(jsonPath, `${field}.JSONPath`)),
  ]
}

const simplePath = (path: string, field: string): StatusCause[] =>
  path.startsWith('.') ? [] : [invalidValue(field, path, 'must be a simple json path starting with .')]

const validateSubresources = ({ scale }: Decoded<CustomResourceSubresources>, field: string): StatusCause[] => {
  if (!scale) return []
  const within = (
    key: keyof typeof scale,
    roots: readonly string[],
    sentence: string,
    isRequired: boolean,
  ): StatusCause[] => {
    const path = scale[key] ?? ''
    const at = `${field}.scale.${key}`
    if (path === '') return isRequired ? [required(at)] : []
    const wrong = simplePath(path, at)
    if (wrong.length > 0) return wrong
    return roots.some((root) => path.startsWith(root)) ? [] : [invalidValue(at, path, sentence)]
  }
  return [
    ...within('specReplicasPath', ['.spec.'], 'should be a json path under .spec', true),
    ...within('statusReplicasPath', ['.status.'], 'should be a json path under .status', true),
    ...within(
      'labelSelectorPath',
      ['.spec.', '.status.'],
      'should be a json path under either .spec or .status',
      false,
    ),
  ]
}

/** The schema that a path of dots leads to, or why it leads nowhere. */
const follow = (path: string, schema: Decoded<JSONSchemaProps>): Decoded<JSONSchemaProps> | string => {
  if (!path.startsWith('.')) return `expected [ or . but got: ${path}`
  let at = schema
  for (const step of path.slice(1).split('.')) {
    const next: unknown = at.properties?.[step] ?? at.additionalProperties
    if (!next || typeof next !== 'object') return 'does not refer to a valid field'
    at = next as Decoded<JSONSchemaProps>
  }
  return at
}

const validateSelectable = (
  fields: Decoded<SelectableField[]>,
  schema: Decoded<JSONSchemaProps> | undefined,
  field: string,
): StatusCause[] => {
  const given = items(fields)
  if (given.length === 0) return []
  if (!schema) return [invalidValue(field, '', 'may only be set when validations.schema is included')]
  const seen = new Set<string>()
  const causes = given.flatMap(({ jsonPath = '' }, index) => {
    const at = `${field}[${index}].jsonPath`
    if (jsonPath === '') return [required(at)]
    const found = follow(jsonPath, schema)
    if (typeof found === 'string') return [invalidValue(at, jsonPath, `is an invalid path: ${found}`)]
    const wrong: StatusCause[] = []
    if (jsonPath.startsWith('.metadata.'))
      wrong.push(invalidValue(at, jsonPath, 'must not point to fields in metadata'))
    if (!['string', 'boolean', 'integer'].includes(found.type ?? ''))
      wrong.push(
        invalidValue(
          at,
          jsonPath,
          'must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.',
        ),
      )
    if (seen.has(jsonPath)) wrong.push(duplicate(at, jsonPath))
    seen.add(jsonPath)
    return wrong
  })
  if (seen.size > selectableFieldsMax)
    causes.push({
      reason: 'FieldValueTooMany',
      message: `Too many: ${seen.size}: must have at most ${selectableFieldsMax} items`,
      field,
    })
  return causes
}

/** Metadata of resources inside of resources, as that of any object. */
export const embeddedMetadata = (): MetadataRules => ({
  registry: builtInRegistry(),
  validate: (metadata) =>
    validateObjectMeta({ apiVersion: '', kind: '', metadata } as unknown as KubeObject, {
      namespaced: Boolean(metadata['namespace']),
      validateName: pathSegment,
      anyFinalizers: true,
    }),
})

/** `sharers` are the versions that have the part in common; `before` is what the first of them was. */
const validatePart = (
  key: (typeof versionParts)[number][0],
  version: Version,
  field: string,
  before: Version | undefined,
  sharers: readonly Version[] = [version],
): StatusCause[] => {
  const { schema, subresources, additionalPrinterColumns, selectableFields } = version
  switch (key) {
    case 'schema':
      return schema?.openAPIV3Schema
        ? validateSchema(schema.openAPIV3Schema as JSONSchemaProps, {
            field: `${field}.openAPIV3Schema`,
            hasStatus: sharers.some((one) => one.subresources?.status !== undefined),
            metadata: embeddedMetadata(),
            isUnchanged: before !== undefined && semanticEqual(before.schema, schema),
          })
        : []
    case 'subresources':
      return subresources ? validateSubresources(subresources, field) : []
    case 'additionalPrinterColumns':
      return items(additionalPrinterColumns).flatMap((column, index) => validateColumn(column, `${field}[${index}]`))
    default:
      return selectableFields ? validateSelectable(selectableFields, schema?.openAPIV3Schema, field) : []
  }
}

const validateDeprecation = ({ deprecated, deprecationWarning: warning }: Version, field: string): StatusCause[] => {
  if (typeof warning !== 'string') return []
  const wrong = (sentence: string): StatusCause => invalidValue(field, warning, sentence)
  if (deprecated !== true) return [wrong('can only be set for deprecated versions')]
  return [
    ...(warning.length > deprecationCharactersMax ? [wrong('must be <= 256 characters long')] : []),
    ...(warning === '' ? [wrong('must not be an empty string')] : []),
  ]
}

/** As upstream prints a version: parts that all versions share are kept elsewhere there. */
const shownVersion = (version: Version, shared: ReadonlySet<string>): object => ({
  Name: version.name ?? '',
  Served: version.served === true,
  Storage: version.storage === true,
  Deprecated: version.deprecated === true,
  DeprecationWarning: version.deprecationWarning ?? null,
  ...Object.fromEntries(
    versionParts.map(([key]) => [
      `${key[0]!.toUpperCase()}${key.slice(1)}`,
      shared.has(key) ? null : (version[key] ?? null),
    ]),
  ),
})

const validateVersions = (versions: readonly Version[], before: readonly Version[], field: string): StatusCause[] => {
  const causes: StatusCause[] = []
  const counterpart = ({ name }: Version): Version | undefined => before.find((one) => one.name === name)
  const [first] = versions
  const shared: ReadonlySet<string> = new Set(
    versionParts.filter(([key]) => versions.every((one) => semanticEqual(one[key], first?.[key]))).map(([key]) => key),
  )
  const shown = versions.length > 0 ? versions.map((version) => shownVersion(version, shared)) : null
  const names = versions.map(({ name = '' }) => name)
  versions.forEach((version, index) => {
    const at = `${field}[${index}]`
    causes.push(...joined(names[index]!, `${at}.name`))
    causes.push(...validateDeprecation(version, `${at}.deprecationWarning`))
    if (!version.schema?.openAPIV3Schema) causes.push(required(`${at}.schema.openAPIV3Schema`))
    for (const [key] of versionParts) if (!shared.has(key)) causes.push(...validatePart(key, version, `${at}.${key}`, counterpart(version)))
  })
  if (names[0]) causes.push(...joined(names[0], 'spec.version'))
  if (new Set(names).size < names.length) causes.push(invalidValue(field, shown, 'must contain unique version names'))
  if (versions.filter(({ storage }) => storage === true).length !== 1)
    causes.push(invalidValue(field, shown, 'must have exactly one version marked as storage version'))
  if (first)
    for (const [key, part] of versionParts)
      if (shared.has(key)) causes.push(...validatePart(key, first, `spec.${part}`, counterpart(first), versions))
  return causes
}

const validateConversion = (
  conversion: Decoded<CustomResourceConversion> | undefined,
  field: string,
): StatusCause[] => {
  if (!conversion) return []
  const { strategy = '', webhook } = conversion
  const versions = items(webhook?.conversionReviewVersions)
  const [at, client] = [`${field}.conversionReviewVersions`, `${field}.webhookClientConfig`]
  const causes: StatusCause[] = []
  if (strategy === '') causes.push(required(`${field}.strategy`))
  else if (!strategies.includes(strategy)) causes.push(notSupported(`${field}.strategy`, strategy, strategies))
  if (strategy !== 'Webhook') {
    const sentence = 'should not be set when strategy is not set to Webhook'
    if (webhook?.clientConfig) causes.push(forbiddenField(client, sentence))
    if (versions.length > 0) causes.push(forbiddenField(at, sentence))
    return causes
  }
  const { url, service } = webhook?.clientConfig ?? {}
  if (!webhook?.clientConfig) causes.push(required(client, 'required when strategy is set to Webhook'))
  else if (url === undefined && !service) causes.push(required(client, 'exactly one of url or service is required'))
  else if (url !== undefined && service) causes.push(required(client, 'exactly one of url or service is required'))
  else if (service) causes.push(...validateServiceReference(service, `${client}.service`))
  else if (url !== undefined) causes.push(...validateUrl(url, `${client}.url`))
  if (versions.length === 0) causes.push(required(at))
  else {
    versions.forEach((version, index) => {
      if (versions.indexOf(version) < index) causes.push(invalidValue(`${at}[${index}]`, version, 'duplicate version'))
      else for (const sentence of dns1035Label(version)) causes.push(invalidValue(`${at}[${index}]`, version, sentence))
    })
    if (!versions.some((version) => reviewVersions.includes(version)))
      causes.push(invalidValue(at, versions, `must include at least one of ${reviewVersions.join(', ')}`))
  }
  return causes
}

const validateStoredVersions = (stored: readonly string[], versions: readonly Version[]): StatusCause[] => {
  const at = 'status.storedVersions'
  if (stored.length === 0) return [invalidValue(at, null, 'must have at least one stored version')]
  const left = new Map(stored.map((version, index) => [version, index]))
  const causes: StatusCause[] = []
  for (const { name = '', storage } of versions) {
    if (storage === true && !left.has(name))
      causes.push(invalidValue(at, stored, `must have the storage version ${name}`))
    left.delete(name)
  }
  for (const [version, index] of left)
    causes.push(
      invalidValue(
        `${at}[${index}]`,
        version,
        `missing from spec.versions; ${version} was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in ${version} and removes ${version} from status.storedVersions`,
      ),
    )
  return causes
}

const validateGroup = (group: string): StatusCause[] => {
  const at = 'spec.group'
  if (group === '') return [required(at)]
  const sentences = dns1123Subdomain(group)
  if (sentences.length > 0) return [invalidValue(at, group, sentences.join(','))]
  return group.includes('.') ? [] : [invalidValue(at, group, 'should be a domain with at least one dot')]
}

export const validateDefinition = (
  definition: Draft<CustomResourceDefinition>,
  before?: Draft<CustomResourceDefinition>,
): StatusCause[] => {
  const spec = definition.spec ?? {}
  const { metadata } = definition
  const expected = `${spec.names?.plural ?? ''}.${spec.group ?? ''}`
  const misnamed = 'must be spec.names.plural+"."+spec.group'
  const openBefore = before?.spec?.preserveUnknownFields === true
  return [
    ...(metadata.name === expected ? [] : [invalidValue('metadata.name', metadata.name, misnamed)]),
    ...(metadata.generateName && metadata.generateName !== expected
      ? [invalidValue('metadata.generateName', metadata.generateName, misnamed)]
      : []),
    ...validateGroup(spec.group ?? ''),
    ...(!spec.scope
      ? [required('spec.scope')]
      : scopes.includes(spec.scope)
        ? []
        : [notSupported('spec.scope', spec.scope, scopes)]),
    ...(spec.preserveUnknownFields === true && !openBefore
      ? [
          invalidValue(
            'spec.preserveUnknownFields',
            true,
            'cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead',
          ),
        ]
      : []),
    ...validateVersions(items(spec.versions), items(before?.spec?.versions), 'spec.versions'),
    ...validateNames(spec.names ?? {}, 'spec.names'),
    ...validateConversion(spec.conversion, 'spec.conversion'),
    ...validateStoredVersions(items(definition.status?.storedVersions), items(spec.versions)),
  ]
}
