// Configuration of a scheduler: which plugins, with which weights and arguments. A decision records its hash, so that a
// replay knows whether it runs the same one.
import type { Plugin } from './framework.ts'
import { nodeAffinity } from '../plugins/node-affinity.plugin.ts'
import { nodeName } from '../plugins/node-name.plugin.ts'
import { nodePorts } from '../plugins/node-ports.plugin.ts'
import { createNodeResourcesBalancedAllocation } from '../plugins/node-resources-balanced-allocation.plugin.ts'
import { createNodeResourcesFit } from '../plugins/node-resources-fit.plugin.ts'
import { nodeUnschedulable } from '../plugins/node-unschedulable.plugin.ts'
import type { PodInfo, PodShape } from '../snapshot/pod-info.ts'
import { prioritySort } from '../plugins/priority-sort.plugin.ts'
import { schedulingGates } from '../plugins/scheduling-gates.plugin.ts'
import { taintToleration } from '../plugins/taint-toleration.plugin.ts'
import { volumeBinding } from '../plugins/volume-binding.plugin.ts'
import { hashText } from './tie-break.ts'

export interface ResourceWeight {
  readonly name: string
  readonly weight: number
}

/** Arguments of NodeResourcesFit. */
export interface FitArguments {
  readonly strategy: 'LeastAllocated' | 'MostAllocated' | 'RequestedToCapacityRatio'
  readonly resources: readonly ResourceWeight[]
  /** For RequestedToCapacityRatio: utilization in percent (ascending), score 0…10. */
  readonly shape?: readonly { readonly utilization: number; readonly score: number }[]
}

export interface PluginChoice {
  readonly name: string
  /** For plugins that score. */
  readonly weight?: number
}

export interface SchedulerConfiguration {
  /** The pods with this spec.schedulerName are ours. */
  readonly schedulerName: string
  /** Breaks ties between equally good nodes. */
  readonly seed: number
  /** In the order in which filters run: the first that rejects a node is the one that is reported. */
  readonly plugins: readonly PluginChoice[]
  readonly fit: FitArguments
  readonly balancedResources: readonly ResourceWeight[]
  readonly podInitialBackoffSeconds: number
  readonly podMaxBackoffSeconds: number
}

const cpuAndMemory: readonly ResourceWeight[] = [
  { name: 'cpu', weight: 1 },
  { name: 'memory', weight: 1 },
]

/** Upstream's default profile, as far as its plugins exist here. */
export const defaultConfiguration: SchedulerConfiguration = {
  schedulerName: 'default-scheduler',
  seed: 0,
  plugins: [
    { name: 'SchedulingGates' },
    { name: 'PrioritySort' },
    { name: 'NodeUnschedulable' },
    { name: 'NodeName' },
    { name: 'TaintToleration', weight: 3 },
    { name: 'NodeAffinity', weight: 2 },
    { name: 'NodePorts' },
    { name: 'NodeResourcesFit', weight: 1 },
    { name: 'VolumeBinding' },
    { name: 'NodeResourcesBalancedAllocation', weight: 1 },
  ],
  fit: { strategy: 'LeastAllocated', resources: cpuAndMemory },
  balancedResources: cpuAndMemory,
  podInitialBackoffSeconds: 1,
  podMaxBackoffSeconds: 10,
}

/** Every plugin there is, by upstream's name. */
const factories: Readonly<Record<string, (configuration: SchedulerConfiguration) => Plugin>> = {
  SchedulingGates: () => schedulingGates,
  PrioritySort: () => prioritySort,
  NodeUnschedulable: () => nodeUnschedulable,
  NodeName: () => nodeName,
  VolumeBinding: () => volumeBinding,
  TaintToleration: () => taintToleration,
  NodeAffinity: () => nodeAffinity,
  NodePorts: () => nodePorts,
  NodeResourcesFit: (configuration) => createNodeResourcesFit(configuration.fit),
  NodeResourcesBalancedAllocation: (configuration) =>
    createNodeResourcesBalancedAllocation(configuration.balancedResources),
}

export interface Scorer {
  readonly plugin: Plugin
  readonly weight: number
}

/** The plugins that have something to say about a pod. */
export interface ActivePlugins {
  readonly filters: readonly Plugin[]
  readonly scorers: readonly Scorer[]
}

/** A configuration made ready to run. */
export interface Profile {
  readonly configuration: SchedulerConfiguration
  /** Identifies what decisions depend on: plugins, weights and arguments. */
  readonly hash: string
  readonly plugins: readonly Plugin[]
  readonly byName: ReadonlyMap<string, Plugin>
  /** For a pod that names no node; it depends on the pod's shape alone. */
  active(pod: PodInfo): ActivePlugins
}

/** Builds a profile; unknown plugin names and a second or missing queue order are errors. */
export function createProfile(configuration: SchedulerConfiguration): Profile {
  const plugins = configuration.plugins.map(({ name }) => {
    const factory = Object.hasOwn(factories, name) ? factories[name] : undefined
    if (factory === undefined) throw new Error(`plugin "${name}" is not known`)
    return factory(configuration)
  })
  if (plugins.filter((plugin) => plugin.queueSort).length !== 1) {
    throw new Error('exactly one queue sort plugin is required')
  }
  const scorers: Scorer[] = plugins.flatMap((plugin, index) =>
    plugin.score ? [{ plugin, weight: configuration.plugins[index]!.weight ?? 1 }] : [],
  )
  const remembered = new WeakMap<PodShape, ActivePlugins>()
  const compute = (pod: PodInfo): ActivePlugins => ({
    filters: plugins.filter((plugin) => plugin.filter && (plugin.filters?.(pod) ?? true)),
    scorers: scorers.filter(({ plugin, weight }) => weight !== 0 && (plugin.scores?.(pod) ?? true)),
  })
  return {
    configuration,
    hash: configurationHash(configuration),
    plugins,
    byName: new Map(plugins.map((plugin) => [plugin.name, plugin])),
    active: (pod) => {
      if (pod.nodeName !== '') return compute(pod)
      let active = remembered.get(pod.shape)
      if (active === undefined) {
        active = compute(pod)
        remembered.set(pod.shape, active)
      }
      return active
    },
  }
}

/** Sixteen hexadecimal digits over what decisions depend on; back-off times and names do not matter. */
export function configurationHash(configuration: SchedulerConfiguration): string {
  const text = JSON.stringify([
    configuration.plugins.map(({ name, weight }) => [name, weight ?? 1]),
    configuration.fit.strategy,
    configuration.fit.resources.map(({ name, weight }) => [name, weight]),
    configuration.fit.shape?.map(({ utilization, score }) => [utilization, score]) ?? [],
    configuration.balancedResources.map(({ name, weight }) => [name, weight]),
  ])
  return [1, 2].map((seed) => hashText(seed, text).toString(16).padStart(8, '0')).join('')
}
