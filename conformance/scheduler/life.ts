// The life of a small cluster, as a script: what it begins with, and before each pod to be decided what changes. What comes
// next depends on the seed and on where pods went, so that a script can be played again along what was recorded.
import type { ApiRequest } from '@shiplog/api/api-client'
import type { JsonObject } from '@shiplog/api/kube-object'
import { createDice, type Dice } from './dice.ts'
import { randomNode, randomTaints, randomZone } from './random-nodes.ts'
import { randomLabels, randomPod } from './random-pods.ts'
import { volumeRequests, type VolumeClaim } from './random-volumes.ts'
import { create, patch, remove } from './requests.ts'

export const namespaceNames = ['default', 'east', 'west'] as const

/** What was decided about a pod. */
export type Outcome =
  | { readonly node: string }
  /** It fits nowhere. */
  | { readonly message: string }
  /** It fits nowhere until victims have gone. */
  | {
      readonly message: string
      readonly nominated: string
      readonly victims: readonly string[]
      /** It did not get there, though its victims have gone: nothing brought it back in time. */
      readonly isLeft: boolean
    }

/** Where the pod is from then on. */
export const nodeOf = (outcome: Outcome): string | undefined => {
  if ('node' in outcome) return outcome.node
  return 'nominated' in outcome && !outcome.isLeft ? outcome.nominated : undefined
}

export interface Situation {
  /** What changes before the decision. */
  readonly changes: readonly ApiRequest[]
  readonly pod: JsonObject & { readonly metadata: { readonly name: string; readonly namespace: string } }
}

/** The other scheduler's name for the same pods. */
export const schedulerName = 'judged-scheduler'

const nodesMax = 18
/**
 * Nodes that come or go later hold no images: on how many nodes an image lies, upstream's ImageLocality knows for each node as of
 * the last change of that node, and here it is always as of now.
 */
const lateNode = 'm'

export class Life {
  readonly #dice: Dice
  readonly #nodes = new Set<string>()
  /** `default/p3` → its node. */
  readonly #placed = new Map<string, string>()
  #claims: readonly VolumeClaim[] = []
  #pods = 0
  #moments = 0

  constructor(seed: number) {
    this.#dice = createDice(seed)
  }

