// Decisions per second of the scheduling core alone, on upstream's workloads; reading the pod and counting it on its node are
// included, the API is not. Beside it the same decisions by the plain path, which looks at every node for every pod.
import type { Pod } from '@shiplog/api/generated/types/core-v1'
import { createProfile, defaultConfiguration } from '@shiplog/scheduling/framework/configuration'
import { schedule } from '@shiplog/scheduling/framework/schedule'
import { createPlacementIndex } from '@shiplog/scheduling/index/placement-index'
import { Snapshot } from '@shiplog/scheduling/snapshot/snapshot'
import { formatNumber } from '../report.ts'
import type { Workload } from './workloads.ts'

const plainDecisions = 100
const profile = createProfile(defaultConfiguration)

/** A pod as the feed would bring it: nothing is shared with the one before. */
const fresh = (pod: Pod): Pod => JSON.parse(JSON.stringify(pod)) as Pod

function fill({ nodes, initial, node, initialPod, objects = [] }: Workload) {
  const snapshot = new Snapshot()
  for (const [resource, object] of objects) snapshot.objects.apply(resource, object, false)
  for (let number = 0; number < nodes; number++) snapshot.setNode(node(number))
  const index = createPlacementIndex(snapshot, profile, 0)
  for (let number = 0; number < initial; number++) {
    const pod = snapshot.readPod(fresh(initialPod(number)))
    snapshot.assume(pod, index.schedule(pod).node!)
  }
  return { snapshot, index }
}

/** Decisions per second. */
function measure(pods: readonly Pod[], decide: (pod: Pod) => void): number {
  const started = process.hrtime.bigint()
  for (const pod of pods) decide(pod)
  return pods.length / (Number(process.hrtime.bigint() - started) / 1e9)
}

/** A line of cells: see main.ts. */
export function decisionsPerSecond(workload: Workload): readonly string[] {
  const { snapshot, index } = fill(workload)
  const pods = Array.from({ length: workload.measured }, (_, number) => fresh(workload.measuredPod(number)))
  let unplaced = 0
  const fast = measure(pods, (object) => {
    const pod = snapshot.readPod(object)
    const { node } = index.schedule(pod)
    if (node === undefined) unplaced++
    else snapshot.assume(pod, node)
  })
  const more = Array.from({ length: plainDecisions }, (_, number) => fresh(workload.measuredPod(workload.measured + number)))
  const plain = measure(more, (object) => void schedule(snapshot.readPod(object), snapshot, profile, 0))
  const { name, threshold } = workload
  return [name, ...[fast, plain, threshold, fast / threshold].map(formatNumber), unplaced === 0 ? '' : `${unplaced} unplaced`]
}
