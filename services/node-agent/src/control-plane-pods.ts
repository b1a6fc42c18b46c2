// `kubectl get pods -n kube-system` shows the control plane's own parts: one mirror pod each, as a kubelet makes them for
// static pods, on the node that stands for this machine. They say the truth: ready is what the part's health says now,
// startedAt is when this process started it, and restartCount grows by one with every life of the process.
import type { ApiClient } from '@shiplog/api/api-client'
import type { JsonObject } from '@shiplog/api/kube-object'
import type { FeedObject, ObjectChange, ObjectFeed } from '@shiplog/events/object-feed'
import { type Clock, rfc3339 } from '@shiplog/runtime/clock'
import type { Ids } from '@shiplog/runtime/ids'
import type { Logger } from '@shiplog/runtime/logger'
import type { HealthCheck, Service } from '@shiplog/runtime/service'
import { statusPatch } from './pod-status.ts'
import { createWriteQueue, newWriteSlot, type WriteOutcome, type WriteSlot } from './write-queue.ts'

export interface ControlPlanePart {
  /** `kube-scheduler`; the pod is `<name>-<node>`. */
  readonly name: string
  readonly startedAtMs: number
  /** For people: what the part is made of, `shiplog/kube-scheduler:0.1.0`. */
  readonly image: string
  health(): readonly HealthCheck[]
}

export interface ControlPlanePodsDeps {
  readonly feed: ObjectFeed
  readonly client: ApiClient
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Logger
  readonly nodeName: string
  readonly nodeIP: string
  readonly parts: readonly ControlPlanePart[]
  /** How the life before this one ended, when that is known; else the pods say `Unknown`. */
  readonly previousEnd?: { readonly exitCode: number; readonly reason: string; readonly finishedAtMs: number }
}

const healthPollMs = 2_000
const writesInFlightMax = 8
const feedRetryMs = 1_000
const namespace = 'kube-system'
const mirrorAnnotation = 'kubernetes.io/config.mirror'

interface PartEntry {
  readonly slot: WriteSlot
  readonly part: ControlPlanePart | undefined
  readonly podName: string
  /** This life of the part. */
  readonly containerID: string
  object: FeedObject | undefined
  sequence: number
  shown: boolean
}

