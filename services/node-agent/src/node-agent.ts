// The node agent: the kubelet's role for N nodes in one process. It keeps the nodes registered and alive, takes the pods
// that are bound to them from one shared feed, has a host run them, and reports what became of them with as few writes as
// possible. Everything it knows can be told again from the feed, so it may be killed at any moment.
//
//   feed → pod-sync.ts (entries) → pod-worker.ts (steps, hosts/) → write queue → pod-status-writer.ts → API
import type { ApiClient } from '@shiplog/api/api-client'
import type { Bus } from '@shiplog/events/bus/bus'
import type { ObjectFeed } from '@shiplog/feed/object-feed'
import type { Clock } from '@shiplog/runtime/clock'
import type { Ids } from '@shiplog/runtime/ids'
import type { Logger } from '@shiplog/runtime/logger'
import type { Service } from '@shiplog/runtime/service'
import { createEventRecorder, silentRecorder } from './event-recorder.ts'
import { messageOf, type PodHost, type PodHostFactory, type PodHostListener } from './hosts/pod-host.ts'
import { createLogTunnel } from './log-tunnel.ts'
import type { EvictionConfig } from './eviction/thresholds.ts'
import { createNodeKeeper, type NodeKeeper } from './eviction/node-keeper.ts'
import { createNodeHeartbeats, type NodeHeartbeats } from './node-heartbeats.ts'
import { type NodeConfig, type SimulatedNodes, simulatedNodes } from './node-object.ts'
import { createNodeServer } from './node-server.ts'
import { createPodTable, type PodEntry, podNameOf, type PodTable, wakeAt } from './pod-entry.ts'
import { onReferenceChanged } from './pod-outcomes.ts'
import { writePod } from './pod-status-writer.ts'
import { forget, onPodChange, type PodSyncDeps } from './pod-sync.ts'
import { advance, onContainerExit, type PodWorkerDeps, recordEvent, recover } from './pod-worker.ts'
import { deleteMirror } from './static-pods/mirror-writer.ts'
import { createStaticPods, type StaticPods } from './static-pods/static-pods.ts'
import { createStreamTunnels } from './stream-tunnels.ts'
import { serveTunnels } from './tunnels.ts'
import { reportUsage } from './usage-reports.ts'
import { createWriteQueue, type WriteQueue } from './write-queue.ts'

export interface NodeAgentDeps {
  /** Which of several agents of a process this is, as kube-system shows it; default `node-agent`. */
  readonly name?: string
  readonly feed: ObjectFeed
  readonly client: ApiClient
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Logger
  /** Which kind of nodes these are. */
  readonly host: PodHostFactory
  readonly nodes: SimulatedNodes
  /** Nodes beside the simulated ones: the control plane's own. */
  readonly extraNodes?: readonly NodeConfig[]
  /** Where the manifests of the one node's own pods are. */
  readonly staticPods?: { readonly directory: string }
  /** When the one node ends pods to save itself; absent: never. */
  readonly eviction?: EvictionConfig
  /** Where gateways ask for what runs here; without it nobody can read logs. */
  readonly bus?: Bus
  /** Write Event objects about pods (as long as they are few); default true. */
  readonly eventObjects?: boolean
}

export interface NodeAgent extends Service {
  /** Pods that the agent looks after, for metrics and tests. */
  podCount(): number
}

/** Commands about pods that are in flight at once; they share group commits. */
const podWritesInFlightMax = 128
const feedRetryMs = 1_000

/** The agent's parts, wired. */
interface Parts {
  readonly deps: NodeAgentDeps
  readonly configs: readonly NodeConfig[]
  readonly table: PodTable
  readonly host: PodHost
  readonly heartbeats: NodeHeartbeats
  readonly worker: PodWorkerDeps
  readonly sync: PodSyncDeps
  readonly statics: StaticPods | undefined
  readonly keeper: NodeKeeper
  readonly writes: WriteQueue<PodEntry>
}

