// Arguments of functions at run time: where the checker could not tell a type, it is told here.
import { isList, isMap, noSuchOverload, Opaque, type ListValue, type MapValue, type Value } from '../values.ts'

/** What all calls of one evaluation share. */
export interface Work {
  /** Steps of matching expressions: their number does not follow from what a call costs. */
  patternSteps: number
}

export type Functions = Readonly<Record<string, (args: readonly (Value | undefined)[], work: Work) => Value>>

export const text = (value: Value | undefined): string => {
  if (typeof value !== 'string') throw noSuchOverload()
  return value
}

export const integer = (value: Value | undefined): number => {
  if (typeof value !== 'bigint') throw noSuchOverload()
  return Number(value)
}

export const flag = (value: Value | undefined): boolean => {
  if (typeof value !== 'boolean') throw noSuchOverload()
  return value
}

export const list = (value: Value | undefined): ListValue => {
  if (value === undefined || !isList(value)) throw noSuchOverload()
  return value
}

export const map = (value: Value | undefined): MapValue => {
  if (value === undefined || !isMap(value)) throw noSuchOverload()
  return value
}

export const held = <Held>(value: Value | undefined, type: string): Held => {
  if (!(value instanceof Opaque) || value.type !== type) throw noSuchOverload()
  return value.held as Held
}
