// NodeResourcesFit: the node must have room for what the pod requests; the scoring strategy says which of the nodes with
// room is best.
import { type Plugin, type Rejection, scoreMax } from '../framework/framework.ts'
import type { NodeInfo } from '../snapshot/node-info.ts'
import type { PodInfo } from '../snapshot/pod-info.ts'
import { amountOf } from '../snapshot/resources.ts'

export interface ResourceWeight {
  readonly name: string
  readonly weight: number
}

export interface FitArguments {
  readonly strategy: 'LeastAllocated' | 'MostAllocated' | 'RequestedToCapacityRatio'
  readonly resources: readonly ResourceWeight[]
  /** For RequestedToCapacityRatio: utilization in percent (ascending), score 0…10. */
  readonly shape?: readonly { readonly utilization: number; readonly score: number }[]
  /** Extended resources that the filter does not look at: an extender does. */
  readonly ignoredResources?: readonly string[]
  /** The same by what is before the slash of their names. */
  readonly ignoredResourceGroups?: readonly string[]
}

export const cpuAndMemory: readonly ResourceWeight[] = [
  { name: 'cpu', weight: 1 },
  { name: 'memory', weight: 1 },
]

export const defaultFitArguments: FitArguments = { strategy: 'LeastAllocated', resources: cpuAndMemory }

/** The plugin with a scoring strategy and the resources it weighs. */
export function createNodeResourcesFit(options: FitArguments): Plugin {
  const scoreOf = strategies[options.strategy](options)
  const { ignoredResources = [], ignoredResourceGroups = [] } = options
  const isIgnored = (name: string): boolean =>
    ignoredResources.includes(name) || (name.includes('/') && ignoredResourceGroups.includes(name.slice(0, name.indexOf('/'))))
  const filter = (pod: PodInfo, node: NodeInfo): Rejection | undefined => judge(pod, node, isIgnored)
  return {
    name: 'NodeResourcesFit',
    filter,
    score: (pod, node) => scoreOf(pod, node),
    wakes: (pod, event) => {
      switch (event.type) {
        case 'NodeAdded':
          return filter(pod, event.node) === undefined
        case 'NodeUpdated':
          return event.difference.allocatable && filter(pod, event.node) === undefined
        case 'PodFreed':
          // Every pod gives back its place among the node's pods, whatever it requested.
          return true
        default:
          return false
      }
    },
  }
}

function judge(pod: PodInfo, node: NodeInfo, isIgnored: (name: string) => boolean): Rejection | undefined {
  const { requests } = pod.shape
  const { allocatable } = node
  if (
    node.pods.size < node.podsMax &&
    (requests.cpu === 0 || requests.cpu <= allocatable.cpu - node.requestedCpu) &&
    (requests.memory === 0 || requests.memory <= allocatable.memory - node.requestedMemory) &&
    (requests.ephemeralStorage === 0 ||
      requests.ephemeralStorage <= allocatable.ephemeralStorage - node.requestedEphemeralStorage) &&
    requests.scalars === undefined
  ) {
    return undefined
  }
  return explainShortage(pod, node, isIgnored)
}

const basicResources = ['cpu', 'memory', 'ephemeral-storage'] as const

/** All resources that are short; nothing can be done about those of which the whole node has too little. */
function explainShortage(pod: PodInfo, node: NodeInfo, isIgnored: (name: string) => boolean): Rejection | undefined {
  const { requests } = pod.shape
  const reasons: string[] = []
  let resolvable = true
  if (node.pods.size + 1 > node.podsMax) reasons.push('Too many pods')
  const check = (name: string): void => {
    const wanted = amountOf(requests, name)
    const offered = node.offers(name)
    if (wanted === 0 || wanted <= offered - node.requested(name)) return
    reasons.push(`Insufficient ${name}`)
    if (wanted > offered) resolvable = false
  }
  for (const name of basicResources) check(name)
  if (requests.scalars !== undefined) for (const name of requests.scalars.keys()) if (!isIgnored(name)) check(name)
  return reasons.length === 0 ? undefined : { reasons, resolvable }
}

type Score = (pod: PodInfo, node: NodeInfo) => number

/** What would be requested with the pod on the node; cpu and memory with defaults for containers that do not say. */
function requestedWith(pod: PodInfo, node: NodeInfo, name: string): number {
  if (name === 'cpu') return node.nonZeroCpu + pod.shape.nonZeroCpu
  if (name === 'memory') return node.nonZeroMemory + pod.shape.nonZeroMemory
  return node.requested(name) + amountOf(pod.shape.requests, name)
}

/** The weighted mean over the resources that the node has at all (extended ones only when the pod wants them). */
const weightedMean =
  (resources: readonly ResourceWeight[], scoreOf: (requested: number, offered: number) => number): Score =>
  (pod, node) => {
    let sum = 0
    let weights = 0
    for (const { name, weight } of resources) {
      const offered = node.offers(name)
      if (offered === 0 || !isWeighed(pod, name)) continue
      sum += scoreOf(requestedWith(pod, node, name), offered) * weight
      weights += weight
    }
    return weights === 0 ? 0 : Math.trunc(sum / weights)
  }

/** Extended resources weigh only for pods that request them. */
export const isWeighed = (pod: PodInfo, name: string): boolean =>
  name === 'cpu' || name === 'memory' || name === 'ephemeral-storage' || amountOf(pod.shape.requests, name) > 0

const strategies: Readonly<Record<FitArguments['strategy'], (options: FitArguments) => Score>> = {
  LeastAllocated: ({ resources }) =>
    weightedMean(resources, (requested, offered) =>
      requested > offered ? 0 : Math.trunc(((offered - requested) * scoreMax) / offered),
    ),
  MostAllocated: ({ resources }) =>
    weightedMean(resources, (requested, offered) => Math.trunc((Math.min(requested, offered) * scoreMax) / offered)),
  RequestedToCapacityRatio: ({ resources, shape }) => {
    const points = shape ?? []
    return (pod, node) => {
      let sum = 0
      let weights = 0
      for (const { name, weight } of resources) {
        const offered = node.offers(name)
        if (offered === 0 || !isWeighed(pod, name)) continue
        const requested = requestedWith(pod, node, name)
        const score = onLine(points, requested > offered ? 100 : Math.trunc((requested * 100) / offered))
        if (score <= 0) continue
        sum += score * weight
        weights += weight
      }
      return weights === 0 ? 0 : Math.round(sum / weights)
    }
  },
}

/** The value of a broken line at `utilization`; its scores of 0…10 are stretched to 0…100. */
function onLine(points: readonly { utilization: number; score: number }[], utilization: number): number {
  const stretch = scoreMax / 10
  for (const [index, point] of points.entries()) {
    if (utilization > point.utilization) continue
    const before = points[index - 1]
    if (before === undefined) return point.score * stretch
    return (
      before.score * stretch +
      Math.trunc(
        ((point.score - before.score) * stretch * (utilization - before.utilization)) /
          (point.utilization - before.utilization),
      )
    )
  }
  return (points.at(-1)?.score ?? 0) * stretch
}
