// Nodes as a client of the API: binds pods, makes them ready, lets them go. It needs nothing but a feed and a client, so
// that the same test runs on the fake cluster and on a gateway over a real log.
import type { Pod } from '@shiplog/api/generated/types/core-v1'
import type { ApiClient } from '@shiplog/api/api-client'
import type { ObjectFeed } from '@shiplog/feed/object-feed'
import { isFinished, isReady } from '../shared/pods.ts'

/** Runs until the signal aborts. */
export async function runSimulatedNodes(
  deps: { readonly feed: ObjectFeed; readonly client: ApiClient; readonly nodes: readonly string[] },
  signal: AbortSignal,
): Promise<void> {
  const { feed, client, nodes } = deps
  let turn = 0
  let address = 0
  const move = async (pod: Pod): Promise<void> => {
    const at = { group: '', resource: 'pods', namespace: pod.metadata.namespace!, name: pod.metadata.name }
    if (pod.metadata.deletionTimestamp) {
      await client.request({
        verb: 'delete',
        ...at,
        body: { apiVersion: 'v1', kind: 'DeleteOptions', gracePeriodSeconds: 0 },
      })
    } else if (!pod['spec'].nodeName) {
      const target = { apiVersion: 'v1', kind: 'Node', name: nodes[turn++ % nodes.length]! }
      const metadata = { name: at.name, namespace: at.namespace }
      await client.request({
        verb: 'create',
        ...at,
        subresource: 'binding',
        body: { apiVersion: 'v1', kind: 'Binding', metadata, target },
      })
    } else if (!isReady(pod) && !isFinished(pod)) {
      const now = `${new Date().toISOString().slice(0, 19)}Z`
      const podIP = `10.0.${Math.floor(++address / 250)}.${(address % 250) + 1}`
      const conditions = ['PodScheduled', 'Initialized', 'ContainersReady', 'Ready'].map((type) => ({
        type,
        status: 'True',
        lastTransitionTime: now,
      }))
      await client.request({
        verb: 'patch',
        ...at,
        subresource: 'status',
        patchType: 'application/merge-patch+json',
        body: { status: { phase: 'Running', conditions, podIP, podIPs: [{ ip: podIP }] } },
      })
    }
  }
  for await (const batch of feed.follow(['pods'], signal)) {
    for (const change of batch.changes) {
      if (!change.deleted) void move(change.object as Pod).catch(() => undefined)
    }
  }
}
