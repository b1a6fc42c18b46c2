// The host of simulated nodes: containers exist in the API alone, so there is nothing to prepare and nothing to find again.
import { type ContainerRuntime, isRuntimeFailure, RuntimeFailure } from '@shiplog/node/container-runtime'
import { configOf, nextConfigOf } from '../pod-work.ts'
import type { PodHost, PodHostFactory, PodHostPorts } from './pod-host.ts'
import { simulatedUsage } from './simulated-usage.ts'

/** On a Node: images that it cannot pull, comma-separated, with `*` for anything: `example.com/*:broken,web:404`. */
export const missingImagesAnnotation = 'simulated.shiplog.dev/missing-images'

/** Whether a list of image names, in which `*` stands for anything, has this one. */
function isMissing(image: string, names = ''): boolean {
  return names.split(',').some((name) => {
    const [first = '', ...rest] = name.trim().split('*')
    if (rest.length === 0) return first !== '' && image === first
    const last = rest.pop()!
    let at = first.length
    for (const part of rest) {
      at = image.indexOf(part, at)
      if (at < 0) return false
      at += part.length
    }
    return image.startsWith(first) && image.endsWith(last) && image.length - last.length >= at
  })
}

export const simulatedHost =
  (runtime: ContainerRuntime): PodHostFactory =>
  ({ clock, annotationsOf }) =>
    createSimulatedHost(runtime, () => clock.nowMs(), annotationsOf)

const createSimulatedHost = (
  runtime: ContainerRuntime,
  nowMs: () => number,
  annotationsOf: PodHostPorts['annotationsOf'],
): PodHost => ({
  version: runtime.version,
  outlivesAgent: false,
  runSandbox: (_pod, config) => runtime.runSandbox(config),
  // Not async: that the container has ended may be told in the next turn but one.
  startContainer({ uid, node }, container) {
    const { image } = container
    if (!isMissing(image, annotationsOf(node.name)[missingImagesAnnotation]))
      return runtime.startContainer(uid, nextConfigOf(container))
    return Promise.reject(new RuntimeFailure('ErrImagePull', `failed to pull and unpack image "${image}": not found`))
  },
  stopContainer: ({ uid }, { containerID }, graceMs) => runtime.stopContainer(uid, containerID, graceMs),
  removeSandbox: (podUid) => runtime.removeSandbox(podUid),
  removePod: ({ uid }) => runtime.removePod(uid),
  containerStarted: () => undefined,
  containerEnded: () => undefined,
  podChanged: () => undefined,
  pulledMessage: ({ image }) => `Container image "${image}" already present on machine`,
  // Of a simulated failure there is no more to say than its reason.
  failureMessage: (error) => `Error: ${isRuntimeFailure(error) ? error.reason : 'CreateContainerError'}`,
  readyAtMs: (_pod, config, container, startedAtMs) => runtime.readyAtMs(config, configOf(container), startedAtMs),
  hasStarted: () => true,
  async recover({ work }, config, known) {
    await runtime.recover(config, work.podIPs, known)
    return undefined
  },
  async usage(pods) {
    const used = pods.map((pod) => simulatedUsage(pod, nowMs()))
    return new Map(used.flatMap((usage) => (usage ? [[usage.uid, usage] as const] : [])))
  },
  keepOnly: () => undefined,
  start: (_pods, { exited }) => runtime.onExit(exited),
  stop: () => runtime.stop(),
})
