// Starts a container of a pod in a runtime: gets its image, resolves what its spec refers to, prepares what it mounts.
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { ApiClient } from '@shiplog/api/api-client'
import type { Container, Pod, Service } from '@shiplog/api/generated/types/core-v1'
import { bytesOf } from '@shiplog/api/quantity'
import { isRuntimeFailure, type PodVolume, RuntimeFailure, type StartedContainer } from '@shiplog/node/container-runtime'
import type { ImageMessage } from '@shiplog/node/cri/cri-messages'
import { bareId } from '@shiplog/node/cri/cri-runtime'
import { mountPart, podDirectory, volumeSource } from '@shiplog/node/cri/cri-volumes'
import { containersOf, type ContainerWork, nextConfigOf } from '../../pod-work.ts'
import type { TellEvent } from '../container-host.ts'
import { referencesOfContainer } from '../container-process.ts'
import { containerSpecOf, factsOf, namespaceOf } from '../pod-facts.ts'
import { type HostedPod, messageOf } from '../pod-host.ts'
import { lookUp } from '../references.ts'
import { containerConfig, targetNameOf, volumePartsOf } from './container-config.ts'
import { type CriParts, hostsPathOf, sandboxConfigOf } from './cri-parts.ts'
import type { ImageUser } from './security-context.ts'
import { serviceEnvironment, servicesFor } from './service-environment.ts'

/** Rejects with RuntimeFailure. */
export async function startContainer(
  parts: CriParts,
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
  for (const { reference, pullPolicy } of imageVolumesOf(spec, volumes)) {
    await parts.puller.ensure({
      ...{ image: reference, policy: pullPolicy || undefined, pod: hosted.pod, sandbox: sandbox(sandboxAttempt) },
      tell: (...event) => tell(hosted, container, ...event),
    })
  }
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

/** Volumes of images that a container mounts: the runtime mounts what is there already. */
function imageVolumesOf({ volumeMounts = [] }: Container, volumes: ReadonlyMap<string, PodVolume>) {
  const names = new Set(volumeMounts.map(({ name }) => name))
  return [...names].flatMap((name) => {
    const volume = volumes.get(name)
    return volume?.kind === 'image' ? [volume] : []
  })
}

interface StartInput {
  readonly attempt: number
  readonly image: ImageMessage
  readonly volumes: ReadonlyMap<string, PodVolume>
  readonly sandboxId: string
}

async function configOf(parts: CriParts, hosted: HostedPod, container: Container, { attempt, image, volumes }: StartInput) {
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
  { node }: CriParts,
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
