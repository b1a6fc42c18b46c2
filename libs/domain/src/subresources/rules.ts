// Subresources that write a part of their object: what of the draft counts, and what is checked instead of the rules
// for updates of the whole.
import type { KubeObject } from '@shiplog/api/kube-object'
import type { StatusCause } from '@shiplog/api/status'
import { prepareEphemeralContainers, validateEphemeralContainersUpdate } from './ephemeral-containers.ts'
import { prepareNamespaceFinalize } from './namespace-finalize.ts'
import { prepareResize, validateResize } from './resize.ts'

export interface SubresourceRule {
  prepare(draft: KubeObject, before: KubeObject): void
  validate?(next: KubeObject, before: KubeObject): readonly StatusCause[]
}

/** Only the conditions of a signing request can be approved or denied. */
const prepareApproval = (draft: KubeObject, before: KubeObject): void => {
  const conditions = draft['status']?.conditions
  const { managedFields } = draft.metadata
  draft['spec'] = before['spec']
  draft['status'] = { ...before['status'], ...(conditions ? { conditions } : {}) }
  draft.metadata = { ...before.metadata, ...(managedFields ? { managedFields } : {}) }
}

const rules: Readonly<Record<string, SubresourceRule>> = {
  'pods/ephemeralcontainers': { prepare: prepareEphemeralContainers, validate: validateEphemeralContainersUpdate },
  'pods/resize': { prepare: prepareResize, validate: validateResize },
  'namespaces/finalize': { prepare: prepareNamespaceFinalize },
  'certificatesigningrequests/approval': { prepare: prepareApproval },
}

/** The rule of a subresource; undefined for the main resource, status, and those that compute their own draft (scale). */
export const subresourceRule = (resource: string, subresource: string): SubresourceRule | undefined =>
  subresource === '' ? undefined : rules[`${resource}/${subresource}`]
