// Resource claims: what a pod's template of a claim describes becomes a claim of its own, owned by the pod and named in its
// status; and a claim lets go of pods that are over. Which devices a claim gets is a scheduler's and a driver's affair.
import type { Pod, PodResourceClaim } from '@shiplog/api/generated/types/core-v1'
import type { ResourceClaim } from '@shiplog/api/generated/types/resource-v1'
import { cloneJson } from '@shiplog/api/clone-json'
import { jsonEqual } from '@shiplog/api/patch/json-patch'
import {
  type Command,
  type EventRecord,
  type Reconciler,
  type ReconcileResult,
  settled,
  watchesResource,
} from '@shiplog/reconcile/reconciler'
import { keyOf, keyOfObject, type ObjectView, viewIndex } from '@shiplog/reconcile/view'
import { childName } from '../shared/names.ts'
import { controllerKeys, controllerReference, isBeingDeleted, isControlledBy } from '../shared/ownership.ts'
import { isFinished } from '../shared/pods.ts'

const claims = 'resourceclaims.resource.k8s.io'
const templates = 'resourceclaimtemplates.resource.k8s.io'
const claimResource = { group: 'resource.k8s.io', resource: 'resourceclaims' } as const
const podClaimAnnotation = 'resource.kubernetes.io/pod-claim-name'
/** Leaves room for five characters within 63. */
const baseNameMax = 57
const [podPrefix, claimPrefix] = ['pod:', 'claim:']

const podsByTemplate = viewIndex('pods', 'pods by claim template', ({ metadata, spec }) =>
  (spec.resourceClaims ?? []).flatMap(({ resourceClaimTemplateName }) =>
    resourceClaimTemplateName ? [keyOf(metadata.namespace, resourceClaimTemplateName)] : [],
  ),
)
const claimsByConsumer = viewIndex(claims, 'claims by consumer', ({ status }) => (status?.reservedFor ?? []).map(({ uid }) => uid))

export const resourceClaimReconciler: Reconciler = {
  name: 'resource_claim',
  component: 'resource_claim',
  indexes: [podsByTemplate, claimsByConsumer],
  resources: [
    watchesResource('pods', (change, _before, view) => {
      const pod = change.object
      const named = (pod.spec.resourceClaims ?? []).length > 0
      const isOver = change.deleted || isFinished(pod) || isBeingDeleted(pod)
      const held = isOver ? [...view.byIndex(claimsByConsumer, pod.metadata.uid), ...view.listOwned(claims, pod.metadata.uid)] : []
      return [...(named ? [podPrefix + keyOfObject(pod)] : []), ...held.map((claim) => claimPrefix + keyOfObject(claim))]
    }),
    watchesResource(templates, (change, _before, view) =>
      [...view.byIndex(podsByTemplate, keyOf(change.namespace, change.name))].map((pod) => podPrefix + keyOfObject(pod)),
    ),
    watchesResource(claims, (change) => [
      claimPrefix + keyOf(change.namespace, change.name),
      ...controllerKeys(change.object, 'Pod').map((key) => podPrefix + key),
    ]),
  ],
  reconcile: (key, view) =>
    key.startsWith(podPrefix)
      ? reconcilePod(key.slice(podPrefix.length), view)
      : reconcileClaim(key.slice(claimPrefix.length), view),
}

function reconcilePod(key: string, view: ObjectView): ReconcileResult {
  const pod = view.get('pods', key)
  if (!pod || isBeingDeleted(pod) || isFinished(pod)) return settled
  const commands: Command[] = []
  const events: EventRecord[] = []
  const statuses = [...(pod.status.resourceClaimStatuses ?? [])]
  for (const wanted of pod.spec.resourceClaims ?? []) {
    if (!wanted.resourceClaimTemplateName) continue
    const claim = claimFor(pod, wanted, view)
    if (!claim) {
      const made = makeClaim(pod, wanted, wanted.resourceClaimTemplateName, view)
      if ('fault' in made) events.push(failed(pod, wanted, made.fault))
      else commands.push(made)
      continue
    }
    const at = statuses.findIndex(({ name }) => name === wanted.name)
    const status = { name: wanted.name, resourceClaimName: claim.metadata.name }
    if (at < 0) statuses.push(status)
    else statuses[at] = status
  }
  if (!jsonEqual(statuses, pod.status.resourceClaimStatuses ?? [])) commands.push(writeStatuses(pod, statuses))
  return { commands, events }
}

