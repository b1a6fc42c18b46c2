// Our judgement of the cases of custom resources, without a server.
import { cloneJson } from '@shiplog/api/clone-json'
import { parseExactJson } from '@shiplog/api/exact-json'
import type { JSONSchemaProps } from '@shiplog/api/generated/types/apiextensions-v1'
import type { JsonObject } from '@shiplog/api/kube-object'
import type { StatusCause } from '@shiplog/api/status'
import { validateSchema } from '@shiplog/custom-resources/rules/validate-schema'
import { structuralSchema, type StructuralSchema } from '@shiplog/custom-resources/schema/structural-schema'
import { validateResource } from '@shiplog/custom-resources/validation/validate-value'
import { applyDefaults } from '@shiplog/custom-resources/values/defaults'
import { coerceEmbedded } from '@shiplog/custom-resources/values/embedded-resources'
import { prune } from '@shiplog/custom-resources/values/prune'
import { embeddedMetadata } from '@shiplog/domain/custom-resource-definition/custom-resource-definition-validation'
import { selfObject } from './expression-cases.ts'
import { asking, root, type ValueAnswer, withRules } from './recorded-custom-resources.ts'
import { schemaCases, updateCases } from './value-cases.ts'

const metadata = embeddedMetadata()

const sentencesOf = (causes: readonly StatusCause[]): string[] =>
  [...new Set(causes.map(({ field, message }) => `${field}: ${message}`))].sort()

const refusal = (schema: JSONSchemaProps): string[] =>
  sentencesOf(
    validateSchema(root({ x: schema }), { field: 'spec.validation.openAPIV3Schema', hasStatus: false, metadata }),
  )

export const judgeRule = (rule: string): string[] => refusal(withRules({ rule }))

/** What an expression comes to, or why it is refused. */
export const judgeValue = (expression: string): string[] => {
  const schema = root({ x: asking(expression) })
  const refused = refusal(asking(expression))
  if (refused.length > 0) return refused
  return sentencesOf(
    validateResource({ schema: structuralSchema(schema), object: { x: cloneJson(selfObject) as JsonObject }, metadata }),
  )
}

const judge = (schema: StructuralSchema, name: string, given: unknown, before?: unknown): ValueAnswer => {
  const object: JsonObject = { [name]: parseExactJson(JSON.stringify(given)) }
  const { cause } = coerceEmbedded(object, schema, metadata.registry)
  if (cause) return { code: 422, sentences: sentencesOf([cause]) }
  prune(object, schema)
  applyDefaults(object, schema)
  const causes = validateResource({
    schema,
    object,
    before: before === undefined ? undefined : { [name]: before },
    metadata,
  })
  if (causes.length > 0) return { code: 422, sentences: sentencesOf(causes) }
  const code = before === undefined ? 201 : 200
  return object[name] === undefined ? { code, sentences: [] } : { code, sentences: [], stored: object[name] }
}

export const judgeCreated = (): ReadonlyMap<string, ValueAnswer> => {
  const schema = structuralSchema(root(Object.fromEntries(Object.entries(schemaCases).map(([name, one]) => [name, one.schema]))))
  return new Map(
    Object.entries(schemaCases).flatMap(([name, { values }]) =>
      values.map((value) => [`${name} ${JSON.stringify(value)}`, judge(schema, name, value)] as const),
    ),
  )
}

export const judgeUpdated = (): ReadonlyMap<string, ValueAnswer> => {
  const schema = structuralSchema(root(Object.fromEntries(Object.entries(updateCases).map(([name, one]) => [name, one.schema]))))
  return new Map(
    Object.entries(updateCases).flatMap(([name, { before, next }]) =>
      next.map((value) => [`${name} ${JSON.stringify(value)}`, judge(schema, name, value, before)] as const),
    ),
  )
}
