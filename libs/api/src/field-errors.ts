// The sentences of validation errors, as k8s.io/apimachinery/pkg/util/validation/field words them.
import { goFloat } from './decode/go-number.ts'
import { goQuote } from './decode/go-quote.ts'
import type { StatusCause } from './status.ts'

const quoted = (value: unknown): string =>
  typeof value === 'string'
    ? goQuote(value)
    : value === undefined
      ? 'null'
      : typeof value === 'object'
        ? goJson(value)
        : typeof value === 'number' && !Number.isInteger(value)
          ? goFloat(value)
          : String(value)

/** Go's encoder escapes what HTML would take for a tag. */
const goJson = (value: unknown): string =>
  JSON.stringify(value).replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )

export const required = (field: string, detail = ''): StatusCause => ({
  reason: 'FieldValueRequired',
  message: detail ? `Required value: ${detail}` : 'Required value',
  field,
})

export const invalidValue = (field: string, value: unknown, detail: string): StatusCause => ({
  reason: 'FieldValueInvalid',
  message: `Invalid value: ${quoted(value)}${detail ? `: ${detail}` : ''}`,
  field,
})

export const typeInvalid = (field: string, value: unknown, detail: string): StatusCause => ({
  reason: 'FieldValueTypeInvalid',
  message: `Invalid value: ${quoted(value)}${detail ? `: ${detail}` : ''}`,
  field,
})

export const notSupported = (field: string, value: unknown, supported: readonly string[]): StatusCause => ({
  reason: 'FieldValueNotSupported',
  message: `Unsupported value: ${quoted(value)}: supported values: ${supported.map((text) => JSON.stringify(text)).join(', ')}`,
  field,
})

export const duplicate = (field: string, value: unknown): StatusCause => ({
  reason: 'FieldValueDuplicate',
  message: `Duplicate value: ${quoted(value)}`,
  field,
})

export const forbiddenField = (field: string, detail: string): StatusCause => ({
  reason: 'FieldValueForbidden',
  message: `Forbidden: ${detail}`,
  field,
})

export const notFoundField = (field: string, value: unknown): StatusCause => ({
  reason: 'FieldValueNotFound',
  message: `Not found: ${quoted(value)}`,
  field,
})

export const tooLong = (field: string, max: number): StatusCause => ({
  reason: 'FieldValueTooLong',
  message: `Too long: may not be more than ${max} ${max === 1 ? 'byte' : 'bytes'}`,
  field,
})

export const tooMany = (field: string, actual: number, max: number): StatusCause => ({
  reason: 'FieldValueTooMany',
  message: `Too many: ${actual}: must have at most ${max} ${max === 1 ? 'item' : 'items'}`,
  field,
})
