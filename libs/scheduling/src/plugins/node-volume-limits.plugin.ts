// NodeVolumeLimits: a CSI driver attaches only so many volumes to a node as its CSINode says. Volumes of the node's pods count,
// and those that are attached to it besides; a volume that several pods use counts once.
import type { Plugin, Rejection } from '../framework/framework.ts'
import type { NodeInfo } from '../snapshot/node-info.ts'
import type { PodInfo } from '../snapshot/pod-info.ts'
import { classOf } from '../volumes/matching.ts'
import type { Volumes } from '../volumes/volumes.ts'

const rejection: Rejection = { reasons: ['node(s) exceed max volume count'], resolvable: true }

export const nodeVolumeLimits: Plugin = {
  name: 'NodeVolumeLimits',
  preFilter: (pod, { objects: { volumes } }) => {
    if (pod.claims.length === 0) return undefined
    const wanted = attachable(pod, volumes)
    if (wanted.size === 0) return undefined
    return { filter: (node) => (fits(wanted, node, volumes) ? undefined : rejection) }
  },
  sign: (pod) => (pod.claims.length === 0 ? '' : undefined),
  wakes: (_pod, event) => event.type === 'VolumesChanged' || (event.type === 'PodFreed' && event.pod.claims.length > 0),
}

/** `driver/handle` of each volume that a driver attaches for the pod → the driver. */
function attachable({ namespace, claims }: PodInfo, volumes: Volumes): ReadonlyMap<string, string> {
  const found = new Map<string, string>()
  for (const { name } of claims) {
    const attached = attachment(namespace, name, volumes)
    if (attached !== undefined) found.set(`${attached.driver}/${attached.handle}`, attached.driver)
  }
  return found
}

function attachment(namespace: string, name: string, volumes: Volumes) {
  const claim = volumes.claim(namespace, name)
  if (claim === undefined) return undefined
  const volume = claim.spec.volumeName ? volumes.volume(claim.spec.volumeName) : undefined
  if (volume !== undefined) {
    const { csi } = volume.spec
    return csi && { driver: csi.driver, handle: csi.volumeHandle }
  }
  // It will be of its class's driver, and there is no handle yet that another claim could share.
  const driver = volumes.storageClass(classOf(claim))?.provisioner
  return driver === undefined ? undefined : { driver, handle: `claim/${namespace}/${name}` }
}

function fits(wanted: ReadonlyMap<string, string>, node: NodeInfo, volumes: Volumes): boolean {
  const limits = volumes.attachLimits(node.name)
  if (limits.size === 0) return true
  const present = new Map<string, string>()
  for (const pod of node.pods.values()) for (const [id, driver] of attachable(pod, volumes)) present.set(id, driver)
  const isNew = (id: string): boolean => !present.has(id)
  const fresh = [...wanted].filter(([id]) => isNew(id))
  for (const [id, driver] of volumes.attachedTo(node.name)) present.set(id, driver)
  return fresh.every(([, driver]) => {
    const limit = limits.get(driver)
    if (limit === undefined) return true
    const count = (drivers: Iterable<string>): number => [...drivers].filter((one) => one === driver).length
    return count(present.values()) + count(fresh.map(([, one]) => one)) <= limit
  })
}
