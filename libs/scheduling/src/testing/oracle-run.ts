// Drives a scheduler through a generated cluster's life and holds every decision against the oracle and the plain path.
import type { Namespace, Node, Pod, Service } from '@shiplog/api/generated/types/core-v1'
import type { ReplicaSet } from '@shiplog/api/generated/types/apps-v1'
import type { PodDisruptionBudget } from '@shiplog/api/generated/types/policy-v1'
import type { KubeObject } from '@shiplog/api/kube-object'
import { createProfile, defaultConfiguration } from '../framework/configuration.ts'
import { explain } from '../framework/explain.ts'
import { type Decision, schedule } from '../framework/schedule.ts'
import { decideGang } from '../gang/gang.ts'
import { createPlacementIndex } from '../index/placement-index.ts'
import { Snapshot } from '../snapshot/snapshot.ts'
import { claimNames, createDice, csiDriver, type Dice, namespaceNames, randomGang, randomLabels, randomNode, randomPod } from './generated-cluster.ts'
import { consultOracle, type OracleCluster, type OracleVerdict } from './oracle.ts'

export const newTally = (): OracleTally => ({ placed: 0, failed: 0, preempted: 0, gangs: 0, brokenGangs: 0, reasons: new Set() })

export interface OracleTally {
  placed: number
  failed: number
  preempted: number
  /** Gangs that were placed, and those that were not though some of their pods could have been. */
  gangs: number
  brokenGangs: number
  /** Reasons of failures that occurred, to see that every rule was at work. */
  readonly reasons: Set<string>
}

const stepsPerCluster = 60
const profile = createProfile(defaultConfiguration)

/** One cluster; throws with the seed and the pod at the first decision that is not the oracle's. */
export function runAgainstOracle(seed: number, tally: OracleTally, nodesMax = 40): void {
  const life = new ClusterLife(seed, nodesMax)
  for (let step = 0; step < stepsPerCluster; step++) life.step(step, tally)
}

class ClusterLife {
  readonly #seed: number
  readonly #dice: Dice
  readonly #snapshot = new Snapshot()
  readonly #index
  readonly #nodes = new Map<string, Node>()
  readonly #placed = new Map<string, Pod>()
  readonly #nominated = new Map<string, Pod>()
  readonly #namespaces = new Map<string, Namespace>()
  readonly #services: Service[] = []
  readonly #replicaSets: ReplicaSet[] = []
  readonly #budgets: PodDisruptionBudget[] = []
  readonly #volumeLimits = new Map<string, number>()

  constructor(seed: number, nodesMax: number) {
    this.#seed = seed
    this.#dice = createDice(seed)
    this.#index = createPlacementIndex(this.#snapshot, profile, seed)
    const nodes = 1 + this.#dice.roll(nodesMax)
    for (let node = 0; node < nodes; node++) this.#setNode(`n${node}`)
    for (const name of namespaceNames.slice(0, 2)) this.#setNamespace(name)
    this.#addOwners()
    this.#addVolumes()
  }