export function createNodeAgent(deps: NodeAgentDeps): NodeAgent {
  const abort = new AbortController()
  const { signal } = abort
  const parts = wire(deps, signal)
  const { configs, host, heartbeats, table, writes } = parts
  const feed: FeedState = { fault: undefined, synced: Promise.withResolvers() }
  let state: 'new' | 'running' | 'stopped' = 'new'
  let tunnels: Disposable | undefined
  return {
    name: deps.name ?? 'node-agent',
    async start() {
      if (state !== 'new') return
      state = 'running'
      host.start(() => table.values(), listenerOf(parts))
      // They run also where nobody tells anything.
      parts.statics?.start()
      parts.keeper.start()
      void followFeed(parts, feed, signal)
      await feed.synced.promise
      if (signal.aborted) return
      tunnels = acceptTunnels(parts)
      report(parts, signal)
      heartbeats.start()
      await Promise.race([heartbeats.registered(), aborted(signal)])
    },
    async stop() {
      if (state === 'stopped') return
      state = 'stopped'
      abort.abort()
      feed.synced.resolve()
      tunnels?.[Symbol.dispose]()
      parts.statics?.[Symbol.dispose]()
      parts.keeper[Symbol.dispose]()
      heartbeats.stop()
      writes.stop()
      for (const entry of table.values()) entry.wake?.[Symbol.dispose]()
      await host.stop()
    },
    health() {
      const ready = heartbeats.readyCount()
      return [
        feed.fault === undefined ? { name: 'feed', ok: true } : { name: 'feed', ok: false, reason: feed.fault },
        ready === configs.length
          ? { name: 'nodes', ok: true }
          : { name: 'nodes', ok: false, reason: `${ready} of ${configs.length} nodes are registered` },
      ]
    },
    podCount: () => table.size,
  }
}

function wire(deps: NodeAgentDeps, signal: AbortSignal): Parts {
  const { client, clock, ids, log } = deps
  const configs = [...(deps.extraNodes ?? []), ...simulatedNodes(deps.nodes)]
  const table = createPodTable()
  const annotationsOf = (node: string): Readonly<Record<string, string>> =>
    heartbeats.objectOf(node)?.metadata.annotations ?? {}
  const host = deps.host({ ...deps, annotationsOf })
  const identity = { bootID: ids.uuid(), runtimeVersion: host.version, pressures: () => keeper.pressures() }
  const heartbeats = createNodeHeartbeats({ client, clock, log, nodes: configs, identity })
  const events = deps.eventObjects === false ? silentRecorder : createEventRecorder({ client, clock })
  const playsAlong = ({ node }: PodEntry): boolean => !heartbeats.isStopped(node.name)
  const podCIDRsOf = heartbeats.podCIDRsOf
  const worker: PodWorkerDeps = {
    ...{ host, clock, log, events, podCIDRsOf },
    isActive: (entry) => !signal.aborted && playsAlong(entry),
    isStopped: () => signal.aborted,
    report: (entry) => writes.enqueue(entry),
  }
  const status = {
    ...{ client, host, clock, log, podCIDRsOf },
    nodeOf: heartbeats.objectOf,
    isActive: playsAlong,
    wakeAt: (entry: PodEntry, atMs: number) => wakeAt(clock, entry, atMs, () => advance(worker, entry)),
    advance: (entry: PodEntry) => advance(worker, entry),
    forget: (entry: PodEntry) => forget(sync, entry),
  }
  const writes = createWriteQueue<PodEntry>({
    clock,
    inFlightMax: podWritesInFlightMax,
    write: (entry) => writePod(status, entry),
    onFailure: (entry, err) => log.warn({ err, pod: podNameOf(entry) }, 'failed to report pod'),
  })
  const keeper = createNodeKeeper({
    ...{ config: deps.eviction, reserves: host.reserves, clock, log, events, nodeName: configs[0]?.name ?? '' },
    pods: () => table.values(),
    advance: (entry) => advance(worker, entry),
    changed: heartbeats.statusChanged,
  })
  const statics = deps.staticPods && configs[0] && createStaticPods({
    ...{ ...deps.staticPods, node: configs[0], table, clock, log },
    begin: (entry) => void recover(worker, entry, false),
    advance: (entry) => advance(worker, entry),
    report: (entry) => writes.enqueue(entry),
    deleteMirror: (mirror) => deleteMirror(client, mirror),
  })
  const sync: PodSyncDeps = {
    ...{ table, host, clock },
    ...(statics ? { statics } : {}),
    refusal: keeper.refusal,
    nodes: new Map(configs.map((config) => [config.name, config])),
    nodeOf: heartbeats.objectOf,
    rejected: (entry, { reason, message }) => events.pod(entry.pod, entry.node.name, 'Warning', reason, message),
    advance: (entry) => advance(worker, entry),
    recover: (entry, adopted) => void recover(worker, entry, adopted),
    report: (entry) => writes.enqueue(entry),
  }
  return { deps, configs, table, host, heartbeats, worker, sync, statics, keeper, writes }
}