/** The claim that was made of this template for the pod. */
const claimFor = (pod: Pod, { name }: PodResourceClaim, view: ObjectView): ResourceClaim | undefined =>
  [...view.listOwned(claims, pod.metadata.uid)].find(
    (claim) => isControlledBy(claim, pod) && claim.metadata.annotations?.[podClaimAnnotation] === name,
  )

/** `<pod>-<claim>-`; long names are cut in proportion. */
function baseName(pod: string, claim: string): string {
  const whole = `${pod}-${claim}-`
  if (whole.length <= baseNameMax) return whole
  const cut = (text: string): string => text.slice(0, Math.floor((text.length * baseNameMax) / whole.length))
  return `${cut(pod)}-${cut(claim)}-`
}

function makeClaim(pod: Pod, wanted: PodResourceClaim, templateName: string, view: ObjectView): Command | { readonly fault: string } {
  const { namespace = '', name, uid } = pod.metadata
  const template = view.get(templates, keyOf(namespace, templateName))
  if (!template) {
    const missing = `${templates} ${JSON.stringify(templateName)} not found`
    return { fault: `resource claim template ${JSON.stringify(templateName)}: ${missing.replace('resourceclaimtemplates', 'resourceclaimtemplate')}` }
  }
  const { labels, annotations } = template.spec.metadata ?? {}
  // The name says for which claim of which pod: two runners choose the same one, and one that went is made again.
  const claimName = childName(baseName(name, wanted.name), `${uid} ${wanted.name}`, 0)
  const { blockOwnerDeletion: _, ...owner } = controllerReference(pod)
  const metadata = {
    ...{ name: claimName, generateName: baseName(name, wanted.name), namespace },
    ...(labels ? { labels } : {}),
    ...{ annotations: { ...annotations, [podClaimAnnotation]: wanted.name }, ownerReferences: [owner] },
  }
  const body = { apiVersion: 'resource.k8s.io/v1', kind: 'ResourceClaim', metadata, spec: cloneJson(template.spec.spec) }
  return {
    request: { verb: 'create', ...claimResource, namespace, body },
    failureEvent: ({ message }) => failed(pod, wanted, `create ResourceClaim : ${message}`),
  }
}

const failed = (object: Pod, { name }: PodResourceClaim, why: string): EventRecord => ({
  ...{ object, type: 'Warning', reason: 'FailedResourceClaimCreation', message: `PodResourceClaim ${name}: ${why}` },
})

function writeStatuses(pod: Pod, resourceClaimStatuses: Pod['status']['resourceClaimStatuses']): Command {
  const { namespace = '', name } = pod.metadata
  const body = { ...pod, status: { ...pod.status, resourceClaimStatuses } }
  return { request: { verb: 'update', group: '', resource: 'pods', subresource: 'status', namespace, name, body } }
}

/** A claim is held for pods that there are and that are not over; one that was made for a pod goes when the pod is over. */
function reconcileClaim(key: string, view: ObjectView): ReconcileResult {
  const claim = view.get(claims, key)
  if (!claim) return settled
  const { namespace = '', name, uid } = claim.metadata
  const reserved = claim.status?.reservedFor ?? []
  const kept = reserved.filter((one) => one.resource !== 'pods' || one.apiGroup || isAlive(view.get('pods', keyOf(namespace, one.name)), one.uid))
  const commands: Command[] = []
  if (kept.length < reserved.length) {
    const { reservedFor: _, ...rest } = claim.status ?? {}
    const body = { ...claim, status: { ...rest, ...(kept.length > 0 ? { reservedFor: kept } : {}) } }
    commands.push({ request: { verb: 'update', ...claimResource, subresource: 'status', namespace, name, body } })
  } else if (kept.length === 0 && !isBeingDeleted(claim) && wasMadeForFinished(claim, view)) {
    const body = { apiVersion: 'v1', kind: 'DeleteOptions', preconditions: { uid } }
    commands.push({ request: { verb: 'delete', ...claimResource, namespace, name, body } })
  }
  return { commands }
}

const isAlive = (pod: Pod | undefined, uid: string): boolean => pod !== undefined && pod.metadata.uid === uid && !isFinished(pod)

/** Garbage collection takes those whose pod is gone. */
function wasMadeForFinished(claim: ResourceClaim, view: ObjectView): boolean {
  if (claim.metadata.annotations?.[podClaimAnnotation] === undefined) return false
  const [podKey] = controllerKeys(claim, 'Pod')
  const pod = podKey === undefined ? undefined : view.get('pods', podKey)
  return pod !== undefined && isControlledBy(claim, pod) && isFinished(pod)
}
