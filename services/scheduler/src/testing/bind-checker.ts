// Reads what happened from the beginning and tells what never may have: a node that holds more than it has, a pod that was bound
// twice, two pods in one domain that must be apart, a part of a gang. It shares no code with the scheduler.
import type { Node, Pod, PodAffinityTerm } from '@shiplog/api/generated/types/core-v1'
import type { ObjectChange } from '@shiplog/feed/object-feed'

export interface BindChecker {
  see(change: ObjectChange): void
  /** Between two atomic groups of the log: a gang of `size` has to be there whole, or not at all, unless it was whole before. */
  checkGangs(size: number): void
  readonly binds: number
  /** Of which pods were bound. */
  readonly gangs: number
  readonly violations: readonly string[]
}

interface Bound {
  readonly pod: Pod
  readonly node: string
  readonly milli: number
}

const milliOf = (pod: Pod): number =>
  (pod.spec.containers ?? []).reduce((sum, { resources }) => sum + milli(resources?.requests?.['cpu'] ?? '0'), 0)
const milli = (text: string): number => (text.endsWith('m') ? Number(text.slice(0, -1)) : Number(text) * 1_000)

const apartTerms = (pod: Pod): readonly PodAffinityTerm[] =>
  pod.spec.affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []

const selects = ({ labelSelector }: PodAffinityTerm, { metadata }: Pod): boolean =>
  Object.entries(labelSelector?.matchLabels ?? {}).every(([key, value]) => metadata.labels?.[key] === value)

export function createBindChecker(): BindChecker {
  const nodes = new Map<string, Node>()
  const bound = new Map<string, Bound>()
  const byNode = new Map<string, Set<Bound>>()
  const violations: string[] = []
  /** How many pods of each gang were ever bound. */
  const gangs = new Map<string, number>()
  let binds = 0

  const forget = (uid: string): void => {
    const known = bound.get(uid)
    if (known === undefined) return
    bound.delete(uid)
    byNode.get(known.node)!.delete(known)
  }

  const isNear = (a: string, b: string, key: string): boolean => {
    const value = nodes.get(a)?.metadata.labels?.[key]
    return value !== undefined && value === nodes.get(b)?.metadata.labels?.[key]
  }

  const checkRoom = (name: string): void => {
    const { cpu = '0', pods = '0' } = (nodes.get(name)?.status?.allocatable ?? {}) as Record<string, string>
    const here = byNode.get(name)!
    const used = here.values().reduce((sum, one) => sum + one.milli, 0)
    if (used > milli(cpu)) violations.push(`${name} holds ${used}m of ${cpu}`)
    if (here.size > Number(pods)) violations.push(`${name} holds ${here.size} pods of ${pods}`)
  }

  const checkApart = (fresh: Bound): void => {
    for (const other of bound.values()) {
      if (other === fresh) continue
      const isForbidden = (holder: Bound, to: Bound): boolean =>
        apartTerms(holder.pod).some((term) => selects(term, to.pod) && isNear(holder.node, to.node, term.topologyKey))
      if (isForbidden(fresh, other) || isForbidden(other, fresh))
        violations.push(`${fresh.pod.metadata.name} on ${fresh.node} beside ${other.pod.metadata.name} on ${other.node}`)
    }
  }

  const seePod = (pod: Pod): void => {
    const { uid, name } = pod.metadata
    const { nodeName } = pod.spec
    if (!nodeName) return
    const known = bound.get(uid)
    if (known !== undefined) {
      if (known.node !== nodeName) violations.push(`${name} was on ${known.node}, and is on ${nodeName}`)
      return
    }
    binds++
    const gang = pod.spec.schedulingGroup?.podGroupName
    if (gang) gangs.set(gang, (gangs.get(gang) ?? 0) + 1)
    const fresh = { pod, node: nodeName, milli: milliOf(pod) }
    bound.set(uid, fresh)
    byNode.set(nodeName, (byNode.get(nodeName) ?? new Set()).add(fresh))
    checkRoom(nodeName)
    checkApart(fresh)
  }

  return {
    see({ groupResource, object, deleted }) {
      if (groupResource === 'nodes' && !deleted) nodes.set(object.metadata.name, object as Node)
      if (groupResource !== 'pods') return
      if (deleted) forget(object.metadata.uid)
      else seePod(object as Pod)
    },
    checkGangs(size) {
      for (const [gang, count] of gangs) if (count < size) violations.push(`${count} of ${gang} are bound`)
    },
    get binds() {
      return binds
    },
    get gangs() {
      return gangs.size
    },
    get violations() {
      return violations
    },
  }
}
