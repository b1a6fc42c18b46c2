// The host of simulated nodes: containers exist in the API alone, so there is nothing to prepare and nothing to find again.
import { type ContainerRuntime, isRuntimeFailure } from '@shiplog/node/container-runtime'
import { configOf, nextConfigOf } from '../pod-work.ts'
import type { PodHost, PodHostFactory } from './pod-host.ts'
import { simulatedUsage } from './simulated-usage.ts'

export const simulatedHost =
  (runtime: ContainerRuntime): PodHostFactory =>
  ({ clock }) =>
    createSimulatedHost(runtime, () => clock.nowMs())

const createSimulatedHost = (runtime: ContainerRuntime, nowMs: () => number): PodHost => ({
  version: runtime.version,
  outlivesAgent: false,
  runSandbox: (_pod, config) => runtime.runSandbox(config),
  startContainer: ({ uid }, container) => runtime.startContainer(uid, nextConfigOf(container)),
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
