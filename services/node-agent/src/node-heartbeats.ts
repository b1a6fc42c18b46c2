// Keeps the nodes of one agent registered and alive: creates each Node, renews its Lease every 10 s, refreshes its status
// every 5 min or when the API shows something else. All nodes share one timer, which goes round them as the hand of a
// clock does, so that thousands of renewals spread evenly over their 10 s.
import type { ApiClient } from '@shiplog/api/api-client'
import type { Node } from '@shiplog/api/generated/types/core-v1'
import type { ObjectChange } from '@shiplog/feed/object-feed'
import type { Clock } from '@shiplog/runtime/clock'
import type { Logger } from '@shiplog/runtime/logger'
import { type NodeConfig, type NodeIdentity, nodeStatusDiffers } from './node-object.ts'
import { type NodeEntry, type NodeWriteDeps, writeLease, writeNode } from './node-writes.ts'
import { createWriteQueue, newWriteSlot, type WriteQueue } from './write-queue.ts'

export const leaseRenewMs = 10_000
/** Renewals of leases between two refreshes of the status: 5 minutes. */
const roundsPerStatus = 30
/** Steps of a round: many nodes need small steps, few should not wake the process ten times a second. */
export const stepsPerRoundOf = (nodes: number): number => (nodes >= 50 ? 100 : 10)
const nodeWritesInFlightMax = 16
const leaseWritesInFlightMax = 32

export interface NodeHeartbeats {
  /** Registers or refreshes every node. */
  start(): void
  /** Resolves when every node has been registered. */
  registered(): Promise<void>
  /** Returns true when a node that played dead is back: its pods have to be reported again. */
  onNodeChange(change: ObjectChange): boolean
  stop(): void
  readyCount(): number
  /** What nodes say of themselves has changed: it is reported. */
  statusChanged(): void
  /** True for a node that plays dead; see `stoppedAnnotation`. */
  isStopped(name: string): boolean
  /** Pod CIDRs of the Node object, which an earlier life may have created with other options; else those of the options. */
  podCIDRsOf(node: NodeConfig): readonly string[]
  /** The Node object, as it is now. */
  objectOf(name: string): Node | undefined
}

/**
 * On a Node, with the value `true`: the simulated node plays dead. It renews no Lease and reports nothing until the
 * annotation is removed, as a machine that lost its network; its containers keep running.
 */
export const stoppedAnnotation = 'simulated.shiplog.dev/stopped'

export interface NodeHeartbeatDeps {
  readonly client: ApiClient
  readonly clock: Clock
  readonly log: Logger
  readonly nodes: readonly NodeConfig[]
  readonly identity: NodeIdentity
}

const newEntry = (config: NodeConfig): NodeEntry => ({
  config,
  slot: newWriteSlot(),
  object: undefined,
  stopped: false,
  sequence: 0,
  registered: false,
  gone: false,
  refresh: false,
  lease: { slot: newWriteSlot(), exists: false },
})

interface Queues {
  readonly nodes: WriteQueue<NodeEntry>
  readonly leases: WriteQueue<{ readonly slot: NodeEntry['slot']; readonly node: NodeEntry }>
}

export function createNodeHeartbeats(deps: NodeHeartbeatDeps): NodeHeartbeats {
  const { clock } = deps
  const all = deps.nodes.map(newEntry)
  const entries = new Map(all.map((entry) => [entry.config.name, entry]))
  let unregistered = all.length
  const allRegistered = Promise.withResolvers<void>()
  if (unregistered === 0) allRegistered.resolve()
  const queues = createQueues(deps, (entry) => {
    renew(queues, entry)
    if (--unregistered === 0) allRegistered.resolve()
  })
  let hand: Disposable | undefined
  return {
    start() {
      for (const entry of all) queues.nodes.enqueue(entry)
      hand = clock.every(leaseRenewMs / stepsPerRoundOf(all.length), createHand(all, queues))
    },
    registered: () => allRegistered.promise,
    onNodeChange(change) {
      const entry = entries.get(change.name)
      if (entry === undefined || change.sequence <= entry.sequence) return false
      const isBack = applyChange(entry, change)
      if (isBack && hand) renew(queues, entry)
      if (entry.object && hand && nodeStatusDiffers(entry.object.status, deps.identity)) queues.nodes.enqueue(entry)
      return isBack
    },
    stop() {
      hand?.[Symbol.dispose]()
      queues.nodes.stop()
      queues.leases.stop()
    },
    statusChanged() {
      for (const entry of all) if (entry.object && hand) queues.nodes.enqueue(entry)
    },
    readyCount: () => all.length - unregistered,
    podCIDRsOf({ name, podCIDRs }) {
      const assigned = entries.get(name)?.object?.spec?.podCIDRs
      return assigned?.length ? assigned : podCIDRs
    },
    objectOf: (name) => entries.get(name)?.object,
    isStopped: (name) => entries.get(name)?.stopped ?? false,
  }
}

const renew = ({ leases }: Queues, node: NodeEntry): void => leases.enqueue({ slot: node.lease.slot, node })

function createQueues(deps: NodeHeartbeatDeps, onRegistered: (entry: NodeEntry) => void): Queues {
  const { clock, log } = deps
  const writes: NodeWriteDeps = { ...deps, onRegistered }
  return {
    nodes: createWriteQueue<NodeEntry>({
      clock,
      inFlightMax: nodeWritesInFlightMax,
      write: (entry) => writeNode(writes, entry),
      onFailure: (entry, err) => log.warn({ err, node: entry.config.name }, 'failed to write node'),
    }),
    leases: createWriteQueue({
      clock,
      inFlightMax: leaseWritesInFlightMax,
      write: ({ node }) => writeLease(writes, node),
      onFailure: ({ node }, err) => log.warn({ err, node: node.config.name }, 'failed to write lease'),
    }),
  }
}

/** Takes a change of the Node object into account; true when the node played dead until now. */
export function applyChange(entry: NodeEntry, change: ObjectChange): boolean {
  entry.sequence = change.sequence
  if (change.deleted) {
    entry.object = undefined
    entry.gone = entry.registered
    entry.stopped = false
    entry.lease.exists = false
    return false
  }
  const node = change.object as Node
  const isStopped = node.metadata.annotations?.[stoppedAnnotation] === 'true'
  const isBack = entry.stopped && !isStopped
  entry.object = node
  entry.gone = false
  entry.stopped = isStopped
  return isBack
}

/** One step of the hand: the nodes whose index falls on it renew; once in 30 rounds their status is refreshed, too. */
function createHand(all: readonly NodeEntry[], queues: Queues): () => void {
  const steps = stepsPerRoundOf(all.length)
  let step = 0
  return () => {
    const position = step % steps
    const round = Math.floor(step / steps)
    step++
    const from = Math.ceil((position * all.length) / steps)
    const to = Math.ceil(((position + 1) * all.length) / steps)
    for (let index = from; index < to; index++) {
      const entry = all[index]!
      if (entry.gone || entry.stopped || !entry.registered) continue
      renew(queues, entry)
      if ((round + index) % roundsPerStatus !== 0 || round === 0) continue
      entry.refresh = true
      queues.nodes.enqueue(entry)
    }
  }
}
