// Pods by the claims that they use.
import type { Pod, Volume } from '@shiplog/api/generated/types/core-v1'
import { keyOf, viewIndex } from '@shiplog/reconcile/view'

/** The claim of a volume: the one it names, or the one that is made for it. */
export const claimNameOf = (pod: Pod, volume: Volume): string | undefined =>
  volume.persistentVolumeClaim
    ? volume.persistentVolumeClaim.claimName
    : volume.ephemeral
      ? `${pod.metadata.name}-${volume.name}`
      : undefined

/** Keys of claims: those that a pod names, and those that are made for its ephemeral volumes. */
export function claimKeysOf(pod: Pod): readonly string[] {
  const keys: string[] = []
  for (const volume of pod.spec.volumes ?? []) {
    const name = claimNameOf(pod, volume)
    if (name !== undefined) keys.push(keyOf(pod.metadata.namespace, name))
  }
  return keys
}

export const podsByClaimIndex = viewIndex('pods', 'pods by claim', claimKeysOf)
