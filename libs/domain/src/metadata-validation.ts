// ObjectMeta's rules, the same for all kinds, in the sentences of k8s.io/apimachinery/pkg/api/validation/objectmeta.go.
import { forbiddenField, invalidValue, notSupported, required, tooLong } from '@shiplog/api/field-errors'
import type { KubeObject, ManagedFieldsEntry, ObjectMeta, OwnerReference } from '@shiplog/api/kube-object'
import { validateLabels } from '@shiplog/api/selectors'
import type { StatusCause } from '@shiplog/api/status'
import { byRule, entries, immutable, nonNegative } from './fields.ts'
import { dns1123Label, dns1123Subdomain, type NameRule, qualifiedName } from './names.ts'

/** All annotations of an object together, keys and values. */
export const annotationsBytesMax = 256 * 1024
const managerCharactersMax = 128

/** What depends on the kind. */
export interface MetadataRules {
  readonly namespaced: boolean
  /** Default: DNS-1123 subdomain. */
  readonly validateName?: NameRule | undefined
  /** Finalizers need no domain. */
  readonly anyFinalizers?: boolean
  /** generateName is not validated. */
  readonly anyGenerateName?: boolean
}

const utf8 = new TextEncoder()
// A text can take at most three bytes a UTF-16 unit; only near the bound is it worth encoding.
const bytesOf = (text: string): number => utf8.encode(text).length

/** Keys and total size of annotations. */
export const validateAnnotations = (
  annotations: Readonly<Record<string, string>> | undefined,
  field: string,
): StatusCause[] => {
  const causes: StatusCause[] = []
  let units = 0
  for (const [key, value] of entries(annotations)) {
    for (const sentence of qualifiedName(key.toLowerCase())) causes.push(invalidValue(field, key, sentence))
    units += key.length + (typeof value === 'string' ? value.length : 0)
  }
  if (units * 3 > annotationsBytesMax) {
    const bytes = entries(annotations).reduce((sum, [key, value]) => sum + bytesOf(key) + bytesOf(String(value)), 0)
    if (bytes > annotationsBytesMax) causes.push(tooLong(field, annotationsBytesMax))
  }
  return causes
}

const validateOwnerReferences = (references: readonly Partial<OwnerReference>[], field: string): StatusCause[] => {
  const causes: StatusCause[] = []
  let controller: string | undefined
  references.forEach((reference) => {
    const version = reference.apiVersion ?? ''
    // What does not parse as group and version leaves the version empty.
    if (!/^[^/]+$|^[^/]*\/[^/]+$/.test(version))
      causes.push(invalidValue(`${field}.apiVersion`, version, 'version must not be empty'))
    for (const key of ['kind', 'name', 'uid'] as const)
      if (!reference[key]) causes.push(invalidValue(`${field}.${key}`, reference[key] ?? '', 'must not be empty'))
    if (version === 'v1' && reference.kind === 'Event')
      causes.push(invalidValue(field, reference, '/v1, Kind=Event is disallowed from being an owner'))
    if (reference.controller === true) {
      const name = `${reference.kind}/${reference.name}`
      if (controller !== undefined)
        causes.push(
          invalidValue(
            field,
            references,
            `Only one reference can have Controller set to true. Found "true" in references for ${controller} and ${name}`,
          ),
        )
      else controller = name
    }
  })
  return causes
}

const validateFinalizers = (finalizers: readonly string[], field: string): StatusCause[] => {
  const causes = finalizers.flatMap((finalizer) => byRule(qualifiedName, finalizer, field))
  if (finalizers.includes('orphan') && finalizers.includes('foregroundDeletion'))
    causes.push(invalidValue(field, finalizers, 'finalizer orphan and foregroundDeletion cannot be both set'))
  return causes
}

const validateManagedFields = (list: readonly ManagedFieldsEntry[], field: string): StatusCause[] => {
  const causes: StatusCause[] = []
  list.forEach((entry, index) => {
    const at = `${field}[${index}]`
    const operation: string = entry.operation ?? ''
    if (!operation) causes.push(required(`${at}.operation`, 'must not be empty'))
    else if (operation !== 'Apply' && operation !== 'Update')
      causes.push(notSupported(`${at}.operation`, operation, ['Apply', 'Update']))
    const fieldsType: string = entry.fieldsType ?? ''
    if (fieldsType !== '' && fieldsType !== 'FieldsV1')
      causes.push(invalidValue(`${at}.fieldsType`, fieldsType, 'must be `FieldsV1`'))
    if ((entry.manager ?? '').length > managerCharactersMax) causes.push(tooLong(`${at}.manager`, managerCharactersMax))
  })
  return causes
}

