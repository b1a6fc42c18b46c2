// The columns that a CustomResourceDefinition names for `kubectl get` (apiextensions-apiserver's tableconvertor).
import type { CustomResourceColumnDefinition } from '@shiplog/api/generated/types/apiextensions-v1'
import { compileJsonPath, type JsonPath, printedValue } from '@shiplog/api/json-path'
import type { KubeObject } from '@shiplog/api/kube-object'
import { nameColumn } from '@shiplog/api/tables/columns'
import { ageOf } from '@shiplog/api/tables/human-duration'
import type { Cell, Printer, TableColumn } from '@shiplog/api/tables/printer'

interface Column {
  readonly shown: TableColumn
  readonly path: JsonPath
}

const age: CustomResourceColumnDefinition = {
  name: 'Age',
  type: 'date',
  description: 'How long ago the object was created.',
  jsonPath: '.metadata.creationTimestamp',
}

/** A version that names no columns shows the age. */
export function customPrinter(definitions: readonly CustomResourceColumnDefinition[] | undefined): Printer {
  const columns = (definitions?.length ? definitions : [age]).map(columnOf)
  return {
    columns: [nameColumn, ...columns.map(({ shown }) => shown)],
    cells: (object, nowMs) => [object.metadata.name, ...columns.map((column) => cellOf(column, object, nowMs))],
  }
}

const columnOf = ({ name, type, format, description, priority, jsonPath }: CustomResourceColumnDefinition): Column => ({
  shown: {
    name,
    type: type as TableColumn['type'],
    format: (format ?? '') as TableColumn['format'],
    description: description || `Custom resource definition column (in JSONPath format): ${jsonPath}`,
    priority: priority ?? 0,
  },
  path: pathOf(jsonPath),
})

/** A path that is none leads to nothing: the other columns are shown all the same. */
export function pathOf(text: string): JsonPath {
  try {
    return compileJsonPath(text)
  } catch {
    return () => []
  }
}

function cellOf({ shown: { type }, path }: Column, object: KubeObject, nowMs: number): Cell {
  const [value] = path(object)
  if (value === undefined) return null
  if (type === 'string') return printedValue(value)
  switch (type) {
    case 'integer':
      if (typeof value === 'bigint') return value
      return typeof value === 'number' ? Math.trunc(value) : null
    case 'number':
      return typeof value === 'number' ? value : typeof value === 'bigint' ? Number(value) : null
    case 'boolean':
      return typeof value === 'boolean' ? value : null
    default:
      if (typeof value !== 'string') return null
      return Number.isNaN(Date.parse(value)) ? '<invalid>' : ageOf(value, nowMs)
  }
}
