// Defaults of a claim's spec, also inside StatefulSets.
import type { JsonObject } from '@shiplog/api/kube-object'
import { fill } from '../fields.ts'

/** A claim is for a file system unless it says otherwise. */
export const setClaimSpecDefaults = (spec: JsonObject): void => {
  fill(spec, 'volumeMode', 'Filesystem')
}
