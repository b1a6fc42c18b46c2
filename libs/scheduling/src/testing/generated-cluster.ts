// Clusters for the oracle: small, with every feature that decisions look at, and scarce enough that pods often fit nowhere.
import type { LabelSelector } from '@shiplog/api/generated/types/meta-v1'
import type { Node, Pod, PodAffinityTerm, TopologySpreadConstraint } from '@shiplog/api/generated/types/core-v1'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import { seededRandom } from '@shiplog/testing/seeded-random'
import { testNode, testPod } from './test-objects.ts'

export interface Dice {
  /** 0 … sides - 1. */
  roll(sides: number): number
  /** True once in so many times. */
  once(times: number): boolean
  pick<T>(choices: readonly T[]): T
}

export function createDice(seed: number): Dice {
  const { below, pick } = seededRandom(seed)
  return { roll: below, once: (times) => below(times) === 0, pick }
}

export const namespaceNames = ['default', 'east', 'west']
const zoneKey = 'topology.kubernetes.io/zone'
const hostKey = 'kubernetes.io/hostname'
const apps = ['web', 'db', 'cache']
const mebi = 1024 * 1024
const imageSizes = { 'web:1': 300 * mebi, 'db:1': 900 * mebi, 'cache:1': 2_000 * mebi } as const
const images = Object.keys(imageSizes) as (keyof typeof imageSizes)[]
/** Claims that are bound to volumes of one driver. */
export const claimNames = ['c0', 'c1', 'c2', 'c3', 'c4']
export const csiDriver = 'csi.test'

export function randomNode(dice: Dice, name: string): Node {
  const labels: Record<string, string> = {
    ...(dice.once(8) ? {} : { [zoneKey]: dice.pick(['a', 'b', 'c']) }),
    ...(dice.once(3) ? {} : { rack: dice.pick(['r1', 'r2', 'r3', 'r4']) }),
    disk: dice.pick(['ssd', 'hdd']),
  }
  const effect = dice.pick(['NoSchedule', 'PreferNoSchedule', 'NoExecute'])
  const node = testNode(name, {
    labels,
    spec: {
      ...(dice.once(15) ? { unschedulable: true } : {}),
      ...(dice.once(5) ? { taints: [{ key: dice.pick(['gpu', 'old']), effect }] } : {}),
    },
    allocatable: { cpu: String(1 + dice.roll(3)), memory: `${2 + dice.roll(4)}Gi`, pods: String(2 + dice.roll(6)) },
  })
  const held = images.filter(() => dice.once(3)).map((image) => ({ names: [image], sizeBytes: imageSizes[image] }))
  return { ...node, status: { ...node.status, images: held } }
}

export const randomLabels = (dice: Dice): Record<string, string> =>
  dice.once(8) ? {} : { app: dice.pick(apps), ...(dice.once(2) ? { tier: dice.pick(['x', 'y']) } : {}) }

function randomSelector(dice: Dice): LabelSelector {
  switch (dice.roll(8)) {
    case 0:
      return {}
    case 1:
      return { matchExpressions: [{ key: 'tier', operator: dice.pick(['Exists', 'DoesNotExist']) }] }
    case 2:
      return { matchExpressions: [{ key: 'app', operator: dice.pick(['In', 'NotIn']), values: [dice.pick(apps), dice.pick(apps)] }] }
    default:
      return { matchLabels: { app: dice.pick(apps) } }
  }
}

const randomTerm = (dice: Dice): PodAffinityTerm => ({
  topologyKey: dice.pick([hostKey, zoneKey, 'rack']),
  ...(dice.once(12) ? {} : { labelSelector: randomSelector(dice) }),
  ...(dice.once(5) ? { namespaces: [dice.pick(namespaceNames)] } : {}),
  ...(dice.once(5)
    ? { namespaceSelector: dice.once(2) ? {} : { matchLabels: { team: dice.pick(['red', 'blue']) } } }
    : {}),
})

