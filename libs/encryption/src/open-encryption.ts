// Encryption of a log as one process uses it: the store of keys is read, the configuration is read and looked at again while
// the process runs, and what another key is to wrap is wrapped anew. A configuration that cannot be read changes nothing.
import { readFile } from 'node:fs/promises'
import type { ClusterLog } from '@shiplog/events/event-log'
import type { Clock } from '@shiplog/runtime/clock'
import type { Ids } from '@shiplog/runtime/ids'
import type { Logger } from '@shiplog/runtime/logger'
import { createRecordCodec, type RecordCodec } from '@shiplog/feed/record-codec'
import type { SchemaVersions } from '@shiplog/api/codec'
import { parseEncryptionConfiguration } from './configuration.ts'
import { createKeyring, type Keyring } from './keyring.ts'
import { createKeyStore } from './key-store.ts'
import { createKmsProvider } from './kms/kms-provider.ts'
import { createProviders, type Providers } from './providers.ts'

/** How often the file is looked at. */
const reloadEveryMs = 5_000

export interface EncryptionOptions {
  readonly log: Pick<ClusterLog, 'keys'>
  /** The EncryptionConfiguration. */
  readonly file: string
  /** True for gateways: they alone write to the store of keys. */
  readonly writes: boolean
  readonly clock: Clock
  readonly ids: Ids
  readonly logger: Logger
  readonly versions?: SchemaVersions | undefined
}

export interface Encryption {
  readonly codec: RecordCodec
  readonly keyring: Keyring
  /** Looks at the file at once. */
  reload(): Promise<void>
  stop(): void
}

/** Throws for a configuration that cannot be read, and LogUnavailable. */
export async function openEncryption(options: EncryptionOptions): Promise<Encryption> {
  const { log, file, writes, clock, ids, logger } = options
  const stopping = new AbortController()
  let text = await readFile(file, 'utf8')
  const store = createKeyStore(log.keys, clock)
  let keyring: Keyring | undefined
  let rewrapping = Promise.resolve()

  const rewrap = (): void => {
    if (!writes) return
    rewrapping = rewrapping
      .then(async () => {
        const count = (await keyring?.rewrap()) ?? 0
        if (count > 0) logger.info({ count }, 'keys have been wrapped anew')
      })
      .catch((err: unknown) => logger.warn({ err }, 'keys could not be wrapped anew'))
  }
  const providersOf = async (said: string): Promise<Providers> => {
    const configuration = parseEncryptionConfiguration(said)
    const hasPlugins = configuration.resources.some(({ providers }) => providers.some(({ type }) => type === 'kms'))
    // gRPC takes its time to load, and few need it.
    const kms = hasPlugins ? await import('./kms/kms-client.ts') : undefined
    return createProviders(configuration, ({ name, endpoint, timeoutMs }) =>
      createKmsProvider({
        ...{ name, store, clock, ids, logger, onRotated: rewrap },
        client: kms!.createKmsClient({ name, endpoint, timeoutMs, nowMs: () => clock.nowMs() }),
      }),
    )
  }
  const providers = await providersOf(text)
  await store.start()
  keyring = createKeyring({ store, providers, clock, logger, stopped: stopping.signal })

  const reload = async (): Promise<void> => {
    try {
      const fresh = await readFile(file, 'utf8')
      if (fresh === text || stopping.signal.aborted) return
      keyring.use(await providersOf(fresh))
      text = fresh
      logger.info({}, 'the encryption configuration was read again')
      rewrap()
    } catch (err) {
      logger.error({ err }, 'the encryption configuration cannot be read: the one of before goes on')
    }
    await rewrapping
  }
  const reloading = clock.every(reloadEveryMs, () => void reload())
  rewrap()
  return {
    codec: createRecordCodec({ cipher: keyring, ...(options.versions ? { versions: options.versions } : {}) }),
    keyring,
    reload,
    stop() {
      reloading[Symbol.dispose]()
      stopping.abort()
      keyring.providers.stop()
      store.stop()
    },
  }
}
