// The parts that printers are made of: columns, and the ways in which upstream writes labels, selectors, containers and
// long lists into one cell.
import type { JsonObject, KubeObject } from '../kube-object.ts'
import { ageOf } from './human-duration.ts'
import type { Cell, Printer, TableColumn } from './printer.ts'

type Type = TableColumn['type']

export const column = (name: string, description: string, type: Type = 'string'): TableColumn => ({
  name,
  type,
  format: '',
  description,
  priority: 0,
})

/** A column that only `-o wide` shows. */
export const wide = (name: string, description: string, type: Type = 'string'): TableColumn => ({
  ...column(name, description, type),
  priority: 1,
})

export const nameColumn: TableColumn = {
  ...column('Name', 'The name, unique among the objects of this kind in one namespace.'),
  format: 'name',
}

export const ageColumn = column('Age', 'How long ago the object was created.')

export const containerColumns: readonly TableColumn[] = [
  wide('Containers', 'The names of the containers of the template.'),
  wide('Images', 'The images of the containers of the template.'),
]

export const selectorColumn = wide('Selector', 'The labels by which the pods are chosen.')

/** A printer from its columns and the function that fills them. */
export const printer = (
  columns: readonly TableColumn[],
  cells: (object: KubeObject, nowMs: number) => readonly Cell[],
): Printer => ({ columns, cells })

/** The object's age as a cell. */
export const age = (object: KubeObject, nowMs: number): string => ageOf(object.metadata.creationTimestamp, nowMs)

/** `a=1,b=2`, or `<none>`. */
export function formatLabels(labels: Readonly<Record<string, string>> | null | undefined): string {
  const text = Object.keys(labels ?? {})
    .sort()
    .map((key) => `${key}=${labels![key]}`)
    .join(',')
  return text === '' ? '<none>' : text
}

function formatRequirement(expression: JsonObject): string {
  const values = [...(expression['values'] ?? [])].sort().join(',')
  switch (expression['operator']) {
    case 'In':
      return `${expression['key']} in (${values})`
    case 'NotIn':
      return `${expression['key']} notin (${values})`
    case 'Exists':
      return `${expression['key']}`
    default:
      return `!${expression['key']}`
  }
}

/** A LabelSelector as text, ordered by key: `app=web,tier in (a,b),!legacy`; empty for one that has no requirement. */
export function selectorText(selector: JsonObject | null | undefined): string {
  const requirements = [
    ...Object.entries(selector?.['matchLabels'] ?? {}).map(([key, value]) => ({ key, text: `${key}=${value}` })),
    ...(selector?.['matchExpressions'] ?? []).map((expression: JsonObject) => ({
      key: expression['key'] as string,
      text: formatRequirement(expression),
    })),
  ]
  return requirements
    .sort((left, right) => (left.key < right.key ? -1 : left.key > right.key ? 1 : 0))
    .map((requirement) => requirement.text)
    .join(',')
}

/** As `selectorText`, with `<none>` for nothing. */
export const formatSelector = (selector: JsonObject | null | undefined): string => selectorText(selector) || '<none>'

/** The two cells of `containerColumns` for a pod spec. */
export function containerCells(podSpec: JsonObject | undefined): [string, string] {
  const containers: readonly JsonObject[] = podSpec?.['containers'] ?? []
  return [
    containers.map((container) => container['name'] ?? '').join(','),
    containers.map((container) => container['image'] ?? '').join(','),
  ]
}

/** The first `max` items, then how many there are besides: `a,b,c + 2 more...`. */
export const abbreviate = (items: readonly string[], max: number, separator = ','): string =>
  items.length > max ? `${items.slice(0, max).join(separator)} + ${items.length - max} more...` : items.join(separator)

/** The status of the condition of a type: `True`, `False`, `Unknown`, or undefined when there is no such condition. */
export function conditionStatus(object: JsonObject, type: string): string | undefined {
  const conditions: readonly JsonObject[] = object['status']?.conditions ?? []
  return conditions.find((condition) => condition['type'] === type)?.['status']
}
