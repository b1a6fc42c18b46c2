// Containers in a runtime as the backend of a node: pulls images, makes sandboxes and containers of what pods say, and has
// the runtime keep them.
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { ApiClient } from '@shiplog/api/api-client'
import type { Container, Pod, Service } from '@shiplog/api/generated/types/core-v1'
import { bytesOf } from '@shiplog/api/quantity'
import { isRuntimeFailure, type PodVolume, RuntimeFailure, type SandboxConfig, type StartedContainer } from '@shiplog/node/container-runtime'
import type { CriClient } from '@shiplog/node/cri/cri-client'
import { bareId, createCriRuntime, type CriRuntime } from '@shiplog/node/cri/cri-runtime'
import type { ImageMessage, SandboxConfigMessage } from '@shiplog/node/cri/cri-messages'
import { createCriStreams } from '@shiplog/node/cri/cri-streams'
import { createUsageMeter } from '@shiplog/node/cri/cri-usage'
import { mountPart, type NodeMounts, podDirectory, volumeSource } from '@shiplog/node/cri/cri-volumes'
import { podLogDirectory } from '@shiplog/node/pod-directories'
import type { Clock } from '@shiplog/runtime/clock'
import type { Ids } from '@shiplog/runtime/ids'
import type { Logger } from '@shiplog/runtime/logger'
import { containersOf, type ContainerWork, nextConfigOf } from '../../pod-work.ts'
import { type ContainerBackend, createContainerHost, type TellEvent } from '../container-host.ts'
import { referencesOfContainer } from '../container-process.ts'
import { containerSpecOf, factsOf, namespaceOf } from '../pod-facts.ts'
import { type HostedPod, messageOf, type PodHostFactory } from '../pod-host.ts'
import { containerVolumes } from '../pod-volumes.ts'
import type { ProbeNetwork } from '../probe-call.ts'
import { lookUp, type References, referencesFromApi } from '../references.ts'
import { createServiceAccountTokens } from '../service-account-tokens.ts'
import { createContainerResizer } from './container-resizer.ts'
import { containerConfig, targetNameOf, volumePartsOf } from './container-config.ts'
import { createImagePuller, type ImagePuller } from './image-puller.ts'
import { hostsFile, type NodeNames } from './pod-names.ts'
import { sandboxConfig } from './sandbox-config.ts'
import type { ImageUser } from './security-context.ts'
import { serviceEnvironment, servicesFor } from './service-environment.ts'

export interface CriNode {
  readonly client: CriClient
  /** `containerd` and its version. */
  readonly runtimeName: string
  readonly runtimeVersion: string
  readonly mounts: NodeMounts
  /** Parent of the cgroups of its pods. */
  readonly cgroupParent: string
  readonly names: NodeNames
  /** The way to pods and nodes. */
  readonly network: ProbeNetwork
  /**
   * Resolves when a pod with addresses of its own may be started: what keeps traffic from it is in place. Rejects after a
   * time of its own. Absent: nobody keeps anything away.
   */
  readonly admitToNetwork?: (pod: { readonly uid: string; readonly node: string }, addresses: readonly string[]) => Promise<void>
}

interface Parts {
  readonly node: CriNode
  readonly api: ApiClient
  readonly references: References
  readonly puller: ImagePuller
  readonly runtime: CriRuntime
  readonly ids: Ids
}

/** A kind of node: pods run in a container runtime. */
export const criHost =
  (node: CriNode, ids: Ids): PodHostFactory =>
  ({ client, feed, clock, log }) => {
    const references = referencesFromApi(client, feed)
    return createContainerHost({
      ...{ clock, log, references },
      backend: createCriBackend({ node, api: client, references, ids, clock, log }),
      tokens: createServiceAccountTokens({ client, clock }),
    })
  }