export function createControlPlanePods(deps: ControlPlanePodsDeps): Service {
  const { feed, client, clock, ids, log, nodeName, nodeIP } = deps
  const entries = new Map<string, PartEntry>()
  const newEntry = (podName: string, part: ControlPlanePart | undefined): PartEntry => ({
    slot: newWriteSlot(),
    part,
    podName,
    containerID: `shiplog://${(ids.uuid() + ids.uuid()).replaceAll('-', '')}`,
    object: undefined,
    sequence: 0,
    shown: false,
  })
  for (const part of deps.parts) entries.set(`${part.name}-${nodeName}`, newEntry(`${part.name}-${nodeName}`, part))
  const abort = new AbortController()
  const allShown = Promise.withResolvers<void>()
  let unshown = entries.size
  let nodeUid: string | undefined
  let synced = false
  let poll: Disposable | undefined

  const queue = createWriteQueue<PartEntry>({
    clock,
    inFlightMax: writesInFlightMax,
    write,
    onFailure: (entry, err) => log.warn({ err, pod: entry.podName }, 'a control plane pod could not be written'),
  })

  const enqueueAll = (): void => {
    if (!synced || nodeUid === undefined) return
    for (const entry of entries.values()) queue.enqueue(entry)
  }

  async function write(entry: PartEntry): Promise<WriteOutcome> {
    const { part, object } = entry
    const address = { group: '', resource: 'pods', namespace }
    const ending = object?.metadata['deletionTimestamp'] !== undefined
    if (object !== undefined && (part === undefined || ending || imageOf(object) !== part.image)) {
      // A part that is no more, another version of it, or somebody deleted its pod: mirror pods are replaced, not changed.
      const result = await client.request({
        ...address,
        verb: 'delete',
        name: entry.podName,
        body: { gracePeriodSeconds: 0, preconditions: { uid: object.metadata.uid } },
      })
      if (!result.ok && result.code !== 404) return refused(entry, result.code, result.status.message)
      entry.object = undefined
      if (part === undefined) entries.delete(entry.podName)
      return part === undefined ? 'settled' : 'more'
    }
    if (part === undefined || nodeUid === undefined) return 'settled'
    if (object === undefined) {
      const result = await client.request({ ...address, verb: 'create', body: podOf(part, entry.podName) })
      if (result.ok) take(entry, result.object as unknown as FeedObject)
      else if (result.code === 409) {
        const found = await client.request({ ...address, verb: 'get', name: entry.podName })
        if (!found.ok) return refused(entry, found.code, found.status.message)
        take(entry, found.object as unknown as FeedObject)
      } else return refused(entry, result.code, result.status.message)
      return 'more'
    }
    const patch = statusPatch(object, statusNow(part, entry, object))
    if (patch !== undefined) {
      const result = await client.request({
        ...address,
        verb: 'patch',
        subresource: 'status',
        name: entry.podName,
        patchType: 'application/strategic-merge-patch+json',
        body: patch,
      })
      if (!result.ok) {
        if (result.code === 404) entry.object = undefined
        return refused(entry, result.code, result.status.message)
      }
      take(entry, result.object as unknown as FeedObject)
    }
    if (!entry.shown) {
      entry.shown = true
      if (--unshown === 0) allShown.resolve()
    }
    return 'settled'
  }

  function refused(entry: PartEntry, code: number, reason: string | undefined): WriteOutcome {
    log.debug({ pod: entry.podName, code, reason }, 'a control plane pod was not accepted')
    return 'retry'
  }

  function take(entry: PartEntry, object: FeedObject): void {
    const sequence = Number(object.metadata.resourceVersion)
    if (sequence < entry.sequence) return
    entry.sequence = sequence
    entry.object = object
  }

  const podOf = (part: ControlPlanePart, podName: string): JsonObject => {
    const hash = fnv(`${podName} ${part.image}`)
    return {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {
        name: podName,
        namespace,
        labels: { component: part.name, tier: 'control-plane' },
        annotations: {
          'kubernetes.io/config.hash': hash,
          [mirrorAnnotation]: hash,
          'kubernetes.io/config.seen': new Date(part.startedAtMs).toISOString(),
          'kubernetes.io/config.source': 'file',
        },
        ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: nodeName, uid: nodeUid, controller: true }],
      },
      spec: {
        containers: [{ name: part.name, image: part.image, imagePullPolicy: 'IfNotPresent' }],
        hostNetwork: true,
        nodeName,
        priorityClassName: 'system-node-critical',
        tolerations: [{ effect: 'NoExecute', operator: 'Exists' }],
      },
    }
  }

  function statusNow(part: ControlPlanePart, entry: PartEntry, object: FeedObject): JsonObject {
    const nowMs = clock.nowMs()
    const shown = (object['status'] ?? {}) as JsonObject
    const before = (shown['containerStatuses'] as JsonObject[] | undefined)?.[0]
    const anotherLife = before?.['containerID'] !== undefined && before['containerID'] !== entry.containerID
    const ready = part.health().every((check) => check.ok)
    const generation = object.metadata['generation'] as number | undefined
    const verdict = ready
      ? { status: 'True' }
      : {
          status: 'False',
          reason: 'ContainersNotReady',
          message: `containers with unready status: [${part.name}]`,
        }
    const old = (shown['conditions'] ?? []) as JsonObject[]
    const conditions = [
      { type: 'PodReadyToStartContainers', status: 'True' },
      { type: 'Initialized', status: 'True' },
      { type: 'Ready', ...verdict },
      { type: 'ContainersReady', ...verdict },
      { type: 'PodScheduled', status: 'True' },
    ].map((condition) => {
      const previous = old.find(({ type }) => type === condition.type)
      return {
        ...condition,
        lastTransitionTime: previous?.['status'] === condition.status ? previous['lastTransitionTime'] : rfc3339(nowMs),
        ...(generation === undefined ? {} : { observedGeneration: generation }),
      }
    })
    return {
      conditions,
      containerStatuses: [
        {
          name: part.name,
          image: part.image,
          imageID: part.image,
          containerID: entry.containerID,
          ready,
          started: true,
          restartCount: anotherLife ? Number(before['restartCount'] ?? 0) + 1 : Number(before?.['restartCount'] ?? 0),
          state: { running: { startedAt: rfc3339(part.startedAtMs) } },
          lastState: anotherLife ? { terminated: endOf(before) } : (before?.['lastState'] ?? {}),
        },
      ],
      hostIP: nodeIP,
      hostIPs: [{ ip: nodeIP }],
      ...(generation === undefined ? {} : { observedGeneration: generation }),
      phase: 'Running',
      podIP: nodeIP,
      podIPs: [{ ip: nodeIP }],
      startTime: shown['startTime'] ?? rfc3339(part.startedAtMs),
    }
  }

  /** How the life before ended: as the last stop noted it, else unknown, in the words of a node that was switched off. */
  const endOf = (before: JsonObject): JsonObject => ({
    containerID: before['containerID'],
    exitCode: deps.previousEnd?.exitCode ?? 255,
    reason: deps.previousEnd?.reason ?? 'Unknown',
    startedAt: before['state']?.running?.startedAt,
    finishedAt: rfc3339(deps.previousEnd?.finishedAtMs ?? clock.nowMs()),
  })

  function onChange(change: ObjectChange): void {
    if (change.groupResource === 'nodes') {
      if (change.name !== nodeName) return
      nodeUid = change.deleted ? undefined : change.object.metadata.uid
      enqueueAll()
      return
    }
    if (change.namespace !== namespace) return
    let entry = entries.get(change.name)
    if (entry === undefined) {
      // A mirror pod of this node whose part is no more.
      const annotations = change.object.metadata['annotations'] as JsonObject | undefined
      const spec = change.object['spec'] as JsonObject | undefined
      if (change.deleted || annotations?.[mirrorAnnotation] === undefined || spec?.['nodeName'] !== nodeName) return
      entry = newEntry(change.name, undefined)
      entries.set(change.name, entry)
    }
    if (change.sequence <= entry.sequence) return
    entry.sequence = change.sequence
    entry.object = change.deleted ? undefined : change.object
    if (synced && nodeUid !== undefined) queue.enqueue(entry)
  }

  async function run(): Promise<void> {
    while (!abort.signal.aborted) {
      try {
        for await (const batch of feed.follow(['nodes', 'pods'], abort.signal)) {
          for (const change of batch.changes) onChange(change)
          if (batch.synced && !synced) {
            synced = true
            enqueueAll()
          }
        }
      } catch (error) {
        if (!abort.signal.aborted) log.warn({ err: error }, 'the feed of control plane pods broke; it is followed anew')
      }
      await clock.sleep(feedRetryMs, abort.signal).catch(() => undefined)
    }
  }

  return {
    name: 'control-plane-pods',
    async start() {
      void run()
      poll = clock.every(healthPollMs, enqueueAll)
      await allShown.promise
    },
    async stop() {
      abort.abort()
      poll?.[Symbol.dispose]()
      queue.stop()
      allShown.resolve()
    },
    health: () => [
      unshown === 0
        ? { name: 'pods', ok: true }
        : { name: 'pods', ok: false, reason: `${unshown} parts of the control plane are not shown yet` },
    ],
  }
}

const imageOf = (pod: FeedObject): string | undefined => (pod['spec'] as JsonObject)['containers']?.[0]?.image

/** 32 hexadecimal digits, as the hash of a static pod's manifest looks. */
function fnv(text: string): string {
  let digits = ''
  for (let part = 0; part < 4; part++) {
    let hash = 0x811c9dc5 ^ part
    for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
    digits += (hash >>> 0).toString(16).padStart(8, '0')
  }
  return digits
}
