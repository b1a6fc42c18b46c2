// Node IPAM: a node that brought no range of addresses for its pods gets one, of each family of the cluster. All nodes are one
// key: who gives must see what the others have.
import type { Node } from '@shiplog/api/generated/types/core-v1'
import { type IpRanges, parseIpRange } from '@shiplog/api/ip-address'
import { createPodRangePool } from '@shiplog/control-plane/pod-ranges'
import { type Command, type EventRecord, type Reconciler, settled, watchesResource } from '@shiplog/reconcile/reconciler'
import { isBeingDeleted } from '../shared/ownership.ts'

const allNodes = 'nodes'
/** At a time, so that one round stays short. */
const nodesMax = 100

const lacksRange = ({ spec }: Node): boolean => !spec?.podCIDR

/** `podRanges`: where addresses of pods come from; the default ranges when absent. */
export const createNodeIpamReconciler = (podRanges: IpRanges | undefined): Reconciler => ({
  name: 'node-ipam',
  component: 'cidrAllocator',
  resources: [
    // A range that is given back may be what another node waits for.
    watchesResource('nodes', ({ object, deleted }) => (deleted || lacksRange(object) ? [allNodes] : [])),
  ],
  reconcile(_key, view) {
    const nodes = [...view.list('nodes')]
    const waiting = nodes.filter((node) => lacksRange(node) && !isBeingDeleted(node))
    if (waiting.length === 0) return settled
    const taken = nodes.flatMap(({ spec }) => spec?.podCIDRs ?? []).flatMap((text) => parseIpRange(text) ?? [])
    const pool = createPodRangePool(taken, podRanges)
    const commands: Command[] = []
    const events: EventRecord[] = []
    for (const node of waiting.slice(0, nodesMax)) {
      const ranges = pool.next()
      if (ranges) commands.push(giveRanges(node, ranges))
      else events.push(noneLeft(node))
    }
    return { commands, events }
  },
})

function giveRanges({ metadata }: Node, podCIDRs: readonly string[]): Command {
  const { name, uid, resourceVersion } = metadata
  const body = { metadata: { uid, resourceVersion }, spec: { podCIDR: podCIDRs[0]!, podCIDRs: [...podCIDRs] } }
  const patch = { verb: 'patch', patchType: 'application/merge-patch+json' } as const
  return { request: { ...patch, group: '', resource: 'nodes', name, body } }
}

const noneLeft = (node: Node): EventRecord => ({
  object: node,
  type: 'Normal',
  reason: 'CIDRNotAvailable',
  message: `Node ${node.metadata.name} status is now: CIDRNotAvailable`,
})
