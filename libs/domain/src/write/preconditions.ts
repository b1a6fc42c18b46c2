// Preconditions that a write states about the stored object: its resourceVersion and its uid.
import { goQuote } from '@shiplog/api/decode/go-quote'
import { invalidValue } from '@shiplog/api/field-errors'
import type { KubeObject } from '@shiplog/api/kube-object'
import type { ResourceInfo } from '@shiplog/api/schema/schema'
import { ApiError, badRequest, conflict, invalid } from '@shiplog/api/status'
import { type Kind, staleVersion } from '../decider.ts'

const uint64Max = 2n ** 64n - 1n

/** Why a text is no resourceVersion, in Go's words; undefined when it is one. */
export function whyNoVersion(text: string): string | undefined {
  const why = !/^\d+$/.test(text) ? 'invalid syntax' : BigInt(text) > uint64Max ? 'value out of range' : undefined
  return why && `strconv.ParseUint: parsing ${goQuote(text)}: ${why}`
}

/** Versions that upstream takes for none. */
const isUnsetVersion = (version: string | undefined): boolean => version === undefined || /^0*$/.test(version)

/** What is to be created has no version yet. */
export function checkNoVersion({ metadata }: KubeObject): void {
  if (!isUnsetVersion(metadata.resourceVersion))
    throw new ApiError(badRequest('resourceVersion should not be set on objects to be created'))
}

/** A write that names a version is meant for that version; one that names none for whatever is there, where that may be. */
export function checkVersion(resource: ResourceInfo, kind: Kind, before: KubeObject, draft: KubeObject): void {
  const { name, resourceVersion: present } = before.metadata
  const wanted = draft.metadata.resourceVersion
  if (isUnsetVersion(wanted)) {
    delete draft.metadata.resourceVersion
    if (kind.strategy.allowUnconditionalUpdate !== false) return
    const cause = invalidValue('metadata.resourceVersion', 0, 'must be specified for an update')
    throw new ApiError(invalid(resource.group, resource.resource, name, [cause]))
  }
  const why = whyNoVersion(wanted!)
  // Upstream has no class for this fault (500, no reason); it is the client's.
  if (why) throw new ApiError(badRequest(why))
  if (BigInt(wanted!) !== BigInt(present!)) throw new ApiError(staleVersion(resource, name))
}

/** A PUT that names a uid is meant for the object that has it. */
export function checkUid(resource: ResourceInfo, name: string, draft: KubeObject, present: string): void {
  const { uid } = draft.metadata
  if (!uid || uid === present) return
  const why = `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${present}`
  throw new ApiError(conflict(resource, name, why))
}
