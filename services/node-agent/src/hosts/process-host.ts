// Nodes whose containers are processes of the machine: commands without images.
import { type ContainerRuntime, isRuntimeFailure, type ProcessConfig, type RealContainers, RuntimeFailure, type StartedContainer } from '@shiplog/node/container-runtime'
import { type ContainerWork, nextConfigOf } from '../pod-work.ts'
import { type ContainerBackend, createContainerHost } from './container-host.ts'
import { processOf, referencesOfContainer } from './container-process.ts'
import { containerSpecOf, factsOf, hostnameOf, namespaceOf } from './pod-facts.ts'
import { type HostedPod, messageOf, type PodHostFactory } from './pod-host.ts'
import { processVolumes } from './pod-volumes.ts'
import { lookUp, type References, referencesFromApi } from './references.ts'
import { createServiceAccountTokens } from './service-account-tokens.ts'

/** A kind of node; `runtime` is one with real containers. `references`: default, read from the API as the feed shows changes. */
export const processHost =
  (runtime: ContainerRuntime & { readonly real?: RealContainers }, references?: References): PodHostFactory =>
  ({ client, feed, clock, log }) => {
    if (runtime.real === undefined) throw new Error(`${runtime.version} runs no real containers`)
    const from = references ?? referencesFromApi(client, feed)
    return createContainerHost({
      ...{ clock, log },
      backend: processBackend(runtime, runtime.real, from),
      references: from,
      tokens: createServiceAccountTokens({ client, clock }),
    })
  }

const processBackend = (runtime: ContainerRuntime, real: RealContainers, references: References): ContainerBackend => ({
  version: runtime.version,
  logs: real,
  streams: real.streams,
  volumeStyle: processVolumes,
  runSandbox: (_pod, config, volumes) => runtime.runSandbox({ ...config, volumes }),
  startContainer: (pod, container) => startContainer(runtime, real, references, pod, container),
  stopContainer: (podUid, containerID, graceMs) => runtime.stopContainer(podUid, containerID, graceMs),
  removeSandbox: (podUid) => runtime.removeSandbox(podUid),
  removePod: (podUid) => runtime.removePod(podUid),
  async recover(pod, config, volumes, known) {
    const whole = volumes === undefined ? config : { ...config, volumes }
    const containers = await runtime.recover(whole, pod.work.podIPs, known)
    return { containers, needsSandbox: volumes === undefined || containers.length === 0 }
  },
  updateVolumes: (podUid, volumes) => real.updateVolumes(podUid, volumes),
  exec: (podUid, containerID, command, timeoutMs) => real.exec(podUid, containerID, command, timeoutMs),
  ...(real.measure ? { measure: () => real.measure!() } : {}),
  keepOnly: (podUids) => real.keepOnly(podUids),
  onExit: (listener) => runtime.onExit(listener),
  pulledMessage: () => undefined,
  stop: () => runtime.stop(),
})

async function startContainer(
  runtime: ContainerRuntime,
  real: RealContainers,
  references: References,
  pod: HostedPod,
  container: ContainerWork,
): Promise<StartedContainer> {
  const config = nextConfigOf(container)
  const process = await resolveProcess(real, references, pod, container)
  // The pod may have been given up while what it refers to was read.
  if (pod.work.sandbox !== 'ready') throw new RuntimeFailure('CreateContainerError', 'the pod is over')
  return await runtime.startContainer(pod.uid, { ...config, process })
}

/** What a container is to run. Rejects with RuntimeFailure. */
async function resolveProcess(
  real: RealContainers,
  references: References,
  pod: HostedPod,
  container: ContainerWork,
): Promise<ProcessConfig> {
  const spec = containerSpecOf(pod, container)
  try {
    return processOf({
      ...factsOf(pod),
      container: spec,
      lookup: await lookUp(references, namespaceOf(pod), referencesOfContainer(spec)),
      base: { ...real.environment(pod.uid, container.name), HOSTNAME: hostnameOf(pod.pod) },
      uid: real.uid,
    })
  } catch (error) {
    if (isRuntimeFailure(error)) throw error
    throw new RuntimeFailure('CreateContainerConfigError', messageOf(error))
  }
}
