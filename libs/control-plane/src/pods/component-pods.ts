// `kubectl get pods -n kube-system` shows the control plane's own parts: one mirror pod for each, as a kubelet makes them
// for static pods. They say the truth: ready is what the part's health says now, startedAt is when its present life began,
// restartCount how many lives it had before. All parts of one process are shown by that process; of services that run
// apart the gateways show what the Leases tell (component-leases.ts). Any number of gateways may show the same: each pod
// follows from what they look at, and a write that another was faster with is refused and looked at again.
import type { ApiClient } from '@shiplog/api/api-client'
import { jsonEqual } from '@shiplog/api/patch/json-patch'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import { type Clock, rfc3339 } from '@shiplog/runtime/clock'
import type { Logger } from '@shiplog/runtime/logger'
import type { Service } from '@shiplog/runtime/service'

/** One part of the control plane as it is now. */
export interface ComponentState {
  /** `kube-scheduler`. */
  readonly component: string
  readonly podName: string
  /** Beside those of every part: by these a Service finds it. */
  readonly labels?: Readonly<Record<string, string>>
  /** Whose state this is; a pod of another is replaced by a new one, without its past. */
  readonly identity: string
  /** For people: what the part is made of, `shiplog/kube-scheduler:0.1.0`. */
  readonly image: string
  /** Unique to this life of the part. */
  readonly life: string
  readonly startedAtMs: number
  /** Undefined when it is not known now: the pod goes on to show what it shows. */
  readonly ready: boolean | undefined
  /** Why it is not ready; by default upstream's sentence on containers. */
  readonly unready?: { readonly reason: string; readonly message: string }
  readonly address: string
  /** The address is the part's own, and not that of the node it is shown on. */
  readonly hasOwnNetwork?: boolean
  /** Set between two lives: why it does not run now, in a kubelet's words. */
  readonly waiting?: { readonly reason: string; readonly message: string } | undefined
  /** Lives before this one; when it is not told, a new life counts one more than the pod shows. */
  readonly restarts?: number
  /** How the life before ended; by default unknown, as of a machine that was switched off. */
  readonly lifeBefore?: {
    readonly startedAtMs?: number
    readonly endedAtMs: number
    readonly exitCode?: number
    readonly reason?: string
  }
  /** True of a part that is about to come: nothing is written about it, and what is shown of it stays. */
  readonly coming?: boolean
}

export interface ComponentPodsDeps {
  readonly client: ApiClient
  readonly clock: Clock
  readonly log: Logger
  readonly nodeName: string
  /** All parts there are; undefined while that is not known. */
  readonly states: () => readonly ComponentState[] | undefined
}

export interface ComponentPods extends Service {
  /** Something has changed: it is looked at soon and not only with the next round. */
  look(): void
}

const roundMs = 2_000
/** At start, and when another was faster, it is looked again after this, and half as long again each time. */
const retryMsMin = 10
/** Until all are shown for the first time somebody waits for it. */
const firstRetryMsMax = 200
const namespace = 'kube-system'
const mirrorAnnotation = 'kubernetes.io/config.mirror'
const tier = 'control-plane'
const pods = { group: '', resource: 'pods', namespace } as const

/** `done`: all pods say the truth; `again`: something is left to do at once; `later`: refused, or not possible yet. */
type Round = 'done' | 'again' | 'later'

