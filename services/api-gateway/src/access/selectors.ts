// What a list, a watch or the deletion of a collection selects, as authorizers see it: a right may hold only for what a
// selector narrows the request to. What cannot be read narrows nothing, and is refused where it is used.
import { type FieldRequirement, type LabelRequirement, parseFieldSelector, parseLabelSelector } from '@shiplog/api/selectors'

export interface AskedSelectors {
  readonly fields: readonly FieldRequirement[]
  readonly labels: readonly LabelRequirement[]
}

const selecting: ReadonlySet<string | undefined> = new Set(['list', 'watch', 'deletecollection'])

/** Of a request; undefined for those that select nothing. Read only when somebody asks: most users' rights need no look. */
export function selectorsOf(verb: string | undefined, query: URLSearchParams): AskedSelectors | undefined {
  if (!selecting.has(verb)) return undefined
  const [fieldText, labelText] = [query.get('fieldSelector') ?? '', query.get('labelSelector') ?? '']
  if (fieldText === '' && labelText === '') return undefined
  let fields: readonly FieldRequirement[] | undefined
  let labels: readonly LabelRequirement[] | undefined
  return {
    get fields() {
      return (fields ??= readFields(fieldText))
    },
    get labels() {
      return (labels ??= readLabels(labelText))
    },
  }
}

export function readFields(text: string): readonly FieldRequirement[] {
  try {
    return parseFieldSelector(text).requirements
  } catch {
    return []
  }
}

export function readLabels(text: string): readonly LabelRequirement[] {
  try {
    return parseLabelSelector(text).requirements
  } catch {
    return []
  }
}

/** The value that a field is to have. */
export const fieldValue = (selectors: AskedSelectors | undefined, field: string): string | undefined =>
  selectors?.fields.find((each) => each.field === field && each.operator === '=')?.value
