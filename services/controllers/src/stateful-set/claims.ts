// The claims of a StatefulSet's pods: `data-db-2` is the claim of `db-2` for the template `data`. Whose they are (the set's,
// the pod's, nobody's) is how the retention policy is carried out: the garbage collector deletes what has lost its owners.
import type { StatefulSet } from '@shiplog/api/generated/types/apps-v1'
import type { PersistentVolumeClaim, Pod, Volume } from '@shiplog/api/generated/types/core-v1'
import { jsonEqual } from '@shiplog/api/patch/json-patch'
import type { JsonObject, KubeObject, OwnerReference } from '@shiplog/api/kube-object'
import type { Command, EventRecord } from '@shiplog/reconcile/reconciler'
import { keyOf, type ObjectView } from '@shiplog/reconcile/view'
import { controllerReference, isBeingDeleted, setOwnersCommand } from '../shared/ownership.ts'

const claims = { group: '', resource: 'persistentvolumeclaims' }

export const claimNameOf = (set: StatefulSet, template: string, ordinal: number): string =>
  `${template}-${set.metadata.name}-${ordinal}`

const templatesOf = (set: StatefulSet): readonly PersistentVolumeClaim[] => set.spec.volumeClaimTemplates ?? []

/** The volumes of a pod with those of its claims first, as upstream puts them. */
export function withClaimVolumes(set: StatefulSet, ordinal: number, volumes: readonly Volume[]): Volume[] {
  const names = new Set(templatesOf(set).map(({ metadata }) => metadata.name))
  const own = [...names].map((name) => ({
    name,
    persistentVolumeClaim: { claimName: claimNameOf(set, name, ordinal) },
  }))
  return [...own, ...volumes.filter(({ name }) => !names.has(name))]
}

export const storageMatches = (set: StatefulSet, pod: Pod, ordinal: number): boolean =>
  templatesOf(set).every(({ metadata }) =>
    (pod.spec.volumes ?? []).some(
      (volume) =>
        volume.name === metadata.name &&
        volume.persistentVolumeClaim?.claimName === claimNameOf(set, metadata.name, ordinal),
    ),
  )

/** The claims of one pod that exist. */
export function claimsOf(view: ObjectView, set: StatefulSet, ordinal: number): PersistentVolumeClaim[] {
  return templatesOf(set).flatMap(({ metadata }) => {
    const key = keyOf(set.metadata.namespace, claimNameOf(set, metadata.name, ordinal))
    return view.get('persistentvolumeclaims', key) ?? []
  })
}

const event = (set: StatefulSet, type: EventRecord['type'], reason: string, message: string): EventRecord => ({
  object: set,
  type,
  reason,
  message,
})

/** Creates the claims of a pod that do not exist; names those that are on their way out, without which no pod is made. */
export function missingClaims(
  view: ObjectView,
  set: StatefulSet,
  pod: string,
  ordinal: number,
): { readonly commands: readonly Command[]; readonly leaving: readonly string[] } {
  const commands: Command[] = []
  const leaving: string[] = []
  for (const template of templatesOf(set)) {
    const name = claimNameOf(set, template.metadata.name, ordinal)
    const known = view.get('persistentvolumeclaims', keyOf(set.metadata.namespace, name))
    if (known && isBeingDeleted(known)) leaving.push(name)
    if (!known) commands.push(createClaim(set, template, name, pod))
  }
  return { commands, leaving }
}

function createClaim(set: StatefulSet, template: PersistentVolumeClaim, name: string, pod: string): Command {
  const owner = set.metadata.name
  const labels = { ...template.metadata.labels, ...set.spec.selector.matchLabels }
  const { status: _status, ...rest } = template
  const body: JsonObject = {
    ...rest,
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: {
      ...template.metadata,
      name,
      namespace: set.metadata.namespace!,
      ...(Object.keys(labels).length > 0 ? { labels } : {}),
    },
  }
  return {
    request: { verb: 'create', ...claims, namespace: set.metadata.namespace!, body },
    event: event(set, 'Normal', 'SuccessfulCreate', `Create Claim ${name} Pod ${pod} in StatefulSet ${owner} success`),
    failureEvent: ({ message }) =>
      event(
        set,
        'Warning',
        'FailedCreate',
        `Create Claim ${name} for Pod ${pod} in StatefulSet ${owner} failed error: ${message}`,
      ),
  }
}

// ── who owns a claim ─────────────────────────────────────────────────────────────────────────────────────────────────

/** A pod as far as its claims are concerned; one that does not exist has no uid. */
export interface ClaimUser {
  readonly name: string
  readonly uid: string | undefined
  readonly inRange: boolean
}

