// The node that carries the pods of services that run apart. No kubelet stands behind it: it has room for nothing, and the
// gateways renew its Lease, whichever comes first. While one gateway lives, so does the node.
import type { ApiClient } from '@shiplog/api/api-client'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import { type Clock, rfc3339, rfc3339Micro } from '@shiplog/runtime/clock'

export const componentNodeName = 'shiplog-control-plane'

const leaseNamespace = 'kube-node-lease'
const leaseDurationSeconds = 40
const renewEveryMs = 10_000
const controlPlane = 'node-role.kubernetes.io/control-plane'
const leases = { group: 'coordination.k8s.io', resource: 'leases', namespace: leaseNamespace } as const
const nodes = { group: '', resource: 'nodes' } as const

/** Keeps the node: each call does what is due. Refusals are left to the next call. */
export function createComponentNode(deps: { readonly client: ApiClient; readonly clock: Clock }): {
  keep(): Promise<void>
} {
  const { client, clock } = deps
  let dueAtMs = 0
  let seenVersion: string | undefined

  async function ensureNode(): Promise<KubeObject | undefined> {
    const found = await client.request({ ...nodes, verb: 'get', name: componentNodeName })
    if (found.ok) return found.object
    if (found.code !== 404) return undefined
    const made = await client.request({ ...nodes, verb: 'create', body: nodeObject() })
    return made.ok ? made.object : undefined
  }

  async function sayReady(node: KubeObject): Promise<void> {
    const shown = (node['status'] ?? {}) as JsonObject
    const old = (shown['conditions'] ?? []) as JsonObject[]
    if (old.some(({ type, status }) => type === 'Ready' && status === 'True')) return
    const now = rfc3339(clock.nowMs())
    const ready = {
      type: 'Ready',
      status: 'True',
      reason: 'ApiServerReady',
      message: 'an API gateway renews the Lease of this node',
      lastHeartbeatTime: now,
      lastTransitionTime: now,
    }
    const conditions = [...old.filter(({ type }) => type !== 'Ready'), ready]
    const body = { ...node, status: { ...shown, ...room, conditions } }
    await client.request({ ...nodes, verb: 'update', subresource: 'status', name: componentNodeName, body })
  }

  async function renew(uid: string): Promise<void> {
    const found = await client.request({ ...leases, verb: 'get', name: componentNodeName })
    const spec = {
      holderIdentity: componentNodeName,
      leaseDurationSeconds,
      renewTime: rfc3339Micro(clock.nowMs()),
    }
    if (!found.ok) {
      if (found.code !== 404) return
      const ownerReferences = [{ apiVersion: 'v1', kind: 'Node', name: componentNodeName, uid }]
      const metadata = { name: componentNodeName, namespace: leaseNamespace, ownerReferences }
      const body = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata, spec }
      const made = await client.request({ ...leases, verb: 'create', body })
      if (made.ok) seenVersion = made.object.metadata.resourceVersion
      return
    }
    const version = found.object.metadata.resourceVersion
    // Another gateway has renewed it since the last look.
    if (seenVersion !== undefined && version !== seenVersion) {
      seenVersion = version
      return
    }
    const body = { ...found.object, spec: { ...found.object['spec'], ...spec } }
    const renewed = await client.request({ ...leases, verb: 'update', name: componentNodeName, body })
    seenVersion = renewed.ok ? renewed.object.metadata.resourceVersion : version
  }

  return {
    async keep() {
      if (clock.nowMs() < dueAtMs) return
      const node = await ensureNode()
      if (node === undefined) return
      await renew(node.metadata.uid!)
      await sayReady(node)
      dueAtMs = clock.nowMs() + renewEveryMs
    },
  }
}

const nothing = { cpu: '0', memory: '0', 'ephemeral-storage': '0', pods: '0' }
const room = { capacity: nothing, allocatable: nothing }

const nodeObject = (): JsonObject => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: {
    name: componentNodeName,
    labels: {
      'kubernetes.io/hostname': componentNodeName,
      'kubernetes.io/os': 'linux',
      [controlPlane]: '',
      'node.kubernetes.io/exclude-from-external-load-balancers': '',
    },
  },
  spec: { taints: [{ effect: 'NoSchedule', key: controlPlane }] },
})
