// Configuration of a scheduler: which plugins, with which weights and arguments. A decision records its hash, so that a
// replay knows whether it runs the same one.
import type { ExtenderConfiguration } from './extenders.ts'
import type { Plugin } from './framework.ts'
import { createDefaultPreemption, defaultPreemptionArguments } from '../plugins/default-preemption.plugin.ts'
import { createInterPodAffinity, defaultAffinityArguments } from '../plugins/inter-pod-affinity.plugin.ts'
import { imageLocality } from '../plugins/image-locality.plugin.ts'
import { nodeAffinity } from '../plugins/node-affinity.plugin.ts'
import { nodeName } from '../plugins/node-name.plugin.ts'
import { nodePorts } from '../plugins/node-ports.plugin.ts'
import {
  createNodeResourcesBalancedAllocation,
  defaultBalancedArguments,
} from '../plugins/node-resources-balanced-allocation.plugin.ts'
import { createNodeResourcesFit, defaultFitArguments } from '../plugins/node-resources-fit.plugin.ts'
import { nodeUnschedulable } from '../plugins/node-unschedulable.plugin.ts'
import { nodeVolumeLimits } from '../plugins/node-volume-limits.plugin.ts'
import { createPodTopologySpread, defaultSpreadArguments } from '../plugins/pod-topology-spread.plugin.ts'
import type { PodInfo, PodShape } from '../snapshot/pod-info.ts'
import { prioritySort } from '../plugins/priority-sort.plugin.ts'
import { schedulingGates } from '../plugins/scheduling-gates.plugin.ts'
import { taintToleration } from '../plugins/taint-toleration.plugin.ts'
import { volumeBinding } from '../plugins/volume-binding.plugin.ts'
import { volumeRestrictions } from '../plugins/volume-restrictions.plugin.ts'
import { volumeZone } from '../plugins/volume-zone.plugin.ts'
import { hashText } from './tie-break.ts'

/** Upstream's extension points, as far as plugins here have them. */
export const extensionPoints = ['preEnqueue', 'queueSort', 'preFilter', 'filter', 'postFilter', 'preScore', 'score'] as const
export type ExtensionPoint = (typeof extensionPoints)[number]

export interface PluginChoice {
  readonly name: string
  /** For plugins that score. */
  readonly weight?: number
  /** In place of the plugin's default arguments, those that are given. */
  readonly args?: Readonly<Record<string, unknown>>
  /** Points at which it says nothing. */
  readonly without?: readonly ExtensionPoint[]
}

export interface SchedulerConfiguration {
  /** The pods with this spec.schedulerName are ours. */
  readonly schedulerName: string
  /** Breaks ties between equally good nodes. */
  readonly seed: number
  /** In the order in which filters run: the first that rejects a node is the one that is reported. */
  readonly plugins: readonly PluginChoice[]
  readonly podInitialBackoffSeconds: number
  readonly podMaxBackoffSeconds: number
  /** In the order in which they are asked. */
  readonly extenders?: readonly ExtenderConfiguration[]
}

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
    { name: 'VolumeRestrictions' },
    { name: 'NodeVolumeLimits' },
    { name: 'VolumeBinding' },
    { name: 'VolumeZone' },
    { name: 'PodTopologySpread', weight: 2 },
    { name: 'InterPodAffinity', weight: 2 },
    { name: 'DefaultPreemption' },
    { name: 'NodeResourcesBalancedAllocation', weight: 1 },
    { name: 'ImageLocality', weight: 1 },
  ],
  podInitialBackoffSeconds: 1,
  podMaxBackoffSeconds: 10,
}

/** A plugin with its arguments. */
interface Factory {
  readonly defaults: object
  readonly create: (options: any) => Plugin
}

const plain = (plugin: Plugin): Factory => ({ defaults: {}, create: () => plugin })
const withArguments = <Arguments extends object>(
  create: (options: Arguments) => Plugin,
  defaults: Arguments,
): Factory => ({ defaults, create })

