// What a list or a watch selects: namespace, labels and fields, compiled once per request.
import { parseFieldSelector, parseLabelSelector } from '@shiplog/api/selectors'
import { ApiError, badRequest } from '@shiplog/api/status'
import type { ServedKind } from '@shiplog/domain/catalogue/served-kind'
import type { Version } from '../store/version.ts'

export interface Selection {
  /** '' for all namespaces. */
  readonly namespace: string
  /** True when labels and fields do not narrow it. */
  readonly everything: boolean
  /** Set when the selection can only be one object. */
  readonly name: string | undefined
  /** True when fields are asked for that the kind's own versions name: these are to be looked at as they are shown. */
  readonly readsFields: boolean
  matches(version: Version): boolean
  /** Equal for equal selections: watchers with the same id share their frames. */
  readonly id: string
}

const emptyFields = (): Readonly<Record<string, string>> => ({})

export function compileSelection(
  kind: Pick<ServedKind, 'selectableField' | 'strategy'>,
  query: {
    readonly namespace: string
    readonly name?: string
    readonly labelSelector: string
    readonly fieldSelector: string
  },
): Selection {
  const { namespace } = query
  const labels = query.labelSelector === '' ? undefined : parseLabelSelector(query.labelSelector)
  const requested = query.fieldSelector === '' ? [] : [...parseFieldSelector(query.fieldSelector).requirements]
  if (query.name) requested.push({ field: 'metadata.name', operator: '=', value: query.name })
  const requirements = requested.map((requirement) => {
    const found = kind.selectableField(requirement.field)
    if ('refusal' in found) throw new ApiError(badRequest(found.refusal))
    return { ...requirement, field: found.field }
  })
  const extract = kind.strategy.selectableFields ?? emptyFields
  const everything = labels === undefined && requirements.length === 0
  const exact = requirements.find(({ field, operator }) => field === 'metadata.name' && operator === '=')
  const fieldValue = (version: Version, field: string): string =>
    field === 'metadata.name'
      ? version.name
      : field === 'metadata.namespace'
        ? version.namespace
        : (version.fields(extract)[field] ?? '')
  return {
    namespace,
    everything,
    name: exact?.value,
    readsFields: requirements.some(({ field }) => field !== 'metadata.name' && field !== 'metadata.namespace'),
    id: JSON.stringify([namespace, query.labelSelector, requirements]),
    matches: (version) => {
      if (namespace !== '' && version.namespace !== namespace) return false
      for (const { field, operator, value } of requirements) {
        if ((fieldValue(version, field) === value) !== (operator === '=')) return false
      }
      return labels === undefined || labels.matches(version.labels())
    },
  }
}
