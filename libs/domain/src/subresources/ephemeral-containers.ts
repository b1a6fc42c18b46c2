// pods/ephemeralcontainers: adds containers for debugging; touches nothing else and takes none away.
import { forbiddenField } from '@shiplog/api/field-errors'
import type { Pod } from '@shiplog/api/generated/types/core-v1'
import type { StatusCause } from '@shiplog/api/status'
import type { Draft } from '@shiplog/api/decoded'
import { items, keep, semanticEqual } from '../fields.ts'

/** Keeps all of the pod but its ephemeral containers. */
export const prepareEphemeralContainers = (draft: Draft<Pod>, before: Draft<Pod>): void => {
  const { ephemeralContainers } = draft.spec ?? {}
  draft.spec = { ...before.spec, ...(ephemeralContainers ? { ephemeralContainers } : {}) }
  if (!ephemeralContainers) delete draft.spec.ephemeralContainers
  keep(draft, before, 'status')
}

/** Ephemeral containers are only ever added. */
export const validateEphemeralContainersUpdate = (next: Draft<Pod>, before: Draft<Pod>): StatusCause[] => {
  const field = 'spec.ephemeralContainers'
  const now = items(next.spec?.ephemeralContainers)
  return items(before.spec?.ephemeralContainers).flatMap((old) => {
    const same = now.find((container) => container.name === old.name)
    if (!same)
      return [forbiddenField(field, `existing ephemeral containers ${JSON.stringify(old.name)} may not be removed\n`)]
    return semanticEqual(same, old)
      ? []
      : [forbiddenField(field, `existing ephemeral containers ${JSON.stringify(old.name)} may not be changed\n`)]
  })
}
