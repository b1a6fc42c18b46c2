// The rules that all custom resources share (k8s.io/apiextensions-apiserver/pkg/registry/customresource): what a write may
// touch, and what its version's schema says of it.
import type { CustomResourceSubresourceScale } from '@shiplog/api/generated/types/apiextensions-v1'
import { goQuote } from '@shiplog/api/decode/go-quote'
import { type JsonPath, printedValue } from '@shiplog/api/json-path'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import { deepEqual } from '../deep-equal.ts'
import { qualifiedName } from '../names.ts'
import type { Strategy } from '../strategy.ts'
import type { CustomSchema } from './custom-schema.ts'

export interface CustomRules {
  readonly hasStatus: boolean
  /** Of the requested version. */
  readonly schema: () => CustomSchema
  /** Of the version in which drafts are. */
  readonly storedSchema: () => CustomSchema
  /** A draft in the shape that the requested version has. */
  readonly shown: (object: KubeObject) => KubeObject
  /** Label of a field selector → where its value lies. */
  readonly selectable: ReadonlyMap<string, JsonPath>
  readonly scale: CustomResourceSubresourceScale | undefined
}

export function customResourceStrategy({ hasStatus, schema, storedSchema, shown, selectable, scale }: CustomRules): Strategy {
  const was = (before: KubeObject | undefined): KubeObject | undefined => before && shown(before)
  return {
    hasGeneration: true,
    allowUnconditionalUpdate: false,
    anyFinalizers: true,
    validatesAll: true,
    setDefaults: (draft) => storedSchema().setDefaults(draft),
    prepareForCreate: (draft) => {
      if (hasStatus) delete draft['status']
    },
    prepareForUpdate: (draft, before) => {
      if (hasStatus) keep(draft, before, 'status')
    },
    prepareForStatusUpdate: keepAllButStatus,
    changesGeneration: differsOutsideMetadata,
    validate: (next, before) => schema().validate(shown(next), { before: was(before), scale }),
    validateStatusUpdate: (next, before) => schema().validate(shown(next), { before: was(before), scale, isStatus: true }),
    longCheck: (next, before, isStatus) => schema().longCheck(shown(next), { before: was(before), scale, isStatus }),
    warnings: finalizerWarnings,
    ...(selectable.size > 0 ? { selectableFields: (object) => selectedFields(object, selectable) } : {}),
  }
}

function keep(draft: JsonObject, before: JsonObject, field: string): void {
  if (before[field] === undefined) delete draft[field]
  else draft[field] = before[field]
}

/** Metadata, too, stays as it was. */
function keepAllButStatus(draft: KubeObject, before: KubeObject): void {
  const { status, metadata } = draft
  for (const field of Object.keys(draft)) if (!(field in before)) delete draft[field]
  for (const [field, value] of Object.entries(before)) if (field !== 'metadata') draft[field] = value
  const { managedFields } = metadata
  const { resourceVersion: _, ...old } = before.metadata
  draft.metadata = { ...old }
  if (managedFields) draft.metadata.managedFields = managedFields
  if (status === undefined) delete draft['status']
  else draft['status'] = status
}

/** Where there is no status subresource, the status is a field like any other. */
function differsOutsideMetadata(next: KubeObject, before: KubeObject): boolean {
  for (const field of new Set([...Object.keys(next), ...Object.keys(before)])) {
    if (field === 'metadata' || field === 'apiVersion') continue
    if (!deepEqual(next[field], before[field])) return true
  }
  return false
}

const systemFinalizers: ReadonlySet<string> = new Set(['orphan', 'foregroundDeletion', 'kubernetes'])
const toAvoid = 'to avoid accidental conflicts with other finalizer writers'

function finalizerWarnings(next: KubeObject, before: KubeObject | undefined): readonly string[] {
  const known = new Set(before?.metadata.finalizers)
  return (next.metadata.finalizers ?? [])
    .filter((finalizer) => !known.has(finalizer))
    .sort()
    .flatMap((finalizer) => {
      const sentences = [...qualifiedName(finalizer)]
      if (!finalizer.includes('/') && !systemFinalizers.has(finalizer)) {
        const path = finalizer.includes('.') ? ' including a path (/)' : ''
        sentences.push(`prefer a domain-qualified finalizer name${path} ${toAvoid}`)
      }
      return sentences.map((sentence) => `metadata.finalizers: ${goQuote(finalizer)}: ${sentence}`)
    })
}

const selectedFields = (
  object: KubeObject,
  selectable: ReadonlyMap<string, JsonPath>,
): Readonly<Record<string, string>> =>
  Object.fromEntries([...selectable].map(([label, path]) => [label, printedValue(path(object)[0])]))