  /** What the cluster begins with. */
  begin(): readonly ApiRequest[] {
    const dice = this.#dice
    const nodes = 2 + dice.roll(nodesMax - 1)
    const requests: ApiRequest[] = namespaceNames.map((name) => this.#nameTeam(name))
    for (let index = 0; index < nodes; index++) requests.push(...this.#addNode(`n${index}`))
    const volumes = volumeRequests(dice, [...this.#nodes])
    this.#claims = volumes.claims
    return [...requests, ...volumes.requests, ...owners(), ...budgets(dice)]
  }

  next(): Situation {
    const dice = this.#dice
    const changes: ApiRequest[] = []
    while (dice.once(3)) changes.push(...this.#change())
    const pod = randomPod(dice, `p${this.#pods++}`, { schedulerName, claims: this.#claims, nodes: [...this.#nodes] })
    return { changes, pod: pod as Situation['pod'] }
  }

  /** What became of the pod; returns what is done about it. */
  settle({ pod }: Situation, outcome: Outcome): readonly ApiRequest[] {
    const { name, namespace } = pod.metadata
    if ('victims' in outcome) for (const victim of outcome.victims) this.#placed.delete(victim)
    const node = nodeOf(outcome)
    if (node === undefined) return [remove('pods', { name, namespace })]
    this.#placed.set(`${namespace}/${name}`, node)
    return [patch('pods', { name, namespace }, { status: { phase: 'Running', startTime: this.#time() } }, 'status')]
  }

  #change(): readonly ApiRequest[] {
    const dice = this.#dice
    const node = (): string => dice.pick([...this.#nodes])
    switch (dice.roll(9)) {
      case 0:
        return this.#nodes.size < nodesMax ? this.#addNode(`${lateNode}${this.#pods}-${this.#nodes.size}`) : []
      case 1:
        return [patch('nodes', { name: node() }, { metadata: { labels: randomZone(dice) } })]
      case 2:
        return [patch('nodes', { name: node() }, { spec: { taints: randomTaints(dice) } })]
      case 3:
        return [patch('nodes', { name: node() }, { spec: { unschedulable: dice.once(3) ? true : null } })]
      case 4:
        return [this.#nameTeam(dice.pick(namespaceNames))]
      case 5:
      case 6:
        return this.#withPod((place) => {
          this.#placed.delete(`${place.namespace}/${place.name}`)
          return remove('pods', place)
        })
      case 7:
        return this.#withPod((place) => patch('pods', place, { metadata: { labels: { app: null, ...randomLabels(dice) } } }))
      default:
        return this.#removeLateNode()
    }
  }

  #withPod(make: (place: { readonly name: string; readonly namespace: string }) => ApiRequest): readonly ApiRequest[] {
    if (this.#placed.size === 0) return []
    const [namespace, name] = this.#dice.pick([...this.#placed.keys()]).split('/')
    return [make({ name: name!, namespace: namespace! })]
  }

  #addNode(name: string): readonly ApiRequest[] {
    this.#nodes.add(name)
    const { node, csiNode } = randomNode(this.#dice, name, { hasImages: !name.startsWith(lateNode) })
    return [create('nodes', node), ...(csiNode ? [create('csinodes.storage.k8s.io', csiNode)] : [])]
  }

  /** With its pods: there is nobody here who would take them away. */
  #removeLateNode(): readonly ApiRequest[] {
    const late = [...this.#nodes].filter((one) => one.startsWith(lateNode))
    if (late.length === 0) return []
    const name = this.#dice.pick(late)
    this.#nodes.delete(name)
    const pods = [...this.#placed].filter(([, node]) => node === name).map(([key]) => key)
    for (const key of pods) this.#placed.delete(key)
    const gone = pods.map((key) => {
      const [namespace, pod] = key.split('/')
      return remove('pods', { name: pod!, namespace: namespace! })
    })
    return [...gone, remove('nodes', { name })]
  }

  #nameTeam(name: string): ApiRequest {
    return patch('namespaces', { name }, { metadata: { labels: { team: this.#dice.pick(['red', 'blue']) } } })
  }

  /** Every pod starts, and at a moment of its own: which of two is older is never chance. */
  #time(): string {
    const second = 10_000 * this.#dice.roll(50) + this.#moments++
    return new Date(Date.UTC(2026, 0, 1) + second * 1_000).toISOString().replace('.000Z', 'Z')
  }
}

const template = {
  metadata: { labels: { app: 'web' } },
  spec: { containers: [{ name: 'c', image: 'registry.test/web:1' }] },
}

const owners = (): readonly ApiRequest[] => [
  create('services', {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web', namespace: 'default' },
    spec: { clusterIP: 'None', selector: { app: 'web' } },
  }),
  create('replicasets.apps', {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: { name: 'set', namespace: 'default' },
    spec: { replicas: 0, selector: { matchExpressions: [{ key: 'app', operator: 'Exists' }] }, template },
  }),
]

const budgets = (dice: Dice): readonly ApiRequest[] =>
  ['web', 'db'].flatMap((app) => {
    const place = { name: app, namespace: 'default' }
    const selector = { matchLabels: { app } }
    const body = { apiVersion: 'policy/v1', kind: 'PodDisruptionBudget', metadata: place, spec: { minAvailable: 1, selector } }
    const status = { disruptionsAllowed: dice.roll(3), currentHealthy: 3, desiredHealthy: 1, expectedPods: 3 }
    return [
      create('poddisruptionbudgets.policy', body),
      patch('poddisruptionbudgets.policy', place, { status }, 'status'),
    ]
  })
