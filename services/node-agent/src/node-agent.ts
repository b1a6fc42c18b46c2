// The node agent: the kubelet's role for N nodes in one process. It keeps the nodes registered and alive, takes the pods
// that are bound to them from one shared feed, has the runtime run them, and reports what became of them with as few
// writes as possible. Everything it knows can be told again from the feed, so it may be killed at any moment.
import type { ApiClient } from '@shiplog/api/api-client'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import type { Bus } from '@shiplog/events/bus/bus'
import type { ObjectChange, ObjectFeed } from '@shiplog/feed/object-feed'
import {
  type ContainerConfig,
  type ContainerExit,
  type ContainerRuntime,
  isRuntimeFailure,
  type PodVolume,
  type RecoveredContainer,
  RuntimeFailure,
  type SandboxConfig,
} from '@shiplog/node/container-runtime'
import type { Clock } from '@shiplog/runtime/clock'
import type { Ids } from '@shiplog/runtime/ids'
import type { Logger } from '@shiplog/runtime/logger'
import type { Service } from '@shiplog/runtime/service'
import { createEventRecorder, silentRecorder } from './event-recorder.ts'
import { createLogTunnel } from './log-tunnel.ts'
import { createNodeHeartbeats } from './node-heartbeats.ts'
import { type NodeConfig, type SimulatedNodes, simulatedNodes } from './node-object.ts'
import { podReport, statusPatch } from './pod-status.ts'
import {
  adoptPodWork,
  configOf,
  type ContainerWork,
  newPodWork,
  nextConfigOf,
  nextSteps,
  onExited,
  onRecovered,
  onReferenceChanged,
  onSandboxFailed,
  onSandboxReady,
  onStarted,
  onStartFailed,
  type PodStep,
  type PodWork,
  restartPolicyOf,
  specOf,
  statusOf,
} from './pod-work.ts'
import { createRealPods } from './real-pods.ts'
import { referencesFromApi, type References } from './references.ts'
import { serveTunnels } from './tunnels.ts'
import { createWriteQueue, newWriteSlot, type WriteOutcome, type WriteSlot } from './write-queue.ts'

export interface NodeAgentDeps {
  /** Which of several agents of a process this is, as kube-system shows it; default `node-agent`. */
  readonly name?: string
  readonly feed: ObjectFeed
  readonly client: ApiClient
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Logger
  readonly runtime: ContainerRuntime
  readonly nodes: SimulatedNodes
  /** Nodes beside the simulated ones: the control plane's own. */
  readonly extraNodes?: readonly NodeConfig[]
  /** What pods of a runtime with real containers refer to; default: asked of the API when the feed tells of a change. */
  readonly references?: References
  /** Where gateways ask for what runs here; without it nobody can read logs. */
  readonly bus?: Bus
  /** Write Event objects about pods (as long as they are few); default true. */
  readonly eventObjects?: boolean
}

export interface NodeAgent extends Service {
  /** Pods that the agent looks after, for metrics and tests. */
  podCount(): number
}

/** Commands about pods that are under way at once; they share group commits. */
const podWritesInFlightMax = 128
const feedRetryMs = 1_000
const recoverRetryMs = 1_000

interface PodEntry {
  readonly slot: WriteSlot
  readonly uid: string
  readonly node: NodeConfig
  pod: KubeObject
  /** Newest sequence that was taken into account, of the feed's or our own writes. */
  sequence: number
  readonly work: PodWork
  /** The runtime is being asked what it knows of the pod. */
  recovering: boolean
  wake: Disposable | undefined
  wakeAtMs: number
  /** The final DELETE was accepted; what the feed still shows is finalizers. */
  deleted: boolean
  /** The object is gone from the API. */
  gone: boolean
}

const mirrorAnnotation = 'kubernetes.io/config.mirror'
const isOver = (pod: KubeObject): boolean => /^(Succeeded|Failed)$/.test(statusOf(pod)['phase'] ?? '')
const annotationsOf = (pod: KubeObject): Record<string, string> =>
  (pod.metadata['annotations'] as Record<string, string> | undefined) ?? {}

