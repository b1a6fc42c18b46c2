// A scheduler's configuration from a file: upstream's KubeSchedulerConfiguration with its profiles, or our own form with only
// what is to be different from the default one.
import { decodeYaml } from '@shiplog/api/decode/decode-yaml'
import { readExtenders, type UpstreamExtender } from './extender-file.ts'
import {
  defaultConfiguration,
  type ExtensionPoint,
  extensionPoints,
  type PluginChoice,
  type SchedulerConfiguration,
} from './configuration.ts'

export interface ConfigurationFile {
  readonly profiles: readonly SchedulerConfiguration[]
  /** What it asks for that makes no difference here, in sentences. */
  readonly notices: readonly string[]
}

interface UpstreamPlugin {
  readonly name: string
  readonly weight?: number
}

interface UpstreamPoint {
  readonly enabled?: readonly UpstreamPlugin[] | null
  readonly disabled?: readonly UpstreamPlugin[] | null
}

interface UpstreamProfile {
  readonly schedulerName?: string
  readonly plugins?: Readonly<Record<string, UpstreamPoint>>
  readonly pluginConfig?: readonly { readonly name: string; readonly args?: Readonly<Record<string, unknown>> }[]
  readonly percentageOfNodesToScore?: number
}

interface UpstreamConfiguration {
  readonly apiVersion?: string
  readonly kind: string
  readonly profiles?: readonly UpstreamProfile[]
  readonly extenders?: readonly UpstreamExtender[] | null
  readonly parallelism?: number
  readonly percentageOfNodesToScore?: number
  readonly podInitialBackoffSeconds?: number
  readonly podMaxBackoffSeconds?: number
}

const kind = 'KubeSchedulerConfiguration'
const apiVersion = 'kubescheduler.config.k8s.io/v1'

export function parseConfigurationFile(text: string): ConfigurationFile {
  const value = decodeYaml(text).value as unknown
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error('it is no object')
  if ((value as UpstreamConfiguration).kind === kind) return fromUpstream(value as UpstreamConfiguration)
  return { profiles: [ownForm(value as Partial<SchedulerConfiguration>)], notices: [] }
}

function ownForm(value: Partial<SchedulerConfiguration>): SchedulerConfiguration {
  const known = Object.keys(defaultConfiguration)
  const unknown = Object.keys(value).find((key) => !known.includes(key))
  if (unknown !== undefined) throw new Error(`${unknown} is not known; there are ${known.join(', ')}`)
  const { plugins, ...rest } = value
  return {
    ...defaultConfiguration,
    ...rest,
    plugins: plugins === undefined ? defaultConfiguration.plugins : withChoices(defaultConfiguration.plugins, plugins),
  }
}

/** The given weights and arguments in place of the present ones; plugins that are new come last. */
function withChoices(present: readonly PluginChoice[], given: readonly PluginChoice[]): PluginChoice[] {
  const byName = new Map(given.map((choice) => [choice.name, choice]))
  const changed = present.map((choice) => ({ ...choice, ...byName.get(choice.name) }))
  return [...changed, ...given.filter(({ name }) => !present.some((choice) => choice.name === name))]
}

function fromUpstream(value: UpstreamConfiguration): ConfigurationFile {
  if (value.apiVersion !== undefined && value.apiVersion !== apiVersion)
    throw new Error(`apiVersion ${value.apiVersion} is not known; there is ${apiVersion}`)
  const { extenders, ignoredResources } = readExtenders(value.extenders ?? [])
  const { podInitialBackoffSeconds, podMaxBackoffSeconds } = { ...defaultConfiguration, ...value }
  if (!(podInitialBackoffSeconds > 0)) throw new Error('podInitialBackoffSeconds: must be greater than 0')
  if (podMaxBackoffSeconds < podInitialBackoffSeconds)
    throw new Error('podMaxBackoffSeconds: must be greater than or equal to PodInitialBackoffSeconds')
  const profiles = (value.profiles?.length ? value.profiles : [{}]).map((profile) => ({
    ...withIgnored(profileOf(profile), ignoredResources),
    podInitialBackoffSeconds,
    podMaxBackoffSeconds,
    ...(extenders.length > 0 ? { extenders } : {}),
  }))
  return { profiles, notices: noticesOf(value) }
}

/** What an extender answers for, the scheduler does not look at. */
function withIgnored(configuration: SchedulerConfiguration, names: readonly string[]): SchedulerConfiguration {
  if (names.length === 0) return configuration
  const plugins = configuration.plugins.map((choice) => {
    if (choice.name !== 'NodeResourcesFit') return choice
    const { ignoredResources = [] } = (choice.args ?? {}) as { readonly ignoredResources?: readonly string[] }
    return { ...choice, args: { ...choice.args, ignoredResources: [...ignoredResources, ...names] } }
  })
  return { ...configuration, plugins }
}

function noticesOf({ parallelism, percentageOfNodesToScore, profiles = [] }: UpstreamConfiguration): string[] {
  const isSampled = percentageOfNodesToScore || profiles.some((profile) => profile.percentageOfNodesToScore)
  return [
    ...(parallelism === undefined ? [] : ['parallelism is ignored: decisions are made one after the other']),
    ...(isSampled ? ['percentageOfNodesToScore is ignored: every node is scored'] : []),
  ]
}

