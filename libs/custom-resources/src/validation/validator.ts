// A schema as a function that judges values: compiled once, run on every write. Which keyword is looked at when, and
// which of several failed alternatives is told of, is as in k8s.io/kube-openapi/pkg/validation/validate.
import { spendSteps } from '@shiplog/cel/meter'
import { invalidValue, required } from '@shiplog/api/field-errors'
import { goQuote } from '@shiplog/api/decode/go-quote'
import { isPlainObject, type NestedRules, type StructuralSchema, type ValueRules } from '../schema/structural-schema.ts'
import type { Correlation } from './correlation.ts'
import { formatCheck, supportedFormat } from './formats.ts'
import { add, fieldOf, merge, pathOf, runInside, wholeField, type Run } from './run.ts'
import {
  checkEnum,
  checkFieldCount,
  checkFormat,
  checkListSize,
  checkNumber,
  checkText,
  checkType,
  jsonTypeOf,
} from './value-rules.ts'

/** Judges a value; `before` is its counterpart, whose unchanged parts are not judged anew. */
export type Validate = (value: unknown, run: Run, before: Correlation | undefined) => void

/** What a schema and a nested one have in common. */
interface Node {
  readonly types: readonly string[]
  readonly nullable: boolean
  readonly rules: ValueRules
  readonly format: string
  readonly properties: readonly (readonly [name: string, validate: Validate])[]
  readonly names: ReadonlySet<string>
  readonly items: Validate | undefined
  readonly additional: Validate | boolean | undefined
  readonly junctors: Junctors | undefined
}

interface Junctors {
  readonly anyOf: readonly Validate[]
  readonly oneOf: readonly Validate[]
  readonly allOf: readonly Validate[]
  readonly not: Validate | undefined
}

export const validatorOf = (schema: StructuralSchema): Validate =>
  fromNode({
    types: schema.intOrString ? ['integer', 'string'] : schema.type === '' ? [] : [schema.type],
    nullable: schema.nullable,
    rules: schema.rules,
    format: supportedFormat(schema.intOrString ? '' : schema.type, schema.rules.format),
    properties: [...schema.properties].map(([name, property]) => [name, validatorOf(property)] as const),
    names: new Set(schema.properties.keys()),
    items: schema.items && validatorOf(schema.items),
    additional:
      typeof schema.additionalProperties === 'object' ? validatorOf(schema.additionalProperties) : schema.additionalProperties,
    junctors: junctorsOf(schema.rules),
  })

const nestedValidator = (nested: NestedRules): Validate =>
  fromNode({
    types: nested.type === '' ? [] : [nested.type],
    nullable: false,
    rules: nested.rules,
    format: supportedFormat(nested.type, nested.rules.format),
    properties: [...nested.properties].map(([name, property]) => [name, nestedValidator(property)] as const),
    names: new Set(nested.properties.keys()),
    items: nested.items && nestedValidator(nested.items),
    additional: nested.additionalProperties && nestedValidator(nested.additionalProperties),
    junctors: junctorsOf(nested.rules),
  })

const junctorsOf = ({ anyOf, oneOf, allOf, not }: ValueRules): Junctors | undefined =>
  anyOf.length + oneOf.length + allOf.length === 0 && not === undefined
    ? undefined
    : {
        anyOf: anyOf.map(nestedValidator),
        oneOf: oneOf.map(nestedValidator),
        allOf: allOf.map(nestedValidator),
        not: not && nestedValidator(not),
      }

/** Of the meter; what is inside of a value counts for itself. */
const valueSteps = 10

const fromNode =
  (node: Node): Validate =>
  (value, run, before) => {
    spendSteps(valueSteps)
    const typed = node.types.length > 0 || node.format !== ''
    if (value === null || value === undefined) {
      checkType(value, node.types, node.nullable, node.format, run)
      if (node.rules.enum) checkEnum(value, node.rules.enum, run)
      return
    }
    if (typed) {
      checkType(value, node.types, node.nullable, node.format, run)
      run.matches++
    }
    if (node.junctors) checkJunctors(node.junctors, value, run, before)
    run.matches += 2
    checkByType(node, value, run, before)
    if (node.rules.enum) checkEnum(value, node.rules.enum, run)
    if (isPlainObject(value)) {
      checkFields(node, value, run, before)
      run.matches++
    }
    run.matches += 2
  }

const checkByType = (node: Node, value: unknown, run: Run, before: Correlation | undefined): void => {
  switch (jsonTypeOf(value)) {
    case 'string':
      checkText(value as string, node.rules, run)
      run.matches++
      if (formatCheck(node.format)) {
        checkFormat(value as string, node.format, run)
        run.matches++
      }
      return
    case 'integer':
    case 'number':
      checkNumber(value as number | bigint, node.rules, node.types, run)
      run.matches++
      return
    case 'array':
      checkItems(node, value as unknown[], run, before)
      run.matches += 2
      return
    default:
  }
}

