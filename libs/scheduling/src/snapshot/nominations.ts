// Nominated pods: those for which victims make room on a node (status.nominatedNodeName). Until they are placed, pods of
// lower priority may not take that room.
import type { PodInfo } from './pod-info.ts'

export interface Nominations {
  /** What the log shows of a pod that waits for a node. */
  set(pod: PodInfo): void
  delete(uid: string): void
  /** The pods that are nominated for a node and not placed anywhere, in the order of their uids. */
  on(node: string): readonly PodInfo[]
  /** Whether any pod but this one is nominated somewhere and of at least this priority. */
  concern(pod: PodInfo): boolean
}

export function createNominations(isPlaced: (uid: string) => boolean): Nominations {
  const pods = new Map<string, PodInfo>()
  return {
    set(pod) {
      if (pod.nominatedNode === '') pods.delete(pod.uid)
      else pods.set(pod.uid, pod)
    },
    delete: (uid) => void pods.delete(uid),
    on(node) {
      if (pods.size === 0) return none
      const here = [...pods.values()].filter((pod) => pod.nominatedNode === node && !isPlaced(pod.uid))
      return here.sort((a, b) => (a.uid < b.uid ? -1 : 1))
    },
    concern(pod) {
      for (const other of pods.values()) if (outranks(other, pod) && !isPlaced(other.uid)) return true
      return false
    },
  }
}

const none: readonly PodInfo[] = []

/** Whether a nominated pod's room is kept from another pod: not from one that is more important, or another scheduler's. */
export const outranks = (nominated: PodInfo, pod: PodInfo): boolean =>
  nominated.uid !== pod.uid && nominated.priority >= pod.priority && nominated.schedulerName === pod.schedulerName
