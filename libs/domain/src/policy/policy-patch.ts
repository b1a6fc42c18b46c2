// What the expression of a mutation gave, as a patch: the configuration that an ApplyConfiguration makes, or the operations of a
// JSONPatch. Both throw EvaluationError where the types do not fit.
import type { JsonObject } from '@shiplog/api/kube-object'
import { valueJson } from '@shiplog/cel/json-values'
import { EvaluationError, isList, isMap, itemsOf, Message, type Value } from '@shiplog/cel/values'

/** Messages whose names are not the paths of the fields that hold them. */
function typeNamesOf(value: Value, path: string): string[] {
  if (value instanceof Message) {
    const here =
      value.name === path
        ? []
        : [`unexpected type name "${value.name}", expected "${path}", which matches field name path from root Object type`]
    return [...here, ...[...value.fields].flatMap(([name, field]) => typeNamesOf(field, `${path}.${name}`))]
  }
  if (typeof value !== 'object' || value === null) return []
  if (isList(value)) return itemsOf(value).flatMap((item) => typeNamesOf(item, path))
  return isMap(value) ? [...value.keys()].flatMap((key) => typeNamesOf(value.get(key)!, path)) : []
}

export function configurationOf(value: Value): JsonObject {
  const wrong = typeNamesOf(value, 'Object')
  if (wrong.length > 0) throw new EvaluationError(`type mismatch: ${wrong.join('\n')}`)
  return valueJson(value) as JsonObject
}

export function operationsOf(value: Value): readonly JsonObject[] {
  if (!isList(value)) throw new EvaluationError('type mismatch: JSONPatchType.expression should evaluate to array')
  return itemsOf(value).map((operation) => {
    if (!(operation instanceof Message))
      throw new EvaluationError('type mismatch: JSONPatchType.expression should evaluate to array of JSONPatch')
    const given = operation.fields.get('value')
    // Here a message may be of any depth: its own name is where it begins.
    const wrong = given instanceof Message ? typeNamesOf(given, given.name) : []
    if (wrong.length > 0) throw new EvaluationError(`type mismatch: ${wrong.join('\n')}`)
    const text = (field: string): string => String(operation.fields.get(field) ?? '')
    return {
      op: text('op'),
      path: text('path'),
      ...(text('from') === '' ? {} : { from: text('from') }),
      ...(given === undefined ? {} : { value: valueJson(given) }),
    } as JsonObject
  })
}
