// Containers in a runtime as the backend of a node: pulls images, makes sandboxes and containers of what pods say, and has
// the runtime keep them.
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { ApiClient } from '@shiplog/api/api-client'
import type { Pod } from '@shiplog/api/generated/types/core-v1'
import { type PodVolume, RuntimeFailure, type SandboxConfig } from '@shiplog/node/container-runtime'
import { bareId, createCriRuntime } from '@shiplog/node/cri/cri-runtime'
import { fileSystemStats } from '@shiplog/node/stats/machine-stats'
import { createCriStreams } from '@shiplog/node/cri/cri-streams'
import type { Clock } from '@shiplog/runtime/clock'
import type { Ids } from '@shiplog/runtime/ids'
import type { Logger } from '@shiplog/runtime/logger'
import { type ContainerBackend, createContainerHost } from '../container-host.ts'
import { containerSpecOf, volumesIn } from '../pod-facts.ts'
import type { HostedPod, PodHostFactory, PodHostListener } from '../pod-host.ts'
import { containerVolumes } from '../pod-volumes.ts'
import { type References, referencesFromApi } from '../references.ts'
import { createServiceAccountTokens } from '../service-account-tokens.ts'
import { startContainer } from './container-start.ts'
import { createContainerResizer } from './container-resizer.ts'
import { type CriNode, type CriParts, hostsPathOf, sandboxConfigOf } from './cri-parts.ts'
import { createNodeCredentials } from './credential-providers.ts'
import { createImageCollector, type ImageCollector } from './image-collector.ts'
import { imageNameOf } from './image-names.ts'
import { createImagePuller } from './image-puller.ts'
import { createNodeSampler, type NodeSampler } from './node-sampler.ts'
import { nodeReserves } from './node-reserves.ts'
import { nodeStats } from './node-stats.ts'
import { hostsFile } from './pod-names.ts'
import { createPullRecords } from './pull-records.ts'

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
  const records = createPullRecords({ directory: join(mounts.directory, 'kubelet', 'image_manager'), clock })
  let tellOfPod: PodHostListener['podEvent'] | undefined
  const onFault = (podUid: string, message: string): void => tellOfPod?.(podUid, 'Warning', 'FailedKillPod', `error killing pod: ${message}`)
  const runtime = createCriRuntime({ client, node: mounts, runtimeName, clock, ids, log, onFault })
  const nodeCredentials = node.credentialProviders && createNodeCredentials({ ...node.credentialProviders, clock, log })
  const parts: CriParts = { ...deps, runtime, puller: createImagePuller({ client, references, records, clock, ...(nodeCredentials ? { nodeCredentials } : {}) }) }
  let sampler: NodeSampler | undefined
  let collector: ImageCollector | undefined
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
    stats: nodeStats(() => sampler),
    measure: async () => sampler?.measures() ?? [],
    reserves: nodeReserves(() => ({ sampler, collector })),
    begin(pods, { nodeEvent: tell, podEvent }) {
      tellOfPod = podEvent
      sampler = createNodeSampler({ node, clock, log, pods })
      collector = createImageCollector({
        ...{ client, records, tell, clock, log },
        policy: node.imageCollection,
        fileSystem: () => fileSystemStats(mounts.directory),
        mounted: () => imagesMounted(pods()),
      })
    },
    keepOnly: runtime.keepOnly,
    onExit: runtime.onExit,
    // The events of a pull are told when they happen.
    pulledMessage: () => undefined,
    async stop() {
      sampler?.[Symbol.dispose]()
      collector?.[Symbol.dispose]()
      await runtime.stop()
    },
  }
}

/** Full names of what pods have as volumes. */
const imagesMounted = (pods: Iterable<HostedPod>): string[] =>
  [...pods].flatMap(({ pod }) => volumesIn(pod).flatMap(({ image }) => imageNameOf(image?.reference ?? '') ?? []))

const statusesOf = ({ status }: Pod) => [...(status?.containerStatuses ?? []), ...(status?.initContainerStatuses ?? [])]

async function runSandbox(
  parts: CriParts,
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
  if (hasOwn) await parts.node.admitToNetwork?.({ uid, node: hosted.node.name, key: `${pod.metadata.namespace}/${pod.metadata.name}` }, own)
  writeHostsFile(parts, pod, podIPs)
  return podIPs
}

/** The runtime's name for a class of runtimes. */
async function handlerOf(api: ApiClient, name: string): Promise<string> {
  const result = await api.request({ verb: 'get', group: 'node.k8s.io', resource: 'runtimeclasses', name })
  if (!result.ok) throw new RuntimeFailure('FailedCreatePodSandBox', `failed to get RuntimeClass "${name}": ${result.status.message}`)
  return (result.object as unknown as { handler: string }).handler
}

function writeHostsFile(parts: CriParts, pod: Pod, podIPs: readonly string[]): void {
  const path = hostsPathOf(parts, pod.metadata.uid)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, hostsFile(pod, podIPs, parts.node.names), { mode: 0o644 })
}
