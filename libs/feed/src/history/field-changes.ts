// What changed between two versions of an object, field by field, and who manages what changed. Pure.
import type { JsonObject } from '@shiplog/api/kube-object'

export interface FieldChange {
  /** `spec.containers[c].image`; elements of lists are told by their key where they have one. */
  readonly path: string
  readonly from?: unknown
  readonly to?: unknown
}

/** Fields that change with everything, or never, and say nothing by themselves. */
const silent = new Set([
  'apiVersion',
  'kind',
  ...['name', 'namespace', 'uid', 'creationTimestamp', 'resourceVersion', 'managedFields'].map(
    (field) => `metadata.${field}`,
  ),
])

/** By what the elements of a list of objects are told apart, in this order. */
const listKeys = ['name', 'type', 'key', 'uid', 'ip', 'containerPort', 'port', 'topologyKey', 'mountPath'] as const

/** Changes of leaf fields, in the order of the newer object; `undefined` stands for "no object". */
export function fieldChanges(before: JsonObject | undefined, after: JsonObject | undefined): FieldChange[] {
  const changes: FieldChange[] = []
  compare('', before, after, changes)
  return changes
}

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function compare(path: string, before: unknown, after: unknown, changes: FieldChange[]): void {
  if (before === after || silent.has(path)) return
  if ((isObject(before) || before === undefined) && (isObject(after) || after === undefined)) {
    const keys = new Set([...Object.keys(after ?? {}), ...Object.keys(before ?? {})])
    if (keys.size === 0) leaf(path, before, after, changes)
    for (const key of keys) compare(join(path, key), before?.[key], after?.[key], changes)
    return
  }
  const lists = [before, after].filter((value) => value !== undefined)
  if (lists.every(Array.isArray)) {
    const [a, b] = [(before ?? []) as unknown[], (after ?? []) as unknown[]]
    const key = keyOfLists(a, b)
    if (key !== undefined) {
      const index = (list: unknown[]): Map<string, unknown> =>
        new Map(list.map((item) => [String((item as JsonObject)[key]), item]))
      const [were, are] = [index(a), index(b)]
      for (const name of new Set([...are.keys(), ...were.keys()])) {
        compare(`${path}[${name}]`, were.get(name), are.get(name), changes)
      }
      return
    }
    if (a.some(isObject) || b.some(isObject)) {
      for (let i = 0; i < Math.max(a.length, b.length); i++) compare(`${path}[${i}]`, a[i], b[i], changes)
      return
    }
  }
  leaf(path, before, after, changes)
}

function leaf(path: string, before: unknown, after: unknown, changes: FieldChange[]): void {
  if (JSON.stringify(before) === JSON.stringify(after)) return
  changes.push({
    path,
    ...(before === undefined ? {} : { from: before }),
    ...(after === undefined ? {} : { to: after }),
  })
}

/** Keys with dots (labels, annotations) stand in brackets. */
const join = (path: string, key: string): string =>
  /[./[\]]/.test(key) ? `${path}[${key}]` : path === '' ? key : `${path}.${key}`

function keyOfLists(a: readonly unknown[], b: readonly unknown[]): string | undefined {
  const all = [...a, ...b]
  if (all.length === 0 || !all.every(isObject)) return undefined
  return listKeys.find((key) =>
    [a, b].every((list) => {
      const values = list.map((item) => (item as JsonObject)[key])
      return values.every((value) => value !== undefined) && new Set(values).size === values.length
    }),
  )
}

/** The field manager whose entry the change touched last. */
export function managerOf(before: JsonObject | undefined, after: JsonObject): string | undefined {
  const entries = (object: JsonObject | undefined): JsonObject[] =>
    (object?.['metadata']?.managedFields as JsonObject[] | undefined) ?? []
  const known = new Set(entries(before).map((entry) => JSON.stringify(entry)))
  const touched = entries(after).filter((entry) => !known.has(JSON.stringify(entry)))
  touched.sort((a, b) => (String(a['time']) < String(b['time']) ? -1 : 1))
  return touched.at(-1)?.['manager'] as string | undefined
}

/** Values of Secrets are told by their size alone. */
export function withoutSecrets(kind: string, changes: readonly FieldChange[]): FieldChange[] {
  if (kind !== 'Secret') return [...changes]
  const hide = (value: unknown): string => `(${String(value).length} characters)`
  return changes.map((change) =>
    /^(data|stringData)\b/.test(change.path)
      ? {
          path: change.path,
          ...('from' in change ? { from: hide(change.from) } : {}),
          ...('to' in change ? { to: hide(change.to) } : {}),
        }
      : change,
  )
}

const valueCharactersMax = 100

const shown = (value: unknown): string => {
  const text = typeof value === 'string' && /^[\x21-\x7e]+$/.test(value) ? value : JSON.stringify(value)
  return text.length <= valueCharactersMax ? text : `${text.slice(0, valueCharactersMax - 1)}…`
}

/** `~ spec.replicas: 3 → 5`. */
export const changeLine = (change: FieldChange): string =>
  !('from' in change)
    ? `+ ${change.path}: ${shown(change.to)}`
    : !('to' in change)
      ? `- ${change.path}: ${shown(change.from)}`
      : `~ ${change.path}: ${shown(change.from)} → ${shown(change.to)}`
