// On how many nodes each container image lies.
import type { PluginState } from '../snapshot/plugin-state.ts'
import type { NodeInfo } from '../snapshot/node-info.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'

export class ImageCounts implements PluginState {
  readonly #nodes = new Map<string, number>()

  of(image: string): number {
    return this.#nodes.get(image) ?? 0
  }

  nodeAdded(node: NodeInfo): void {
    this.#count(node, 1)
  }

  nodeRemoved(node: NodeInfo): void {
    this.#count(node, -1)
  }

  podAdded(): void {}

  podRemoved(): void {}

  #count({ images }: NodeInfo, amount: 1 | -1): void {
    for (const image of images.keys()) {
      const nodes = this.of(image) + amount
      if (nodes === 0) this.#nodes.delete(image)
      else this.#nodes.set(image, nodes)
    }
  }
}

/** The counts in a snapshot: `snapshot.stateOf(createImageCounts)`. */
export const createImageCounts = (_snapshot: Snapshot): ImageCounts => new ImageCounts()
