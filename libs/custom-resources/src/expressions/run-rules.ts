// Rules of a schema on an object: every value whose schema has some is judged, with its counterpart before an update.
// All rules of a request share one budget (k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel/validation.go).
import { forbiddenField, invalidValue, required } from '@shiplog/api/field-errors'
import { goQuote } from '@shiplog/api/decode/go-quote'
import type { ValidationRule } from '@shiplog/api/generated/types/apiextensions-v1'
import type { StatusCause } from '@shiplog/api/status'
import { spendSteps } from '@shiplog/cel/meter'
import { none, Optional, type Value } from '@shiplog/cel/values'
import { hasRules, isPlainObject, valuesOf, type StructuralSchema } from '../schema/structural-schema.ts'
import { keyOf, type Correlation } from '../validation/correlation.ts'
import { shownJson } from '../validation/go-text.ts'
import { compileRules, type CompiledRule } from './compile-rules.ts'
import { declaredType, type DeclaredType } from './declared-types.ts'
import { escapeName } from './escape.ts'
import { lazily } from './lazily.ts'
import { selfValue } from './schema-values.ts'

/** What one evaluation may cost. */
export const callCostMax = 1_000_000
/** What all rules of a request may cost. */
export const requestCostMax = 10_000_000
const messageBytesMax = 5 * 1024

/** A schema with rules, or with some below it. */
export interface RuledSchema {
  readonly schema: StructuralSchema
  readonly isResource: boolean
  readonly rules: readonly (() => CompiledRule)[]
  readonly items: RuledSchema | undefined
  readonly values: RuledSchema | undefined
  readonly properties: ReadonlyMap<string, RuledSchema>
}

/** The rules of a schema, compiled; undefined when there are none. */
export const ruledSchema = (schema: StructuralSchema, isResource: boolean): RuledSchema | undefined =>
  hasRules(schema) ? withRules(schema, isResource, declaredType(schema, isResource)) : undefined

const withRules = (
  schema: StructuralSchema,
  isResource: boolean,
  declared: DeclaredType | undefined,
): RuledSchema | undefined => {
  if (!hasRules(schema)) return undefined
  const properties = new Map<string, RuledSchema>()
  for (const [name, property] of schema.properties) {
    const escaped = escapeName(name)
    const field = escaped === undefined ? declaredType(property, property.embeddedResource) : declared?.fields?.get(escaped)
    const ruled = field && withRules(property, property.embeddedResource, field)
    if (ruled) properties.set(name, ruled)
  }
  const values = valuesOf(schema)
  return {
    schema,
    isResource,
    rules: declared ? compileRules(schema, declared) : [],
    items: schema.items && withRules(schema.items, schema.items.embeddedResource, declared?.items),
    values: values && withRules(values, values.embeddedResource, declared?.items),
    properties,
  }
}

/** The counterpart of a value for ratcheting, and that of the nearest value around that has one. */
interface Ratchet {
  readonly current: Correlation | undefined
  readonly around: Correlation | undefined
}

interface Run {
  readonly causes: StatusCause[]
  budget: number
}

/** The budget is gone: no further rules. */
class OutOfBudget extends Error {}

export interface RuleOutcome {
  readonly causes: readonly StatusCause[]
  readonly budget: number
}

/** Judges an object. */
export const runRules = (
  ruled: RuledSchema,
  object: unknown,
  before: unknown,
  options: { readonly field?: string; readonly correlation?: Correlation | undefined; readonly budget?: number } = {},
): RuleOutcome => {
  const run: Run = { causes: [], budget: options.budget ?? requestCostMax }
  try {
    visit(ruled, object, before, options.field ?? '', { current: options.correlation, around: undefined }, run)
  } catch (error) {
    if (!(error instanceof OutOfBudget)) throw error
    run.budget = -1
  }
  return run
}

/** Of the meter, beside what its rules cost. */
const valueSteps = 10

const child = (field: string, name: string): string => (field === '' ? name : `${field}.${name}`)

