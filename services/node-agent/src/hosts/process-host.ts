// The host of nodes whose containers really run: it resolves what specs refer to, keeps the files of volumes up to date,
// calls probes and runs hooks, and finds containers again that outlived the agent.
import {
  type ContainerRuntime,
  isRuntimeFailure,
  type PodVolume,
  type ProcessConfig,
  type RealContainers,
  RuntimeFailure,
  type StartedContainer,
} from '@shiplog/node/container-runtime'
import type { Clock } from '@shiplog/runtime/clock'
import type { Logger } from '@shiplog/runtime/logger'
import { containersOf, type ContainerWork, nextConfigOf } from '../pod-work.ts'
import { processOf, referencesOfContainer } from './container-process.ts'
import { createProber, type Prober } from './container-probes.ts'
import { createLifecycleHooks, type LifecycleHooks } from './lifecycle-hooks.ts'
import { containerSpecOf, factsOf, graceMsOf, namespaceOf } from './pod-facts.ts'
import { measuredUsage } from './measured-usage.ts'
import { type HostedPod, messageOf, type PodHost, type PodHostListener } from './pod-host.ts'
import { podVolumes, referencesOfVolumes } from './pod-volumes.ts'
import type { ProbeTarget } from './probe-call.ts'
import { lookUp, type References } from './references.ts'
import { createVolumeRefresher, type VolumeRefresher } from './volume-refresher.ts'

export interface ProcessHostDeps {
  readonly runtime: ContainerRuntime
  readonly real: RealContainers
  readonly references: References
  readonly clock: Clock
  readonly log: Logger
}

const deaf: PodHostListener = {
  exited: () => undefined,
  changed: () => undefined,
  referenceChanged: () => undefined,
  event: () => undefined,
}

export function createProcessHost(deps: ProcessHostDeps): PodHost {
  const { runtime, real, clock } = deps
  let listener = deaf
  let volumes: VolumeRefresher | undefined
  const targetOf = (pod: HostedPod, container: ContainerWork): ProbeTarget => probeTargetOf(real, pod, container)
  const hooks = createLifecycleHooks({
    clock,
    targetOf,
    stopContainer: (podUid, containerID, graceMs) => runtime.stopContainer(podUid, containerID, graceMs),
    warn: (pod, container, reason, message) => listener.event(pod.uid, container, 'Warning', reason, message),
  })
  const prober = createProber({
    clock,
    targetOf,
    event: (pod, ...event) => listener.event(pod.uid, ...event),
    kill: hooks.stop,
    onChange: ({ uid }) => listener.changed(uid),
  })
  const endRun = (pod: HostedPod, container: ContainerWork): void => {
    prober.end(pod, container)
    hooks.ended(pod, container)
  }
  return {
    outlivesAgent: true,
    runSandbox: async (pod, config) => runtime.runSandbox({ ...config, volumes: await volumesOf(deps, pod) }),
    startContainer: (pod, container) => startContainer(deps, pod, container),
    stopContainer: hooks.stop,
    removeSandbox: (podUid) => runtime.removeSandbox(podUid),
    removePod(pod) {
      for (const container of containersOf(pod.work)) endRun(pod, container)
      volumes?.forget(pod.uid)
      runtime.removePod(pod.uid)
    },
    containerStarted(pod, container, isFresh) {
      hooks.ended(pod, container)
      startProbes({ prober, hooks, listener }, pod, container, isFresh)
    },
    containerEnded: endRun,
    podChanged: (pod) => volumes?.podChanged(pod),
    pulledMessage: () => undefined,
    failureMessage: (error) => `Error: ${messageOf(error)}`,
    readyAtMs: (pod, _config, container, startedAtMs) =>
      prober.isReady(pod, container) ? startedAtMs : Number.POSITIVE_INFINITY,
    hasStarted: prober.hasStarted,
    async recover(pod, config, known) {
      const prepared = await volumesOf(deps, pod).catch(() => undefined)
      const whole = prepared === undefined ? config : { ...config, volumes: prepared }
      const containers = await runtime.recover(whole, pod.work.podIPs, known)
      return { containers, needsSandbox: prepared === undefined || containers.length === 0 }
    },
    usage: async (pods) => measuredUsage(pods, (await real.measure?.()) ?? []),
    keepOnly: (podUids) => real.keepOnly(podUids),
    start(pods, to) {
      listener = to
      runtime.onExit(to.exited)
      volumes = createVolumeRefresher({
        ...deps,
        pods,
        volumesOf: (pod) => volumesOf(deps, pod),
        update: (podUid, next) => real.updateVolumes(podUid, next),
        onReference: ({ uid }) => to.referenceChanged(uid),
      })
    },
    async stop() {
      volumes?.stop()
      prober.stop()
      hooks.end()
      await runtime.stop()
    },
  }
}

/** The pod's volumes with their contents. Rejects with RuntimeFailure, reason FailedMount. */
async function volumesOf({ references }: ProcessHostDeps, pod: HostedPod): Promise<readonly PodVolume[]> {
  const wanted = referencesOfVolumes(pod.pod)
  try {
    return podVolumes(factsOf(pod), await lookUp(references, namespaceOf(pod), wanted))
  } catch (error) {
    if (isRuntimeFailure(error)) throw error
    throw new RuntimeFailure('FailedMount', messageOf(error))
  }
}

async function startContainer(
  { runtime, ...deps }: ProcessHostDeps,
  pod: HostedPod,
  container: ContainerWork,
): Promise<StartedContainer> {
  const config = nextConfigOf(container)
  const process = await resolveProcess(deps, pod, container)
  // The pod may have been given up while what it refers to was read.
  if (pod.work.sandbox !== 'ready') throw new RuntimeFailure('CreateContainerError', 'the pod is over')
  return await runtime.startContainer(pod.uid, { ...config, process })
}

/** What a container is to run. Rejects with RuntimeFailure. */
async function resolveProcess(
  { real, references }: Pick<ProcessHostDeps, 'real' | 'references'>,
  pod: HostedPod,
  container: ContainerWork,
): Promise<ProcessConfig> {
  const spec = containerSpecOf(pod, container)
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
    throw new RuntimeFailure('CreateContainerConfigError', messageOf(error))
  }
}

function startProbes(
  { prober, hooks, listener }: { prober: Prober; hooks: LifecycleHooks; listener: PodHostListener },
  pod: HostedPod,
  container: ContainerWork,
  isFresh: boolean,
): void {
  const stillRuns = prober.begin(pod, container, isFresh)
  if (!isFresh) return
  void hooks.postStart(pod, container).then((succeeded) => {
    if (succeeded || !stillRuns()) return
    listener.event(pod.uid, container, 'Normal', 'Killing', 'FailedPostStartHook')
    hooks.stop(pod, container, graceMsOf(pod))
  })
}

function probeTargetOf(real: RealContainers, pod: HostedPod, container: ContainerWork): ProbeTarget {
  const ports = (containerSpecOf(pod, container).ports ?? []).flatMap(({ name, containerPort }) =>
    name ? [[name, containerPort] as const] : [],
  )
  return {
    podIP: factsOf(pod).podIPs[0]!,
    ports: new Map(ports),
    exec: (command, timeoutMs) => real.exec(pod.uid, container.containerID, command, timeoutMs),
  }
}
