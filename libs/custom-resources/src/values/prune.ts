// Fields that a schema does not know are dropped, and named so that strict field validation can refuse them
// (k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning).
import type { JsonObject } from '@shiplog/api/kube-object'
import { asResourceRoot, isPlainObject, valuesOf, type StructuralSchema } from '../schema/structural-schema.ts'

const metaFields: ReadonlySet<string> = new Set(['apiVersion', 'kind', 'metadata'])

type Path = (string | number)[]

interface Pruning {
  readonly path: Path
  readonly dropped: string[]
}

/** Takes from a resource (which the caller owns) what its schema does not know. Paths as upstream: `spec.list[0].x`, sorted. */
export const prune = (object: JsonObject, schema: StructuralSchema): string[] =>
  pruneValue(object, asResourceRoot(schema))

/** The same for a part of a resource, such as a default. */
export const pruneValue = (value: unknown, schema: StructuralSchema): string[] => {
  const run: Pruning = { path: [], dropped: [] }
  visit(value, schema, run)
  return run.dropped.sort()
}

const visit: Visit = (value, schema, run) => {
  if (schema?.preserveUnknownFields) keepUnknown(value, schema, run)
  else if (Array.isArray(value)) visitItems(value, schema?.items, run, visit)
  else if (isPlainObject(value)) visitFields(value, schema, run)
}

const visitFields = (object: JsonObject, schema: StructuralSchema | undefined, run: Pruning): void => {
  for (const name of Object.keys(object)) {
    if (schema?.embeddedResource && metaFields.has(name)) continue
    const property = schema?.properties.get(name)
    if (property !== undefined) within(name, object[name], property, run, visit)
    else if (schema?.additionalProperties !== undefined) within(name, object[name], valuesOf(schema), run, visit)
    else {
      if (run.path.length > 0 || !metaFields.has(name)) run.dropped.push(textOf([...run.path, name]))
      delete object[name]
    }
  }
}

/** Unknown fields stay as they are; known ones below them are pruned all the same. */
const keepUnknown: Visit = (value, schema, run) => {
  if (schema === undefined) return
  if (Array.isArray(value)) visitItems(value, schema.items, run, keepUnknown)
  else if (isPlainObject(value)) {
    for (const name of Object.keys(value)) {
      if (schema.embeddedResource && metaFields.has(name)) continue
      const property = schema.properties.get(name)
      if (property !== undefined) within(name, value[name], property, run, visit)
      else if (schema.additionalProperties !== undefined) within(name, value[name], valuesOf(schema), run, visit)
    }
  }
}

type Visit = (value: unknown, schema: StructuralSchema | undefined, run: Pruning) => void

/** Scalars have nothing to prune. */
const within = (
  step: string | number,
  value: unknown,
  schema: StructuralSchema | undefined,
  run: Pruning,
  inside: Visit,
): void => {
  if (typeof value !== 'object' || value === null) return
  run.path.push(step)
  inside(value, schema, run)
  run.path.pop()
}

const visitItems = (list: unknown[], schema: StructuralSchema | undefined, run: Pruning, inside: Visit): void => {
  for (let index = 0; index < list.length; index++) within(index, list[index], schema, run, inside)
}

const textOf = (path: Path): string => {
  let text = ''
  for (const step of path) text += typeof step === 'number' ? `[${step}]` : text === '' ? step : `.${step}`
  return text
}
