// What the scheduler would decide about a pod, with everything that would be as good: for comparisons with another scheduler,
// which breaks ties in its own way.
import type { Pod } from '@shiplog/api/generated/types/core-v1'
import type { ObjectChange } from '@shiplog/feed/object-feed'
import { defaultConfiguration, type Profile } from '@shiplog/scheduling/framework/configuration'
import { explain } from '@shiplog/scheduling/framework/explain'
import { createProfiles } from '@shiplog/scheduling/framework/profiles'
import { type Decision, schedule } from '@shiplog/scheduling/framework/schedule'
import type { PodInfo } from '@shiplog/scheduling/snapshot/pod-info'
import { ClusterView } from '../cluster-view.ts'

export type Verdict =
  /** `best`: all nodes with the best score. */
  | { readonly node: string; readonly best: () => readonly string[] }
  /** `preemption`: `node: default/victim east/other`; `asGood`: each that is as good. */
  | { readonly message: string; readonly preemption: string | undefined; readonly asGood: () => ReadonlySet<string> }

export interface Trial {
  see(change: ObjectChange): void
  decide(uid: string): Verdict
}

/** As many rotations of the nodes as there can be nodes, several times over: each of equal nodes comes first in one of them. */
const seedsTried = 200

export function createTrial(schedulerName: string, nowMs: () => number): Trial {
  const profiles = createProfiles([{ ...defaultConfiguration, schedulerName }])
  const profile = profiles.first
  const view = new ClusterView({ profiles, nowMs, onIncoming: () => undefined })
  return {
    see(change) {
      if (change.groupResource === 'nodes') view.applyNode(change)
      else if (change.groupResource !== 'pods') view.applyObject(change)
      else {
        const pod = change.object as Pod
        if (change.deleted || pod.spec.nodeName) view.applySettledPod(pod, change.deleted)
        else view.applyWaitingPod(pod, () => true)
      }
    },
    decide(uid) {
      const pod = view.snapshot.readPod(view.waiting.get(uid)!)
      const decision = view.decide(pod)
      if (!decision.failure) return { node: decision.node!, best: () => bestNodes(view, profile, pod, decision) }
      const { message, preemption } = decision.failure
      return { message, preemption: preemption && told(preemption), asGood: () => preemptions(view, profile, pod) }
    },
  }
}

function bestNodes({ snapshot }: ClusterView, profile: Profile, pod: PodInfo, { feasible, node, top }: Decision) {
  if (feasible === 1) return [node!]
  const { nodes } = explain(pod, snapshot, profile, 0)
  return nodes.filter(({ total }) => total === top[0]!.score).map((one) => one.node)
}

function preemptions({ snapshot }: ClusterView, profile: Profile, pod: PodInfo): ReadonlySet<string> {
  const found = new Set<string>()
  for (let seed = 0; seed < seedsTried; seed++) {
    const { failure } = schedule(pod, snapshot, profile, seed)
    if (failure?.preemption) found.add(told(failure.preemption))
  }
  return found
}

const told = ({ node, victims }: { readonly node: string; readonly victims: readonly PodInfo[] }): string =>
  `${node}: ${victims.map(({ namespace, name }) => `${namespace}/${name}`).sort().join(' ')}`