function listenerOf({ table, worker, keeper }: Parts): PodHostListener {
  const withEntry = (podUid: string, act: (entry: PodEntry) => void): void => {
    const entry = table.byUid(podUid)
    if (entry !== undefined) act(entry)
  }
  return {
    exited: (exit) => withEntry(exit.podUid, (entry) => onContainerExit(worker, entry, exit)),
    changed: (podUid) => withEntry(podUid, (entry) => advance(worker, entry)),
    referenceChanged: (podUid) =>
      withEntry(podUid, (entry) => {
        onReferenceChanged(entry.work)
        advance(worker, entry)
      }),
    nodeEvent: keeper.tell,
    podEvent: (podUid, ...event) => withEntry(podUid, (entry) => worker.events.pod(entry.pod, entry.node.name, ...event)),
    event: (podUid, container, type, reason, message) =>
      withEntry(podUid, (entry) => recordEvent(worker, entry, container, type, reason, message)),
  }
}

interface FeedState {
  fault: string | undefined
  /** All pods have been seen once. */
  readonly synced: PromiseWithResolvers<void>
}

/** Follows the feed; when it breaks, starts again from a new snapshot, in which what is missing was deleted. */
async function followFeed(parts: Parts, state: FeedState, signal: AbortSignal): Promise<void> {
  const { clock, log } = parts.deps
  let isFirst = true
  while (!signal.aborted) {
    try {
      for await (const _ of syncedBatches(parts, signal)) {
        // What else is on the machine belongs to pods that are gone.
        if (isFirst) parts.host.keepOnly(parts.table.uids())
        parts.statics?.synced()
        isFirst = false
        state.fault = undefined
        state.synced.resolve()
      }
      if (signal.aborted) return
      state.fault = 'the feed of pods ended'
    } catch (error) {
      if (signal.aborted) return
      state.fault = messageOf(error)
    }
    log.error({ reason: state.fault }, 'feed disconnected, reconnecting')
    await clock.sleep(feedRetryMs, signal).catch(() => undefined)
  }
}

/** Applies the feed; yields once, when the snapshot is complete. */
async function* syncedBatches({ deps, table, heartbeats, sync }: Parts, signal: AbortSignal): AsyncGenerator<void> {
  let snapshot: Set<string> | undefined = new Set()
  for await (const batch of deps.feed.follow(['nodes', 'pods'], signal)) {
    for (const change of batch.changes) {
      if (change.groupResource === 'pods') {
        snapshot?.add(`${change.namespace}/${change.name}`)
        onPodChange(sync, change)
      } else if (heartbeats.onNodeChange(change)) {
        // A node that played dead is back: catch up with what happened to its pods.
        for (const entry of table.values()) if (entry.node.name === change.name) sync.advance(entry)
      }
    }
    if (!batch.synced || snapshot === undefined) continue
    for (const [key, entry] of [...table.entries()]) if (!snapshot.has(key) && !entry.static) forget(sync, entry)
    snapshot = undefined
    yield
  }
}

/** Tells gateways what pods use. */
function report({ deps, configs, host, table }: Parts, signal: AbortSignal): void {
  const { bus, clock, log } = deps
  const nodeNames = configs.map(({ name }) => name)
  if (bus) void reportUsage({ bus, host, clock, log, nodeNames, pods: () => table.values(), signal })
}

/** Opens the way to what runs here: logs, commands, ports. */
function acceptTunnels({ deps, configs, table, host }: Parts): Disposable | undefined {
  const { bus, clock, log } = deps
  if (!bus) return undefined
  const find = (uid: string) => {
    const entry = table.byApiUid(uid)
    return entry && { ...podNameOf(entry), uid: entry.uid, nodeName: entry.node.name, work: entry.work }
  }
  const podsOf = (nodeName: string) => [...table.ofNode(nodeName)]
  const open = new DisposableStack()
  const nodes = new Map(configs.map((config) => [config.name, config]))
  const server = open.use(createNodeServer({ host, clock, nodes, podsOf }))
  const handlers = {
    logs: createLogTunnel({ host, clock, find }),
    ...createStreamTunnels({ host, clock, find }),
    node: server.handler,
  }
  open.use(serveTunnels({ bus, clock, log, nodeNames: nodes.keys(), handlers }))
  return open
}

const aborted = (signal: AbortSignal): Promise<void> =>
  signal.aborted
    ? Promise.resolve()
    : new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
