// A node as the scheduler sees it: what it offers, what its pods take. Kept up to date by addition and subtraction.
import type { ContainerImage, Node } from '@shiplog/api/generated/types/core-v1'
import { type HostPort, type PodInfo, sameLabels } from './pod-info.ts'
import { amountOf, type Resources, readAmounts, toResources } from './resources.ts'
import type { Taint } from '../plugins/tolerations.ts'

/** Which of the things that decisions look at an update of the Node object changed. */
export interface NodeDifference {
  readonly allocatable: boolean
  readonly labels: boolean
  readonly taints: boolean
  readonly unschedulable: boolean
}

const noImages: ReadonlyMap<string, number> = new Map()

const anyAddress = '0.0.0.0'

export class NodeInfo {
  readonly name: string
  /** Its place in the snapshot's arrays; reused after the node is gone. */
  readonly slot: number
  labels: Readonly<Record<string, string>> = {}
  taints: readonly Taint[] = []
  unschedulable = false
  /** Its container images by name, in bytes. */
  images: ReadonlyMap<string, number> = noImages
  #imageList: readonly ContainerImage[] | undefined
  allocatable: Resources = toResources(new Map())
  /** allocatable.pods. */
  podsMax = 0
  requestedCpu = 0
  requestedMemory = 0
  requestedEphemeralStorage = 0
  requestedScalars = new Map<string, number>()
  nonZeroCpu = 0
  nonZeroMemory = 0
  readonly pods = new Map<string, PodInfo>()
  /** How many pods there are of each priority. */
  readonly priorities = new Map<number, number>()
  /** `TCP/80` → address → how many pods hold it. */
  readonly #ports = new Map<string, Map<string, number>>()

  constructor(name: string, slot: number) {
    this.name = name
    this.slot = slot
  }

  /** Whether the Node object lists the images that are known here. */
  listsSameImages({ status }: Node): boolean {
    const list = status?.images
    return list === this.#imageList || JSON.stringify(list ?? []) === JSON.stringify(this.#imageList ?? [])
  }

  /** Takes over a Node object and tells what changed. */
  update(object: Node): NodeDifference {
    const { metadata, spec, status } = object
    // A node that reports capacity alone offers all of it (upstream's API server defaults allocatable the same way).
    const offered = readAmounts(status?.allocatable ?? status?.capacity)
    const allocatable = toResources(offered)
    const podsMax = offered.get('pods') ?? 0
    const labels = metadata.labels ?? {}
    const taints = spec?.taints ?? []
    const unschedulable = spec?.unschedulable === true
    const difference = {
      allocatable: podsMax !== this.podsMax || !sameResources(allocatable, this.allocatable),
      labels: !sameLabels(labels, this.labels),
      taints: JSON.stringify(taints) !== JSON.stringify(this.taints),
      unschedulable: unschedulable !== this.unschedulable,
    }
    this.allocatable = allocatable
    this.podsMax = podsMax
    this.labels = labels
    this.taints = taints
    this.unschedulable = unschedulable
    this.images = this.listsSameImages(object) ? this.images : readImages(status?.images)
    this.#imageList = status?.images
    return difference
  }

  add(pod: PodInfo): void {
    this.pods.set(pod.uid, pod)
    this.priorities.set(pod.priority, (this.priorities.get(pod.priority) ?? 0) + 1)
    this.#count(pod, 1)
  }

  remove(uid: string): void {
    const pod = this.pods.get(uid)
    if (pod === undefined) return
    this.pods.delete(uid)
    const left = this.priorities.get(pod.priority)! - 1
    if (left === 0) this.priorities.delete(pod.priority)
    else this.priorities.set(pod.priority, left)
    this.#count(pod, -1)
  }

  requestedScalar(name: string): number {
    return this.requestedScalars.get(name) ?? 0
  }

  /** What is requested of a resource, by its name. */
  requested(name: string): number {
    switch (name) {
      case 'cpu':
        return this.requestedCpu
      case 'memory':
        return this.requestedMemory
      case 'ephemeral-storage':
        return this.requestedEphemeralStorage
      default:
        return this.requestedScalar(name)
    }
  }

  offers(name: string): number {
    return amountOf(this.allocatable, name)
  }

  /** Whether a pod of this node holds the port on an overlapping address. */
  holdsPort(port: HostPort): boolean {
    const addresses = this.#ports.get(`${port.protocol}/${port.port}`)
    if (addresses === undefined) return false
    return port.ip === anyAddress || addresses.has(anyAddress) || addresses.has(port.ip)
  }

  /** Whether a pod of lower priority is here. */
  holdsLowerPriority(priority: number): boolean {
    for (const present of this.priorities.keys()) if (present < priority) return true
    return false
  }

  /** A node of its own, to try out what would be without some pods or with others. */
  copy(): NodeInfo {
    const copy = new NodeInfo(this.name, this.slot)
    copy.labels = this.labels
    copy.taints = this.taints
    copy.unschedulable = this.unschedulable
    copy.images = this.images
    copy.allocatable = this.allocatable
    copy.podsMax = this.podsMax
    for (const pod of this.pods.values()) copy.add(pod)
    return copy
  }

  /** What is known of a pod of this node is replaced by a version that takes the same room. */
  replace(pod: PodInfo): void {
    this.pods.set(pod.uid, pod)
  }

  #count(pod: PodInfo, sign: 1 | -1): void {
    const { requests, hostPorts, nonZeroCpu, nonZeroMemory } = pod.shape
    this.requestedCpu += sign * requests.cpu
    this.requestedMemory += sign * requests.memory
    this.requestedEphemeralStorage += sign * requests.ephemeralStorage
    this.nonZeroCpu += sign * nonZeroCpu
    this.nonZeroMemory += sign * nonZeroMemory
    if (requests.scalars !== undefined) {
      for (const [name, amount] of requests.scalars) {
        this.requestedScalars.set(name, this.requestedScalar(name) + sign * amount)
      }
    }
    for (const port of hostPorts) {
      const key = `${port.protocol}/${port.port}`
      const addresses = this.#ports.get(key) ?? new Map<string, number>()
      const holders = (addresses.get(port.ip) ?? 0) + sign
      if (holders === 0) addresses.delete(port.ip)
      else addresses.set(port.ip, holders)
      if (addresses.size === 0) this.#ports.delete(key)
      else this.#ports.set(key, addresses)
    }
  }
}

function sameResources(a: Resources, b: Resources): boolean {
  if (a.cpu !== b.cpu || a.memory !== b.memory || a.ephemeralStorage !== b.ephemeralStorage) return false
  if ((a.scalars?.size ?? 0) !== (b.scalars?.size ?? 0)) return false
  for (const [name, amount] of a.scalars ?? []) if (b.scalars?.get(name) !== amount) return false
  return true
}

function readImages(list: readonly ContainerImage[] | undefined): ReadonlyMap<string, number> {
  if (!list?.length) return noImages
  const images = new Map<string, number>()
  for (const { names, sizeBytes } of list) {
    for (const name of names ?? []) if (!images.has(name)) images.set(name, Number(sizeBytes ?? 0))
  }
  return images
}
