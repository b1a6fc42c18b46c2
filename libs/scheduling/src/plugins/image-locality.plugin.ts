// ImageLocality: prefers nodes that hold the pod's images already. An image that few nodes hold counts for less, or pods would
// gather where the first of them happened to go. How large an image is, is what the node itself says.
import { createImageCounts, type ImageCounts } from '../counts/image-counts.ts'
import { type NodeClassifier, type Plugin, scoreMax } from '../framework/framework.ts'
import type { NodeInfo } from '../snapshot/node-info.ts'
import type { PodInfo } from '../snapshot/pod-info.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'

const mebi = 1024 * 1024
/** Less on a node is not worth a thought; more than so much for each container makes no difference. */
const bytesMin = 23 * mebi
const bytesPerContainerMax = 1000 * mebi

export const imageLocality: Plugin = {
  name: 'ImageLocality',
  preScore: (pod, snapshot) => {
    const counts = snapshot.stateOf(createImageCounts)
    if (!isHeldSomewhere(pod, counts)) return undefined
    return (node) => score(pod, sizesOn(node, pod), counts, snapshot.nodeCount)
  },
  sign: (pod, snapshot) =>
    isHeldSomewhere(pod, snapshot.stateOf(createImageCounts)) ? `${pod.containers} ${pod.images.join(' ')}` : '',
  classify: (pod, snapshot) => new ImageClasses(pod, snapshot),
}

const isHeldSomewhere = ({ images }: PodInfo, counts: ImageCounts): boolean => images.some((image) => counts.of(image) > 0)

/** Of each of the pod's images, how large it is on the node; 0 when it is not there. */
const sizesOn = (node: NodeInfo, { images }: PodInfo): readonly number[] => images.map((image) => node.images.get(image) ?? 0)

function score({ images, containers }: PodInfo, sizes: readonly number[], counts: ImageCounts, nodes: number): number {
  let sum = 0
  for (const [index, size] of sizes.entries()) {
    if (size > 0) sum += Math.trunc(size * (counts.of(images[index]!) / nodes))
  }
  const bytesMax = bytesPerContainerMax * containers
  return Math.trunc((scoreMax * (Math.min(Math.max(sum, bytesMin), bytesMax) - bytesMin)) / (bytesMax - bytesMin))
}

/** Nodes with the same of the pod's images are of one class. */
class ImageClasses implements NodeClassifier {
  readonly scores = true
  readonly isCurrent = true
  readonly #pod: PodInfo
  readonly #snapshot: Snapshot
  readonly #ids = new Map<string, number>()
  readonly #sizes: (readonly number[])[] = []

  constructor(pod: PodInfo, snapshot: Snapshot) {
    this.#pod = pod
    this.#snapshot = snapshot
  }

  classOf(node: NodeInfo): number {
    const sizes = sizesOn(node, this.#pod)
    const key = sizes.join(' ')
    let id = this.#ids.get(key)
    if (id === undefined) {
      this.#ids.set(key, (id = this.#sizes.length))
      this.#sizes.push(sizes)
    }
    return id
  }

  moved(): readonly NodeInfo[] {
    return []
  }

  judge(): () => boolean {
    return () => true
  }

  score(): (nodeClass: number) => number {
    const counts = this.#snapshot.stateOf(createImageCounts)
    return (nodeClass) => score(this.#pod, this.#sizes[nodeClass]!, counts, this.#snapshot.nodeCount)
  }
}
