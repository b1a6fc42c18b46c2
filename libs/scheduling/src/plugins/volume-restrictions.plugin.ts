// VolumeRestrictions: a claim with the access mode ReadWriteOncePod is for one pod at a time, wherever that is. (Disks that pods
// name without a claim, of drivers that Kubernetes has given up, are not looked at.)
import { createClaimUses } from '../counts/claim-uses.ts'
import type { Plugin, PreFilterResult, Rejection } from '../framework/framework.ts'
import type { PodInfo } from '../snapshot/pod-info.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'

const rejection: Rejection = {
  reasons: [
    'node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by another pod',
  ],
  resolvable: true,
}

export const volumeRestrictions: Plugin = {
  name: 'VolumeRestrictions',
  preFilter,
  sign: (pod) => (pod.claims.length === 0 ? '' : undefined),
  wakes: (pod, event) =>
    event.type === 'VolumesChanged' ||
    (event.type === 'PodFreed' &&
      event.pod.namespace === pod.namespace &&
      event.pod.claims.some((freed) => pod.claims.some(({ name }) => name === freed.name))),
  wakesByLabels: true,
}

function preFilter(pod: PodInfo, snapshot: Snapshot): PreFilterResult | undefined {
  if (pod.claims.length === 0) return undefined
  const uses = snapshot.stateOf(createClaimUses)
  const taken = pod.claims.filter(
    ({ name, isEphemeral }) => !isEphemeral && isForOnePod(pod, name, snapshot) && uses.of(pod.namespace, name) > 0,
  )
  if (taken.length === 0) return undefined
  // Each has one user: it is free when that one goes.
  return {
    filter: (_node, changes) => {
      const frees = (name: string): boolean =>
        changes?.removed.some((one) => one.namespace === pod.namespace && one.claims.some((claim) => claim.name === name)) ??
        false
      return taken.every(({ name }) => frees(name)) ? undefined : rejection
    },
  }
}

const isForOnePod = (pod: PodInfo, name: string, { objects }: Snapshot): boolean =>
  objects.volumes.claim(pod.namespace, name)?.spec.accessModes?.includes('ReadWriteOncePod') ?? false
