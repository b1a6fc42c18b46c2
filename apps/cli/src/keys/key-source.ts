// The keys of a cluster as commands see them: through the gateway of one that runs, or straight from the data directory of one
// that is stopped.
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { configurationFileIn } from '@shiplog/encryption/configuration-file'
import { isLive } from '@shiplog/encryption/key-keeper'
import { type Encryption, openEncryption } from '@shiplog/encryption/open-encryption'
import { savedKeysOf, type SavedKeys } from '@shiplog/encryption/saved-keys'
import type { ClusterLog } from '@shiplog/events/event-log'
import type { RecordCodec } from '@shiplog/feed/record-codec'
import { systemClock } from '@shiplog/runtime/clock'
import { isAlive, lockHolder } from '@shiplog/runtime/directory-lock'
import { systemIds } from '@shiplog/runtime/ids'
import { silentLogger } from '@shiplog/runtime/logger'
import { clusterFiles } from '../cluster/cluster-files.ts'
import { withStoppedLog } from '../cluster/stopped-log.ts'
import { callGateway } from '../gateway-call.ts'

export interface KeySource {
  readonly running: boolean
  all(): Promise<SavedKeys>
  destroy(uid: string): Promise<void>
}

const keysPath = '/shiplog/v1/keys'

/** The configuration of a data directory: what the environment names, or the file that the cluster made there. */
export function configurationOf(dataDir: string): string | undefined {
  const named = process.env['SHIPLOG_ENCRYPTION_PROVIDER_CONFIG']
  const file = named || configurationFileIn(dataDir)
  return existsSync(file) ? file : undefined
}

export const isRunning = (dataDir: string): boolean => {
  const holder = lockHolder(dataDir)
  return holder !== undefined && isAlive(holder)
}

export async function withKeys<T>(directory: string, use: (source: KeySource) => Promise<T>): Promise<T> {
  const dataDir = resolve(directory)
  if (isRunning(dataDir)) {
    const { kubeconfig } = clusterFiles(dataDir)
    return await use({
      running: true,
      all: () => callGateway(kubeconfig, 'GET', `${keysPath}?wrapped=true`),
      destroy: (uid) => callGateway(kubeconfig, 'DELETE', `${keysPath}/${encodeURIComponent(uid)}`),
    })
  }
  return await withStoppedLog(dataDir, async ({ log }) => {
    const encryption = await openStopped(log, dataDir)
    if (!encryption) throw new Error(`${configurationFileIn(dataDir)} is not there: SHIPLOG_ENCRYPTION_PROVIDER_CONFIG names another one`)
    const { keyring } = encryption
    try {
      return await use({
        running: false,
        all: async () => savedKeysOf(keyring.store.keys.values(), keyring.store.keks.values()),
        async destroy(uid) {
          const key = keyring.store.keys.get(uid)
          if (!key) throw new Error(`there is no key ${uid}`)
          if (await isLive(log.events, key)) throw new Error(`the object of the key ${uid} is there: delete that first`)
          await keyring.destroy(uid, `at ${new Date(systemClock.nowMs()).toISOString()}, with shiplog keys destroy`, 'shiplog')
        },
      })
    } finally {
      encryption.stop()
    }
  })
}

/** What reads the log of a stopped cluster; undefined where its configuration is not there. */
export async function openStopped(log: ClusterLog, dataDir: string, codec?: RecordCodec): Promise<Encryption | undefined> {
  const file = configurationOf(dataDir)
  if (file === undefined) return undefined
  const quiet = { clock: systemClock, ids: systemIds, logger: silentLogger }
  return await openEncryption({ log, file, writes: false, ...quiet, versions: codec?.versions })
}