/** Every plugin there is, by upstream's name. */
const factories: Readonly<Record<string, Factory>> = {
  SchedulingGates: plain(schedulingGates),
  PrioritySort: plain(prioritySort),
  NodeUnschedulable: plain(nodeUnschedulable),
  NodeName: plain(nodeName),
  ImageLocality: plain(imageLocality),
  NodeVolumeLimits: plain(nodeVolumeLimits),
  VolumeRestrictions: plain(volumeRestrictions),
  VolumeBinding: plain(volumeBinding),
  VolumeZone: plain(volumeZone),
  TaintToleration: plain(taintToleration),
  NodeAffinity: plain(nodeAffinity),
  NodePorts: plain(nodePorts),
  NodeResourcesFit: withArguments(createNodeResourcesFit, defaultFitArguments),
  NodeResourcesBalancedAllocation: withArguments(createNodeResourcesBalancedAllocation, defaultBalancedArguments),
  PodTopologySpread: withArguments(createPodTopologySpread, defaultSpreadArguments),
  InterPodAffinity: withArguments(createInterPodAffinity, defaultAffinityArguments),
  DefaultPreemption: withArguments(createDefaultPreemption, defaultPreemptionArguments),
}

function factoryOf(name: string): Factory {
  const factory = Object.hasOwn(factories, name) ? factories[name] : undefined
  if (factory === undefined) throw new Error(`plugin "${name}" is not known`)
  return factory
}

const argumentsOf = ({ name, args }: PluginChoice): object => ({ ...factoryOf(name).defaults, ...args })

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
  /** Those whose scores hold for one decision. */
  readonly cycleScorers: readonly Scorer[]
  /** For a pod that names no node; it depends on the pod's shape alone. */
  active(pod: PodInfo): ActivePlugins
}

/** Builds a profile; unknown plugin names and a second or missing queue order are errors. */
export function createProfile(configuration: SchedulerConfiguration): Profile {
  const plugins = configuration.plugins.map((choice) =>
    silenced(factoryOf(choice.name).create(argumentsOf(choice)), choice.without ?? []),
  )
  if (plugins.filter((plugin) => plugin.queueSort).length !== 1) {
    throw new Error('exactly one queue sort plugin is required')
  }
  const weighted: Scorer[] = plugins.map((plugin, index) => ({
    plugin,
    weight: configuration.plugins[index]!.weight ?? 1,
  }))
  const scorers = weighted.filter(({ plugin }) => plugin.score)
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
    cycleScorers: weighted.filter(({ plugin, weight }) => plugin.preScore && weight !== 0),
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

/** A plugin that says nothing at some points; what judges many decisions at once would speak at all of them. */
function silenced(plugin: Plugin, points: readonly ExtensionPoint[]): Plugin {
  if (points.length === 0) return plugin
  const silent: { -readonly [Key in keyof Plugin]: Plugin[Key] } = { ...plugin }
  const gone = new Set<string>(points)
  // What a filter or a score is made by says nothing without it.
  if (gone.has('filter')) gone.add('preFilter')
  if (gone.has('score')) gone.add('preScore')
  for (const key of [...gone, 'classify'] as (keyof Plugin)[]) delete silent[key]
  return silent
}

/** Sixteen hexadecimal digits over what decisions depend on; back-off times and names do not matter. */
export function configurationHash(configuration: SchedulerConfiguration): string {
  const text = JSON.stringify(
    configuration.plugins.map((choice) => [
      ...[choice.name, choice.weight ?? 1, sorted(argumentsOf(choice))],
      ...(choice.without?.length ? [choice.without.toSorted()] : []),
    ]),
  )
  return [1, 2].map((seed) => hashText(seed, text).toString(16).padStart(8, '0')).join('')
}

/**
 * The same with nothing left to defaults, which may be others one day: the hash is the same. Without the extenders: what they
 * said is recorded with each decision, and how they are reached is nobody's business.
 */
export const withAllArguments = ({ extenders: _, ...configuration }: SchedulerConfiguration): SchedulerConfiguration => ({
  ...configuration,
  plugins: configuration.plugins.map((choice) => ({ ...choice, args: { ...argumentsOf(choice) } })),
})

/** The order in which arguments are written does not matter. */
const sorted = (options: object): unknown => Object.entries(options).sort(([a], [b]) => (a < b ? -1 : 1))
