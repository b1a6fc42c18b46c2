// Taint eviction: pods that do not tolerate a NoExecute taint of their node are driven off, at once or after as long as they
// tolerate it. A pod first says why it goes, and goes in the next round. Upstream's taint manager, with its sentences.
import type { Node, Pod, Taint } from '@shiplog/api/generated/types/core-v1'
import {
  type Command,
  type EventRecord,
  forResource,
  type ReconcileContext,
  type Reconciler,
  settled,
  watchesResource,
} from '@shiplog/reconcile/reconciler'
import { keyOf, keyOfObject } from '@shiplog/reconcile/view'
import { setCondition } from '../shared/conditions.ts'
import { isBeingDeleted } from '../shared/ownership.ts'
import { podsByNodeIndex } from '../shared/pods-by-node.ts'
import { evictionTimeMs } from './tolerations.ts'

const noExecuteTaints = (node: Node | undefined): readonly Taint[] =>
  (node?.spec.taints ?? []).filter(({ effect }) => effect === 'NoExecute')

/** Keys are nodes (`/node-0`). */
export const taintEvictionReconciler: Reconciler = {
  name: 'noexec_taint_node',
  component: 'taint-eviction-controller',
  indexes: [podsByNodeIndex],
  resources: [
    forResource('nodes'),
    // A pod that was bound, or that tolerates something else, matters when something drives pods off its node.
    watchesResource('pods', (change, before, view) => {
      const { spec } = change.object
      const isSame = before?.spec.nodeName === spec.nodeName && before?.spec.tolerations === spec.tolerations
      if (!spec.nodeName || change.deleted || isSame) return []
      const key = keyOf('', spec.nodeName)
      return noExecuteTaints(view.get('nodes', key)).length > 0 ? [key] : []
    }),
  ],
  reconcile(key, view, context) {
    const node = view.get('nodes', key)
    const taints = noExecuteTaints(node)
    if (!node || (taints.length === 0 && !context.memory)) return settled
    const commands: Command[] = []
    const events: EventRecord[] = []
    const due = new Set(Object.keys(context.memory ?? {}))
    const later: Record<string, number> = {}
    let wakeMs: number | undefined
    for (const pod of view.byIndex(podsByNodeIndex, node.metadata.name)) {
      const name = keyOfObject(pod)
      const atMs = isBeingDeleted(pod) ? undefined : evictionTimeMs(pod, taints, context.nowMs)
      if (atMs === undefined) {
        if (due.has(name) && !isBeingDeleted(pod)) events.push(tell(pod, `Cancelling deletion of Pod ${name}`))
        continue
      }
      if (atMs > context.nowMs) {
        later[name] = atMs
        wakeMs = Math.min(wakeMs ?? atMs, atMs)
        continue
      }
      const command = evict(pod, context)
      commands.push(command)
      // What has been told that it goes, goes in the next round.
      if (command.request.verb !== 'delete') wakeMs = context.nowMs
    }
    return {
      ...{ commands, events },
      ...(wakeMs === undefined ? {} : { requeueAfterMs: Math.max(1, wakeMs - context.nowMs) }),
      // Which pods were to go later: when one may stay, people are told.
      ...(Object.keys(later).length > 0 ? { memory: later } : {}),
    }
  },
}

const tell = (object: Pod, message: string): EventRecord => ({
  ...{ object, type: 'Normal', reason: 'TaintManagerEviction', message },
})

function evict(pod: Pod, { nowMs }: ReconcileContext): Command {
  const { namespace = '', name, uid } = pod.metadata
  const address = { group: '', resource: 'pods', namespace, name }
  const before = pod.status.conditions ?? []
  const why = { type: 'DisruptionTarget', status: 'True', reason: 'DeletionByTaintManager' } as const
  const conditions = setCondition(before, { ...why, message: 'Taint manager: deleting due to NoExecute taint' }, nowMs)
  if (conditions !== before) {
    const body = { ...pod, status: { ...pod.status, conditions } }
    return { request: { verb: 'update', ...address, subresource: 'status', body } }
  }
  const body = { apiVersion: 'v1', kind: 'DeleteOptions', preconditions: { uid } }
  return {
    request: { verb: 'delete', ...address, body },
    event: tell(pod, `Marking for deletion Pod ${namespace}/${name}`),
  }
}
