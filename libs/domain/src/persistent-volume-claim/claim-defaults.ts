// Defaults of a claim's spec, also inside StatefulSets.
import type { PersistentVolumeClaimSpec } from '@shiplog/api/generated/types/core-v1'
import type { Decoded } from '@shiplog/api/decoded'
import { fill } from '../fields.ts'

/** A claim is for a file system unless it says otherwise. */
export const setClaimSpecDefaults = (spec: Decoded<PersistentVolumeClaimSpec>): void => {
  fill(spec, 'volumeMode', 'Filesystem')
}
