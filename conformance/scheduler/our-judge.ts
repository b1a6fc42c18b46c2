// Our scheduling core decides the same: the gateway's write stages over a list in memory, and the scheduler's view of it.
import type { ApiRequest } from '@shiplog/api/api-client'
import type { JsonObject } from '@shiplog/api/kube-object'
import { createTrial, type Verdict } from '@shiplog/scheduler/testing/trial'
import { createFakeCluster } from '@shiplog/testing/fake-cluster'
import { createManualClock } from '@shiplog/testing/manual-clock'
import { namespaceNames, nodeOf, type Outcome, schedulerName, type Situation } from './life.ts'

export interface OurJudge {
  prepare(requests: readonly ApiRequest[]): void
  /** What is not as upstream decided, in words; and the cluster goes on as upstream decided. */
  compare(situation: Situation, theirs: Outcome): readonly string[]
}

export function createOurJudge(): OurJudge {
  const clock = createManualClock()
  const cluster = createFakeCluster(clock, { admission: [] })
  const trial = createTrial(schedulerName, () => clock.nowMs())
  cluster.onChange((change) => trial.see(change))
  for (const name of namespaceNames) cluster.put('namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name } })

  const prepare = (requests: readonly ApiRequest[]): void => {
    for (const request of requests) cluster.must(request)
  }

  return {
    prepare,
    compare({ changes, pod }, theirs) {
      prepare(changes)
      const { namespace, name } = pod.metadata
      const object = cluster.must({ verb: 'create', group: '', resource: 'pods', namespace, body: pod })
      const differences = differencesOf(trial.decide(object.metadata.uid), theirs)
      if ('victims' in theirs) for (const victim of theirs.victims) cluster.remove('pods', victim)
      const node = nodeOf(theirs)
      if (node !== undefined) {
        const { spec } = object as unknown as { readonly spec: JsonObject }
        cluster.put('pods', { ...object, spec: { ...spec, nodeName: node } } as unknown as JsonObject)
      }
      return differences.map((difference) => `${namespace}/${name}: ${difference}`)
    },
  }
}

function differencesOf(ours: Verdict, theirs: Outcome): readonly string[] {
  if ('node' in theirs) {
    if ('message' in ours) return [`upstream ${theirs.node}, here ${ours.message}`]
    if (ours.node === theirs.node || ours.best().includes(theirs.node)) return []
    return [`upstream ${theirs.node}, here one of ${ours.best().join(' ')}`]
  }
  if ('node' in ours) return [`upstream ${theirs.message}, here ${ours.best().join(' ')}`]
  const texts = ours.message === theirs.message ? [] : [`upstream ${theirs.message}, here ${ours.message}`]
  const wanted = 'victims' in theirs ? `${theirs.nominated}: ${theirs.victims.join(' ')}` : undefined
  if (ours.preemption === wanted || (wanted !== undefined && ours.asGood().has(wanted))) return texts
  return [...texts, `upstream preempts ${wanted ?? 'nobody'}, here ${[...ours.asGood()].join(' or ') || 'nobody'}`]
}
