// Nodes for situations: labels, taints, room, images, and how many volumes of a driver they take.
import type { JsonObject } from '@shiplog/api/kube-object'
import type { Dice } from './dice.ts'

export const zoneKey = 'topology.kubernetes.io/zone'
export const hostKey = 'kubernetes.io/hostname'
export const driver = 'csi.test'
const mebi = 1024 * 1024
/** An image is of one size everywhere: upstream takes the word of the node that had it first. */
const imageSizes = { 'registry.test/web:1': 900 * mebi, 'registry.test/db': 80 * mebi, 'registry.test/cache:2': 2_500 * mebi } as const
export const images = Object.keys(imageSizes) as readonly (keyof typeof imageSizes)[]

/** Label or none: a merge patch takes a label away by null. */
export const randomZone = (dice: Dice): JsonObject => ({
  [zoneKey]: dice.once(8) ? null : dice.pick(['a', 'b', 'c']),
  rack: dice.once(3) ? null : dice.pick(['r1', 'r2', 'r3', 'r4']),
})

export function randomTaints(dice: Dice): JsonObject[] {
  const taints: JsonObject[] = []
  const effects = ['NoSchedule', 'PreferNoSchedule', 'NoExecute', 'PreferNoSchedule'] as const
  for (const key of ['gpu', 'old', 'slow']) {
    if (dice.once(6)) taints.push({ key, effect: dice.pick(effects), ...(dice.once(2) ? { value: 'yes' } : {}) })
  }
  return taints
}

const withoutNulls = (object: JsonObject): JsonObject =>
  Object.fromEntries(Object.entries(object).filter(([, value]) => value !== null))

export function randomNode(dice: Dice, name: string, { hasImages }: { readonly hasImages: boolean }): { readonly node: JsonObject; readonly csiNode: JsonObject | undefined } {
  const labels = withoutNulls({
    ...randomZone(dice),
    [hostKey]: name,
    disk: dice.pick(['ssd', 'hdd']),
    ...(dice.once(2) ? { size: String(dice.roll(5)) } : {}),
  })
  const taints = randomTaints(dice)
  const allocatable = {
    cpu: dice.once(4) ? '1500m' : String(1 + dice.roll(3)),
    memory: `${2 + dice.roll(4)}Gi`,
    pods: String(2 + dice.roll(6)),
    'ephemeral-storage': `${2 + dice.roll(8)}Gi`,
    ...(dice.once(4) ? { 'example.com/gpu': String(1 + dice.roll(2)) } : {}),
  }
  const held = hasImages ? images.filter(() => dice.once(3)) : []
  const node = {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels },
    spec: { ...(dice.once(15) ? { unschedulable: true } : {}), ...(taints.length > 0 ? { taints } : {}) },
    status: {
      capacity: allocatable,
      allocatable,
      images: held.map((image) => ({
        names: [image.includes(':') ? image : `${image}:latest`],
        sizeBytes: imageSizes[image],
      })),
    },
  }
  const csiNode = {
    apiVersion: 'storage.k8s.io/v1',
    kind: 'CSINode',
    metadata: { name },
    spec: { drivers: [{ name: driver, nodeID: name, topologyKeys: [], allocatable: { count: 1 + dice.roll(2) } }] },
  }
  return { node, csiNode: dice.once(3) ? undefined : csiNode }
}
