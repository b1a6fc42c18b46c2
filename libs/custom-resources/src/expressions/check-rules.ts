// The rules of a schema when it is written: each must be an expression of the right type, and none may be able to cost more
// than a request may (k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation, cel_validation.go).
import { forbiddenField, invalidValue } from '@shiplog/api/field-errors'
import type { JSONSchemaProps, ValidationRule } from '@shiplog/api/generated/types/apiextensions-v1'
import type { StatusCause } from '@shiplog/api/status'
import { structuralSchema, valuesOf, type StructuralSchema } from '../schema/structural-schema.ts'
import { compileRules, type CompiledRule } from './compile-rules.ts'
import { declaredType, type DeclaredType } from './declared-types.ts'
import { escapeName } from './escape.ts'

/** The most that one expression may be able to cost, wherever its schema stands. */
const expressionCostMax = 10_000_000
/** And all of a schema together. */
const schemaCostMax = 100_000_000
const unlimited = 2 ** 64
/** The dearest rules are named when all together cost too much. */
const namedMax = 4

interface Place {
  readonly schema: StructuralSchema
  readonly field: string
  readonly declared: DeclaredType | undefined
  readonly isResource: boolean
  /** How often a value may stand here; undefined where nothing bounds it. */
  readonly cardinality: number | undefined
  /** The list or map whose items have no counterparts, so that `oldSelf` means nothing here. */
  readonly uncorrelatable: string | undefined
}

interface Run {
  readonly causes: StatusCause[]
  /** What one expression may cost; all together are bounded in any case. */
  readonly expressionCostMax: number
  total: number
  dearest: { readonly field: string; readonly cost: number }[]
}

/** What is wrong with the expressions of a schema that is otherwise right. */
export const validateRuleExpressions = (
  props: JSONSchemaProps,
  field: string,
  { isUnchanged = false }: { readonly isUnchanged?: boolean } = {},
): StatusCause[] => {
  const schema = structuralSchema(props)
  const run: Run = {
    causes: [],
    expressionCostMax: isUnchanged ? Number.POSITIVE_INFINITY : expressionCostMax,
    total: 0,
    dearest: [],
  }
  visit({ schema, field, declared: undefined, isResource: true, cardinality: 1, uncorrelatable: undefined }, run)
  if (run.total > schemaCostMax) {
    for (const { field: at } of run.dearest)
      run.causes.push(
        forbiddenField(at, 'contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema'),
      )
    run.causes.push(
      forbiddenField(
        field,
        tooDear('x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema', run.total, schemaCostMax),
      ),
    )
  }
  return run.causes
}

const tooDear = (what: string, cost: number, max: number): string => {
  const factor = cost / max
  const shown = factor > 100 ? 'more than 100x' : factor < 1.5 ? `${factor.toFixed(6)}x` : `${factor.toFixed(1)}x`
  return `${what} exceeds budget by factor of ${shown} (try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared)`
}

const visit = (given: Place, run: Run): void => {
  // A schema's types are worked out where the first rule around it is, and only there.
  const declared =
    given.declared ?? (given.schema.validations.length > 0 ? declaredType(given.schema, given.isResource) : undefined)
  const place = { ...given, declared }
  if (declared) for (const [index, rule] of compileRules(given.schema, declared).entries()) checkRule(rule(), index, place, run)
  for (const below of placesBelow(place)) visit(below, run)
}

const placesBelow = (place: Place): Place[] => {
  const { schema, field, declared } = place
  const values = valuesOf(schema)
  const cardinality = below(schema, place.cardinality)
  const inside = (one: StructuralSchema, at: string, known: DeclaredType | undefined, more: Partial<Place> = {}): Place => ({
    ...{ schema: one, field: at, declared: known, isResource: one.embeddedResource, cardinality },
    uncorrelatable: place.uncorrelatable,
    ...more,
  })
  const { mapType } = schema
  const isMapCorrelatable = mapType === undefined || mapType === 'granular' || mapType === 'atomic'
  return [
    ...[...schema.properties].map(([name, one]) => {
      const escaped = escapeName(name)
      const known = escaped === undefined ? undefined : declared?.fields?.get(escaped)
      return inside(one, `${field}.properties[${name}]`, known, {
        uncorrelatable: place.uncorrelatable ?? (isMapCorrelatable ? undefined : field),
      })
    }),
    ...(values ? [inside(values, `${field}.additionalProperties`, declared?.items)] : []),
    ...(schema.items
      ? [
          inside(schema.items, `${field}.items`, declared?.items, {
            uncorrelatable: place.uncorrelatable ?? (schema.listType === 'map' ? undefined : field),
          }),
        ]
      : []),
  ]
}

/** How often values below may be there. */
const below = (schema: StructuralSchema, cardinality: number | undefined): number | undefined => {
  const { maxItems, maxProperties } = schema.rules
  const most =
    schema.type === 'array'
      ? maxItems
      : schema.type === 'object' && schema.additionalProperties !== undefined
        ? maxProperties
        : 1
  return most === undefined || cardinality === undefined ? undefined : multiply(cardinality, Math.max(most, 0))
}

const multiply = (cost: number, by: number): number => Math.min(cost * by, unlimited)

const checkRule = (compiled: CompiledRule, index: number, place: Place, run: Run): void => {
  const at = `${place.field}.x-kubernetes-validations[${index}]`
  const { rule, expression, message, problem, messageProblem } = compiled
  const cost = multiply(expression?.maxCost ?? 0, place.cardinality ?? compiled.cardinality)
  if (cost > run.expressionCostMax)
    run.causes.push(forbiddenField(`${at}.rule`, tooDear('estimated rule cost', cost, expressionCostMax)))
  observe(`${at}.rule`, cost, run)
  if (problem !== undefined) run.causes.push(invalidValue(`${at}.rule`, shownRule(rule), problem))
  if (messageProblem !== undefined) run.causes.push(invalidValue(`${at}.messageExpression`, shownRule(rule), messageProblem))
  else if (message) {
    if (message.maxCost > run.expressionCostMax)
      run.causes.push(
        forbiddenField(
          `${at}.messageExpression`,
          tooDear('estimated messageExpression cost', message.maxCost, expressionCostMax),
        ),
      )
    observe(`${at}.messageExpression`, message.maxCost, run)
  }
  if (compiled.usesOldSelf) {
    if (place.uncorrelatable !== undefined)
      run.causes.push(
        invalidValue(
          `${at}.rule`,
          rule.rule,
          `oldSelf cannot be used on the uncorrelatable portion of the schema within ${place.uncorrelatable}`,
        ),
      )
  } else if (rule.optionalOldSelf !== undefined && rule.optionalOldSelf !== null)
    run.causes.push(
      invalidValue(`${at}.optionalOldSelf`, rule.optionalOldSelf, 'may not be set if oldSelf is not used in rule'),
    )
}

const observe = (field: string, cost: number, run: Run): void => {
  run.total = Math.min(run.total + cost, unlimited)
  if (cost < schemaCostMax / 100) return
  run.dearest = [...run.dearest, { field, cost }].sort((a, b) => b.cost - a.cost).slice(0, namedMax)
}

/** The rule as upstream prints it, in the names of Go's fields. */
const shownRule = (rule: ValidationRule): object => ({
  Rule: rule.rule,
  Message: rule.message ?? '',
  MessageExpression: rule.messageExpression ?? '',
  Reason: rule.reason ?? null,
  FieldPath: rule.fieldPath ?? '',
  OptionalOldSelf: rule.optionalOldSelf ?? null,
})
