// What upstream's own Go libraries answered to generated inputs, recorded once: whoever changes quantities, selectors,
// strategic merge, managed fields or server-side apply sees here where we would part from Kubernetes.
import { describe, expect, test } from 'vitest'
import recorded from '../generated/upstream-answers.json' with { type: 'json' }
import type { JsonObject, ManagedFieldsEntry } from '../kube-object.ts'
import { updateManagedFields } from '../apply/managed-fields.ts'
import { canonicalQuantity, QuantityError } from '../quantity.ts'
import { builtInRegistry } from '../schema/registry.ts'
import { parseFieldSelector, parseLabelSelector } from '../selectors.ts'
import { applyServerSide, isApplyConflicts } from '../apply/server-side-apply.ts'
import { isApiError } from '../status.ts'
import { strategicMergePatch } from './strategic-merge.ts'

type Labels = Record<string, string>

interface Write {
  readonly op: 'update' | 'apply'
  readonly manager: string
  readonly force: boolean
  readonly object: JsonObject
  readonly conflicts?: readonly string[]
  readonly fields?: Record<string, JsonObject>
  readonly result?: JsonObject
}

const registry = builtInRegistry()
const definition = 'io.k8s.api.apps.v1.Deployment'

const answer = (work: () => unknown): unknown => {
  try {
    return work()
  } catch (error) {
    if (isApiError(error) || error instanceof QuantityError) return error.message
    throw error
  }
}

test('quantities', () => {
  for (const [text, expected] of recorded.quantities as [string, string][]) {
    expect([text, answer(() => canonicalQuantity(text))]).toEqual([text, expected])
  }
})

test('label selectors', () => {
  for (const [text, labels, expected] of recorded.labelSelectors as [string, Labels, unknown][]) {
    expect([text, labels, answer(() => parseLabelSelector(text).matches(labels))]).toEqual([text, labels, expected])
  }
})

test('field selectors', () => {
  for (const [text, fields, expected] of recorded.fieldSelectors as [string, Labels, unknown][]) {
    expect([text, fields, answer(() => parseFieldSelector(text).matches(fields))]).toEqual([text, fields, expected])
  }
})

test('strategic merge patches, as kubectl computes them', () => {
  for (const [original, patch, expected] of recorded.strategicMergePatches as unknown as [
    JsonObject,
    JsonObject,
    unknown,
  ][]) {
    expect(answer(() => strategicMergePatch(registry, definition, original, patch))).toEqual(expected)
  }
})

/** Upstream's structs are there even when empty; what matters is what they hold. */
const withoutEmpty = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(withoutEmpty)
  if (typeof value !== 'object' || value === null) return value
  const kept: JsonObject = {}
  for (const [name, child] of Object.entries(value)) {
    const inner = withoutEmpty(child)
    if (typeof inner === 'object' && inner !== null && Object.keys(inner).length === 0) continue
    kept[name] = inner
  }
  return kept
}

const withIdentity = (object: JsonObject): JsonObject => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  ...object,
  metadata: { name: 'web', ...object['metadata'] },
})

const managersOf = (object: JsonObject): Record<string, JsonObject | undefined> =>
  Object.fromEntries(
    (object['metadata'].managedFields ?? []).map((entry: ManagedFieldsEntry) => [
      `${entry.operation![0]}:${entry.manager}`,
      entry.fieldsV1,
    ]),
  )

describe('updates and applies that follow each other', () => {
  const sequences = recorded.writes as unknown as Write[][]
  test.each(sequences.map((writes, index) => [index, writes] as const))('sequence %i', (_, writes) => {
    let live: JsonObject | undefined
    for (const { op, manager, force, object, conflicts, fields, result } of writes) {
      const write = { registry, definition, manager, apiVersion: 'apps/v1', nowMs: 0 }
      if (op === 'update') {
        const managedFields = updateManagedFields({ ...write, before: live, next: object })
        live = withIdentity({ ...object, metadata: { ...object['metadata'], managedFields } })
      } else {
        const outcome = applyServerSide({ ...write, live, applied: withIdentity(object), force })
        if (isApplyConflicts(outcome)) {
          const told = outcome.conflicts.map(({ message, field }) => {
            const name = /"(.+?)"/.exec(message)![1]
            return `${message.includes(' using ') ? 'U' : 'A'}:${name} ${field}`
          })
          expect(told.sort()).toEqual(conflicts)
          continue
        }
        live = outcome.object
        const { managedFields: _managed, name: _name, ...metadata } = live['metadata']
        const { apiVersion: _apiVersion, kind: _kind, ...rest } = live
        expect(withoutEmpty({ ...rest, metadata })).toEqual(result)
      }
      expect(conflicts).toBeUndefined()
      // Text, because the order of fieldsV1 is upstream's, too.
      expect(
        Object.entries(managersOf(live))
          .sort()
          .map((entry) => JSON.stringify(entry)),
      ).toEqual(
        Object.entries(fields!)
          .sort()
          .map((entry) => JSON.stringify(entry)),
      )
    }
  })
})
