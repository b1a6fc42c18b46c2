// Keeps the nodes of one agent registered and alive: creates each Node, renews its Lease every 10 s, refreshes its status
// every 5 min or when the API shows something else. All nodes share one timer, which goes round them as the hand of a
// clock does, so that thousands of renewals spread evenly over their 10 s.
import { isDeepStrictEqual } from 'node:util'
import type { ApiClient, ApiResult } from '@shiplog/api/api-client'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import type { ObjectChange } from '@shiplog/feed/object-feed'
import type { Clock } from '@shiplog/runtime/clock'
import { rfc3339Micro } from '@shiplog/runtime/clock'
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
import { createWriteQueue, newWriteSlot, type WriteOutcome, type WriteSlot } from './write-queue.ts'

export const leaseRenewMs = 10_000
/** Renewals of leases between two refreshes of the status: 5 minutes. */
const roundsPerStatus = 30
/** Steps of a round: many nodes need small steps, few should not wake the process ten times a second. */
const stepsPerRoundOf = (nodes: number): number => (nodes >= 50 ? 100 : 10)
const nodeWritesInFlightMax = 16
const leaseWritesInFlightMax = 32

export interface NodeHeartbeats {
  /** Registers or refreshes every node; `known` are the Node objects that the feed's snapshot showed. */
  start(): void
  /** Resolves when every node has been registered. */
  registered(): Promise<void>
  /** Gives true when the node plays dead no more: its pods have to be reported again. */
  onNodeChange(change: ObjectChange): boolean
  stop(): void
  readyCount(): number
  /** True for a node that plays dead; see `stoppedAnnotation`. */
  isStopped(name: string): boolean
}

/**
 * On a Node, with the value `true`: the simulated node plays dead. It renews no Lease and reports nothing until the
 * annotation goes, as a machine that lost its network; its containers run on.
 */
export const stoppedAnnotation = 'simulated.shiplog.dev/stopped'

interface NodeEntry {
  readonly config: NodeConfig
  readonly index: number
  readonly slot: WriteSlot
  object: KubeObject | undefined
  /** It plays dead. */
  stopped: boolean
  /** Newest sequence that was taken into account. */
  sequence: number
  registered: boolean
  /** Deleted by someone after it was registered: it stays away until the agent starts anew, as a kubelet's does. */
  gone: boolean
  refresh: boolean
  readonly lease: LeaseEntry
}

interface LeaseEntry {
  readonly slot: WriteSlot
  exists: boolean
  node: NodeEntry
}