function randomAffinity(dice: Dice): JsonObject {
  const some = (make: () => unknown, odds: number): unknown[] =>
    dice.once(odds) ? Array.from({ length: 1 + dice.roll(2) }, make) : []
  const weighted = () => ({ weight: 1 + dice.roll(100), podAffinityTerm: randomTerm(dice) })
  const kind = (odds: number) => ({
    requiredDuringSchedulingIgnoredDuringExecution: some(() => randomTerm(dice), odds),
    preferredDuringSchedulingIgnoredDuringExecution: some(weighted, 3),
  })
  return { podAffinity: kind(5), podAntiAffinity: kind(2) }
}

/** Mostly about pods like the one that has it. */
const randomConstraint = (dice: Dice, { app }: Readonly<Record<string, string>>): TopologySpreadConstraint => ({
  maxSkew: dice.pick([1, 1, 2, 3]),
  topologyKey: dice.pick([hostKey, zoneKey, 'rack']),
  whenUnsatisfiable: dice.pick(['DoNotSchedule', 'ScheduleAnyway']),
  ...(dice.once(10)
    ? {}
    : { labelSelector: app !== undefined && !dice.once(3) ? { matchLabels: { app } } : randomSelector(dice) }),
  ...(dice.once(4) ? { nodeAffinityPolicy: dice.pick(['Honor', 'Ignore']) } : {}),
  ...(dice.once(3) ? { nodeTaintsPolicy: dice.pick(['Honor', 'Ignore']) } : {}),
  ...(dice.once(4) ? { matchLabelKeys: ['tier'] } : {}),
})

const minDomains = (dice: Dice, constraint: TopologySpreadConstraint): TopologySpreadConstraint =>
  constraint.whenUnsatisfiable === 'DoNotSchedule' && dice.once(4) ? { ...constraint, minDomains: 1 + dice.roll(5) } : constraint

export function randomPod(dice: Dice, name: string): Pod {
  const labels = randomLabels(dice)
  const pod = testPod(name, {
    requests: dice.pick<JsonObject>([{ cpu: '100m', memory: '200Mi' }, { cpu: '500m', memory: '1Gi' }, { cpu: '900m' }, {}, { cpu: '9' }]),
    metadata: {
      namespace: dice.pick(namespaceNames),
      labels,
      ...(dice.once(3)
        ? { ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'set', uid: 'set', controller: true }] }
        : {}),
    },
    spec: {
      priority: dice.pick([0, 0, 0, -5, 10, 100]),
      ...(dice.once(10) ? { preemptionPolicy: 'Never' } : {}),
      ...(dice.once(2) ? { affinity: randomAffinity(dice) } : {}),
      ...(dice.once(3)
        ? {
            topologySpreadConstraints: Array.from({ length: 1 + dice.roll(2) }, () =>
              minDomains(dice, randomConstraint(dice, labels)),
            ) as unknown as JsonObject[],
          }
        : {}),
      ...(dice.once(10) ? { volumes: [{ name: 'data', persistentVolumeClaim: { claimName: dice.pick(claimNames) } }] } : {}),
      ...(dice.once(6) ? { nodeSelector: { disk: 'ssd' } } : {}),
      ...(dice.once(4) ? { tolerations: [{ key: 'gpu', operator: 'Exists' }] } : {}),
    },
  })
  const [container] = pod.spec.containers!
  return { ...pod, spec: { ...pod.spec, containers: [{ ...container!, image: dice.pick(images) }] } }
}

/** Pods of one group, some of which may fit nowhere, and how many have to fit. */
export function randomGang(dice: Dice, name: string) {
  const pods = Array.from({ length: 2 + dice.roll(4) }, (_, index): Pod => {
    const { metadata, spec, ...rest } = randomPod(dice, `${name}-${index}`)
    return { ...rest, metadata: { ...metadata, namespace: 'default' }, spec: { ...spec, schedulingGroup: { podGroupName: name } } }
  })
  const size = 1 + dice.roll(pods.length)
  const group: KubeObject = {
    ...{ apiVersion: 'scheduling.k8s.io/v1alpha2', kind: 'PodGroup' },
    metadata: { name, namespace: 'default', uid: name, creationTimestamp: '2026-01-01T00:00:00Z' },
    spec: { schedulingPolicy: { gang: { minCount: size } } },
  }
  return { group, size, pods }
}
