// The simulated ContainerRuntime: containers that exist only as state, for demos, tests and thousands of nodes in one
// process. A container costs no timer unless it ends by itself; delays, failures and exits come from options and, for
// one pod, from its annotations:
//
//   simulated.shiplog.dev/start-delay-ms: "500"     before each container runs (pulling, creating)
//   simulated.shiplog.dev/ready-delay-ms: "2000"    from running to ready
//   simulated.shiplog.dev/ready: "false"            never ready (may be changed while the pod runs)
//   simulated.shiplog.dev/run-seconds: "3"          the container ends by itself after this time
//   simulated.shiplog.dev/exit-code: "1"            with this code (alone: it ends at once)
//   simulated.shiplog.dev/stop-delay-ms: "1000"     between the request to stop and the end
//   simulated.shiplog.dev/fail: ErrImagePull        it never starts; the value is the waiting reason
//
//   simulated.shiplog.dev/cpu-usage: "250m"         what each container uses (services/node-agent/src/hosts/simulated-usage.ts)
//   simulated.shiplog.dev/memory-usage: "64Mi"
//
// Each may be limited to one container: `simulated.shiplog.dev/exit-code.main`. Without that, a pod's annotations speak
// of its main containers; init containers end at once with code 0, sidecars and ephemeral containers run until they are
// stopped. And each may be limited to one index of an Indexed Job, whose pods all come from one template:
//
//   simulated.shiplog.dev/index-2.exit-code: "42"
//   simulated.shiplog.dev/index-2.exit-code.main: "42"
//
// A code may be a list, one for each failure that the pod's index had before (batch.kubernetes.io/job-index-failure-count,
// or restarts in place), the last for all further ones: `exit-code: "1,1,0"` fails twice and then succeeds.
//
// Where annotations say nothing, a command line that is plain says when and how its container ends (plain-command.ts).
import type { Clock } from '@shiplog/runtime/clock'
import type { Ids } from '@shiplog/runtime/ids'
import {
  type ContainerConfig,
  type ContainerExit,
  type ContainerRuntime,
  RuntimeFailure,
  type SandboxConfig,
} from './container-runtime.ts'
import { createPodRange, type PodRange } from './ip-range.ts'
import { type PlainEnd, plainEnd } from './plain-command.ts'

export interface SimulatedRuntimeOptions {
  readonly clock: Clock
  readonly ids: Ids
  /** Before a sandbox is ready. Default 0. */
  readonly sandboxDelayMs?: number
  /** Before a container runs. Default 0. */
  readonly startDelayMs?: number
  /** From running to ready. Default 0. */
  readonly readyDelayMs?: number
  /** From the request to stop to the end. Default 0. */
  readonly stopDelayMs?: number
  /** Run time of main containers of pods that a Job owns. Default 1,000. */
  readonly jobRunMs?: number
  /** Run time of main containers of other pods whose restartPolicy is not Always. Default: until they are stopped. */
  readonly finiteRunMs?: number
}

export const annotationPrefix = 'simulated.shiplog.dev/'
const completionIndexAnnotation = 'batch.kubernetes.io/job-completion-index'
const failureCountAnnotation = 'batch.kubernetes.io/job-index-failure-count'

const defaultJobRunMs = 1_000
/** Longest time that any annotation can ask for: a day. */
const delayMsMax = 86_400_000
const killedExitCode = 137

interface SimulatedContainer {
  readonly config: ContainerConfig
  readonly containerID: string
  timer?: Disposable
  ended: boolean
}

interface SimulatedPod {
  readonly config: SandboxConfig
  readonly ips: readonly string[]
  readonly containers: Map<string, SimulatedContainer>
}

/** An annotation for one container: its own, else (for main containers) the pod's. */
function annotation(config: SandboxConfig, container: ContainerConfig, key: string): string | undefined {
  const index = config.annotations[completionIndexAnnotation]
  const prefixes = [...(index === undefined ? [] : [`${annotationPrefix}index-${index}.`]), annotationPrefix]
  const names = [`${key}.${container.name}`, ...(container.role === 'main' ? [key] : [])]
  for (const prefix of prefixes) {
    for (const name of names) {
      const value = config.annotations[prefix + name]
      if (value !== undefined) return value
    }
  }
  return undefined
}

/** A number within [0, max]; what is not a number counts as absent. */
function bounded(text: string | undefined, max: number): number | undefined {
  if (text === undefined || text.trim() === '') return undefined
  const value = Number(text)
  return Number.isFinite(value) ? Math.min(Math.max(0, value), max) : undefined
}

