// What the agent writes about one node: the Node object that registers it, its status, and its Lease. Each function brings
// the API one step closer to what should be there, and is called again until nothing is left to do.
import { isDeepStrictEqual } from 'node:util'
import type { ApiClient, ApiResult } from '@shiplog/api/api-client'
import type { Node } from '@shiplog/api/generated/types/core-v1'
import { type Clock, rfc3339Micro } from '@shiplog/runtime/clock'
import type { Logger } from '@shiplog/runtime/logger'
import {
  leaseNamespace,
  leaseObject,
  type NodeConfig,
  type NodeIdentity,
  nodeObject,
  nodeStatus,
  nodeStatusDiffers,
} from './node-object.ts'
import type { WriteOutcome, WriteSlot } from './write-queue.ts'

export interface NodeEntry {
  readonly config: NodeConfig
  readonly slot: WriteSlot
  object: Node | undefined
  /** The simulated node plays dead. */
  stopped: boolean
  /** Newest sequence that was taken into account. */
  sequence: number
  registered: boolean
  /** Deleted by someone after it was registered: like a kubelet's, it stays away until the agent is restarted. */
  gone: boolean
  /** The status is to be sent though nothing differs. */
  refresh: boolean
  readonly lease: LeaseEntry
}

export interface LeaseEntry {
  readonly slot: WriteSlot
  exists: boolean
}

export interface NodeWriteDeps {
  readonly client: ApiClient
  readonly clock: Clock
  readonly log: Logger
  readonly identity: NodeIdentity
  readonly onRegistered: (entry: NodeEntry) => void
}

const query = { fieldManager: 'kubelet' } as const
const nodes = { group: '', resource: 'nodes' } as const
const leases = { group: 'coordination.k8s.io', resource: 'leases', namespace: leaseNamespace } as const

/** Registers the node, or brings its status up to date. */
export async function writeNode(deps: NodeWriteDeps, entry: NodeEntry): Promise<WriteOutcome> {
  if (entry.gone) return 'settled'
  if (entry.stopped) return registered(deps, entry)
  if (entry.object === undefined) return await register(deps, entry)
  if (!entry.refresh && !nodeStatusDiffers(entry.object.status, deps.identity)) return registered(deps, entry)
  entry.refresh = false
  return await writeStatus(deps, entry, entry.object)
}

function registered({ onRegistered }: NodeWriteDeps, entry: NodeEntry): WriteOutcome {
  if (!entry.registered) {
    entry.registered = true
    onRegistered(entry)
  }
  return 'settled'
}

async function register(deps: NodeWriteDeps, entry: NodeEntry): Promise<WriteOutcome> {
  const { client, clock, identity } = deps
  const { config } = entry
  const body = nodeObject(config, identity, clock.nowMs())
  const created = await client.request({ verb: 'create', ...nodes, body, query })
  if (created.ok) {
    const node = take(entry, created)
    registered(deps, entry)
    return nodeStatusDiffers(node.status, identity) ? 'more' : 'settled'
  }
  if (created.code !== 409) return refused(deps, 'node not registered, retrying', config.name, created)
  const found = await client.request({ verb: 'get', ...nodes, name: config.name })
  if (!found.ok) return refused(deps, 'node not readable, retrying', config.name, found)
  take(entry, found)
  return 'more'
}

async function writeStatus(deps: NodeWriteDeps, entry: NodeEntry, object: Node): Promise<WriteOutcome> {
  const { client, clock, identity } = deps
  const { config } = entry
  const before: Record<string, unknown> = { ...object.status }
  const next = nodeStatus(config, identity, object.status, clock.nowMs())
  // A heartbeat carries only what changed: the conditions.
  const status = Object.fromEntries(
    Object.entries(next).filter(([field, value]) => !isDeepStrictEqual(before[field], value)),
  )
  const result = await client.request({
    verb: 'patch',
    ...nodes,
    subresource: 'status',
    name: config.name,
    patchType: 'application/strategic-merge-patch+json',
    body: { metadata: { uid: object.metadata.uid }, status },
    query,
  })
  if (result.ok) {
    take(entry, result)
    return registered(deps, entry)
  }
  if (result.code === 404 && entry.registered) {
    entry.gone = true
    return 'settled'
  }
  // Deleted or recreated between the read and the write: start over from what is there.
  if (result.code === 404 || result.code === 409) entry.object = undefined
  return refused(deps, 'node status not accepted, retrying', config.name, result)
}

function take(entry: NodeEntry, result: ApiResult & { ok: true }): Node {
  if (result.sequence > entry.sequence) entry.sequence = result.sequence
  entry.object = result.object as Node
  return entry.object
}

/** Creates the node's Lease, or renews it. */
export async function writeLease(deps: NodeWriteDeps, entry: NodeEntry): Promise<WriteOutcome> {
  const { client, clock } = deps
  const { lease, object } = entry
  const { name } = entry.config
  if (entry.gone || entry.stopped || object === undefined) return 'settled'
  if (!lease.exists) {
    const body = leaseObject(name, object.metadata.uid, clock.nowMs())
    const created = await client.request({ ...leases, verb: 'create', body, query })
    if (!created.ok && created.code !== 409) return refused(deps, 'lease not created, retrying', name, created)
    lease.exists = true
    if (created.ok) return 'settled'
  }
  const renewed = await client.request({
    ...leases,
    verb: 'patch',
    name,
    patchType: 'application/merge-patch+json',
    body: { spec: { holderIdentity: name, renewTime: rfc3339Micro(clock.nowMs()) } },
    query,
  })
  if (renewed.ok) return 'settled'
  if (renewed.code === 404) lease.exists = false
  return refused(deps, 'lease not renewed, retrying', name, renewed)
}

function refused({ log }: NodeWriteDeps, what: string, node: string, result: ApiResult & { ok: false }): WriteOutcome {
  log.debug({ node, code: result.code, reason: result.status.message }, what)
  return 'retry'
}
