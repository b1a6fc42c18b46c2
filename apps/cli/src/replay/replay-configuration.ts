// A scheduler configuration from a file, for replays under another one: upstream's KubeSchedulerConfiguration, as far as
// its plugins exist here, or our own form with only what is to be different.
import { readFileSync } from 'node:fs'
import { decodeYaml } from '@shiplog/api/decode/decode-yaml'
import {
  createProfile,
  defaultConfiguration,
  type PluginChoice,
  type Profile,
  type SchedulerConfiguration,
} from '@shiplog/scheduling/framework/configuration'

interface UpstreamPlugin {
  readonly name: string
  readonly weight?: number
}

interface UpstreamPoint {
  readonly enabled?: readonly UpstreamPlugin[]
  readonly disabled?: readonly UpstreamPlugin[]
}

/** Throws with the file's name when it cannot be used. */
export function profileFromFile(path: string): Profile {
  try {
    return createProfile(parseConfiguration(readFileSync(path, 'utf8')))
  } catch (error) {
    throw new Error(`${path} is no scheduler configuration: ${(error as Error).message}`, { cause: error })
  }
}

export function parseConfiguration(text: string): SchedulerConfiguration {
  const value = decodeYaml(text).value as any
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error('it is no object')
  if (value.kind === 'KubeSchedulerConfiguration') return fromUpstream(value)
  const known = Object.keys(defaultConfiguration)
  const unknown = Object.keys(value).find((key) => !known.includes(key))
  if (unknown !== undefined) throw new Error(`${unknown} is not known; there are ${known.join(', ')}`)
  const { plugins, ...rest } = value as Partial<SchedulerConfiguration>
  return {
    ...defaultConfiguration,
    ...rest,
    plugins: plugins === undefined ? defaultConfiguration.plugins : withWeights(defaultConfiguration.plugins, plugins),
  }
}

/** The given weights and arguments in place of the present ones; plugins that are new come last. */
function withWeights(present: readonly PluginChoice[], given: readonly PluginChoice[]): PluginChoice[] {
  const byName = new Map(given.map((choice) => [choice.name, choice]))
  const changed = present.map((choice) => ({ ...choice, ...byName.get(choice.name) }))
  return [...changed, ...given.filter(({ name }) => !present.some((choice) => choice.name === name))]
}

function fromUpstream(value: any): SchedulerConfiguration {
  const profile = value.profiles?.[0] ?? {}
  let plugins: PluginChoice[] = [...defaultConfiguration.plugins]
  for (const point of ['multiPoint', 'score'] as const) {
    const { disabled = [], enabled = [] } = (profile.plugins?.[point] ?? {}) as UpstreamPoint
    const gone = new Set(disabled.map(({ name }) => name))
    if (point === 'multiPoint') {
      if (gone.has('*')) plugins = []
      plugins = plugins.filter(({ name }) => !gone.has(name))
    } else {
      // A plugin that may not score may still filter.
      plugins = plugins.map((choice) =>
        choice.weight !== undefined && (gone.has('*') || gone.has(choice.name)) ? { ...choice, weight: 0 } : choice,
      )
    }
    plugins = withWeights(
      plugins,
      enabled.map(({ name, weight }) => ({ name, ...(weight ? { weight } : weightOf(name)) })),
    )
  }
  const given = new Map<string, any>((profile.pluginConfig ?? []).map((entry: any) => [entry.name, entry.args ?? {}]))
  return {
    ...defaultConfiguration,
    schedulerName: profile.schedulerName ?? defaultConfiguration.schedulerName,
    plugins: plugins.map((choice) => {
      const args = given.has(choice.name) ? pluginArguments(choice.name, given.get(choice.name)) : {}
      return Object.keys(args).length === 0 ? choice : { ...choice, args }
    }),
  }
}

/** Upstream's arguments under the names that plugins here know. */
function pluginArguments(name: string, args: any): Record<string, unknown> {
  const { apiVersion: _, kind: __, ...own } = args
  switch (name) {
    case 'NodeResourcesFit': {
      const { type, resources, requestedToCapacityRatio } = args.scoringStrategy ?? {}
      return {
        ...(type ? { strategy: type } : {}),
        ...(resources ? { resources } : {}),
        ...(requestedToCapacityRatio ? { shape: requestedToCapacityRatio.shape } : {}),
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

const weightOf = (name: string): { weight?: number } => {
  const weight = defaultConfiguration.plugins.find((choice) => choice.name === name)?.weight
  return weight === undefined ? {} : { weight }
}