const exitCodeOf = (config: SandboxConfig, container: ContainerConfig): number | undefined => {
  const codes = annotation(config, container, 'exit-code')?.split(',')
  if (!codes) return undefined
  const failures = Number(config.annotations[failureCountAnnotation] ?? 0) + container.attempt
  const code = bounded(codes[Math.min(Number.isInteger(failures) ? failures : 0, codes.length - 1)], 255)
  return code === undefined ? undefined : Math.trunc(code)
}

const failureMessage = (reason: string, image: string): string =>
  reason === 'ErrImagePull'
    ? `failed to pull and unpack image "${image}": simulated failure`
    : `simulated failure of a container with image "${image}"`

/** A sha256-like digest that depends on the image's name alone; not cryptographic. */
function imageDigest(image: string): string {
  let digest = ''
  for (let part = 0; part < 8; part++) {
    let hash = 0x811c9dc5 ^ part
    for (let index = 0; index < image.length; index++) hash = Math.imul(hash ^ image.charCodeAt(index), 0x01000193)
    digest += (hash >>> 0).toString(16).padStart(8, '0')
  }
  return digest
}

export function createSimulatedRuntime(options: SimulatedRuntimeOptions): ContainerRuntime {
  const { clock, ids } = options
  const pods = new Map<string, SimulatedPod>()
  const ranges = new Map<string, PodRange>()
  const imageIds = new Map<string, string>()
  let exitListener: (exit: ContainerExit) => void = () => undefined
  let containerCount = 0
  const incarnation = ids.uuid().replaceAll('-', '')

  const rangeOf = (cidr: string): PodRange => {
    let range = ranges.get(cidr)
    if (range === undefined) ranges.set(cidr, (range = createPodRange(cidr)))
    return range
  }

  /** One address of each family of the node; all or none. */
  function addressesFor({ podCIDRs }: SandboxConfig): readonly string[] {
    const ips: string[] = []
    for (const [index, cidr] of podCIDRs.entries()) {
      const ip = rangeOf(cidr).allocate()
      if (ip === undefined) {
        for (const [before, taken] of ips.entries()) rangeOf(podCIDRs[before]!).release(taken)
        throw new RuntimeFailure(
          'FailedCreatePodSandBox',
          `failed to allocate for range ${index}: no IP addresses available in range set: ${cidr}`,
        )
      }
      ips.push(ip)
    }
    return ips
  }

  const imageIdOf = (image: string): string => {
    let id = imageIds.get(image)
    if (id === undefined) {
      const name = image.replace(/@.*$/, '').replace(/:[^:/]*$/, '')
      imageIds.set(image, (id = `${name}@sha256:${imageDigest(image)}`))
      // Images are few; a stream of made-up names must not grow the table for ever.
      if (imageIds.size > 10_000) imageIds.clear()
    }
    return id
  }

  /** 64 hexadecimal digits, unique in this life of the process and, by the incarnation, beyond it. */
  const newContainerId = (): string => `simulated://${incarnation}${(++containerCount).toString(16).padStart(32, '0')}`

  /** When and how a container ends that nobody stops; undefined: it does not. */
  function ownEnd(config: SandboxConfig, container: ContainerConfig): PlainEnd | undefined {
    const seconds = bounded(annotation(config, container, 'run-seconds'), delayMsMax / 1_000)
    const code = exitCodeOf(config, container)
    if (seconds !== undefined) return { afterMs: seconds * 1_000, exitCode: code ?? 0 }
    if (code !== undefined) return { afterMs: 0, exitCode: code }
    const plain = plainEnd(container.image, container.commandLine ?? [])
    if (plain) return Number.isFinite(plain.afterMs) ? plain : undefined
    if (container.role === 'init') return { afterMs: 0, exitCode: 0 }
    if (container.role !== 'main' || config.restartPolicy === 'Always') return undefined
    const afterMs = config.ownedByJob ? (options.jobRunMs ?? defaultJobRunMs) : options.finiteRunMs
    return afterMs === undefined ? undefined : { afterMs, exitCode: 0 }
  }

  function end(pod: SimulatedPod, container: SimulatedContainer, exitCode: number): void {
    if (container.ended) return
    container.ended = true
    container.timer?.[Symbol.dispose]()
    pod.containers.delete(container.containerID)
    exitListener({
      podUid: pod.config.podUid,
      containerID: container.containerID,
      exitCode,
      reason: exitCode === 0 ? 'Completed' : 'Error',
      finishedAtMs: clock.nowMs(),
    })
  }

  function launch(pod: SimulatedPod, container: SimulatedContainer, ranAlreadyMs: number): void {
    pod.containers.set(container.containerID, container)
    const ending = ownEnd(pod.config, container.config)
    if (ending === undefined) return
    const { afterMs, exitCode } = ending
    const leftMs = Math.max(0, afterMs - ranAlreadyMs)
    // Two turns later, so that the caller has seen the start before it hears of the end.
    if (leftMs === 0) void Promise.resolve().then(() => Promise.resolve().then(() => end(pod, container, exitCode)))
    else container.timer = clock.after(leftMs, () => end(pod, container, exitCode))
  }

  function remove(podUid: string): void {
    const pod = pods.get(podUid)
    if (pod === undefined) return
    pods.delete(podUid)
    for (const container of pod.containers.values()) {
      container.ended = true
      container.timer?.[Symbol.dispose]()
    }
    if (!pod.config.hostNetwork)
      for (const ip of pod.ips) for (const cidr of pod.config.podCIDRs) rangeOf(cidr).release(ip)
  }

  return {
    version: 'simulated://1.36.0',

    async runSandbox(config) {
      const delayMs = options.sandboxDelayMs ?? 0
      if (delayMs > 0) await clock.sleep(delayMs)
      const existing = pods.get(config.podUid)
      if (existing) return existing.ips
      const ips = config.hostNetwork ? config.nodeIPs : addressesFor(config)
      pods.set(config.podUid, { config, ips, containers: new Map() })
      return ips
    },

    async startContainer(podUid, config) {
      const pod = pods.get(podUid)
      if (pod === undefined) throw new RuntimeFailure('CreateContainerError', `sandbox of pod ${podUid} not found`)
      const delayMs = bounded(annotation(pod.config, config, 'start-delay-ms'), delayMsMax) ?? options.startDelayMs ?? 0
      if (delayMs > 0) await clock.sleep(delayMs)
      if (pods.get(podUid) !== pod) throw new RuntimeFailure('CreateContainerError', `sandbox of pod ${podUid} is gone`)
      const fail = annotation(pod.config, config, 'fail')
      if (fail !== undefined && fail !== '' && fail !== 'false') {
        const reason = /^[A-Z][A-Za-z]{0,62}$/.test(fail) ? fail : 'ErrImagePull'
        throw new RuntimeFailure(reason, failureMessage(reason, config.image))
      }
      const container: SimulatedContainer = { config, containerID: newContainerId(), ended: false }
      launch(pod, container, 0)
      return { containerID: container.containerID, imageID: imageIdOf(config.image), startedAtMs: clock.nowMs() }
    },

    stopContainer(podUid, containerID, graceMs) {
      const pod = pods.get(podUid)
      const container = pod?.containers.get(containerID)
      if (pod === undefined || container === undefined) return
      const wishMs =
        bounded(annotation(pod.config, container.config, 'stop-delay-ms'), delayMsMax) ?? options.stopDelayMs ?? 0
      const killed = wishMs > graceMs
      const waitMs = Math.min(wishMs, graceMs)
      const exitCode = killed ? killedExitCode : 0
      container.timer?.[Symbol.dispose]()
      if (waitMs === 0) queueMicrotask(() => end(pod, container, exitCode))
      else container.timer = clock.after(waitMs, () => end(pod, container, exitCode))
    },

    removeSandbox: remove,
    removePod: remove,

    async recover(config, podIPs, known) {
      const pod: SimulatedPod = { config, ips: podIPs, containers: new Map() }
      pods.set(config.podUid, pod)
      if (!config.hostNetwork) for (const ip of podIPs) for (const cidr of config.podCIDRs) rangeOf(cidr).reserve(ip)
      const nowMs = clock.nowMs()
      for (const { config: container, containerID, startedAtMs } of known) {
        launch(pod, { config: container, containerID, ended: false }, Math.max(0, nowMs - startedAtMs))
      }
      return []
    },

    readyAtMs(config, container, startedAtMs) {
      if (annotation(config, container, 'ready') === 'false') return Number.POSITIVE_INFINITY
      const delayMs = bounded(annotation(config, container, 'ready-delay-ms'), delayMsMax)
      return startedAtMs + (delayMs ?? Math.max(options.readyDelayMs ?? 0, container.probeDelaySeconds * 1_000))
    },

    onExit(listener) {
      exitListener = listener
    },

    async stop() {
      for (const podUid of [...pods.keys()]) remove(podUid)
    },
  }
}