function createCriBackend(deps: {
  readonly node: CriNode
  readonly api: ApiClient
  readonly references: References
  readonly ids: Ids
  readonly clock: Clock
  readonly log: Logger
}): ContainerBackend {
  const { node, ids, clock, log, references } = deps
  const { client, mounts, runtimeName, runtimeVersion, network } = node
  const runtime = createCriRuntime({ client, node: mounts, runtimeName, clock, ids, log })
  const parts: Parts = { ...deps, runtime, puller: createImagePuller({ client, references, clock }) }
  const resizer = createContainerResizer({
    update: (containerID, resources) => client.updateContainerResources(bareId(containerID), resources),
    stop: runtime.stopContainer,
    onFault: (err, { pod }, { name }) => log.warn({ err, pod: pod.metadata.name, container: name }, 'failed to resize container'),
  })
  /** As the sandbox had them: what a container mounts is looked up there. */
  const volumesOf = new Map<string, ReadonlyMap<string, PodVolume>>()
  const keep = (podUid: string, volumes: readonly PodVolume[]): void =>
    void volumesOf.set(podUid, new Map(volumes.map((volume) => [volume.name, volume])))
  return {
    version: `${runtimeName}://${runtimeVersion}`,
    logs: runtime,
    streams: createCriStreams({ client, clock, dial: network.dial, sandboxOf: runtime.sandboxOf }),
    network,
    volumeStyle: containerVolumes,
    async runSandbox(pod, config, volumes) {
      keep(pod.uid, volumes)
      return await runSandbox(parts, pod, config, volumes)
    },
    async startContainer(pod, container, tell) {
      const spec = containerSpecOf(pod, container)
      const started = await startContainer(parts, pod, container, volumesOf.get(pod.uid) ?? new Map(), tell)
      resizer.started(started.containerID, spec)
      return started
    },
    podChanged: resizer.podChanged,
    stopContainer: runtime.stopContainer,
    removeSandbox: runtime.removeSandbox,
    removePod(podUid) {
      volumesOf.delete(podUid)
      runtime.removePod(podUid)
    },
    async recover(pod, _config, volumes) {
      if (volumes !== undefined) keep(pod.uid, volumes)
      const found = await runtime.recover(pod.uid)
      for (const { name, containerID } of found.containers) {
        const reported = statusesOf(pod.pod).find((status) => status.name === name)
        resizer.started(containerID, { resources: reported?.resources ?? {} })
      }
      return { ...found, needsSandbox: found.needsSandbox || volumes === undefined }
    },
    updateVolumes: runtime.updateVolumes,
    exec: (_podUid, containerID, command, timeoutMs) => runtime.exec(containerID, command, timeoutMs),
    measure: createUsageMeter(client, runtimeName),
    keepOnly: runtime.keepOnly,
    onExit: runtime.onExit,
    // The events of a pull are told when they happen.
    pulledMessage: () => undefined,
    stop: runtime.stop,
  }
}

const statusesOf = ({ status }: Pod) => [...(status?.containerStatuses ?? []), ...(status?.initContainerStatuses ?? [])]

const sandboxConfigOf =
  ({ node }: Parts, pod: Pod) =>
  (attempt: number): SandboxConfigMessage =>
    sandboxConfig({
      ...{ pod, attempt, names: node.names, cgroupParent: node.cgroupParent },
      logDirectory: podLogDirectory(node.mounts.directory, identityOf(pod)),
      profilesDir: join(node.mounts.directory, 'kubelet', 'seccomp'),
    })

const identityOf = ({ metadata }: Pod) => ({
  namespace: metadata.namespace ?? '',
  name: metadata.name,
  uid: metadata.uid,
})

async function runSandbox(
  parts: Parts,
  hosted: HostedPod,
  config: SandboxConfig,
  volumes: readonly PodVolume[],
): Promise<readonly string[]> {
  const { pod, uid } = hosted
  const { runtimeClassName } = pod.spec
  const handler = runtimeClassName ? await handlerOf(parts.api, runtimeClassName) : ''
  const own = await parts.runtime.runSandbox(uid, volumes, sandboxConfigOf(parts, pod), handler)
  const hasOwn = !config.hostNetwork && own.length > 0
  const podIPs = hasOwn ? own : config.nodeIPs
  // Should this fail, the sandbox stays and is found again by the next try.
  if (hasOwn) await parts.node.admitToNetwork?.({ uid, node: hosted.node.name }, own)
  writeHostsFile(parts, pod, podIPs)
  return podIPs
}

/** The runtime's name for a class of runtimes. */
async function handlerOf(api: ApiClient, name: string): Promise<string> {
  const result = await api.request({ verb: 'get', group: 'node.k8s.io', resource: 'runtimeclasses', name })
  if (!result.ok) throw new RuntimeFailure('FailedCreatePodSandBox', `failed to get RuntimeClass "${name}": ${result.status.message}`)
  return (result.object as unknown as { handler: string }).handler
}

const hostsPathOf = ({ node }: Parts, podUid: string): string => join(podDirectory(node.mounts.directory, podUid), 'etc-hosts')

function writeHostsFile(parts: Parts, pod: Pod, podIPs: readonly string[]): void {
  const path = hostsPathOf(parts, pod.metadata.uid)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, hostsFile(pod, podIPs, parts.node.names), { mode: 0o644 })
}