  step(step: number, tally: OracleTally): void {
    const dice = this.#dice
    const pods = [...this.#placed.values()]
    switch (dice.roll(12)) {
      case 0:
        this.#setNode(`n${dice.roll(this.#nodes.size + 1)}`)
        return
      case 1:
        if (this.#nodes.size > 1 && dice.once(3)) this.#removeNode(dice.pick([...this.#nodes.keys()]))
        return
      case 2:
        if (pods.length > 0) this.#removePod(dice.pick(pods))
        return
      case 3:
        if (pods.length > 0) this.#changePod(dice.pick(pods))
        return
      case 4:
        this.#setNamespace(dice.pick(namespaceNames))
        return
      case 5:
        this.#decideGang(`g${step}`, tally)
        return
      default:
        this.#decide(`p${step}`, tally)
    }
  }

  /** Each pod as the oracle says with those before it placed; all of them, or none. */
  #decideGang(name: string, tally: OracleTally): void {
    const { group, size, pods } = randomGang(this.#dice, name)
    this.#apply('podgroups.scheduling.k8s.io', group)
    const members = pods.map((object) => ({ object, pod: this.#snapshot.readPod(object) }))
    const before = stateOf(this.#snapshot)
    const placed = new Map<string, Pod>()
    const gang = decideGang(members, { snapshot: this.#snapshot, size, placedBefore: 0 }, ({ object, pod }) => {
      const decision = this.#index.schedule(pod)
      const cluster = this.#cluster()
      const verdict = consultOracle({ ...cluster, placed: [...cluster.placed, ...placed.values()] }, object)
      this.#compare(object, decision, { ...verdict, preemption: new Map() })
      if (decision.node !== undefined) placed.set(pod.uid, { ...object, spec: { ...object.spec, nodeName: decision.node } })
      return decision
    })
    const [first] = members
    this.#expect(first!.object, 'the snapshot afterwards', stateOf(this.#snapshot), before)
    this.#expect(first!.object, 'whole', gang.isWhole, placed.size >= size)
    this.#expect(first!.object, 'placed', gang.placed.map(({ member }) => member.pod.uid), [...placed.keys()])
    if (gang.isWhole) {
      tally.gangs++
      for (const { member, decision } of gang.placed) this.#snapshot.assume(member.pod, decision.node)
      for (const [uid, pod] of placed) this.#placed.set(uid, pod)
    } else if (placed.size > 0) tally.brokenGangs++
  }

  #decide(name: string, tally: OracleTally): void {
    const waiting = [...this.#nominated.values()]
    const isOld = waiting.length > 0 && this.#dice.once(4)
    const object = isOld ? this.#dice.pick(waiting) : randomPod(this.#dice, name)
    const pod = this.#snapshot.readPod(object)
    const decision = this.#index.schedule(pod)
    const plain = schedule(pod, this.#snapshot, profile, this.#seed)
    this.#expect(object, 'plain path', shown(decision), shown(plain))
    const verdict = consultOracle(this.#cluster(), object)
    this.#compare(object, decision, verdict)
    if (decision.node !== undefined) {
      tally.placed++
      this.#nominated.delete(pod.uid)
      this.#snapshot.assume(pod, decision.node)
      const bound = { ...object, spec: { ...object.spec, nodeName: decision.node } }
      this.#placed.set(pod.uid, this.#dice.once(2) ? { ...bound, status: { ...object.status, startTime: this.#time() } } : bound)
      if (this.#dice.once(2)) this.#snapshot.setPod(this.#placed.get(pod.uid)!)
      else this.#placed.set(pod.uid, bound)
      return
    }
    tally.failed++
    for (const { reason } of decision.failure!.rejections) tally.reasons.add(reason)
    if (decision.failure!.preemption) this.#preempt(object, decision, tally)
  }

  #preempt(object: Pod, { failure }: Decision, tally: OracleTally): void {
    tally.preempted++
    const { node, victims } = failure!.preemption!
    const nominated = { ...object, status: { ...object.status, nominatedNodeName: node } } as Pod
    this.#nominated.set(object.metadata.uid, nominated)
    this.#snapshot.nominations.set(this.#snapshot.readPod(nominated))
    for (const { uid } of victims) {
      const victim = this.#placed.get(uid)!
      if (this.#dice.once(2)) this.#removePod(victim)
      else {
        const conditions = [{ type: 'DisruptionTarget', status: 'True' as const, reason: 'PreemptionByScheduler' }]
        this.#setPod({
          ...victim,
          metadata: { ...victim.metadata, deletionTimestamp: this.#time() },
          status: { ...victim.status, conditions } as Pod['status'],
        })
      }
    }
  }

  #compare(object: Pod, decision: Decision, verdict: OracleVerdict): void {
    const pod = this.#snapshot.readPod(object)
    this.#expect(object, 'message', decision.failure?.message, verdict.message)
    const preemption = decision.failure?.preemption
    const allowed = preemption && verdict.preemption.get(preemption.node)
    this.#expect(object, 'preempts', preemption !== undefined, verdict.preemption.size > 0)
    if (preemption) this.#expect(object, 'victims', preemption.victims.map(({ name }) => name).sort(), allowed)
    if (decision.node === undefined) return
    this.#expect(object, 'feasible', decision.feasible, verdict.totals.size)
    this.#expect(object, 'best score', decision.top[0]!.score, Math.max(...verdict.totals.values()))
    for (const { node, score } of decision.top) this.#expect(object, `score of ${node}`, score, verdict.totals.get(node))
    if (verdict.totals.size < 2) return
    const { nodes } = explain(pod, this.#snapshot, profile, this.#seed)
    for (const { node, total } of nodes) this.#expect(object, `total of ${node}`, total, verdict.totals.get(node))
  }

  #expect(object: Pod, what: string, found: unknown, wanted: unknown): void {
    if (JSON.stringify(found) === JSON.stringify(wanted)) return
    throw new Error(
      `seed ${this.#seed}, pod ${object.metadata.name}: ${what} is ${JSON.stringify(found)}, the oracle says ${JSON.stringify(wanted)}\n${JSON.stringify(object)}`,
    )
  }

  #cluster(): OracleCluster {
    return {
      nodes: [...this.#nodes.values()],
      placed: [...this.#placed.values()],
      nominated: [...this.#nominated.values()],
      namespaces: [...this.#namespaces.values()],
      services: this.#services,
      replicaSets: this.#replicaSets,
      budgets: this.#budgets,
      volumeLimits: this.#volumeLimits,
    }
  }

  #time(): string {
    return new Date(Date.UTC(2026, 0, 1, 0, this.#dice.roll(5))).toISOString()
  }

  #setNode(name: string): void {
    const node = randomNode(this.#dice, name)
    this.#nodes.set(name, node)
    this.#snapshot.setNode(node)
  }

  #removeNode(name: string): void {
    this.#nodes.delete(name)
    this.#snapshot.removeNode(name)
  }

  #setNamespace(name: string): void {
    const object = {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name, uid: name, creationTimestamp: '2026-01-01T00:00:00Z', labels: { team: this.#dice.pick(['red', 'blue']) } },
    } as unknown as Namespace
    this.#namespaces.set(name, object)
    this.#apply('namespaces', object)
  }

  #addOwners(): void {
    const meta = (name: string) => ({ name, namespace: 'default', uid: name, creationTimestamp: '2026-01-01T00:00:00Z' })
    const service = { apiVersion: 'v1', kind: 'Service', metadata: meta('web'), spec: { selector: { app: 'web' } } }
    const set = {
      apiVersion: 'apps/v1',
      kind: 'ReplicaSet',
      metadata: meta('set'),
      spec: { selector: { matchExpressions: [{ key: 'app', operator: 'Exists' }] } },
    }
    this.#services.push(service as unknown as Service)
    this.#replicaSets.push(set as unknown as ReplicaSet)
    this.#apply('services', service as unknown as Service)
    this.#apply('replicasets.apps', set as unknown as ReplicaSet)
    for (const app of ['web', 'db']) {
      const budget = {
        apiVersion: 'policy/v1',
        kind: 'PodDisruptionBudget',
        metadata: meta(app),
        spec: { selector: { matchLabels: { app } } },
        status: { disruptionsAllowed: this.#dice.roll(3) },
      } as unknown as PodDisruptionBudget
      this.#budgets.push(budget)
      this.#apply('poddisruptionbudgets.policy', budget)
    }
  }

  /** Every claim has a volume of one driver, and most nodes attach few of them. */
  #addVolumes(): void {
    const meta = (name: string, more: object = {}) => ({ name, uid: name, creationTimestamp: '2026-01-01T00:00:00Z', ...more })
    const apply = (groupResource: string, object: unknown): void => this.#apply(groupResource, object as KubeObject)
    for (const namespace of namespaceNames) {
      for (const name of claimNames) {
        const volumeName = `${namespace}-${name}`
        apply('persistentvolumes', { metadata: meta(volumeName), spec: { csi: { driver: csiDriver, volumeHandle: volumeName } } })
        const annotations = { 'pv.kubernetes.io/bind-completed': 'yes' }
        apply('persistentvolumeclaims', { metadata: meta(name, { namespace, annotations }), spec: { volumeName } })
      }
    }
    for (const name of this.#nodes.keys()) {
      if (this.#dice.once(4)) continue
      const count = this.#dice.roll(3)
      this.#volumeLimits.set(name, count)
      apply('csinodes.storage.k8s.io', { metadata: meta(name), spec: { drivers: [{ name: csiDriver, nodeID: name, allocatable: { count } }] } })
    }
  }

  #apply(groupResource: string, object: KubeObject): void {
    this.#snapshot.objects.apply(groupResource, object, false)
  }

  #removePod({ metadata: { uid } }: Pod): void {
    this.#placed.delete(uid)
    this.#snapshot.nominations.delete(uid)
    this.#snapshot.removePod(uid)
  }

  #setPod(pod: Pod): void {
    this.#placed.set(pod.metadata.uid, pod)
    this.#snapshot.setPod(pod)
  }

  /** Other labels, a start, or a deletion under way. */
  #changePod(pod: Pod): void {
    const { metadata, status } = pod
    switch (this.#dice.roll(3)) {
      case 0:
        this.#setPod({ ...pod, metadata: { ...metadata, labels: randomLabels(this.#dice) } })
        return
      case 1:
        this.#setPod({ ...pod, status: { ...status, startTime: this.#time() } as Pod['status'] })
        return
      default:
        this.#setPod({ ...pod, metadata: { ...metadata, deletionTimestamp: this.#time() } })
    }
  }
}

const shown = ({ failure, ...decision }: Decision) => ({
  ...decision,
  ...failure,
  preemption: failure?.preemption && [failure.preemption.node, failure.preemption.victims.map(({ uid }) => uid)],
})

function stateOf(snapshot: Snapshot): string {
  const { assumedCount, assumedDigest, podCount } = snapshot
  const used = [...snapshot.nodes()].map((node) => [node.name, node.pods.size, node.requested('cpu'), node.requested('memory')])
  return JSON.stringify([assumedCount, assumedDigest, podCount, used])
}