/** A service that shows them; started when all are shown. */
export function createComponentPods(deps: ComponentPodsDeps): ComponentPods {
  const { client, clock, log, nodeName } = deps
  const ending = new AbortController()
  const { signal } = ending
  const shown = Promise.withResolvers<void>()
  let allShown = false
  let running: Promise<void> | undefined
  let sleeping: AbortController | undefined
  let looked = false
  let told = ''

  async function run(): Promise<void> {
    let retryMs = retryMsMin
    while (!signal.aborted) {
      looked = false
      const outcome = await round().catch((err: unknown): Round => {
        complain(err instanceof Error ? err.message : String(err))
        return 'later'
      })
      if (outcome === 'done') {
        allShown = true
        told = ''
        shown.resolve()
      }
      if (looked || outcome === 'again') {
        retryMs = retryMsMin
        continue
      }
      retryMs = outcome === 'done' ? retryMsMin : Math.min(1.5 * retryMs, allShown ? roundMs : firstRetryMsMax)
      sleeping = new AbortController()
      const wake = AbortSignal.any([signal, sleeping.signal])
      await clock.sleep(outcome === 'done' ? roundMs : retryMs, wake).catch(() => undefined)
      sleeping = undefined
    }
  }

  function complain(reason: string): void {
    if (told !== reason && !signal.aborted) log.debug({ reason }, 'the pods of the control plane are not up to date')
    told = reason
  }

  async function round(): Promise<Round> {
    const states = deps.states()
    if (states === undefined) return 'later'
    const [node, listed] = await Promise.all([
      client.request({ group: '', resource: 'nodes', verb: 'get', name: nodeName }),
      client.request({ ...pods, verb: 'list', query: { labelSelector: `tier=${tier}` } }),
    ])
    if (!node.ok || !listed.ok) {
      complain((node.ok ? (listed as { status: { message?: string } }) : node).status.message ?? '')
      return 'later'
    }
    const nodeUid = node.object.metadata.uid!
    const there = new Map<string, KubeObject>()
    for (const pod of listed.object['items'] as KubeObject[]) {
      const isMirror = pod.metadata.annotations?.[mirrorAnnotation] !== undefined
      if (isMirror && pod['spec']?.nodeName === nodeName) there.set(pod.metadata.name, pod)
    }
    const wanted = new Set(states.map(({ podName }) => podName))
    const outcomes = await Promise.all([
      ...states.filter(({ coming }) => !coming).map((state) => show(state, there.get(state.podName), nodeUid)),
      ...[...there.values()].filter(({ metadata }) => !wanted.has(metadata.name)).map((pod) => remove(pod, 'done')),
    ])
    return outcomes.includes('later') ? 'later' : outcomes.includes('again') ? 'again' : 'done'
  }

  async function show(state: ComponentState, before: KubeObject | undefined, nodeUid: string): Promise<Round> {
    const wanted = podOf(state, { name: nodeName, uid: nodeUid })
    let pod = before
    if (pod !== undefined && (pod.metadata.deletionTimestamp !== undefined || hashOf(pod) !== hashOf(wanted))) {
      // Another part of this name, another version, or somebody deleted it: mirror pods are replaced, not changed.
      return await remove(pod, 'again')
    }
    if (pod === undefined) {
      const made = await client.request({ ...pods, verb: 'create', body: wanted })
      if (!made.ok) return refused(state.podName, made.status.message)
      pod = made.object
    }
    const shownStatus = (pod['status'] ?? {}) as JsonObject
    const status = statusOf(state, pod, clock.nowMs())
    if (Object.keys(status).every((field) => jsonEqual(shownStatus[field], status[field]))) return 'done'
    const body = { ...pod, status: { ...shownStatus, ...status } }
    const told = await client.request({ ...pods, verb: 'update', subresource: 'status', name: state.podName, body })
    return told.ok ? 'done' : refused(state.podName, told.status.message)
  }

  async function remove(pod: KubeObject, then: Round): Promise<Round> {
    const { name, uid } = pod.metadata
    const body = { gracePeriodSeconds: 0, preconditions: { uid: uid! } }
    const gone = await client.request({ ...pods, verb: 'delete', name, body })
    return gone.ok || gone.code === 404 ? then : refused(name, gone.status.message)
  }

  function refused(podName: string, reason: string | undefined): Round {
    complain(`${podName}: ${reason}`)
    return 'later'
  }

  return {
    name: 'control-plane-pods',
    async start() {
      running ??= run()
      await shown.promise
    },
    look() {
      looked = true
      sleeping?.abort()
    },
    async stop() {
      ending.abort()
      shown.resolve()
      await running
    },
    health: () => [
      allShown
        ? { name: 'pods', ok: true }
        : { name: 'pods', ok: false, reason: 'the parts of the control plane are not shown yet' },
    ],
  }
}

const hashOf = (pod: JsonObject | KubeObject): string | undefined =>
  (pod['metadata'].annotations as Record<string, string> | undefined)?.[mirrorAnnotation]