const names = (reference: OwnerReference, apiVersion: string, kind: string, name: string): boolean =>
  reference.apiVersion === apiVersion && reference.kind === kind && reference.name === name

const namesSet = (reference: OwnerReference, set: StatefulSet): boolean =>
  names(reference, 'apps/v1', 'StatefulSet', set.metadata.name)
const namesPod = (reference: OwnerReference, pod: ClaimUser): boolean => names(reference, 'v1', 'Pod', pod.name)

const isDelete = (policy: string | undefined): boolean => policy === 'Delete'

/** The owners that the policy wants a claim to have. */
function wantedOwners(set: StatefulSet, pod: ClaimUser): { readonly set: boolean; readonly pod: boolean } {
  const { whenDeleted, whenScaled } = set.spec.persistentVolumeClaimRetentionPolicy ?? {}
  const scaledAway = !pod.inRange && isDelete(whenScaled)
  return { set: isDelete(whenDeleted) && !scaledAway, pod: scaledAway }
}

/** Another controller holds the claim, or a set or pod of this name that has gone: only looked at when it could be lost. */
function hasUnexpectedController(claim: PersistentVolumeClaim, set: StatefulSet, pod: ClaimUser): boolean {
  const { whenDeleted, whenScaled } = set.spec.persistentVolumeClaimRetentionPolicy ?? {}
  if (!isDelete(whenDeleted) && !isDelete(whenScaled)) return false
  return (claim.metadata.ownerReferences ?? []).some((reference) => {
    if (namesSet(reference, set)) return reference.uid !== set.metadata.uid
    if (namesPod(reference, pod)) return reference.uid !== pod.uid
    return reference.controller === true
  })
}

/** A claim that still names a pod of this name that has gone: it goes, too, before a new pod may use the name. */
export function isClaimStale(claim: PersistentVolumeClaim, set: StatefulSet, pod: ClaimUser): boolean {
  if (!isDelete(set.spec.persistentVolumeClaimRetentionPolicy?.whenScaled)) return false
  const reference = claim.metadata.ownerReferences?.find((one) => namesPod(one, pod))
  return reference !== undefined && reference.uid !== pod.uid
}

/** The owner references that a claim should have; undefined when they are right, or not ours to change. */
export function claimOwners(
  claim: PersistentVolumeClaim,
  set: StatefulSet,
  pod: ClaimUser,
): readonly OwnerReference[] | undefined {
  const references = claim.metadata.ownerReferences ?? []
  const ofSet = references.filter((one) => one.uid === set.metadata.uid)
  const ofPod = references.filter((one) => one.uid === pod.uid)
  const isStale = (one: OwnerReference): boolean =>
    (namesSet(one, set) && one.uid !== set.metadata.uid) || (namesPod(one, pod) && one.uid !== pod.uid)
  if (references.some(isStale)) return undefined
  const others = references.filter((one) => !namesSet(one, set) && !namesPod(one, pod))
  if (hasUnexpectedController(claim, set, pod)) return ofSet.length + ofPod.length > 0 ? others : undefined
  const wanted = wantedOwners(set, pod)
  const isRight =
    [...ofSet, ...ofPod].every((one) => one.controller) &&
    ofSet.length > 0 === wanted.set &&
    ofPod.length > 0 === wanted.pod
  if (isRight) return undefined
  const podReference = { apiVersion: 'v1', kind: 'Pod', metadata: { name: pod.name, uid: pod.uid } } as KubeObject
  return [
    ...others,
    ...(wanted.set ? [controllerReference(set)] : []),
    ...(wanted.pod && pod.uid !== undefined ? [controllerReference(podReference)] : []),
  ]
}

/** Gives the claims of a pod the owners that the retention policy asks for. */
export function retainClaims(
  view: ObjectView,
  set: StatefulSet,
  ordinal: number,
  pod: ClaimUser,
): { readonly commands: readonly Command[]; readonly events: readonly EventRecord[] } {
  const commands: Command[] = []
  const events: EventRecord[] = []
  for (const claim of claimsOf(view, set, ordinal)) {
    const owners = claimOwners(claim, set, pod)
    if (!owners || jsonEqual(owners, claim.metadata.ownerReferences ?? [])) continue
    if (hasUnexpectedController(claim, set, pod)) {
      const message = `PersistentVolumeClaim ${claim.metadata.name} has a conflicting OwnerReference that acts as a manging controller, the retention policy is ignored for this claim`
      events.push(event(set, 'Warning', 'ConflictingController', message))
    }
    commands.push(setOwnersCommand(claims, claim, owners))
  }
  return { commands, events }
}
