// What the agent does for pods whose containers really run, beside what it does for all: it resolves what their specs refer
// to, keeps the files of their volumes up to date, asks their probes and runs their hooks. A simulated node has none of it.
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import {
  type ContainerRuntime,
  isRuntimeFailure,
  type PodVolume,
  type ProcessConfig,
  type RealContainers,
  RuntimeFailure,
} from '@shiplog/node/container-runtime'
import type { Clock } from '@shiplog/runtime/clock'
import type { Logger } from '@shiplog/runtime/logger'
import { processOf, referencesOfContainer } from './container-process.ts'
import type { PodFacts } from './field-references.ts'
import type { NodeConfig } from './node-object.ts'
import { podVolumes, referencesOfVolumes } from './pod-volumes.ts'
import { type ContainerWork, type PodWork, specOf, statusOf } from './pod-work.ts'
import { callProbe, type ProbeTarget } from './probe-call.ts'
import {
  type ContainerProbes,
  dueProbes,
  hasStarted,
  isReady,
  newContainerProbes,
  nextProbeAtMs,
  onProbed,
  type ProbeConfig,
  type ReportedProbes,
} from './probe-state.ts'
import { lookUp, type Reference, type References } from './references.ts'

/** A pod of the agent, as far as this needs it. */
export interface RealPod {
  readonly uid: string
  readonly node: NodeConfig
  readonly pod: KubeObject
  readonly work: PodWork
}

export interface RealPods {
  /** The pod's volumes with their contents. Rejects with RuntimeFailure, reason FailedMount. */
  volumesOf(pod: RealPod): Promise<readonly PodVolume[]>
  /** What a container is to run. Rejects with RuntimeFailure. */
  processOf(pod: RealPod, container: ContainerWork): Promise<ProcessConfig>
  /** A container runs: its probes begin, and its postStart hook runs if it was started just now. */
  began(pod: RealPod, container: ContainerWork, isFresh: boolean): void
  /** Runs the preStop hook, if there is one, and has the container stopped, all within the grace. */
  stop(pod: RealPod, container: ContainerWork, graceMs: number): void
  ended(pod: RealPod, container: ContainerWork): void
  /** The pod itself has changed: what its files tell of it may have. */
  changed(pod: RealPod): void
  forget(pod: RealPod): void
  isReady(pod: RealPod, container: ContainerWork): boolean
  hasStarted(pod: RealPod, container: ContainerWork): boolean
  /** Files of volumes follow their ConfigMaps and Secrets from now on. */
  start(): void
  end(): void
}

/** Contents of volumes are compared with what they refer to this often, whatever was told meanwhile. */
const refreshMs = 60_000
/** The kubelet's least time for a container to end, whatever its hook has used up. */
const stopGraceMsMin = 2_000
const hookTimeoutMsMax = 600_000

interface Watched {
  readonly probes: ContainerProbes | undefined
  readonly containerID: string
  timer: Disposable | undefined
  over: boolean
}

