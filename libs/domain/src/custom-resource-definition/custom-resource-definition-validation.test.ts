import type { CustomResourceDefinition, JSONSchemaProps } from '@shiplog/api/generated/types/apiextensions-v1'
import { expect, test } from 'vitest'
import { definitionOf } from '../testing/custom-resource-definitions.ts'
import { customResourceDefinitionStrategy } from './custom-resource-definition.strategy.ts'
import { validateDefinition } from './custom-resource-definition-validation.ts'

/** Two loops over a list that nothing bounds. */
const dear: JSONSchemaProps = {
  type: 'object',
  properties: {
    spec: {
      type: 'object',
      properties: { list: { type: 'array', items: { type: 'string' } } },
      'x-kubernetes-validations': [{ rule: 'self.list.all(a, self.list.all(b, a != b || true))' }],
    },
  },
}

const described = (schema: JSONSchemaProps, description: string): JSONSchemaProps => ({ ...schema, description })

const messages = (next: CustomResourceDefinition, before?: CustomResourceDefinition): readonly string[] =>
  validateDefinition(next, before).map(({ field, message }) => `${field}: ${message}`)

test('what one expression may cost is not asked again as long as the schema stays; what all may cost is', () => {
  const definition = definitionOf({ schema: dear })
  const cost = /x-kubernetes-validations\[0\]\.rule: Forbidden: estimated rule cost exceeds budget/
  const total = /estimated rule cost total for entire OpenAPIv3 schema exceeds budget/
  expect(messages(definition)).toContainEqual(expect.stringMatching(cost))
  expect(messages(definition)).toContainEqual(expect.stringMatching(total))
  const kept = messages(definition, definition)
  expect(kept).not.toContainEqual(expect.stringMatching(cost))
  expect(kept).toContainEqual(expect.stringMatching(total))
  const changed = definitionOf({ schema: described(dear, 'new') })
  expect(messages(changed, definition)).toContainEqual(expect.stringMatching(cost))
})

test('who writes a format that means nothing is told, once', () => {
  const schema: JSONSchemaProps = {
    type: 'object',
    properties: {
      good: { type: 'string', format: 'date-time' },
      number: { type: 'integer', format: 'int32' },
      odd: { type: 'string', format: 'shiplog-id' },
      list: { type: 'array', items: { type: 'integer', format: 'double' } },
    },
  }
  const warnings = customResourceDefinitionStrategy.warnings!
  const definition = definitionOf({ schema })
  expect(warnings(definition, undefined)).toEqual(['unrecognized format "shiplog-id"', 'unrecognized format "double"'])
  expect(warnings(definition, definition)).toEqual([])
})