function profileOf({ schedulerName, plugins = {}, pluginConfig = [] }: UpstreamProfile): SchedulerConfiguration {
  const unknown = Object.keys(plugins).find((point) => point !== 'multiPoint' && !isPoint(point))
  if (unknown !== undefined) throw new Error(`plugins.${unknown} is no extension point`)
  const { multiPoint = {} } = plugins
  let choices = everywhere([...defaultConfiguration.plugins], multiPoint)
  for (const point of extensionPoints) choices = atPoint(choices, point, plugins[point] ?? {})
  const given = new Map(pluginConfig.map(({ name, args }) => [name, args ?? {}]))
  for (const name of given.keys()) {
    if (!choices.some((choice) => choice.name === name) && !isElsewhere(name))
      throw new Error(`pluginConfig: plugin "${name}" is not known or not enabled`)
  }
  return {
    ...defaultConfiguration,
    schedulerName: schedulerName ?? defaultConfiguration.schedulerName,
    plugins: choices.map((choice) => {
      const args = pluginArguments(choice.name, given.get(choice.name) ?? {})
      return Object.keys(args).length === 0 ? choice : { ...choice, args }
    }),
  }
}

const isPoint = (name: string): name is ExtensionPoint => (extensionPoints as readonly string[]).includes(name)

/** Upstream's plugins that are no plugins here: what they do is done, or is not there at all. */
const isElsewhere = (name: string): boolean => ['DefaultBinder', 'DynamicResources', 'GangScheduling', 'NodeDeclaredFeatures'].includes(name)

/** `multiPoint`: a plugin is there or not, at all its points. */
function everywhere(choices: PluginChoice[], { disabled, enabled }: UpstreamPoint): PluginChoice[] {
  const gone = new Set((disabled ?? []).map(({ name }) => name))
  const left = gone.has('*') ? [] : choices.filter(({ name }) => !gone.has(name))
  return withChoices(left, enabledChoices(enabled))
}

/** A plugin may say nothing at one point, and speak at others; one that is asked for at a single point speaks there alone. */
function atPoint(choices: PluginChoice[], point: ExtensionPoint, { disabled, enabled }: UpstreamPoint): PluginChoice[] {
  const gone = new Set((disabled ?? []).map(({ name }) => name))
  const left = choices.map((choice) =>
    gone.has('*') || gone.has(choice.name) ? { ...choice, without: [...(choice.without ?? []), point] } : choice,
  )
  const added = enabledChoices(enabled)
  const isNew = ({ name }: PluginChoice): boolean => !left.some((choice) => choice.name === name)
  const spoken = left.map((choice) => {
    const again = added.find(({ name }) => name === choice.name)
    if (again === undefined) return choice
    const { without = [], ...rest } = choice
    const still = without.filter((one) => one !== point)
    return { ...rest, ...(point === 'score' ? again : {}), ...(still.length > 0 ? { without: still } : {}) }
  })
  const elsewhere = extensionPoints.filter((one) => one !== point && !belongTogether(one, point))
  return [...spoken, ...added.filter(isNew).map((choice) => ({ ...choice, without: elsewhere }))]
}

/** A score needs what preScore prepares, a filter what preFilter does. */
const belongTogether = (a: ExtensionPoint, b: ExtensionPoint): boolean =>
  [['preScore', 'score'], ['preFilter', 'filter']].some((pair) => pair.includes(a) && pair.includes(b))

const enabledChoices = (enabled: UpstreamPoint['enabled']): PluginChoice[] =>
  (enabled ?? []).flatMap(({ name, weight }) => (isElsewhere(name) ? [] : [{ name, ...(weight ? { weight } : weightOf(name)) }]))

const weightOf = (name: string): { weight?: number } => {
  const weight = defaultConfiguration.plugins.find((choice) => choice.name === name)?.weight
  return weight === undefined ? {} : { weight }
}

interface FitStrategy {
  readonly type?: string
  readonly resources?: readonly unknown[]
  readonly requestedToCapacityRatio?: { readonly shape: readonly unknown[] }
}

/** Upstream's arguments under the names that plugins here know. */
function pluginArguments(name: string, args: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const { apiVersion: _version, kind: _kind, ...own } = args
  switch (name) {
    case 'NodeResourcesFit': {
      const { scoringStrategy, ignoredResources, ignoredResourceGroups } = own
      const { type, resources, requestedToCapacityRatio } = (scoringStrategy ?? {}) as FitStrategy
      return {
        ...(type ? { strategy: type } : {}),
        ...(resources ? { resources } : {}),
        ...(requestedToCapacityRatio ? { shape: requestedToCapacityRatio.shape } : {}),
        ...(ignoredResources ? { ignoredResources } : {}),
        ...(ignoredResourceGroups ? { ignoredResourceGroups } : {}),
      }
    }
    case 'NodeResourcesBalancedAllocation':
    case 'PodTopologySpread':
    case 'InterPodAffinity':
    case 'DefaultPreemption':
      return own
    default:
      return {}
  }
}
