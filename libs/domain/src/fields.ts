// Small tools that the rules of all kinds share: filling a default, comparing as Kubernetes compares, checking numbers.
import { invalidValue, required } from '@shiplog/api/field-errors'
import type { JsonObject } from '@shiplog/api/kube-object'
import type { StatusCause } from '@shiplog/api/status'
import type { NameRule } from './names.ts'

/** Sets `target[key]` when it is absent or null. */
export const fill = <Target extends object, Key extends keyof Target>(
  target: Target,
  key: Key,
  value: NonNullable<Target[Key]>,
): void => {
  if (target[key] === undefined || target[key] === null) target[key] = value
}

/** As `fill`, and an empty string counts as absent (fields that are no pointers in the Go types). */
export const fillText = <Target extends object, Key extends keyof Target>(
  target: Target,
  key: Key,
  value: NonNullable<Target[Key]>,
): void => {
  if (!target[key]) target[key] = value
}

/** What upstream writes as null when nobody has set it: lists and times that Go does not leave out. */
export const fillNull = <Target extends object>(target: Target, key: keyof Target & string): void => {
  ;(target as JsonObject)[key] ??= null
}

/** What upstream always writes of a status, if only as zero; a status that is not there stays away. */
export const fillStatus = <Status extends object>(status: Status | undefined, values: Partial<Status>): void => {
  if (status) for (const [key, value] of Object.entries(values)) fill(status as JsonObject, key, value)
}

/** The object at `target[key]`, made when absent. */
export const section = <Target extends object, Key extends keyof Target>(
  target: Target,
  key: Key,
): NonNullable<Target[Key]> => {
  const value = target[key]
  if (value !== null && typeof value === 'object') return value
  const fresh = {} as NonNullable<Target[Key]>
  target[key] = fresh
  return fresh
}

/** `target[key]` becomes what it is in `source`, which may be nothing. */
export const keep = <Target extends object, Key extends keyof Target>(
  target: Target,
  source: Partial<NoInfer<Target>> | undefined,
  key: Key,
): void => {
  const value = source?.[key]
  if (value === undefined) delete target[key]
  else target[key] = value
}

/** A list that may be absent. */
export const items = <Item = any>(value: readonly Item[] | null | undefined): readonly Item[] =>
  Array.isArray(value) ? value : []

/** Entries of a map that may be absent. */
export const entries = <Value = any>(
  value: Readonly<Record<string, Value | undefined>> | null | undefined,
): [string, Value][] =>
  value !== null && typeof value === 'object' ? (Object.entries(value) as [string, Value][]) : []

/** Sets a field under a name that a user chose, `__proto__` included. */
export const setOwn = (target: JsonObject, key: string, value: unknown): void => {
  if (key === '__proto__')
    Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true })
  else target[key] = value
}

/** True for what a Go struct with `omitempty` cannot tell from absence: nothing, '', [] and {}. */
export const isBlank = (value: unknown): boolean => {
  if (value === undefined || value === null || value === '') return true
  if (Array.isArray(value)) return value.length === 0
  if (typeof value === 'object') {
    for (const key in value) if (!isBlank((value as JsonObject)[key])) return false
    return true
  }
  return false
}

/** True for what is the same as absence whatever the type: decoding has dropped empty maps, so that {} is a struct that is there. */
const isNothing = (value: unknown): boolean =>
  value === undefined || value === null || value === '' || (Array.isArray(value) && value.length === 0)

/** Equality of two decoded values as Go's: empty lists and texts are as absent ones, a struct without fields is not. */
export const semanticEqual = (left: unknown, right: unknown): boolean => {
  if (left === right) return true
  if (isNothing(left)) return isNothing(right)
  if (isNothing(right)) return false
  if (typeof left !== 'object' || typeof right !== 'object') return false
  if (Array.isArray(left)) {
    if (!Array.isArray(right) || left.length !== right.length) return false
    return left.every((value, index) => semanticEqual(value, right[index]))
  }
  if (Array.isArray(right)) return false
  const a = left as JsonObject
  const b = right as JsonObject
  // Own fields only: a key may be called `constructor` or `__proto__`.
  for (const key of Object.keys(a)) if (!semanticEqual(a[key], Object.hasOwn(b, key) ? b[key] : undefined)) return false
  for (const key of Object.keys(b)) if (!Object.hasOwn(a, key) && !isNothing(b[key])) return false
  return true
}

/** `field is immutable`, as ValidateImmutableField. */
export const immutable = (next: unknown, before: unknown, field: string): StatusCause[] =>
  semanticEqual(next, before) ? [] : [invalidValue(field, next, 'field is immutable')]

/** `must be greater than or equal to 0` for numbers that are given. */
export const nonNegative = (value: unknown, field: string): StatusCause[] =>
  typeof value === 'number' && value < 0 ? [invalidValue(field, value, 'must be greater than or equal to 0')] : []

/** One cause for each sentence of a rule. */
export const byRule = (rule: NameRule, value: string, field: string): StatusCause[] =>
  rule(value).map((sentence) => invalidValue(field, value, sentence))

/** A name that must be given and must be one. */
export const requiredName = (rule: NameRule, value: unknown, field: string, detail = ''): StatusCause[] =>
  typeof value !== 'string' || value === '' ? [required(field, detail)] : byRule(rule, value, field)

/** A name that need not be given. */
export const optionalName = (rule: NameRule, value: string | undefined, field: string): StatusCause[] =>
  value ? byRule(rule, value, field) : []

/** `Required value` for a text that must be given. */
export const requiredText = (value: unknown, field: string, detail = ''): StatusCause[] =>
  typeof value !== 'string' || value === '' ? [required(field, detail)] : []
