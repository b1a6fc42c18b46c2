// What a gateway does for the keys of encrypted records: those of deleted objects are destroyed after a grace, and what this
// process still remembers of objects whose keys are gone is forgotten.
import { type KeyKeeper, graceMsDefault, keepKeys } from '@shiplog/encryption/key-keeper'
import type { Encryption } from '@shiplog/encryption/open-encryption'
import type { Clock } from '@shiplog/runtime/clock'
import type { Logger } from '@shiplog/runtime/logger'
import { forgetStates } from '../store/history.ts'
import type { Streams } from '../store/streams.ts'

export interface KeyCareDeps {
  readonly encryption: Encryption
  readonly streams: Streams
  /** How long a key outlives its object. */
  readonly graceMs?: number | undefined
  readonly clock: Clock
  readonly logger: Logger
}

export function careForKeys({ encryption, streams, graceMs, clock, logger }: KeyCareDeps): KeyKeeper {
  const { keyring } = encryption
  keyring.store.onDestroyed(() => {
    for (const stream of streams.all) {
      stream.projection.forgetPast()
      forgetStates(stream)
    }
  })
  return keepKeys({ events: streams.events.log, keyring, graceMs: graceMs ?? graceMsDefault, clock, logger })
}
