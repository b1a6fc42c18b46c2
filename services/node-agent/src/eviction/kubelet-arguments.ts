// Settings of nodes by the names of the kubelet's flags: `eviction-hard=memory.available<500Mi`. Pure.
import { defaultImageCollection, type ImageCollectionPolicy } from '../hosts/cri/image-collector.ts'
import { durationMs, type EvictionConfig, type EvictionFlags, evictionConfig } from './thresholds.ts'

export interface NodeSettings {
  readonly eviction: EvictionConfig
  readonly imageCollection: ImageCollectionPolicy
  /** Where programs that know credentials of registries are told of, and where they are. */
  readonly credentialProviders?: { readonly config: string; readonly binDir: string }
}

const evictionNames: Readonly<Record<string, keyof EvictionFlags>> = {
  'eviction-hard': 'hard',
  'eviction-soft': 'soft',
  'eviction-soft-grace-period': 'softGracePeriod',
  'eviction-minimum-reclaim': 'minimumReclaim',
  'eviction-pressure-transition-period': 'pressureTransitionPeriod',
  'eviction-max-pod-grace-period': 'maxPodGracePeriod',
}
const imageNames = ['image-gc-high-threshold', 'image-gc-low-threshold', 'minimum-image-ttl-duration', 'image-maximum-gc-age'] as const

const providerNames = ['image-credential-provider-config', 'image-credential-provider-bin-dir'] as const

/**
 * Nodes that share a machine with everything else that is on it do not judge by its disk: nobody wants the images gone that
 * they loaded, because a laptop is nearly full.
 */
export const sharedMachineArguments: readonly string[] = ['eviction-hard=memory.available<100Mi', 'image-gc-high-threshold=100']

/** Later ones replace earlier ones. Throws with a sentence about what is wrong. */
export function nodeSettings(args: readonly string[]): NodeSettings {
  const flags: Partial<Record<keyof EvictionFlags, string>> = {}
  const images = new Map<string, string>()
  const providers = new Map<string, string>()
  for (const argument of args) {
    const at = argument.indexOf('=')
    const [name, value] = [argument.slice(0, Math.max(at, 0)), argument.slice(at + 1)]
    if (name in evictionNames) flags[evictionNames[name]!] = value
    else if ((imageNames as readonly string[]).includes(name)) images.set(name, value)
    else if ((providerNames as readonly string[]).includes(name)) providers.set(name, value)
    else throw new Error(`${name || argument} is none of ${[...Object.keys(evictionNames), ...imageNames, ...providerNames].join(', ')}`)
  }
  const [config, binDir] = providerNames.map((name) => providers.get(name))
  return {
    ...{ eviction: evictionConfig(flags), imageCollection: imagePolicy(images) },
    // One without the other is nothing, as with the kubelet.
    ...(config && binDir ? { credentialProviders: { config, binDir } } : {}),
  }
}

function imagePolicy(images: ReadonlyMap<string, string>): ImageCollectionPolicy {
  const percent = (name: (typeof imageNames)[number], otherwise: number): number => {
    const text = images.get(name)
    if (text === undefined) return otherwise
    if (!/^\d{1,3}$/.test(text) || Number(text) > 100) throw new Error(`${name} is a percentage from 0 to 100: not ${text}`)
    return Number(text)
  }
  const time = (name: (typeof imageNames)[number], otherwise: number): number => {
    const text = images.get(name)
    return text === undefined ? otherwise : durationMs(text)
  }
  const highPercent = percent('image-gc-high-threshold', defaultImageCollection.highPercent)
  const lowPercent = percent('image-gc-low-threshold', Math.min(defaultImageCollection.lowPercent, highPercent))
  if (lowPercent > highPercent) throw new Error(`image-gc-low-threshold ${lowPercent} is above image-gc-high-threshold ${highPercent}`)
  return {
    ...{ highPercent, lowPercent },
    ageMsMin: time('minimum-image-ttl-duration', defaultImageCollection.ageMsMin),
    unusedMsMax: time('image-maximum-gc-age', defaultImageCollection.unusedMsMax),
  }
}