const visit = (
  ruled: RuledSchema,
  value: unknown,
  before: unknown,
  field: string,
  ratchet: Ratchet,
  run: Run,
): void => {
  spendSteps(valueSteps)
  if (value === null || value === undefined) return
  if (ruled.rules.length > 0) judge(ruled, value, before, field, ratchet, run)
  if (Array.isArray(value)) visitItems(ruled, value, before, field, ratchet, run)
  else if (isPlainObject(value)) visitFields(ruled, value, before, field, ratchet, run)
}

const visitItems = (
  ruled: RuledSchema,
  list: readonly unknown[],
  before: unknown,
  field: string,
  ratchet: Ratchet,
  run: Run,
): void => {
  const { items, schema } = ruled
  if (!items) return
  const keyed = new Map<string, unknown>()
  if (Array.isArray(before) && schema.listType === 'map')
    for (const item of before) {
      const key = keyOf(item, schema.listMapKeys)
      if (key !== undefined && !keyed.has(key)) keyed.set(key, item)
    }
  for (let index = 0; index < list.length; index++) {
    const key = keyed.size > 0 ? keyOf(list[index], schema.listMapKeys) : undefined
    const inside: Ratchet = ratchet.current
      ? { current: ratchet.current.item(index), around: ratchet.current }
      : ratchet
    visit(items, list[index], key === undefined ? undefined : keyed.get(key), `${field}[${index}]`, inside, run)
  }
}

const visitFields = (
  ruled: RuledSchema,
  object: Record<string, unknown>,
  before: unknown,
  field: string,
  ratchet: Ratchet,
  run: Run,
): void => {
  const { mapType } = ruled.schema
  const correlatable = mapType === undefined || mapType === 'granular' || mapType === 'atomic'
  const old = correlatable && isPlainObject(before) ? before : {}
  for (const name of Object.keys(object)) {
    const property = ruled.properties.get(name)
    const inside = property ?? (ruled.schema.properties.has(name) ? undefined : ruled.values)
    if (!inside) continue
    const at = property ? child(field, name) : `${field}[${name}]`
    visit(inside, object[name], Object.hasOwn(old, name) ? old[name] : undefined, at, ratchetAt(ratchet, name), run)
  }
}

const ratchetAt = (ratchet: Ratchet, name: string): Ratchet => {
  if (!ratchet.current) return ratchet
  if (!ratchet.around && (name === 'apiVersion' || name === 'kind')) return { current: undefined, around: undefined }
  return { current: ratchet.current.field(name), around: ratchet.current }
}

const isUnchanged = ({ current, around }: Ratchet): boolean =>
  current ? current.isUnchanged() : (around?.isUnchanged() ?? false)

/** What a rule shows of the value: its type, where something went wrong. */
const wrong = (ruled: RuledSchema, field: string, detail: string): StatusCause =>
  invalidValue(field === '' ? '<nil>' : field, ruled.schema.type, detail)

const judge = (
  ruled: RuledSchema,
  value: unknown,
  before: unknown,
  field: string,
  ratchet: Ratchet,
  run: Run,
): void => {
  if (run.budget <= 0) {
    run.causes.push(wrong(ruled, field, outOfBudget))
    throw new OutOfBudget()
  }
  const hasBefore = before !== undefined && before !== null
  const self = lazily(() => selfValue(value, ruled.schema, ruled.isResource))
  const oldSelf = lazily(() => selfValue(before, ruled.schema, ruled.isResource))
  for (const rule of ruled.rules) {
    const compiled = rule()
    if (compiled.problem !== undefined) {
      run.causes.push(wrong(ruled, field, `rule compile error: ${compiled.problem}`))
      continue
    }
    if (!compiled.expression) continue
    const isOptional = compiled.rule.optionalOldSelf === true
    if (compiled.usesOldSelf && !hasBefore && !isOptional) continue
    const variables: Record<string, Value | undefined> = {
      get self() {
        return self()
      },
      get oldSelf() {
        if (isOptional) return hasBefore ? new Optional(oldSelf()) : none
        return hasBefore ? oldSelf() : undefined
      },
    }
    evaluate(compiled, variables, ruled, value, field, ratchet, run)
  }
}