function podOf(state: ComponentState, node: { readonly name: string; readonly uid: string }): JsonObject {
  const hash = fnv(`${state.podName} ${state.image} ${state.identity}`)
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: state.podName,
      namespace,
      labels: { ...state.labels, component: state.component, tier },
      annotations: {
        'kubernetes.io/config.hash': hash,
        [mirrorAnnotation]: hash,
        'kubernetes.io/config.seen': new Date(state.startedAtMs).toISOString(),
        'kubernetes.io/config.source': 'file',
      },
      ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: node.name, uid: node.uid, controller: true }],
    },
    spec: {
      containers: [{ name: state.component, image: state.image, imagePullPolicy: 'IfNotPresent' }],
      ...(state.hasOwnNetwork ? {} : { hostNetwork: true }),
      nodeName: node.name,
      priorityClassName: 'system-node-critical',
      tolerations: [{ effect: 'NoExecute', operator: 'Exists' }],
    },
  }
}

/** What a pod is to show. What is older than what it shows already (a look at an old Lease) changes nothing. */
function statusOf(state: ComponentState, pod: KubeObject, nowMs: number): JsonObject {
  const shown = (pod['status'] ?? {}) as JsonObject
  const before = (shown['containerStatuses'] as JsonObject[] | undefined)?.[0]
  const shownRestarts = Number(before?.['restartCount'] ?? 0)
  if (state.restarts !== undefined && state.restarts < shownRestarts) return {}
  const containerID = `shiplog://${fnv(state.life)}${fnv(`${state.life} of ${state.podName}`)}`
  const anotherLife = before?.['containerID'] !== undefined && before['containerID'] !== containerID
  const ready = state.ready ?? (before?.['ready'] === true && !anotherLife)
  const generation = pod.metadata.generation
  const old = (shown['conditions'] ?? []) as JsonObject[]
  const oldReady = old.find(({ type }) => type === 'Ready')
  const verdict = ready
    ? { status: 'True' }
    : state.ready === undefined && oldReady?.['status'] === 'False'
      ? { status: 'False', reason: oldReady['reason'], message: oldReady['message'] }
      : { status: 'False', ...(state.unready ?? notReady(state.component)) }
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
        name: state.component,
        image: state.image,
        imageID: state.image,
        containerID,
        ready,
        started: state.waiting === undefined,
        restartCount: state.restarts ?? (anotherLife ? shownRestarts + 1 : shownRestarts),
        state: state.waiting ? { waiting: state.waiting } : { running: { startedAt: rfc3339(state.startedAtMs) } },
        lastState: lastStateOf(state, before, anotherLife, nowMs),
      },
    ],
    hostIP: state.address,
    hostIPs: [{ ip: state.address }],
    ...(generation === undefined ? {} : { observedGeneration: generation }),
    phase: 'Running',
    podIP: state.address,
    podIPs: [{ ip: state.address }],
    startTime: shown['startTime'] ?? rfc3339(state.startedAtMs),
  }
}

const notReady = (component: string): { reason: string; message: string } => ({
  reason: 'ContainersNotReady',
  message: `containers with unready status: [${component}]`,
})

/** How the life before ended: as it is known, else in the words of a node that was switched off. */
function lastStateOf(
  { lifeBefore, restarts }: ComponentState,
  before: JsonObject | undefined,
  anotherLife: boolean,
  nowMs: number,
): JsonObject {
  if (!anotherLife && (before?.['lastState']?.terminated !== undefined || !(restarts && lifeBefore))) {
    return before?.['lastState'] ?? {}
  }
  const startedAtMs = lifeBefore?.startedAtMs
  return {
    terminated: {
      ...(anotherLife ? { containerID: before!['containerID'] } : {}),
      exitCode: lifeBefore?.exitCode ?? 255,
      reason: lifeBefore?.reason ?? 'Unknown',
      startedAt: startedAtMs === undefined ? before?.['state']?.running?.startedAt : rfc3339(startedAtMs),
      finishedAt: rfc3339(lifeBefore?.endedAtMs ?? nowMs),
    },
  }
}

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