export function createRealPods(deps: {
  readonly runtime: ContainerRuntime
  readonly real: RealContainers
  readonly references: References
  readonly clock: Clock
  readonly log: Logger
  readonly pods: () => Iterable<RealPod>
  readonly tell: (
    pod: RealPod,
    container: ContainerWork,
    type: 'Normal' | 'Warning',
    reason: string,
    message: string,
  ) => void
  /** Something that the status shows has changed. */
  readonly onChange: (pod: RealPod) => void
  /** Something that the pod refers to has changed: what waits for it may be tried again. */
  readonly onReference: (pod: RealPod) => void
}): RealPods {
  const { runtime, real, references, clock, log, tell } = deps
  const watched = new Map<string, Watched>()
  const hooks = new Map<string, AbortController>()
  /** Pods whose volumes have to be looked at. */
  const stale = new Set<string>()
  let refresh: Disposable | undefined
  let change: Disposable | undefined
  let refreshing = false
  let ended = false

  const keyOf = (pod: RealPod, container: ContainerWork): string => `${pod.uid}/${container.name}`
  const containersOf = ({ pod }: RealPod): JsonObject[] => [
    ...((specOf(pod)['containers'] ?? []) as JsonObject[]),
    ...((specOf(pod)['initContainers'] ?? []) as JsonObject[]),
  ]
  const specOfContainer = (pod: RealPod, { name }: ContainerWork): JsonObject =>
    containersOf(pod).find((container) => container['name'] === name) ?? {}
  const volumesIn = ({ pod }: RealPod): JsonObject[] => specOf(pod)['volumes'] ?? []
  const namespaceOf = ({ pod }: RealPod): string => pod.metadata.namespace ?? ''

  const factsOf = (pod: RealPod): PodFacts => ({
    pod: pod.pod,
    nodeName: pod.node.name,
    nodeIP: pod.node.internalIP,
    podIPs: pod.work.podIPs.length > 0 ? pod.work.podIPs : [pod.node.internalIP],
    allocatable: pod.node.capacity,
  })

  async function volumesOf(pod: RealPod): Promise<readonly PodVolume[]> {
    const wanted = referencesOfVolumes(pod.pod)
    try {
      return podVolumes(factsOf(pod), await lookUp(references, namespaceOf(pod), wanted))
    } catch (error) {
      if (isRuntimeFailure(error)) throw error
      throw new RuntimeFailure('FailedMount', error instanceof Error ? error.message : String(error))
    }
  }

  async function refreshVolumes(): Promise<void> {
    if (refreshing || ended) return
    refreshing = true
    try {
      while (stale.size > 0 && !ended) {
        const due = new Set(stale)
        stale.clear()
        for (const pod of [...deps.pods()]) {
          if (!due.has(pod.uid) || pod.work.sandbox !== 'ready' || ended) continue
          try {
            const volumes = await volumesOf(pod)
            if (pod.work.sandbox === 'ready') await real.updateVolumes(pod.uid, volumes)
          } catch (err) {
            // What was there stays; it is looked at again.
            log.debug({ err, pod: pod.pod.metadata.name }, 'volumes could not be brought up to date')
          }
        }
      }
    } finally {
      refreshing = false
    }
  }

  const hasFiles = (pod: RealPod): boolean =>
    volumesIn(pod).some(
      (volume) => volume['configMap'] || volume['secret'] || volume['projected'] || volume['downwardAPI'],
    )

  const targetOf = (pod: RealPod, container: ContainerWork): ProbeTarget => ({
    podIP: factsOf(pod).podIPs[0]!,
    ports: new Map(
      ((specOfContainer(pod, container)['ports'] ?? []) as JsonObject[]).flatMap((port) =>
        port['name'] ? [[port['name'] as string, Number(port['containerPort'])] as const] : [],
      ),
    ),
    exec: (command, timeoutMs) => real.exec(pod.uid, container.containerID, command, timeoutMs),
  })

  /** Asks the probes that are due, and comes back when the next one is. */
  function look(pod: RealPod, container: ContainerWork, entry: Watched): void {
    entry.timer?.[Symbol.dispose]()
    entry.timer = undefined
    if (entry.over || entry.probes === undefined) return
    for (const probe of dueProbes(entry.probes, clock.nowMs())) void ask(pod, container, entry, probe)
    const nextAtMs = nextProbeAtMs(entry.probes)
    if (nextAtMs === Number.POSITIVE_INFINITY) return
    entry.timer = clock.after(Math.max(0, nextAtMs - clock.nowMs()), () => look(pod, container, entry))
  }

  async function ask(pod: RealPod, container: ContainerWork, entry: Watched, probe: ProbeConfig): Promise<void> {
    const answer = await callProbe(probe.action, targetOf(pod, container), probe.timeoutMs, clock)
    if (entry.over || entry.probes === undefined) return
    const title = probe.kind[0]!.toUpperCase() + probe.kind.slice(1)
    if (!answer.ok) tell(pod, container, 'Warning', 'Unhealthy', `${title} probe failed: ${answer.message}`)
    const effects = onProbed(entry.probes, probe.kind, answer.ok, clock.nowMs())
    container.awaitsStartup = !hasStarted(entry.probes)
    if (effects.kill && pod.pod.metadata['deletionTimestamp'] === undefined) {
      const message = `Container ${container.name} failed ${probe.kind} probe, will be restarted`
      tell(pod, container, 'Normal', 'Killing', message)
      stopWithHook(pod, container, probe.graceMs ?? graceMsOf(pod))
    }
    if (effects.changed) deps.onChange(pod)
    look(pod, container, entry)
  }

  const graceMsOf = ({ pod }: RealPod): number => Number(specOf(pod)['terminationGracePeriodSeconds'] ?? 30) * 1_000

  /** False, and an Event object, when it failed. */
  async function runHook(
    pod: RealPod,
    container: ContainerWork,
    which: 'postStart' | 'preStop',
    timeoutMs: number,
  ): Promise<boolean> {
    const hook = specOfContainer(pod, container)['lifecycle']?.[which] as JsonObject
    const answer = await callProbe(hook, targetOf(pod, container), timeoutMs, clock)
    if (!answer.ok) {
      const [reason, word] =
        which === 'postStart' ? ['FailedPostStartHook', 'PostStartHook'] : ['FailedPreStopHook', 'PreStopHook']
      tell(pod, container, 'Warning', reason!, `${word} failed${answer.message ? `: ${answer.message}` : ''}`)
    }
    return answer.ok
  }

  function stopWithHook(pod: RealPod, container: ContainerWork, graceMs: number): void {
    const key = keyOf(pod, container)
    const { containerID } = container
    const order = (leftMs: number): void => runtime.stopContainer(pod.uid, containerID, leftMs)
    const earlier = hooks.get(key)
    if (earlier !== undefined) {
      // Asked again, with less time: the hook has had its share.
      earlier.abort()
      order(graceMs)
      return
    }
    if (specOfContainer(pod, container)['lifecycle']?.preStop === undefined || graceMs <= 0) {
      order(graceMs)
      return
    }
    const abort = new AbortController()
    hooks.set(key, abort)
    const begunMs = clock.nowMs()
    const over = clock.sleep(graceMs, abort.signal).catch(() => undefined)
    void Promise.race([runHook(pod, container, 'preStop', graceMs), over]).then(() => {
      const wasAborted = abort.signal.aborted
      abort.abort()
      if (hooks.get(key) === abort) hooks.delete(key)
      if (!wasAborted) order(Math.max(stopGraceMsMin, graceMs - (clock.nowMs() - begunMs)))
    })
  }

  function endWatch(pod: RealPod, container: ContainerWork): void {
    const key = keyOf(pod, container)
    const entry = watched.get(key)
    if (entry !== undefined) {
      entry.over = true
      entry.timer?.[Symbol.dispose]()
      watched.delete(key)
    }
    hooks.get(key)?.abort()
    hooks.delete(key)
  }

  /** What the status says of this very start of the container. */
  function reportedOf({ pod }: RealPod, { containerID }: ContainerWork): ReportedProbes | undefined {
    const { containerStatuses = [], initContainerStatuses = [] } = statusOf(pod)
    const told = ([...containerStatuses, ...initContainerStatuses] as JsonObject[]).find(
      (status) => status['containerID'] === containerID,
    )
    return told && { started: told['started'] === true, ready: told['ready'] === true }
  }

  const watchedOf = (pod: RealPod, container: ContainerWork): Watched | undefined => {
    const entry = watched.get(keyOf(pod, container))
    return entry?.containerID === container.containerID ? entry : undefined
  }

  return {
    volumesOf,
    async processOf(pod, container) {
      const spec = specOfContainer(pod, container)
      try {
        return processOf({
          ...factsOf(pod),
          container: spec,
          lookup: await lookUp(references, namespaceOf(pod), referencesOfContainer(spec)),
          base: real.environment(pod.uid, container.name),
          uid: real.uid,
        })
      } catch (error) {
        if (isRuntimeFailure(error)) throw error
        throw new RuntimeFailure('CreateContainerConfigError', error instanceof Error ? error.message : String(error))
      }
    },
    began(pod, container, isFresh) {
      endWatch(pod, container)
      const startedAtMs = container.state.at === 'running' ? container.state.startedAtMs : clock.nowMs()
      const spec = specOfContainer(pod, container)
      const reported = isFresh ? undefined : reportedOf(pod, container)
      const probes = container.role === 'init' ? undefined : newContainerProbes(spec, startedAtMs, reported)
      container.awaitsStartup = probes !== undefined && !hasStarted(probes)
      const entry: Watched = { probes, containerID: container.containerID, timer: undefined, over: false }
      watched.set(keyOf(pod, container), entry)
      look(pod, container, entry)
      if (!isFresh || spec['lifecycle']?.postStart === undefined) return
      void runHook(pod, container, 'postStart', hookTimeoutMsMax).then((wentWell) => {
        if (wentWell || entry.over) return
        tell(pod, container, 'Normal', 'Killing', 'FailedPostStartHook')
        stopWithHook(pod, container, graceMsOf(pod))
      })
    },
    stop: stopWithHook,
    ended: endWatch,
    changed(pod) {
      if (!volumesIn(pod).some((volume) => volume['downwardAPI'] || volume['projected'])) return
      stale.add(pod.uid)
      void refreshVolumes()
    },
    forget(pod) {
      for (const container of [...pod.work.init, ...pod.work.main]) endWatch(pod, container)
      stale.delete(pod.uid)
    },
    isReady(pod, container) {
      const entry = watchedOf(pod, container)
      return entry !== undefined && (entry.probes === undefined || isReady(entry.probes))
    },
    hasStarted(pod, container) {
      const entry = watchedOf(pod, container)
      return entry !== undefined && (entry.probes === undefined || hasStarted(entry.probes))
    },
    start() {
      refresh = clock.every(refreshMs, () => {
        for (const pod of deps.pods()) if (hasFiles(pod)) stale.add(pod.uid)
        void refreshVolumes()
      })
      change = references.onChange?.((kind, namespace, name) => {
        for (const pod of deps.pods()) {
          if (namespaceOf(pod) !== namespace) continue
          const concerns = (one: Reference): boolean => one.kind === kind && one.name === name
          const inVolumes = referencesOfVolumes(pod.pod).some(concerns)
          if (inVolumes) stale.add(pod.uid)
          if (inVolumes || containersOf(pod).flatMap(referencesOfContainer).some(concerns)) deps.onReference(pod)
        }
        void refreshVolumes()
      })
    },
    end() {
      ended = true
      refresh?.[Symbol.dispose]()
      change?.[Symbol.dispose]()
      for (const entry of watched.values()) {
        entry.over = true
        entry.timer?.[Symbol.dispose]()
      }
      for (const hook of hooks.values()) hook.abort()
    },
  }
}