const outOfBudget = 'validation failed due to running out of cost budget, no further validation rules will be run'

/** The rule as errors name it. */
const shownRule = (rule: ValidationRule): string => (rule.message || rule.rule).trim()

const evaluate = (
  compiled: CompiledRule,
  variables: Record<string, Value | undefined>,
  ruled: RuledSchema,
  value: unknown,
  field: string,
  ratchet: Ratchet,
  run: Run,
): void => {
  const { rule } = compiled
  const outcome = compiled.expression!.program(variables, callCostMax)
  if (!spend(run, outcome.cost)) {
    run.causes.push(wrong(ruled, field, outOfBudget))
    throw new OutOfBudget()
  }
  if (outcome.error !== undefined) {
    run.causes.push(wrong(ruled, field, problemOf(outcome.error, rule)))
    if (outcome.error.startsWith('operation cancelled')) throw new OutOfBudget()
    return
  }
  if (outcome.value === true) return
  const at = compiled.path === '' ? field : child(field, compiled.path)
  const ratchets = !compiled.usesOldSelf && isUnchanged(ratchet)
  const tell = (cause: StatusCause): void => {
    if (!ratchets) run.causes.push(cause)
  }
  const detail = messageOf(compiled, variables, run, (problem) => tell(wrong(ruled, at, problem)))
  tell(causeOf(rule, at, value, detail, ruled.schema.type))
}

const spend = (run: Run, cost: number): boolean => {
  if (cost > run.budget) return false
  run.budget -= cost
  return true
}

const problemOf = (error: string, rule: ValidationRule): string => {
  if (error.startsWith('no such overload'))
    return `'${error}': call arguments did not match a supported operator, function or macro signature for rule: ${shownRule(rule)}`
  return error.startsWith('operation cancelled')
    ? `'${error}': no further validation rules will be run due to call cost exceeds limit for rule: ${shownRule(rule)}`
    : `${error} evaluating rule: ${shownRule(rule)}`
}

/** What the rule's own expression says, or its message, or the rule itself. */
const messageOf = (
  compiled: CompiledRule,
  variables: Record<string, Value | undefined>,
  run: Run,
  tell: (problem: string) => void,
): string => {
  const { rule, message } = compiled
  const otherwise = rule.message ? rule.message.trim() : `failed rule: ${shownRule(rule)}`
  if (!message) return otherwise
  const outcome = message.program(variables, callCostMax)
  if (!spend(run, outcome.cost)) {
    tell('messageExpression evaluation failed due to running out of cost budget, no further validation rules will be run')
    throw new OutOfBudget()
  }
  if (outcome.error?.startsWith('operation cancelled')) {
    tell(
      `no further validation rules will be run due to call cost exceeds limit for messageExpression: ${goQuote(rule.messageExpression ?? '')}`,
    )
    throw new OutOfBudget()
  }
  const text = typeof outcome.value === 'string' ? outcome.value.trim() : ''
  return text === '' || text.includes('\n') || Buffer.byteLength(text) > messageBytesMax ? otherwise : text
}

const causeOf = (rule: ValidationRule, at: string, value: unknown, detail: string, type: string): StatusCause => {
  const field = at === '' ? '<nil>' : at
  const isWhole = type === 'object' || type === 'array'
  switch (rule.reason) {
    case 'FieldValueForbidden':
      return forbiddenField(field, detail)
    case 'FieldValueRequired':
      return required(field, detail)
    case 'FieldValueDuplicate':
      return {
        reason: 'FieldValueDuplicate',
        message: isWhole ? 'Duplicate value' : `Duplicate value: ${shown(value)}`,
        field,
      }
    default:
      return isWhole
        ? { reason: 'FieldValueInvalid', message: `Invalid value${detail ? `: ${detail}` : ''}`, field }
        : invalidValue(field, shownJson(value), detail)
  }
}

const shown = (value: unknown): string => (typeof value === 'string' ? goQuote(value) : JSON.stringify(shownJson(value)))
