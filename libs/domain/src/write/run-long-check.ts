// A long check on another thread: from its input alone.
import type { JSONSchemaProps } from '@shiplog/api/generated/types/apiextensions-v1'
import type { StatusCause } from '@shiplog/api/status'
import { customSchema, type CustomSchema } from '../custom-resource/custom-schema.ts'
import { strategyFor } from '../strategies.ts'
import type { LongCheckInput } from './long-check.ts'
import { runPolicyCheck } from './policy-check.ts'

const schemas = new WeakMap<JSONSchemaProps, CustomSchema>()

const schemaOf = (props: JSONSchemaProps): CustomSchema => {
  let schema = schemas.get(props)
  if (!schema) schemas.set(props, (schema = customSchema(props)))
  return schema
}

export const runLongCheck = (input: LongCheckInput): readonly StatusCause[] => {
  switch (input.of) {
    case 'resource':
      return schemaOf(input.schema).validate(input.object, input)
    case 'built-in':
      return strategyFor(input.groupResource).validate?.(input.object, input.before) ?? []
    case 'policy':
      return runPolicyCheck(input)
  }
}
