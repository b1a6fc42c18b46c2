// What a decision's configuration hash means, told to the log with the first decision under it: so `replay` and `explain`
// compute every decision again under the configuration that its scheduler really had. The default one is known anyway.
import type { ApiClient } from '@shiplog/api/api-client'
import type { JsonObject } from '@shiplog/api/kube-object'
import type { Clock } from '@shiplog/runtime/clock'
import type { Logger } from '@shiplog/runtime/logger'
import { configurationHash, defaultConfiguration, type Profile, withAllArguments } from '@shiplog/scheduling/framework/configuration'

export interface ConfigurationRecordsDeps {
  readonly client: Pick<ApiClient, 'recordAttempt'>
  readonly clock: Clock
  readonly log: Logger
  readonly signal: AbortSignal
}

/** The place of a namespace in the subject: no namespace has this name, so no pod's decisions are there. */
export const configurationPlace = '_'
const retryMs = 1_000

export interface ConfigurationRecords {
  /** This profile decides now. Returns at once; what cannot be told is told again until it is. */
  note(profile: Profile): void
}

export function createConfigurationRecords({ client, clock, log, signal }: ConfigurationRecordsDeps): ConfigurationRecords {
  const told = new Set([configurationHash(defaultConfiguration)])

  async function tell({ hash, configuration }: Profile): Promise<void> {
    const { schedulerName: scheduler } = configuration
    const record = { scheduler, configuration: hash, profile: withAllArguments(configuration) } as unknown as JsonObject
    while (!signal.aborted) {
      try {
        await client.recordAttempt({ scheduler, namespace: configurationPlace, pod: hash, record })
        return
      } catch (err) {
        if (signal.aborted) return
        log.warn({ err }, 'failed to record the configuration')
        await clock.sleep(retryMs, signal).catch(() => undefined)
      }
    }
  }

  return {
    note(profile) {
      if (told.has(profile.hash)) return
      told.add(profile.hash)
      void tell(profile)
    },
  }
}
