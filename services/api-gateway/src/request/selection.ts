// What a list or a watch selects: namespace, labels and fields, compiled once per request.
import { goQuote } from '@shiplog/api/decode/go-quote'
import type { KubeObject } from '@shiplog/api/kube-object'
import { parseFieldSelector, parseLabelSelector } from '@shiplog/api/selectors'
import type { ResourceInfo } from '@shiplog/api/schema/schema'
import { ApiError, badRequest } from '@shiplog/api/status'
import type { Strategy } from '@shiplog/domain/strategy'
import type { Version } from '../store/version.ts'

export interface Selection {
  /** '' for all namespaces. */
  readonly namespace: string
  /** True when labels and fields do not narrow it. */
  readonly everything: boolean
  /** Set when the selection can only be one object. */
  readonly name: string | undefined
  matches(version: Version): boolean
  /** Equal for equal selections: watchers with the same id share their frames. */
  readonly id: string
}

const emptyFields = (): Readonly<Record<string, string>> => ({})

export function compileSelection(
  resource: ResourceInfo,
  strategy: Strategy,
  query: {
    readonly namespace: string
    readonly name?: string
    readonly labelSelector: string
    readonly fieldSelector: string
  },
): Selection {
  const { namespace } = query
  const labels = query.labelSelector === '' ? undefined : parseLabelSelector(query.labelSelector)
  const requirements = query.fieldSelector === '' ? [] : [...parseFieldSelector(query.fieldSelector).requirements]
  if (query.name) requirements.push({ field: 'metadata.name', operator: '=', value: query.name })
  const known = new Set([
    'metadata.name',
    ...(resource.namespaced ? ['metadata.namespace'] : []),
    ...(strategy.selectableFieldNames ?? []),
  ])
  for (const { field } of requirements) {
    if (!known.has(field)) {
      // Kinds with fields of their own, and kinds without, are worded by different parts of upstream.
      throw new ApiError(
        badRequest(
          strategy.selectableFieldNames
            ? resource.resource === 'jobs'
              ? `field label ${goQuote(field)} not supported for ${resource.kind}`
              : `field label not supported: ${field}`
            : `${JSON.stringify(field)} is not a known field selector: only "metadata.name", "metadata.namespace"`,
        ),
      )
    }
  }
  const extract = (object: KubeObject): Readonly<Record<string, string>> =>
    strategy.selectableFields?.(object) ?? emptyFields()
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
