// Namespaces: finalizers of their own in spec, a phase, and a label with their name.
import { invalidValue } from '@shiplog/api/field-errors'
import type { Namespace } from '@shiplog/api/generated/types/core-v1'
import type { Draft } from '@shiplog/api/decoded'
import { validateFinalizerOwner } from '../metadata-validation.ts'
import type { Strategy } from '../strategy.ts'
import { byRule, fillStatus, items, keep, section } from '../fields.ts'
import { dns1123Label, qualifiedName } from '../names.ts'
import { prepareNamespaceFinalize } from '../subresources/namespace-finalize.ts'

/** The finalizer that the namespace controller removes when nothing is left inside. */
export const kubernetesFinalizer = 'kubernetes'
const nameLabel = 'kubernetes.io/metadata.name'

const setNameLabel = (draft: Draft<Namespace>): void => {
  if (!draft.metadata.name) return
  section(draft.metadata, 'labels')[nameLabel] = draft.metadata.name
}

/** A namespace's phase follows its deletion: Terminating as soon as it has a deletionTimestamp. */
const eventType = (next: Draft<Namespace>, before: Draft<Namespace>, subresource: string): string | undefined => {
  if (next.metadata.deletionTimestamp && !before.metadata.deletionTimestamp) return 'NamespaceDeletionRequested'
  if (subresource === 'finalize') return 'NamespaceFinalized'
  return undefined
}

export const namespaceStrategy: Strategy<Namespace> = {
  hasGeneration: false,
  validateName: dns1123Label,
  setDefaults: (draft) => {
    setNameLabel(draft)
    fillStatus(draft.status, { phase: 'Active' })
  },
  prepareForCreate: (draft) => {
    setNameLabel(draft)
    draft.status = { phase: 'Active' }
    const spec = section(draft, 'spec')
    if (!items(spec.finalizers).includes(kubernetesFinalizer))
      spec.finalizers = [...items(spec.finalizers), kubernetesFinalizer]
  },
  // Only the finalize subresource touches spec.finalizers.
  prepareForUpdate: (draft, before) => {
    keep(section(draft, 'spec'), before.spec, 'finalizers')
    keep(draft, before, 'status')
  },
  prepareForSubresource: (draft, before, subresource) => {
    if (subresource === 'finalize') prepareNamespaceFinalize(draft, before)
  },
  validate: (namespace) =>
    items(namespace.spec?.finalizers).flatMap((finalizer) => [
      ...byRule(qualifiedName, finalizer, 'spec.finalizers'),
      ...validateFinalizerOwner(finalizer, 'spec.finalizers'),
    ]),
  validatesAll: true,
  validateStatusUpdate: (next) => {
    const phase = next.status?.phase ?? ''
    const dying = next.metadata.deletionTimestamp !== undefined
    const sentence = dying
      ? "may only be 'Terminating' if `deletionTimestamp` is not empty"
      : "may only be 'Active' if `deletionTimestamp` is empty"
    return phase === (dying ? 'Terminating' : 'Active') ? [] : [invalidValue('status.Phase', phase, sentence)]
  },
  selectableFields: (namespace) => ({
    'status.phase': namespace.status?.phase ?? '',
  }),
  eventType,
}
