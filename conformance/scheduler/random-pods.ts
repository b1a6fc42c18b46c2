// Pods for situations: every feature that a decision looks at, mixed.
import type { JsonObject } from '@shiplog/api/kube-object'
import type { Dice } from './dice.ts'
import { hostKey, images, zoneKey } from './random-nodes.ts'
import type { VolumeClaim } from './random-volumes.ts'

const apps = ['web', 'db', 'cache']
const namespaces = ['default', 'east', 'west']

export interface PodSurroundings {
  readonly schedulerName: string
  readonly claims: readonly VolumeClaim[]
  readonly nodes: readonly string[]
}

export const randomLabels = (dice: Dice): JsonObject =>
  dice.once(8) ? {} : { app: dice.pick(apps), ...(dice.once(2) ? { tier: dice.pick(['x', 'y']) } : {}) }

function randomSelector(dice: Dice): JsonObject {
  switch (dice.roll(8)) {
    case 0:
      return {}
    case 1:
      return { matchExpressions: [{ key: 'tier', operator: dice.pick(['Exists', 'DoesNotExist']) }] }
    case 2:
      return { matchExpressions: [{ key: 'app', operator: dice.pick(['In', 'NotIn']), values: [dice.pick(apps), 'other'] }] }
    default:
      return { matchLabels: { app: dice.pick(apps) } }
  }
}

function randomTerm(dice: Dice): JsonObject {
  const hasSelector = !dice.once(12)
  return {
    topologyKey: dice.pick([hostKey, zoneKey, 'rack']),
    ...(hasSelector ? { labelSelector: randomSelector(dice) } : {}),
    ...(hasSelector && dice.once(6) ? { matchLabelKeys: ['color'] } : {}),
    ...(dice.once(5) ? { namespaces: [dice.pick(namespaces)] } : {}),
    ...(dice.once(5)
      ? { namespaceSelector: dice.once(2) ? {} : { matchLabels: { team: dice.pick(['red', 'blue']) } } }
      : {}),
  }
}

function randomPodAffinity(dice: Dice): JsonObject {
  const some = (make: () => JsonObject, odds: number): JsonObject[] =>
    dice.once(odds) ? Array.from({ length: 1 + dice.roll(2) }, make) : []
  const weighted = () => ({ weight: 1 + dice.roll(100), podAffinityTerm: randomTerm(dice) })
  const kind = (odds: number) => ({
    requiredDuringSchedulingIgnoredDuringExecution: some(() => randomTerm(dice), odds),
    preferredDuringSchedulingIgnoredDuringExecution: some(weighted, 3),
  })
  return { podAffinity: kind(6), podAntiAffinity: kind(2) }
}

function randomRequirement(dice: Dice): JsonObject {
  switch (dice.roll(6)) {
    case 0:
      return { key: 'disk', operator: 'In', values: ['ssd'] }
    case 1:
      return { key: 'disk', operator: 'NotIn', values: ['ssd'] }
    case 2:
      return { key: 'rack', operator: dice.pick(['Exists', 'DoesNotExist']) }
    case 3:
      return { key: 'size', operator: dice.pick(['Gt', 'Lt']), values: [String(dice.roll(5))] }
    default:
      return { key: zoneKey, operator: 'In', values: [dice.pick(['a', 'b']), 'c'] }
  }
}

const someRequirements = (dice: Dice): JsonObject => ({
  matchExpressions: Array.from({ length: 1 + dice.roll(2) }, () => randomRequirement(dice)),
})

function randomNodeAffinity(dice: Dice, nodes: readonly string[]): JsonObject {
  const byName = { matchFields: [{ key: 'metadata.name', operator: 'In', values: [dice.pick(nodes)] }] }
  const terms = dice.once(4) ? [byName] : Array.from({ length: 1 + dice.roll(2) }, () => someRequirements(dice))
  const preferred = Array.from({ length: dice.roll(3) }, () => ({ weight: 1 + dice.roll(100), preference: someRequirements(dice) }))
  return {
    ...(dice.once(2) ? { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: terms } } : {}),
    preferredDuringSchedulingIgnoredDuringExecution: preferred,
  }
}

