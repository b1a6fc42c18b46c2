// Whether an object is as its schema says. Parts that did not change since before are not judged anew: they may have been
// written when the schema said something else (KEP-4008).
import type { CustomResourceSubresourceScale } from '@shiplog/api/generated/types/apiextensions-v1'
import type { JsonObject } from '@shiplog/api/kube-object'
import type { StatusCause } from '@shiplog/api/status'
import { invalidValue } from '@shiplog/api/field-errors'
import { expressions } from '../expressions/late.ts'
import type { RuledSchema } from '../expressions/run-rules.ts'
import { hasRules, type StructuralSchema } from '../schema/structural-schema.ts'
import { validateEmbedded, type MetadataRules } from '../values/embedded-resources.ts'
import { correlate, type Correlation } from './correlation.ts'
import { validateListTypes } from './list-types.ts'
import { newRun } from './run.ts'
import { validateScaleSpec, validateScaleStatus } from './scale-paths.ts'
import { validatorOf, type Validate } from './validator.ts'

const validators = new WeakMap<StructuralSchema, Validate>()

const validatorFor = (schema: StructuralSchema): Validate => {
  let validate = validators.get(schema)
  if (validate === undefined) validators.set(schema, (validate = validatorOf(schema)))
  return validate
}

/** Types, formats, bounds, patterns, alternatives: all that the schema's keywords say. `root` is where the value stands. */
export const validateValue = (
  schema: StructuralSchema,
  next: unknown,
  before?: unknown,
  root = '',
): StatusCause[] => validateAgainst(schema, next, before === undefined ? undefined : correlate(next, before, schema), root)

const validateAgainst = (
  schema: StructuralSchema,
  next: unknown,
  correlation: Correlation | undefined,
  root: string,
): StatusCause[] => {
  const run = newRun(root)
  validatorFor(schema)(next, run, correlation)
  if (run.problems.length > 0 && correlation?.isUnchanged()) return []
  return run.problems.map(({ cause }) => cause)
}

export interface ResourceCheck {
  readonly schema: StructuralSchema
  readonly object: JsonObject
  /** The object before an update. */
  readonly before?: JsonObject | undefined
  /** Only the status may have changed. */
  readonly isStatus?: boolean
  readonly scale?: CustomResourceSubresourceScale | undefined
  readonly metadata: MetadataRules
}

/** All that is judged of a custom resource beside its own metadata, in upstream's order; rules last. */
export const validateResource = (check: ResourceCheck): StatusCause[] => {
  const { schema, object, before, isStatus = false, scale, metadata } = check
  // One comparison with what was before serves the schema and its rules.
  const correlation = before === undefined ? undefined : correlate(object, before, schema)
  const causes = [
    ...(isStatus ? validateStatus(schema, object, before) : validateAgainst(schema, object, correlation, '')),
    ...(isStatus ? [] : validateScaleSpec(object, scale)),
    ...validateScaleStatus(object, scale),
    ...(isStatus ? [] : validateEmbedded(object, schema, metadata)),
    ...validateLists(schema, object, before),
  ]
  const ruled = rulesFor(schema)
  if (!ruled) return causes
  if (causes.some(({ reason }) => blocking.has(reason ?? ''))) return [...causes, notChecked]
  const outcome = expressions().runRules(ruled, object, before, { correlation })
  return [...causes, ...outcome.causes]
}

/** With these an object is not what rules were written for. */
const blocking: ReadonlySet<string> = new Set([
  'FieldValueNotSupported',
  'FieldValueRequired',
  'FieldValueTooLong',
  'FieldValueTooMany',
  'FieldValueTypeInvalid',
])

const notChecked = invalidValue(
  '<nil>',
  null,
  'some validation rules were not checked because the object was invalid; correct the existing errors to complete validation',
)

const ruled = new WeakMap<StructuralSchema, RuledSchema | 'none'>()

/** The rules of a schema, compiled with the first object; most schemas have none, and load nothing. */
const rulesFor = (schema: StructuralSchema): RuledSchema | undefined => {
  let rules = ruled.get(schema)
  if (rules === undefined) {
    rules = hasRules(schema) ? (expressions().ruledSchema(schema, true) ?? 'none') : 'none'
    ruled.set(schema, rules)
  }
  return rules === 'none' ? undefined : rules
}

const validateStatus = (schema: StructuralSchema, object: JsonObject, before: JsonObject | undefined): StatusCause[] => {
  const status = schema.properties.get('status')
  if (!status || !Object.hasOwn(object, 'status')) return []
  return validateValue(status, object['status'], before?.['status'], 'status')
}

/** An object whose lists were wrong before may stay so. */
const validateLists = (schema: StructuralSchema, object: JsonObject, before: JsonObject | undefined): StatusCause[] => {
  const causes = validateListTypes(object, schema)
  return causes.length > 0 && before && validateListTypes(before, schema).length > 0 ? [] : causes
}
