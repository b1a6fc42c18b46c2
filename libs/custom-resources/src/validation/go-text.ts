// Values as Go's sentences show them.
import { goFloat } from '@shiplog/api/decode/go-number'
import { isPlainObject } from '../schema/structural-schema.ts'

/** `%v` of a number that is an int64 or a float64. */
export const goNumber = (value: number, whole: boolean): string => (whole ? String(BigInt(value)) : goFloat(value))

/** A value with its fields in the order in which Go's encoder writes a map. */
export const shownJson = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(shownJson)
  if (!isPlainObject(value)) return value
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map((name) => [name, shownJson(value[name])]),
  )
}