/** Mostly about pods like the one that has it; no two of one pod are for the same key in the same way. */
function randomConstraints(dice: Dice, app: unknown): JsonObject[] {
  const constraints = new Map<string, JsonObject>()
  for (let index = 1 + dice.roll(2); index > 0; index--) {
    const topologyKey = dice.pick([hostKey, zoneKey, 'rack'])
    const whenUnsatisfiable = dice.pick(['DoNotSchedule', 'ScheduleAnyway'])
    const hasSelector = !dice.once(10)
    constraints.set(`${topologyKey} ${whenUnsatisfiable}`, {
      maxSkew: dice.pick([1, 1, 2, 3]),
      topologyKey,
      whenUnsatisfiable,
      ...(hasSelector ? { labelSelector: app !== undefined && !dice.once(3) ? { matchLabels: { app } } : randomSelector(dice) } : {}),
      ...(dice.once(4) ? { nodeAffinityPolicy: dice.pick(['Honor', 'Ignore']) } : {}),
      ...(dice.once(3) ? { nodeTaintsPolicy: dice.pick(['Honor', 'Ignore']) } : {}),
      ...(hasSelector && dice.once(4) ? { matchLabelKeys: ['color'] } : {}),
      ...(whenUnsatisfiable === 'DoNotSchedule' && dice.once(4) ? { minDomains: 1 + dice.roll(5) } : {}),
    })
  }
  return [...constraints.values()]
}

const randomTolerations = (dice: Dice): JsonObject[] =>
  ['gpu', 'old', 'slow'].flatMap((key) => {
    switch (dice.roll(6)) {
      case 0:
        return [{ key, operator: 'Exists' }]
      case 1:
        return [{ key, operator: 'Equal', value: 'yes', effect: dice.pick(['NoSchedule', 'PreferNoSchedule']) }]
      default:
        return []
    }
  })

const amounts: readonly JsonObject[] = [
  { cpu: '100m', memory: '200Mi' },
  { cpu: '500m', memory: '1Gi' },
  { cpu: '900m' },
  {},
  { memory: '700Mi', 'ephemeral-storage': '1Gi' },
  { cpu: '9' },
]

function randomContainer(dice: Dice, name: string): JsonObject {
  const gpu = dice.once(12) ? { 'example.com/gpu': '1' } : {}
  return {
    name,
    image: dice.pick(images),
    resources: { requests: { ...dice.pick(amounts), ...gpu }, ...(dice.once(30) || 'example.com/gpu' in gpu ? { limits: gpu } : {}) },
    ...(dice.once(8)
      ? { ports: [{ containerPort: 80, hostPort: dice.pick([8080, 8081]), ...(dice.once(3) ? { hostIP: '10.0.0.1' } : {}) }] }
      : {}),
  }
}

function randomContainers(dice: Dice): JsonObject {
  const init: JsonObject[] = []
  if (dice.once(8)) init.push(randomContainer(dice, 'init'))
  if (dice.once(8)) init.push({ ...randomContainer(dice, 'sidecar'), restartPolicy: 'Always' })
  const containers = [randomContainer(dice, 'c'), ...(dice.once(6) ? [{ ...randomContainer(dice, 'd'), ports: [] }] : [])]
  return { containers, ...(init.length > 0 ? { initContainers: init.map((one) => ({ ...one, ports: [] })) } : {}) }
}

export function randomPod(dice: Dice, name: string, { schedulerName, claims, nodes }: PodSurroundings): JsonObject {
  const labels: JsonObject = { ...randomLabels(dice), ...(dice.once(3) ? { color: dice.pick(['green', 'grey']) } : {}) }
  const claim = dice.once(4) ? dice.pick(claims) : undefined
  const namespace = claim?.namespace ?? dice.pick(namespaces)
  const owner = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'set', uid: 'set', controller: true }
  const affinity = {
    ...(dice.once(2) ? randomPodAffinity(dice) : {}),
    ...(dice.once(4) ? { nodeAffinity: randomNodeAffinity(dice, nodes) } : {}),
  }
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, labels, ...(dice.once(3) ? { ownerReferences: [owner] } : {}) },
    spec: {
      schedulerName,
      // A victim goes at once: there is no kubelet here to end it.
      terminationGracePeriodSeconds: 0,
      priority: dice.pick([0, 0, 0, -5, 10, 100]),
      preemptionPolicy: dice.once(10) ? 'Never' : 'PreemptLowerPriority',
      ...randomContainers(dice),
      affinity,
      ...(dice.once(3) ? { topologySpreadConstraints: randomConstraints(dice, labels['app']) } : {}),
      ...(dice.once(8) ? { nodeSelector: { disk: 'ssd' } } : {}),
      tolerations: randomTolerations(dice),
      ...(claim ? { volumes: [{ name: 'data', persistentVolumeClaim: { claimName: claim.name } }] } : {}),
    },
  }
}