const checkItems = (node: Node, list: readonly unknown[], run: Run, before: Correlation | undefined): void => {
  if (node.items)
    for (let index = 0; index < list.length; index++)
      checkChild(node.items, index, list[index], run, before?.item(index))
  checkListSize(list, node.rules, run)
}

const checkFields = (node: Node, object: Record<string, unknown>, run: Run, before: Correlation | undefined): void => {
  checkFieldCount(object, node.rules, run)
  const { additional } = node
  if (typeof additional === 'function') {
    for (const name in object)
      if (!node.names.has(name)) checkChild(additional, name, object[name], run, counterpart(name, run, before))
  } else if (additional === false) forbidOthers(node, object, run)
  for (const [name, validate] of node.properties)
    if (Object.hasOwn(object, name)) checkChild(validate, name, object[name], run, counterpart(name, run, before))
  for (const name of node.rules.required) {
    if (Object.hasOwn(object, name)) continue
    run.path.push(name)
    add(run, `${pathOf(run)} in body is required`, required(fieldOf(run)))
    run.path.pop()
  }
}

const forbidOthers = (node: Node, object: Record<string, unknown>, run: Run): void => {
  for (const name in object) {
    if (node.names.has(name)) continue
    const sentence = `${pathOf(run)}.${name} in body is a forbidden property`
    add(run, sentence, invalidValue(fieldOf(run), name, sentence))
  }
}

/** A change of kind and apiVersion cannot be seen, so they are always judged. */
const counterpart = (name: string, run: Run, before: Correlation | undefined): Correlation | undefined =>
  run.path.length === 0 && (name === 'kind' || name === 'apiVersion') ? undefined : before?.field(name)

const checkChild = (
  validate: Validate,
  step: string | number,
  value: unknown,
  run: Run,
  before: Correlation | undefined,
): void => {
  const found = run.problems.length
  run.path.push(step)
  validate(value, run, before)
  run.path.pop()
  if (run.problems.length > found && before?.isUnchanged()) run.problems.length = found
}

const checkJunctors = (junctors: Junctors, value: unknown, run: Run, before: Correlation | undefined): void => {
  const { anyOf, oneOf, allOf, not } = junctors
  if (anyOf.length > 0) checkAnyOf(anyOf, value, run, before)
  if (oneOf.length > 0) checkOneOf(oneOf, value, run, before)
  if (allOf.length > 0) {
    let valid = 0
    for (const validate of allOf) {
      const inside = judge(validate, value, run, before)
      if (inside.problems.length === 0) valid++
      merge(run, inside)
    }
    if (valid < allOf.length)
      tell(run, `${goQuote(pathOf(run))} must validate all the schemas (allOf)${valid === 0 ? '. None validated' : ''}`)
  }
  if (not && judge(not, value, run, before).problems.length === 0)
    tell(run, `${goQuote(pathOf(run))} must not validate the schema (not)`)
}

const judge = (validate: Validate, value: unknown, run: Run, before: Correlation | undefined): Run => {
  const inside = runInside(run)
  validate(value, inside, before)
  return inside
}

const tell = (run: Run, sentence: string): void => add(run, sentence, invalidValue(wholeField(run), '', sentence))

const checkAnyOf = (schemas: readonly Validate[], value: unknown, run: Run, before: Correlation | undefined): void => {
  let best: Run | undefined
  for (const validate of schemas) {
    const inside = judge(validate, value, run, before)
    if (inside.problems.length === 0) {
      merge(run, inside)
      return
    }
    if (best === undefined || inside.matches > best.matches) best = inside
  }
  tell(run, `${goQuote(pathOf(run))} must validate at least one schema (anyOf)`)
  if (best) merge(run, best)
}

const checkOneOf = (schemas: readonly Validate[], value: unknown, run: Run, before: Correlation | undefined): void => {
  let best: Run | undefined
  let first: Run | undefined
  let valid = 0
  for (const validate of schemas) {
    const inside = judge(validate, value, run, before)
    if (inside.problems.length === 0) {
      valid++
      first ??= inside
      best = undefined
    } else if (valid === 0 && (best === undefined || inside.matches > best.matches)) best = inside
  }
  if (valid === 1) {
    merge(run, first!)
    return
  }
  const found = valid === 0 ? 'Found none valid' : `Found ${valid} valid alternatives`
  tell(run, `${goQuote(pathOf(run))} must validate one and only one schema (oneOf). ${found}`)
  if (best) merge(run, best)
}