async function startContainer(
  parts: Parts,
  hosted: HostedPod,
  container: ContainerWork,
  volumes: ReadonlyMap<string, PodVolume>,
  tell: TellEvent,
): Promise<StartedContainer> {
  const { attempt } = nextConfigOf(container)
  const { runtime } = parts
  const before = await runtime.findContainer(hosted.uid, container.name, attempt)
  if (before !== undefined) return before
  const spec = containerSpecOf(hosted, container)
  const { id: sandboxId, attempt: sandboxAttempt } = await runtime.sandboxOf(hosted.uid)
  const sandbox = sandboxConfigOf(parts, hosted.pod)
  const image = await parts.puller.ensure({
    ...{ image: spec.image ?? '', policy: spec.imagePullPolicy, pod: hosted.pod, sandbox: sandbox(sandboxAttempt) },
    tell: (...event) => tell(hosted, container, ...event),
  })
  try {
    const config = await configOf(parts, hosted, spec, { attempt, image, volumes, sandboxId })
    // The pod may have been given up while what it refers to was read.
    if (hosted.work.sandbox !== 'ready') throw new RuntimeFailure('CreateContainerError', 'the pod is over')
    return await runtime.startContainer(hosted.uid, config, sandbox)
  } catch (error) {
    if (isRuntimeFailure(error)) throw error
    throw new RuntimeFailure('CreateContainerConfigError', messageOf(error))
  }
}

interface StartInput {
  readonly attempt: number
  readonly image: ImageMessage
  readonly volumes: ReadonlyMap<string, PodVolume>
  readonly sandboxId: string
}

async function configOf(parts: Parts, hosted: HostedPod, container: Container, { attempt, image, volumes }: StartInput) {
  const { node, references, api } = parts
  const [lookup, services] = await Promise.all([
    lookUp(references, namespaceOf(hosted), referencesOfContainer(container)),
    servicesOf(api, hosted.pod),
  ])
  const facts = { ...factsOf(hosted), container, lookup, base: serviceEnvironment(services) }
  const directory = podDirectory(node.mounts.directory, hosted.uid)
  const { memory } = hosted.node.capacity
  const sources = await partsOf(parts, hosted, container, volumes, volumePartsOf(facts))
  return containerConfig({
    ...{ ...facts, attempt, volumes, imageRef: image.id, imageUser: imageUserOf(image) },
    ...targetOf(hosted, container),
    profilesDir: join(node.mounts.directory, 'kubelet', 'seccomp'),
    memoryCapacityBytes: bytesOf(memory ?? '1Gi'),
    terminationFile: terminationFile(directory, container.name, attempt),
    hostsFile: hostsPathOf(parts, hosted.uid),
    sourceOf: (name, index) => sources.get(index) ?? volumeSource(node.mounts.directory, hosted.uid, volumes.get(name)!) ?? '',
  })
}

/** Made anew for each start, writable by whatever user the container runs as. */
function terminationFile(directory: string, container: string, attempt: number): string {
  const path = join(directory, 'containers', container, String(attempt))
  mkdirSync(dirname(path), { recursive: true, mode: 0o755 })
  writeFileSync(path, '')
  chmodSync(path, 0o666)
  return path
}

async function partsOf(
  { node }: Parts,
  hosted: HostedPod,
  container: Container,
  volumes: ReadonlyMap<string, PodVolume>,
  wanted: readonly { readonly index: number; readonly volume: string; readonly subPath: string }[],
): Promise<ReadonlyMap<number, string>> {
  const sources = new Map<number, string>()
  for (const { index, volume: name, subPath } of wanted) {
    const volume = volumes.get(name)
    const source = volume && volumeSource(node.mounts.directory, hosted.uid, volume)
    if (source === undefined) continue
    const part = { volume: name, source, subPath, container: container.name, index }
    sources.set(index, await mountPart(node.mounts, hosted.uid, part))
  }
  return sources
}

const imageUserOf = ({ uid, username }: ImageMessage): ImageUser =>
  uid !== null ? { uid: Number(uid.value) } : username ? { username } : {}

/** Whom an ephemeral container looks into, by the runtime's id. */
function targetOf({ work }: HostedPod, container: Container): { targetId?: string } {
  const name = targetNameOf(container)
  const target = containersOf(work).find((candidate) => candidate.name === name)
  return target?.containerID ? { targetId: bareId(target.containerID) } : {}
}

async function servicesOf(api: ApiClient, pod: Pod): Promise<readonly Service[]> {
  const list = async (namespace: string): Promise<readonly Service[]> => {
    const result = await api.request({ verb: 'list', group: '', resource: 'services', namespace })
    if (!result.ok) throw new Error(`services have not yet been read at least once, cannot construct envvars: ${result.status.message}`)
    return (result.object as unknown as { items: readonly Service[] }).items
  }
  const namespace = pod.metadata.namespace ?? ''
  const lists = await Promise.all([...new Set([namespace, 'default'])].map(list))
  return servicesFor(pod, lists.flat())
}
