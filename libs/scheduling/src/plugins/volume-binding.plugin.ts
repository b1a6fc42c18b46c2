// VolumeBinding in its simplest right form: a pod waits until its claims exist and are bound, and goes only where its volumes
// can be used. For a claim whose class waits for the first consumer, a node must have a volume that the claim could get; the
// persistent volume binder binds it once the pod has its node. Nothing is provisioned here.
import type { PersistentVolume, PersistentVolumeClaim } from '@shiplog/api/generated/types/core-v1'
import type { Plugin, PreFilterResult, Rejection } from '../framework/framework.ts'
import type { NodeInfo } from '../snapshot/node-info.ts'
import type { PodClaim, PodInfo } from '../snapshot/pod-info.ts'
import { fitsNode, isFor, matchingVolume, waitsForConsumer } from '../volumes/matching.ts'
import type { Volumes } from '../volumes/volumes.ts'

const bindCompleted = 'pv.kubernetes.io/bind-completed'

const rejection = (reason: string): Rejection => ({ reasons: [reason], resolvable: false })
const wrongNode = rejection("node(s) didn't match PersistentVolume's node affinity")
const noSuchVolume = rejection('node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)')
const noVolume = rejection("node(s) didn't find available persistent volumes to bind")

export const volumeBinding: Plugin = {
  name: 'VolumeBinding',
  preFilter: (pod, { objects }) => (pod.claims.length === 0 ? undefined : judge(pod, objects.volumes)),
  // What a claim allows depends on all volumes: such pods are decided alone.
  sign: (pod) => (pod.claims.length === 0 ? '' : undefined),
  wakes: (_pod, event) =>
    event.type === 'VolumesChanged' ||
    event.type === 'NodeAdded' ||
    (event.type === 'NodeUpdated' && event.difference.labels),
}

/** Why the claim holds up its pod, wherever that might go. */
function obstacle(pod: PodInfo, { name, isEphemeral }: PodClaim, claim: PersistentVolumeClaim | undefined) {
  if (!claim) {
    return isEphemeral
      ? `waiting for ephemeral volume controller to create the persistentvolumeclaim "${name}"`
      : `persistentvolumeclaim "${name}" not found`
  }
  if (claim.status?.phase === 'Lost') {
    return `persistentvolumeclaim "${name}" bound to non-existent persistentvolume "${claim.spec.volumeName ?? ''}"`
  }
  if (claim.metadata.deletionTimestamp !== undefined) return `persistentvolumeclaim "${name}" is being deleted`
  const isOwn = claim.metadata.ownerReferences?.some(({ uid, controller }) => controller && uid === pod.uid)
  if (!isEphemeral || isOwn) return undefined
  return `PVC ${pod.namespace}/${name} was not created for pod ${pod.namespace}/${pod.name} (pod is not owner)`
}

function judge(pod: PodInfo, volumes: Volumes): PreFilterResult | undefined {
  const bound: PersistentVolume[] = []
  const waiting: PersistentVolumeClaim[] = []
  for (const podClaim of pod.claims) {
    const claim = volumes.claim(pod.namespace, podClaim.name)
    const why = obstacle(pod, podClaim, claim)
    if (why !== undefined) return { rejected: why }
    const { volumeName } = claim!.spec
    if (!volumeName || claim!.metadata.annotations?.[bindCompleted] === undefined) {
      // One that names its volume is bound by the controller, whatever its class says.
      if (volumeName || !waitsForConsumer(volumes, claim!)) {
        return { rejected: 'pod has unbound immediate PersistentVolumeClaims' }
      }
      waiting.push(claim!)
      continue
    }
    const volume = volumes.volume(volumeName)
    if (!volume) return { filter: () => noSuchVolume }
    bound.push(volume)
  }
  const restricting = bound.filter(({ spec }) => spec.nodeAffinity?.required)
  if (restricting.length === 0 && waiting.length === 0) return undefined
  return {
    filter: (node) =>
      restricting.every((volume) => fitsNode(volume, node)) ? findAll(volumes, waiting, node) : wrongNode,
  }
}

/** Whether every claim could get a volume on the node, each another one. */
function findAll(volumes: Volumes, claims: readonly PersistentVolumeClaim[], node: NodeInfo): Rejection | undefined {
  const taken = new Set<PersistentVolume>()
  for (const claim of claims) {
    const left = { ...lookup(volumes), volumes: () => [...volumes.volumes()].filter((volume) => !taken.has(volume)) }
    const volume = matchingVolume(left, claim, { waits: true, node })
    if (!volume || (volume.spec.claimRef && !isFor(volume, claim))) return noVolume
    taken.add(volume)
  }
  return undefined
}

const lookup = (volumes: Volumes) => ({
  storageClasses: () => volumes.storageClasses(),
  storageClass: (name: string) => volumes.storageClass(name),
})