export function createNodeHeartbeats(deps: {
  readonly client: ApiClient
  readonly clock: Clock
  readonly log: Logger
  readonly nodes: readonly NodeConfig[]
  readonly identity: NodeIdentity
}): NodeHeartbeats {
  const { client, clock, log, identity } = deps
  const entries = new Map<string, NodeEntry>()
  deps.nodes.forEach((config, index) => {
    const lease = { slot: newWriteSlot(), exists: false } as LeaseEntry
    const entry: NodeEntry = {
      config,
      index,
      slot: newWriteSlot(),
      object: undefined,
      stopped: false,
      sequence: 0,
      registered: false,
      gone: false,
      refresh: false,
      lease,
    }
    lease.node = entry
    entries.set(config.name, entry)
  })
  const all = [...entries.values()]
  const stepsPerRound = stepsPerRoundOf(all.length)
  let unregistered = all.length
  const allRegistered = Promise.withResolvers<void>()
  if (unregistered === 0) allRegistered.resolve()
  let hand: Disposable | undefined
  let step = 0

  function setRegistered(entry: NodeEntry): void {
    if (entry.registered) return
    entry.registered = true
    leases.enqueue(entry.lease)
    if (--unregistered === 0) allRegistered.resolve()
  }

  const take = (entry: NodeEntry, result: ApiResult & { ok: true }): void => {
    if (result.sequence > entry.sequence) entry.sequence = result.sequence
    entry.object = result.object
  }

  async function writeNode(entry: NodeEntry): Promise<WriteOutcome> {
    const { config } = entry
    if (entry.gone) return 'settled'
    if (entry.stopped) {
      setRegistered(entry)
      return 'settled'
    }
    if (entry.object === undefined) {
      const result = await client.request({
        verb: 'create',
        group: '',
        resource: 'nodes',
        body: nodeObject(config, identity, clock.nowMs()),
        query: { fieldManager: 'kubelet' },
      })
      if (result.ok) {
        take(entry, result)
        setRegistered(entry)
        return nodeStatusDiffers(result.object['status'], identity.bootID) ? 'more' : 'settled'
      }
      if (result.code !== 409) return refused('a node could not be registered', config.name, result)
      const found = await client.request({ verb: 'get', group: '', resource: 'nodes', name: config.name })
      if (!found.ok) return refused('a node could not be read', config.name, found)
      take(entry, found)
      return 'more'
    }
    const status = entry.object['status'] as JsonObject | undefined
    if (!entry.refresh && !nodeStatusDiffers(status, identity.bootID)) {
      setRegistered(entry)
      return 'settled'
    }
    entry.refresh = false
    const next = nodeStatus(config, identity, status, clock.nowMs())
    // What does not change is not sent: a heartbeat is its conditions.
    const changed = Object.fromEntries(
      Object.entries(next).filter(([field, value]) => !isDeepStrictEqual(status?.[field], value)),
    )
    const result = await client.request({
      verb: 'patch',
      group: '',
      resource: 'nodes',
      subresource: 'status',
      name: config.name,
      patchType: 'application/strategic-merge-patch+json',
      body: { metadata: { uid: entry.object.metadata.uid }, status: changed },
      query: { fieldManager: 'kubelet' },
    })
    if (result.ok) {
      take(entry, result)
      setRegistered(entry)
      return 'settled'
    }
    if (result.code === 404 && entry.registered) {
      entry.gone = true
      return 'settled'
    }
    // Deleted or made anew between our reading and our writing: begin again from what is there.
    if (result.code === 404 || result.code === 409) entry.object = undefined
    return refused("a node's status was not accepted", config.name, result)
  }

  function refused(what: string, node: string, result: ApiResult & { ok: false }): WriteOutcome {
    log.debug({ node, code: result.code, reason: result.status.message }, what)
    return 'retry'
  }

  async function writeLease(lease: LeaseEntry): Promise<WriteOutcome> {
    const { node } = lease
    const { name } = node.config
    if (node.gone || node.stopped || node.object === undefined) return 'settled'
    const address = { group: 'coordination.k8s.io', resource: 'leases', namespace: leaseNamespace }
    if (!lease.exists) {
      const body = leaseObject(name, node.object.metadata.uid, clock.nowMs())
      const result = await client.request({ ...address, verb: 'create', body, query: { fieldManager: 'kubelet' } })
      if (result.ok) {
        lease.exists = true
        return 'settled'
      }
      if (result.code !== 409) return refused('a lease could not be created', name, result)
      lease.exists = true
    }
    const result = await client.request({
      ...address,
      verb: 'patch',
      name,
      patchType: 'application/merge-patch+json',
      body: { spec: { holderIdentity: name, renewTime: rfc3339Micro(clock.nowMs()) } },
      query: { fieldManager: 'kubelet' },
    })
    if (result.ok) return 'settled'
    if (result.code === 404) lease.exists = false
    return refused('a lease could not be renewed', name, result)
  }

  const nodes = createWriteQueue<NodeEntry>({
    clock,
    inFlightMax: nodeWritesInFlightMax,
    write: writeNode,
    onFailure: (entry, err) => log.warn({ err, node: entry.config.name }, 'a node could not be written'),
  })
  const leases = createWriteQueue<LeaseEntry>({
    clock,
    inFlightMax: leaseWritesInFlightMax,
    write: writeLease,
    onFailure: (entry, err) => log.warn({ err, node: entry.node.config.name }, 'a lease could not be written'),
  })

  /** One step of the hand: the nodes whose index falls on it renew; once in 30 rounds their status too. */
  function advance(): void {
    const position = step % stepsPerRound
    const round = Math.floor(step / stepsPerRound)
    step++
    const from = Math.ceil((position * all.length) / stepsPerRound)
    const to = Math.ceil(((position + 1) * all.length) / stepsPerRound)
    for (let index = from; index < to; index++) {
      const entry = all[index]!
      if (entry.gone || entry.stopped || !entry.registered) continue
      leases.enqueue(entry.lease)
      if ((round + index) % roundsPerStatus === 0 && round > 0) {
        entry.refresh = true
        nodes.enqueue(entry)
      }
    }
  }

  return {
    start() {
      for (const entry of all) nodes.enqueue(entry)
      hand = clock.every(leaseRenewMs / stepsPerRound, advance)
    },
    registered: () => allRegistered.promise,
    onNodeChange(change) {
      const entry = entries.get(change.name)
      if (entry === undefined || change.sequence <= entry.sequence) return false
      entry.sequence = change.sequence
      if (change.deleted) {
        entry.object = undefined
        entry.gone = entry.registered
        entry.stopped = false
        entry.lease.exists = false
        return false
      }
      entry.object = change.object
      entry.gone = false
      const annotations = change.object.metadata['annotations'] as Record<string, string> | undefined
      const woke = entry.stopped && annotations?.[stoppedAnnotation] !== 'true'
      entry.stopped = annotations?.[stoppedAnnotation] === 'true'
      if (woke && hand) leases.enqueue(entry.lease)
      if (hand && nodeStatusDiffers(change.object['status'] as JsonObject, identity.bootID)) nodes.enqueue(entry)
      return woke
    },
    stop() {
      hand?.[Symbol.dispose]()
      nodes.stop()
      leases.stop()
    },
    readyCount: () => all.length - unregistered,
    isStopped: (name) => entries.get(name)?.stopped ?? false,
  }
}
