// `shiplog keys …`: which keys there are, a new one to wrap them with, one that is destroyed at once, and a copy of all.
import { existsSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { configurationFileIn, withNewKey } from '@shiplog/encryption/configuration-file'
import type { SavedKeys } from '@shiplog/encryption/saved-keys'
import { parseObjectSubject } from '@shiplog/events/subjects'
import { systemClock } from '@shiplog/runtime/clock'
import { writeSecretFile } from '@shiplog/runtime/secret-files'
import { agreed } from '../cluster/agreed.ts'
import { configurationOf, isRunning, withKeys } from './key-source.ts'

interface Options {
  readonly dataDir: string
}

const say = (line: string): void => void process.stdout.write(`${line}\n`)
const tell = (line: string): void => void process.stderr.write(`${line}\n`)

type SavedKey = SavedKeys['keys'][number]

export async function keysList(options: Options & { readonly output: string }): Promise<number> {
  const { keys } = await withKeys(options.dataDir, (source) => source.all())
  if (options.output === 'json') {
    say(JSON.stringify(keys.map(({ uid, subject, by, destroyed }) => ({ uid, object: objectOf(subject), by, destroyed }))))
    return 0
  }
  for (const key of keys) say(`${key.uid}  ${objectOf(key.subject)}  ${key.destroyed === undefined ? key.by : `destroyed ${key.destroyed}`}`)
  for (const [by, count] of countsOf(keys)) tell(`${count} wrapped by ${by}`)
  return 0
}

/** `secrets/db in default`. */
function objectOf(subject: string): string {
  const { group, resource, namespace, name } = parseObjectSubject(subject) ?? { group: '', resource: '', namespace: '', name: subject }
  return `${resource}${group === '' ? '' : `.${group}`}/${name}${namespace === '' ? '' : ` in ${namespace}`}`
}

function countsOf(keys: readonly SavedKey[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const { by } of keys) if (by !== undefined) counts.set(by, (counts.get(by) ?? 0) + 1)
  return counts
}

/** Longest wait until the keys of a running cluster are wrapped anew. */
const rotationTimeoutMs = 120_000
const pollMs = 500

export async function keysRotate(options: Options): Promise<number> {
  const dataDir = resolve(options.dataDir)
  const file = configurationFileIn(dataDir)
  if (!existsSync(file)) throw new Error(`${file} is not there: put the new key first in the file that --encryption-provider-config names`)
  const name = `key-${new Date(systemClock.nowMs()).toISOString().replaceAll(/[-:.]/g, '').toLowerCase()}`
  const changed = withNewKey(readFileSync(file, 'utf8'), name)
  if (changed === undefined) throw new Error(`${file} was changed by hand: put the new key first in its list by hand, too`)
  writeSecretFile(file, changed)
  say(`${file}: ${name} wraps keys from now on; those of before stay in the file, to read with`)
  if (!isRunning(dataDir)) {
    say('the cluster is stopped: its keys are wrapped anew when it starts')
    return 0
  }
  const deadlineMs = systemClock.nowMs() + rotationTimeoutMs
  return await withKeys(dataDir, async (source) => {
    for (;;) {
      const counts = countsOf((await source.all()).keys)
      const left = [...counts].reduce((sum, [by, count]) => (by.startsWith(`aesgcm/${name}/`) ? sum : sum + count), 0)
      if (left === 0) break
      if (systemClock.nowMs() > deadlineMs) throw new Error(`${left} keys are not wrapped anew yet: shiplog keys list tells by what they are`)
      await systemClock.sleep(pollMs)
    }
    say('all keys are wrapped by it: the older ones may be taken out of the file')
    return 0
  })
}

export async function keysDestroy(uid: string, options: Options & { readonly yes?: boolean }): Promise<number> {
  return await withKeys(options.dataDir, async (source) => {
    const key = (await source.all()).keys.find((one) => one.uid === uid)
    if (!key) throw new Error(`there is no key ${uid}: shiplog keys list tells which there are`)
    if (key.destroyed !== undefined) throw new Error(`it was destroyed ${key.destroyed}`)
    tell(`Nobody will be able to tell what ${objectOf(key.subject)} (uid ${uid}) ever held: not in the log, nor in its copies and backups.`)
    if (!options.yes && !(await agreed())) return 1
    await source.destroy(uid)
    say(`the key of ${objectOf(key.subject)} is destroyed`)
    return 0
  })
}

export async function keysSave(options: Options & { readonly out: string }): Promise<number> {
  const dataDir = resolve(options.dataDir)
  const saved = await withKeys(dataDir, (source) => source.all())
  const file = configurationOf(dataDir)
  const out = resolve(options.out)
  writeSecretFile(out, JSON.stringify({ ...saved, configuration: file && readFileSync(file, 'utf8') }))
  say(`${out}: ${saved.keys.length} keys, and what wraps them. Keep it apart from backups, and throw older ones away:`)
  say('they still have the keys that were destroyed since.')
  return 0
}