/** A prefix that ends in `-` is fine when a name made from it would be. */
const maskTrailingDash = (prefix: string): string =>
  prefix.length > 1 && prefix.endsWith('-') ? `${prefix.slice(0, -1)}a` : prefix

const validateCommon = (metadata: ObjectMeta): StatusCause[] => {
  const causes: StatusCause[] = []
  causes.push(...nonNegative(metadata.generation, 'metadata.generation'))
  if (metadata.labels) causes.push(...validateLabels(metadata.labels, 'metadata.labels'))
  if (metadata.annotations) causes.push(...validateAnnotations(metadata.annotations, 'metadata.annotations'))
  if (metadata.ownerReferences)
    causes.push(...validateOwnerReferences(metadata.ownerReferences, 'metadata.ownerReferences'))
  if (metadata.finalizers) causes.push(...validateFinalizers(metadata.finalizers, 'metadata.finalizers'))
  if (metadata.managedFields) causes.push(...validateManagedFields(metadata.managedFields, 'metadata.managedFields'))
  return causes
}

const standardFinalizers = ['kubernetes', 'orphan', 'foregroundDeletion']

/** A finalizer of nobody's domain must be one of those that Kubernetes itself knows. */
export const validateFinalizerOwner = (finalizer: unknown, field: string): StatusCause[] =>
  typeof finalizer === 'string' && !finalizer.includes('/') && !standardFinalizers.includes(finalizer)
    ? [invalidValue(field, finalizer, 'name is neither a standard finalizer name nor is it fully qualified')]
    : []

/** The metadata of a new object, after its name was generated. */
export const validateObjectMeta = (object: KubeObject, rules: MetadataRules): StatusCause[] => {
  const { metadata } = object
  const nameRule = rules.validateName ?? dns1123Subdomain
  const causes: StatusCause[] = []
  if (metadata.generateName && !rules.anyGenerateName)
    for (const sentence of nameRule(maskTrailingDash(metadata.generateName)))
      causes.push(invalidValue('metadata.generateName', metadata.generateName, sentence))
  if (!metadata.name) causes.push(required('metadata.name', 'name or generateName is required'))
  else causes.push(...byRule(nameRule, metadata.name, 'metadata.name'))
  if (rules.namespaced) {
    if (!metadata.namespace) causes.push(required('metadata.namespace'))
    else causes.push(...byRule(dns1123Label, metadata.namespace, 'metadata.namespace'))
  } else if (metadata.namespace) causes.push(forbiddenField('metadata.namespace', 'not allowed on this type'))
  causes.push(...validateCommon(metadata))
  if (!rules.anyFinalizers)
    metadata.finalizers?.forEach((finalizer, index) => {
      causes.push(...validateFinalizerOwner(finalizer, `metadata.finalizers[${index}]`))
    })
  return causes
}

/** The metadata of an update beside what was there. */
export const validateObjectMetaUpdate = (next: KubeObject, before: KubeObject): StatusCause[] => {
  const causes: StatusCause[] = []
  const now = next.metadata
  const was = before.metadata
  if (was.deletionTimestamp) {
    const extra = (now.finalizers ?? []).filter((finalizer) => !(was.finalizers ?? []).includes(finalizer)).sort()
    if (extra.length > 0)
      causes.push(
        forbiddenField(
          'metadata.finalizers',
          `no new finalizers can be added if the object is being deleted, found new finalizers []string{${extra.map((text) => JSON.stringify(text)).join(', ')}}`,
        ),
      )
  }
  for (const key of [
    'name',
    'namespace',
    'uid',
    'creationTimestamp',
    'deletionTimestamp',
    'deletionGracePeriodSeconds',
  ] as const)
    causes.push(...immutable(now[key], was[key], `metadata.${key}`))
  causes.push(...validateCommon(now))
  return causes
}