export function createNodeAgent(deps: NodeAgentDeps): NodeAgent {
  const { feed, client, clock, ids, log, runtime } = deps
  const configs = [...(deps.extraNodes ?? []), ...simulatedNodes(deps.nodes)]
  const nodes = new Map(configs.map((config) => [config.name, config]))
  const heartbeats = createNodeHeartbeats({
    client,
    clock,
    log,
    nodes: configs,
    identity: { bootID: ids.uuid(), runtimeVersion: runtime.version },
  })
  const events = deps.eventObjects === false ? silentRecorder : createEventRecorder({ client, clock })
  /** By `<namespace>/<name>`: a name belongs to one pod at a time. */
  const pods = new Map<string, PodEntry>()
  const byUid = new Map<string, PodEntry>()
  const abort = new AbortController()
  const synced = Promise.withResolvers<void>()
  let state: 'new' | 'running' | 'stopped' = 'new'
  let feedFault: string | undefined
  /** All pods have been seen once: what else is on the machine belongs to pods that are gone. */
  let isComplete = false

  const realPods =
    runtime.real &&
    createRealPods({
      runtime,
      real: runtime.real,
      references: deps.references ?? referencesFromApi(client, feed),
      clock,
      log,
      pods: () => pods.values(),
      tell: (pod, container, type, reason, message) => {
        const entry = byUid.get(pod.uid)
        if (entry !== undefined) tell(entry, container, type, reason, message)
      },
      onChange: (pod) => {
        const entry = byUid.get(pod.uid)
        if (entry !== undefined) advance(entry)
      },
      onReference: (pod) => {
        const entry = byUid.get(pod.uid)
        if (entry === undefined) return
        onReferenceChanged(entry.work)
        advance(entry)
      },
    })

  let tunnels: Disposable | undefined

  const writes = createWriteQueue<PodEntry>({
    clock,
    inFlightMax: podWritesInFlightMax,
    write: writePod,
    onFailure: (entry, err) => log.warn({ err, pod: podName(entry) }, 'a pod could not be reported'),
  })

  const podName = (entry: PodEntry): { namespace: string; name: string } => ({
    namespace: entry.pod.metadata.namespace ?? '',
    name: entry.pod.metadata.name,
  })

  const sandboxConfig = (entry: PodEntry, volumes?: readonly PodVolume[]): SandboxConfig => {
    const { metadata } = entry.pod
    const owners = (metadata['ownerReferences'] ?? []) as JsonObject[]
    return {
      podUid: entry.uid,
      namespace: metadata.namespace ?? '',
      name: metadata.name,
      nodeName: entry.node.name,
      nodeIP: entry.node.internalIP,
      podCIDR: entry.node.podCIDR,
      hostNetwork: specOf(entry.pod)['hostNetwork'] === true,
      annotations: annotationsOf(entry.pod),
      restartPolicy: restartPolicyOf(entry.pod),
      ownedByJob: owners.some((owner) => owner['kind'] === 'Job'),
      ...(volumes === undefined ? {} : { volumes }),
    }
  }

  /** Looks at one pod, has the runtime do what is due, and queues a report. Level-triggered: may be called at any time. */
  function advance(entry: PodEntry): void {
    if (entry.gone || entry.recovering || state === 'stopped' || heartbeats.isStopped(entry.node.name)) return
    const plan = nextSteps(entry.work, entry.pod, clock.nowMs())
    for (const step of plan.steps) perform(entry, step)
    wakeAt(entry, plan.wakeAtMs)
    writes.enqueue(entry)
  }

  /** A node that played dead is back: what happened to its pods meanwhile is caught up with. */
  function advanceNode(name: string): void {
    for (const entry of pods.values()) if (entry.node.name === name) advance(entry)
  }

  /** One timer a pod at most: the earliest moment at which something is due without a cause from outside. */
  function wakeAt(entry: PodEntry, atMs: number): void {
    if (atMs >= entry.wakeAtMs) return
    entry.wake?.[Symbol.dispose]()
    entry.wakeAtMs = atMs
    entry.wake = clock.after(Math.min(Math.max(0, atMs - clock.nowMs()), 2 ** 31 - 1), () => {
      entry.wakeAtMs = Number.POSITIVE_INFINITY
      entry.wake = undefined
      advance(entry)
    })
  }

  function perform(entry: PodEntry, step: PodStep): void {
    switch (step.do) {
      case 'run-sandbox':
        runSandbox(entry).then(
          (podIPs) => {
            if (entry.gone || entry.work.finished) return runtime.removeSandbox(entry.uid)
            onSandboxReady(entry.work, podIPs)
            advance(entry)
          },
          (error: unknown) => {
            onSandboxFailed(entry.work, clock.nowMs())
            const { name, namespace } = podName(entry)
            const [reason, message] =
              isRuntimeFailure(error) && error.reason === 'FailedMount'
                ? (['FailedMount', error.message] as const)
                : ([
                    'FailedCreatePodSandBox',
                    `Failed to create pod sandbox for pod "${name}_${namespace}(${entry.uid})": ${messageOf(error)}`,
                  ] as const)
            events.pod(entry.pod, entry.node.name, 'Warning', reason, message)
            advance(entry)
          },
        )
        return
      case 'start':
        start(entry, step.container)
        return
      case 'stop':
        if (realPods) realPods.stop(entry, step.container, step.graceMs)
        else runtime.stopContainer(entry.uid, step.container.containerID, step.graceMs)
        tell(entry, step.container, 'Normal', 'Killing', `Stopping container ${step.container.name}`)
        return
      case 'remove-sandbox':
        runtime.removeSandbox(entry.uid)
    }
  }

  async function runSandbox(entry: PodEntry): Promise<readonly string[]> {
    return runtime.runSandbox(sandboxConfig(entry, await realPods?.volumesOf(entry)))
  }

  async function nextContainer(entry: PodEntry, container: ContainerWork): Promise<ContainerConfig> {
    const config = nextConfigOf(container)
    const process = await realPods!.processOf(entry, container)
    // The pod may have been given up while what it refers to was read.
    if (entry.gone || entry.work.sandbox !== 'ready')
      throw new RuntimeFailure('CreateContainerError', 'the pod is over')
    return { ...config, process }
  }

  function start(entry: PodEntry, container: ContainerWork): void {
    const starting = realPods
      ? nextContainer(entry, container).then((config) => runtime.startContainer(entry.uid, config))
      : runtime.startContainer(entry.uid, nextConfigOf(container))
    starting.then(
      (started) => {
        if (entry.gone || entry.work.finished) return
        onStarted(container, started)
        if (!realPods) {
          tell(entry, container, 'Normal', 'Pulled', `Container image "${container.image}" already present on machine`)
        }
        tell(entry, container, 'Normal', 'Created', `Container created`)
        if (started.ended?.reason === 'StartError') {
          tell(entry, container, 'Warning', 'Failed', `Error: ${started.ended.message}`)
        } else tell(entry, container, 'Normal', 'Started', `Container started`)
        if (started.ended) ended(entry, container, started.ended)
        else realPods?.began(entry, container, true)
        advance(entry)
      },
      (error: unknown) => {
        if (entry.gone || entry.work.finished) return
        const reason = isRuntimeFailure(error) ? error.reason : 'CreateContainerError'
        onStartFailed(container, reason, messageOf(error), clock.nowMs())
        // Of simulated images nobody needs to be told more than the reason.
        tell(entry, container, 'Warning', 'Failed', realPods ? `Error: ${messageOf(error)}` : `Error: ${reason}`)
        advance(entry)
      },
    )
  }

  function tell(
    entry: PodEntry,
    container: ContainerWork,
    type: 'Normal' | 'Warning',
    reason: string,
    message: string,
  ): void {
    const list = container.role === 'main' ? 'containers' : 'initContainers'
    events.pod(entry.pod, entry.node.name, type, reason, message, `spec.${list}{${container.name}}`)
  }

  runtime.onExit((exit) => {
    const entry = byUid.get(exit.podUid)
    if (entry === undefined) return
    const container = [...entry.work.init, ...entry.work.main].find(
      (candidate) => candidate.containerID === exit.containerID,
    )
    if (container === undefined) return
    ended(entry, container, exit)
    advance(entry)
  })

  function ended(entry: PodEntry, container: ContainerWork, exit: ContainerExit): void {
    realPods?.ended(entry, container)
    onExited(entry.work, entry.pod, container, exit)
    if (container.state.at === 'waiting' && container.state.reason === 'CrashLoopBackOff') {
      tell(
        entry,
        container,
        'Warning',
        'BackOff',
        `Back-off restarting failed container ${container.name} in pod ${entry.pod.metadata.name}_${entry.pod.metadata.namespace}(${entry.uid})`,
      )
    }
  }

  /** Sends what the API does not show yet: the status first, then, when nothing runs any more, the end of a deletion. */
  async function writePod(entry: PodEntry): Promise<WriteOutcome> {
    if (entry.gone || entry.deleted || entry.recovering || heartbeats.isStopped(entry.node.name)) return 'settled'
    const { metadata } = entry.pod
    const address = { group: '', resource: 'pods', namespace: metadata.namespace ?? '', name: metadata.name }
    const config = sandboxConfig(entry)
    const report = podReport({
      work: entry.work,
      pod: entry.pod,
      nodeIP: entry.node.internalIP,
      nowMs: clock.nowMs(),
      readyAtMs: (container, startedAtMs) =>
        realPods === undefined
          ? runtime.readyAtMs(config, configOf(container), startedAtMs)
          : realPods.isReady(entry, container)
            ? startedAtMs
            : Number.POSITIVE_INFINITY,
      ...(realPods ? { hasStarted: (container) => realPods.hasStarted(entry, container) } : {}),
    })
    if (!entry.work.finished) wakeAt(entry, report.changesAtMs)
    const patch = isOver(entry.pod) ? undefined : statusPatch(entry.pod, report.status)
    if (patch) {
      const result = await client.request({
        ...address,
        verb: 'patch',
        subresource: 'status',
        patchType: 'application/strategic-merge-patch+json',
        body: patch,
        query: { fieldManager: 'kubelet' },
        cause: entry.sequence,
      })
      if (result.ok) {
        const sequence = Number(result.object.metadata.resourceVersion ?? result.sequence)
        if (sequence > entry.sequence) {
          entry.sequence = sequence
          const deletedMeanwhile = entry.pod.metadata['deletionTimestamp'] === undefined
          entry.pod = result.object
          if (deletedMeanwhile && entry.pod.metadata['deletionTimestamp'] !== undefined) advance(entry)
        }
        return entry.work.finished && entry.pod.metadata['deletionTimestamp'] !== undefined ? 'more' : 'settled'
      }
      return refused(entry, 'the status of a pod was not accepted', result.code, result.status.message)
    }
    if (!entry.work.finished || metadata['deletionTimestamp'] === undefined) return 'settled'
    const result = await client.request({
      ...address,
      verb: 'delete',
      body: {
        apiVersion: 'v1',
        kind: 'DeleteOptions',
        gracePeriodSeconds: 0,
        preconditions: { uid: entry.uid },
      },
      cause: entry.sequence,
    })
    if (result.ok) {
      entry.deleted = true
      return 'settled'
    }
    return refused(entry, 'the end of a pod was not accepted', result.code, result.status.message)
  }

  /** 404: the pod is gone; 409 with another uid: another pod has its name. The feed will say so; all else is tried again. */
  function refused(entry: PodEntry, what: string, code: number, reason: string | undefined): WriteOutcome {
    if (code === 404) {
      forget(entry)
      return 'settled'
    }
    log.debug({ pod: podName(entry), code, reason }, what)
    return entry.gone ? 'settled' : 'retry'
  }

  function forget(entry: PodEntry): void {
    entry.gone = true
    entry.wake?.[Symbol.dispose]()
    entry.slot.retry?.[Symbol.dispose]()
    entry.slot.retry = undefined
    realPods?.forget(entry)
    runtime.removePod(entry.uid)
    byUid.delete(entry.uid)
    const { namespace, name } = podName(entry)
    const key = `${namespace}/${name}`
    if (pods.get(key) === entry) pods.delete(key)
  }

  function onPod(change: ObjectChange): void {
    const key = `${change.namespace}/${change.name}`
    const existing = pods.get(key)
    const pod = change.object
    if (existing) {
      if (change.sequence <= existing.sequence) return
      if (!change.deleted && pod.metadata.uid === existing.uid) {
        existing.pod = pod
        existing.sequence = change.sequence
        realPods?.changed(existing)
        advance(existing)
        return
      }
      forget(existing)
    }
    if (change.deleted) return
    const node = nodes.get(specOf(pod)['nodeName'] ?? '')
    if (node === undefined || annotationsOf(pod)[mirrorAnnotation] !== undefined) return
    accept(key, pod, node, change.sequence)
  }

  function accept(key: string, pod: KubeObject, node: NodeConfig, sequence: number): void {
    const nowMs = clock.nowMs()
    const adopted = ((statusOf(pod)['podIPs'] ?? []) as unknown[]).length > 0
    const work = adopted ? adoptPodWork(pod, nowMs) : newPodWork(pod, nowMs)
    const entry: PodEntry = {
      slot: newWriteSlot(),
      uid: pod.metadata.uid,
      node,
      pod,
      sequence,
      work,
      recovering: false,
      wake: undefined,
      wakeAtMs: Number.POSITIVE_INFINITY,
      deleted: false,
      gone: false,
    }
    pods.set(key, entry)
    byUid.set(entry.uid, entry)
    if (isOver(pod)) {
      // Its story is told; there is nothing to run and nothing to say, only (with a deletion) an end to make.
      work.finished = true
      work.sandbox = 'removed'
      // An earlier life may have been killed between the last word and this.
      if (realPods) runtime.removeSandbox(entry.uid)
      if (pod.metadata['deletionTimestamp'] !== undefined) writes.enqueue(entry)
      return
    }
    if (adopted || realPods !== undefined) {
      entry.recovering = true
      void recover(entry, adopted)
    } else advance(entry)
  }

  /** Learns what became of a pod since its last report: at once for simulated ones, from the machine for real ones. */
  async function recover(entry: PodEntry, adopted: boolean): Promise<void> {
    const { work } = entry
    const containers = [...work.init, ...work.main]
    const running = containers.filter((container) => container.state.at === 'running')
    const known = running.map((container) => ({
      config: configOf(container),
      containerID: container.containerID,
      startedAtMs: container.state.at === 'running' ? container.state.startedAtMs : 0,
    }))
    while (!entry.gone && state !== 'stopped') {
      try {
        const volumes = await realPods?.volumesOf(entry).catch(() => undefined)
        const found = await runtime.recover(sandboxConfig(entry, volumes), work.podIPs, known)
        if (entry.gone) return
        if (realPods !== undefined) {
          takeUp(entry, found)
          // What is there already is left as it is; what is missing is made.
          if (!adopted || volumes === undefined || found.length === 0) work.sandbox = 'none'
        }
        break
      } catch (err) {
        log.warn({ err, pod: podName(entry) }, 'what became of a pod cannot be told yet')
        await clock.sleep(recoverRetryMs)
      }
    }
    entry.recovering = false
    advance(entry)
  }

  function takeUp(entry: PodEntry, found: readonly RecoveredContainer[]): void {
    for (const container of [...entry.work.init, ...entry.work.main]) {
      const wasWaiting = container.state.at !== 'running'
      const one = found.find(({ name }) => name === container.name)
      if (one !== undefined) onRecovered(entry.work, entry.pod, container, one)
      else if (container.state.at === 'running') ended(entry, container, lost(entry, container))
      if (container.state.at !== 'running') continue
      realPods!.began(entry, container, false)
      if (wasWaiting) tell(entry, container, 'Normal', 'Started', `Container started`)
    }
  }

  /** It ran when it was last reported, and nothing on the machine says what became of it. */
  const lost = (entry: PodEntry, container: ContainerWork): ContainerExit => ({
    podUid: entry.uid,
    containerID: container.containerID,
    exitCode: 137,
    reason: 'ContainerStatusUnknown',
    message: 'The container could not be located when the agent of its node was started again',
    finishedAtMs: clock.nowMs(),
  })

  /** Opens the way to what runs here: logs. */
  function acceptTunnels(): Disposable | undefined {
    const { bus } = deps
    const find = (uid: string) => {
      const entry = byUid.get(uid)
      return entry && { ...podName(entry), uid, nodeName: entry.node.name, work: entry.work }
    }
    const handlers = { logs: createLogTunnel({ runtime, clock, find }) }
    return bus && serveTunnels({ bus, clock, log, nodeNames: nodes.keys(), handlers })
  }

  /** Follows the feed; when it breaks, begins again from a new snapshot, in which what is missing was deleted. */
  async function run(): Promise<void> {
    while (!abort.signal.aborted) {
      try {
        let snapshot: Set<string> | undefined = new Set()
        for await (const batch of feed.follow(['nodes', 'pods'], abort.signal)) {
          for (const change of batch.changes) {
            if (change.groupResource !== 'pods') {
              if (heartbeats.onNodeChange(change)) advanceNode(change.name)
            } else {
              snapshot?.add(`${change.namespace}/${change.name}`)
              onPod(change)
            }
          }
          if (!batch.synced || snapshot === undefined) continue
          for (const [key, entry] of pods) if (!snapshot.has(key)) forget(entry)
          snapshot = undefined
          if (!isComplete) runtime.real?.keepOnly(new Set(byUid.keys()))
          isComplete = true
          feedFault = undefined
          synced.resolve()
        }
        if (abort.signal.aborted) return
        feedFault = 'the feed of pods ended'
      } catch (error) {
        if (abort.signal.aborted) return
        feedFault = messageOf(error)
      }
      log.error({ reason: feedFault }, 'the feed of pods broke; it is followed anew')
      await clock.sleep(feedRetryMs, abort.signal).catch(() => undefined)
    }
  }

  return {
    name: deps.name ?? 'node-agent',
    async start() {
      if (state !== 'new') return
      state = 'running'
      realPods?.start()
      void run()
      await synced.promise
      if (abort.signal.aborted) return
      tunnels = acceptTunnels()
      heartbeats.start()
      await Promise.race([heartbeats.registered(), aborted(abort.signal)])
    },
    async stop() {
      if (state === 'stopped') return
      state = 'stopped'
      abort.abort()
      synced.resolve()
      tunnels?.[Symbol.dispose]()
      heartbeats.stop()
      writes.stop()
      realPods?.end()
      for (const entry of pods.values()) entry.wake?.[Symbol.dispose]()
      await runtime.stop()
    },
    health() {
      const ready = heartbeats.readyCount()
      return [
        feedFault === undefined ? { name: 'feed', ok: true } : { name: 'feed', ok: false, reason: feedFault },
        ready === configs.length
          ? { name: 'nodes', ok: true }
          : { name: 'nodes', ok: false, reason: `${ready} of ${configs.length} nodes are registered` },
      ]
    },
    podCount: () => pods.size,
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

const aborted = (signal: AbortSignal): Promise<void> =>
  signal.aborted
    ? Promise.resolve()
    : new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
