// The providers of an EncryptionConfiguration as this process uses them: for each resource the wrapper that new keys are
// wrapped with, and all wrappers by their names, to unwrap what is there.
import { type EncryptionConfiguration, configurationFor, type ProviderConfiguration } from './configuration.ts'
import { createKeyWrapper, fingerprintOf, type KeyWrapper } from './key-wrapper.ts'
import type { KmsProvider } from './kms/kms-provider.ts'

export interface Providers {
  /** Undefined where a resource is stored as it is; a promise while a plug-in is asked. Rejects with LogUnavailable. */
  writer(groupResource: string): KeyWrapper | undefined | Promise<KeyWrapper>
  /** Undefined when this process does not have that one, or not yet. */
  reader(id: string): KeyWrapper | undefined
  /** Asks a plug-in for a wrapper that is not there yet; false when none knows it. Rejects with LogUnavailable. */
  load(id: string): Promise<boolean>
  /** True when somebody's writes are encrypted: what keys are there for. */
  readonly encrypts: boolean
  stop(): void
}

export function createProviders(
  configuration: EncryptionConfiguration,
  kmsOf: (provider: ProviderConfiguration & { type: 'kms' }) => KmsProvider,
): Providers {
  const wrappers = new Map<string, KeyWrapper>()
  const plugins = new Map<string, KmsProvider>()
  const writers = new Map<object, () => KeyWrapper | Promise<KeyWrapper>>()
  for (const { providers } of configuration.resources) {
    for (const provider of providers) {
      if (provider.type === 'kms') {
        let plugin = plugins.get(provider.name)
        if (plugin === undefined) {
          plugin = kmsOf(provider)
          plugins.set(provider.name, plugin)
        }
        writers.set(provider, plugin.writer)
      }
      if (provider.type !== 'aesgcm') continue
      const made = provider.keys.map(({ name, secret }) =>
        createKeyWrapper(`aesgcm/${name}/${fingerprintOf(secret)}`, secret),
      )
      for (const wrapper of made) wrappers.set(wrapper.id, wrapper)
      writers.set(provider, () => made[0]!)
    }
  }
  const writersOf = new Map<string, (() => KeyWrapper | Promise<KeyWrapper>) | undefined>()
  return {
    writer(groupResource) {
      if (!writersOf.has(groupResource)) {
        const first = configurationFor(configuration, groupResource)?.providers[0]
        writersOf.set(groupResource, first && writers.get(first))
      }
      return writersOf.get(groupResource)?.()
    },
    reader: (id) => wrappers.get(id) ?? pluginOf(id)?.reader(id),
    load: async (id) => (await pluginOf(id)?.load(id)) ?? false,
    encrypts: configuration.resources.some(({ providers }) => providers[0]!.type !== 'identity'),
    stop() {
      for (const plugin of plugins.values()) plugin.stop()
    },
  }

  function pluginOf(id: string): KmsProvider | undefined {
    const [type, name] = id.split('/')
    return type === 'kms' ? plugins.get(name ?? '') : undefined
  }
}
