// NodeResourcesBalancedAllocation: prefers nodes whose resources the pod brings closer to being used to equal parts, so that none
// of them is left over without the others.
import { type Plugin, scoreMax } from '../framework/framework.ts'
import type { NodeInfo } from '../snapshot/node-info.ts'
import { cpuAndMemory, isWeighed, type ResourceWeight } from './node-resources-fit.plugin.ts'
import type { PodInfo } from '../snapshot/pod-info.ts'
import { amountOf } from '../snapshot/resources.ts'

export interface BalancedArguments {
  readonly resources: readonly ResourceWeight[]
}

export const defaultBalancedArguments: BalancedArguments = { resources: cpuAndMemory }

export const createNodeResourcesBalancedAllocation = ({ resources }: BalancedArguments): Plugin => {
  const names = resources.map((resource) => resource.name)
  return {
    name: 'NodeResourcesBalancedAllocation',
    // A pod that requests nothing balances nothing, and would only be drawn to one node.
    scores: (pod) => names.some((name) => amountOf(pod.shape.requests, name) > 0),
    score: (pod, node) => improvement(balance(pod, node, names, 1), balance(pod, node, names, 0)),
  }
}

/** Around 75 where the pod changes little; towards 100 where it makes the node more balanced, towards 50 where less. */
const improvement = (after: number, before: number): number => half + Math.trunc((half + after - before) / 2)

const half = scoreMax / 2

/** 50…100: the less the used fractions deviate from each other, with so many of the pod on the node (none or one), the more. */
const balance = (pod: PodInfo, node: NodeInfo, names: readonly string[], times: 0 | 1): number =>
  Math.trunc((1 - deviation(pod, node, names, times)) * scoreMax)

/** The standard deviation of the used fractions. */
function deviation(pod: PodInfo, node: NodeInfo, names: readonly string[], times: 0 | 1): number {
  // The case of every default configuration, without an array.
  if (names.length === 2 && names[0] === 'cpu' && names[1] === 'memory') {
    const { cpu, memory } = node.allocatable
    if (cpu === 0 || memory === 0) return 0
    const cpuShare = Math.min(1, (node.requestedCpu + times * pod.shape.requests.cpu) / cpu)
    const memoryShare = Math.min(1, (node.requestedMemory + times * pod.shape.requests.memory) / memory)
    return Math.abs((cpuShare - memoryShare) / 2)
  }
  const fractions: number[] = []
  for (const name of names) {
    const offered = node.offers(name)
    if (offered === 0 || !isWeighed(pod, name)) continue
    fractions.push(Math.min(1, (node.requested(name) + times * amountOf(pod.shape.requests, name)) / offered))
  }
  if (fractions.length < 2) return 0
  if (fractions.length === 2) return Math.abs((fractions[0]! - fractions[1]!) / 2)
  const mean = fractions.reduce((sum, fraction) => sum + fraction, 0) / fractions.length
  return Math.sqrt(fractions.reduce((sum, fraction) => sum + (fraction - mean) ** 2, 0) / fractions.length)
}
