// Scheduler and kubelets in a few lines, for tests of controllers: pods are bound to nodes in turn, become Running and
// Ready, and go when they are deleted. `step` does what is due now, so that a test owns the order of things; `automatic`
// does it after every change.
import type { Pod } from '@shiplog/api/generated/types/core-v1'
import type { JsonObject } from '@shiplog/api/kube-object'
import { rfc3339, type Clock } from '@shiplog/runtime/clock'
import type { FakeCluster } from './fake-cluster.ts'

export interface FakeNodesOptions {
  readonly nodes?: readonly string[]
  /** Whether a pod gets ready; default: all do. */
  readonly becomesReady?: (pod: Pod) => boolean
  /** Whether a deleted pod goes; default: all do. */
  readonly terminates?: (pod: Pod) => boolean
}

export interface FakeNodes {
  /** Moves every pod one step on; true when any moved. */
  step(): boolean
  /** From now on pods move by themselves, a little after each change. Returns the switch. */
  automatic(delayMs?: number): Disposable
}

const condition = (type: string, status: boolean, now: string): JsonObject => ({
  type,
  status: status ? 'True' : 'False',
  lastProbeTime: null,
  lastTransitionTime: now,
})

/** The one node that a pod's affinity asks for, as a DaemonSet's does. */
const nodeNamedBy = (pod: Pod): string | undefined =>
  pod.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms?.[0]
    ?.matchFields?.[0]?.values?.[0]

/** Creates nodes that run a fake cluster's pods. */
export function createFakeNodes(
  cluster: FakeCluster,
  clock: Pick<Clock, 'nowMs' | 'after'>,
  options: FakeNodesOptions = {},
): FakeNodes {
  const nodes = options.nodes ?? ['node-0', 'node-1', 'node-2']
  const becomesReady = options.becomesReady ?? (() => true)
  const terminates = options.terminates ?? (() => true)
  let turn = 0
  let address = 0

  const movePod = (pod: Pod): boolean => {
    const { namespace, name } = pod.metadata as { namespace: string; name: string }
    const at = { group: '', resource: 'pods', namespace, name }
    if (pod.metadata.deletionTimestamp) {
      if (!terminates(pod) || (pod.metadata.deletionGracePeriodSeconds === 0 && pod.metadata.finalizers?.length))
        return false
      cluster.execute({ verb: 'delete', ...at, body: { gracePeriodSeconds: 0 } })
      return true
    }
    if (!pod.spec.nodeName) {
      const target = { apiVersion: 'v1', kind: 'Node', name: nodeNamedBy(pod) ?? nodes[turn++ % nodes.length]! }
      const body = { apiVersion: 'v1', kind: 'Binding', metadata: { name, namespace }, target }
      cluster.must({ verb: 'create', ...at, subresource: 'binding', body })
      return true
    }
    const phase = pod.status.phase
    if (phase === 'Succeeded' || phase === 'Failed') return false
    const conditions = pod.status.conditions ?? []
    const isReady = conditions.some((one) => one.type === 'Ready' && one.status === 'True')
    const shouldBeReady = becomesReady(pod)
    if (phase === 'Running' && isReady === shouldBeReady) return false
    const now = rfc3339(clock.nowMs())
    const podIP =
      (pod.status.podIP as string | undefined) ?? `10.244.${Math.floor(++address / 250)}.${(address % 250) + 1}`
    cluster.must({
      verb: 'update',
      ...at,
      subresource: 'status',
      body: {
        ...pod,
        status: {
          phase: 'Running',
          podIP,
          podIPs: [{ ip: podIP }],
          startTime: pod.status.startTime ?? now,
          conditions: [
            condition('Initialized', true, now),
            condition('Ready', shouldBeReady, now),
            condition('ContainersReady', shouldBeReady, now),
            condition('PodScheduled', true, now),
          ],
        },
      },
    })
    return true
  }

  const step = (): boolean => {
    let moved = false
    for (const pod of cluster.list('pods')) moved = movePod(pod) || moved
    return moved
  }

  return {
    step,
    automatic: (delayMs = 0) => {
      let on = true
      let waiting = false
      const schedule = (): void => {
        if (waiting || !on) return
        waiting = true
        clock.after(delayMs, () => {
          waiting = false
          if (on && step()) schedule()
        })
      }
      cluster.onChange((change) => {
        if (change.groupResource === 'pods') schedule()
      })
      schedule()
      return {
        [Symbol.dispose]: () => {
          on = false
        },
      }
    },
  }
}
