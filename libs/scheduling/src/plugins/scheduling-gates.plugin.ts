// SchedulingGates: a pod with gates waits outside the queue until the last one is removed.
import type { Plugin } from '../framework/framework.ts'

export const schedulingGates: Plugin = {
  name: 'SchedulingGates',
  preEnqueue: (pod) => (pod.gates.length === 0 ? undefined : `waiting for scheduling gates: [${pod.gates.join(' ')}]`),
}
