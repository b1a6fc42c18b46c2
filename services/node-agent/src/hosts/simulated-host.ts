// The host of simulated nodes: containers exist in the API alone, so there is nothing to prepare and nothing to find again.
import { type ContainerRuntime, isRuntimeFailure } from '@shiplog/node/container-runtime'
import { configOf, nextConfigOf } from '../pod-work.ts'
import type { PodHost, PodHostFactory } from './pod-host.ts'

export const simulatedHost =
  (runtime: ContainerRuntime): PodHostFactory =>
  () =>
    createSimulatedHost(runtime)

const createSimulatedHost = (runtime: ContainerRuntime): PodHost => ({
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
  keepOnly: () => undefined,
  start: (_pods, { exited }) => runtime.onExit(exited),
  stop: () => runtime.stop(),
})
