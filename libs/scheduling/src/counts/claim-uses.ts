// How many placed pods use a claim.
import type { PluginState } from '../snapshot/plugin-state.ts'
import type { NodeInfo } from '../snapshot/node-info.ts'
import type { PodInfo } from '../snapshot/pod-info.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'

export class ClaimUses implements PluginState {
  /** `namespace/claim` → pods. */
  readonly #pods = new Map<string, number>()

  of(namespace: string, claim: string): number {
    return this.#pods.get(`${namespace}/${claim}`) ?? 0
  }

  nodeAdded(node: NodeInfo): void {
    for (const pod of node.pods.values()) this.podAdded(pod)
  }

  nodeRemoved(node: NodeInfo): void {
    for (const pod of node.pods.values()) this.podRemoved(pod)
  }

  podAdded(pod: PodInfo): void {
    this.#count(pod, 1)
  }

  podRemoved(pod: PodInfo): void {
    this.#count(pod, -1)
  }

  #count({ namespace, claims }: PodInfo, amount: 1 | -1): void {
    for (const { name } of claims) {
      const key = `${namespace}/${name}`
      const pods = (this.#pods.get(key) ?? 0) + amount
      if (pods === 0) this.#pods.delete(key)
      else this.#pods.set(key, pods)
    }
  }
}

/** The uses in a snapshot: `snapshot.stateOf(createClaimUses)`. */
export const createClaimUses = (_snapshot: Snapshot): ClaimUses => new ClaimUses()
