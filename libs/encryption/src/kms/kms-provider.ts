// A KMS plug-in as a provider: it encrypts one wrapping key, which lies in the store of keys as it encrypted it, and that one
// wraps the keys of objects in this process. So a start with a million Secrets asks it once. When it says that its key is
// another one, a new wrapping key is made; keys are wrapped anew then, and the log is not touched.
import { randomBytes } from 'node:crypto'
import type { KmsClient, KmsStatus } from './kms-client.ts'
import { LogUnavailable } from '@shiplog/events/event-log'
import type { Clock } from '@shiplog/runtime/clock'
import type { Ids } from '@shiplog/runtime/ids'
import type { Logger } from '@shiplog/runtime/logger'
import { kekAppend, type KekState } from '../key-records.ts'
import type { KeyStore } from '../key-store.ts'
import { createKeyWrapper, type KeyWrapper } from '../key-wrapper.ts'
import { dataKeyBytes } from '../payload.ts'

/** As upstream: how often it is asked which key it encrypts with. */
const statusEveryMs = 60_000

export interface KmsProvider {
  /** The wrapper to write with; a promise while the plug-in is asked. */
  writer(): KeyWrapper | Promise<KeyWrapper>
  reader(id: string): KeyWrapper | undefined
  /** Has the plug-in decrypt a wrapping key; false when there is none of this name. */
  load(id: string): Promise<boolean>
  stop(): void
}

export interface KmsProviderDeps {
  readonly name: string
  readonly client: KmsClient
  readonly store: KeyStore
  readonly clock: Clock
  readonly ids: Ids
  readonly logger: Logger
  /** Called when it encrypts with another key than before. */
  onRotated(): void
}

export function createKmsProvider(deps: KmsProviderDeps): KmsProvider {
  const { name, client, store, clock, ids, logger, onRotated } = deps
  const wrappers = new Map<string, KeyWrapper>()
  let current: { readonly wrapper: KeyWrapper; readonly kmsKeyId: string } | undefined
  let preparing: Promise<KeyWrapper> | undefined

  const idOf = (kek: Pick<KekState, 'id'>): string => `kms/${name}/${kek.id}`

  const otherKey = (): Error => new LogUnavailable(`KMS plug-in ${name} gives back another key`, { ambiguous: false })

  const add = (kek: KekState, secret: Uint8Array): KeyWrapper => {
    if (secret.length !== dataKeyBytes) throw otherKey()
    const wrapper = createKeyWrapper(idOf(kek), secret)
    wrappers.set(wrapper.id, wrapper)
    return wrapper
  }

  const decrypt = async (kek: KekState): Promise<KeyWrapper> => {
    const known = wrappers.get(idOf(kek))
    return known ?? add(kek, await client.decrypt({ ...kek, keyId: kek.kmsKeyId }, ids.uuid()))
  }

  const healthy = async (): Promise<KmsStatus> => {
    const status = await client.status()
    const problem = status.healthz !== 'ok' ? status.healthz : /^v2(beta1)?$/.test(status.version) ? '' : `version ${status.version}`
    if (problem) throw new LogUnavailable(`KMS plug-in ${name} is not well: ${problem}`, { ambiguous: false })
    return status
  }

  const prepare = async (): Promise<KeyWrapper> => {
    const { keyId } = await healthy()
    const kept = [...store.keks.values()].find((kek) => kek.provider === name && kek.kmsKeyId === keyId)
    if (kept) {
      current = { wrapper: await decrypt(kept), kmsKeyId: keyId }
      return current.wrapper
    }
    const secret = randomBytes(dataKeyBytes)
    const encrypted = await client.encrypt(secret, ids.uuid())
    const { ciphertext, annotations } = encrypted
    const kek: KekState = { id: ids.uuid(), provider: name, kmsKeyId: encrypted.keyId, ciphertext, annotations }
    // A plug-in that cannot give it back would make all lost that it wraps.
    const back = await client.decrypt({ ...encrypted }, ids.uuid())
    if (!secret.equals(back)) throw otherKey()
    const append = kekAppend(kek)
    const result = await store.committer.commit([append])
    if (!result.ok) throw new LogUnavailable(`the wrapping key of KMS plug-in ${name} could not be stored`, { ambiguous: false })
    store.learn({ ...append, sequence: result.sequences[0]!, timeMs: clock.nowMs() })
    current = { wrapper: add(kek, secret), kmsKeyId: encrypted.keyId }
    return current.wrapper
  }

  const look = async (): Promise<void> => {
    try {
      const { keyId } = await healthy()
      if (current === undefined || current.kmsKeyId === keyId) return
      logger.info({ provider: name }, 'the KMS plug-in encrypts with another key: keys are wrapped anew')
      current = undefined
      onRotated()
    } catch (err) {
      logger.warn({ err, provider: name }, 'the KMS plug-in is not well')
    }
  }
  const polling = clock.every(statusEveryMs, () => void look())

  return {
    writer() {
      if (current) return current.wrapper
      preparing ??= prepare().finally(() => {
        preparing = undefined
      })
      return preparing
    },
    reader: (id) => wrappers.get(id),
    async load(id) {
      const kek = [...store.keks.values()].find((one) => idOf(one) === id)
      if (!kek) return false
      await decrypt(kek)
      return true
    },
    stop() {
      polling[Symbol.dispose]()
      client.close()
    },
  }
}
