// RuntimeClasses: which handler of the container runtime runs a pod.
import { immutable, requiredName } from '../fields.ts'
import { dns1123Label } from '../names.ts'
import type { Strategy } from '../strategy.ts'

export const runtimeClassStrategy: Strategy = {
  hasGeneration: false,
  allowUnconditionalUpdate: false,
  validate: (object) => requiredName(dns1123Label, object['handler'], 'handler'),
  validateUpdate: (next, before) => immutable(next['handler'], before['handler'], 'handler'),
}
