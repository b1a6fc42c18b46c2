// What people mean: `deploy/web` is a subject of the log, `10m` a moment ten minutes ago.
import { groupResourceOf, type ResourceInfo, type SchemaRegistry } from '@shiplog/api/schema/schema'
import { encodeToken, objectSubject, type ObjectAddress, resourceFilter } from '@shiplog/events/subjects'
import { keepsOnlyLast } from '@shiplog/feed/stream-of'
import { systemClock } from '@shiplog/runtime/clock'
import type { HistorySource } from './history-source.ts'

export interface Target {
  readonly resource: ResourceInfo
  /** '' for all. */
  readonly namespace: string
  readonly name: string | undefined
  /** Filter of its events. */
  readonly subject: string
}

/** A kind by any of the names that kubectl takes: `pods`, `po`, `Pod`, `deployments.apps`. */
export function resourceNamed(kinds: SchemaRegistry, text: string): ResourceInfo {
  const wanted = text.toLowerCase()
  const found = kinds.resources.find(
    (one) =>
      one.stored &&
      one.version === one.storageVersion &&
      one.group === one.storageGroup &&
      [one.resource, one.singular, one.kind.toLowerCase(), ...one.shortNames].some(
        (name) => wanted === name || (one.group !== '' && wanted === `${name}.${one.group}`),
      ),
  )
  if (!found) throw new Error(`there is no kind ${JSON.stringify(text)}`)
  const groupResource = groupResourceOf(found.group, found.resource)
  if (keepsOnlyLast(groupResource))
    throw new Error(`${found.resource} age: the log keeps only the last of each, so they have no history`)
  return found
}

/** `KIND` or `KIND/NAME`. A namespaced name without a namespace is looked for in `default`. */
export function targetOf(kinds: SchemaRegistry, text: string, namespace: string | undefined): Target {
  const slash = text.indexOf('/')
  const resource = resourceNamed(kinds, slash < 0 ? text : text.slice(0, slash))
  const name = slash < 0 ? undefined : text.slice(slash + 1)
  if (name === '') throw new Error(`${JSON.stringify(text)} names no object`)
  const { group } = resource
  if (name === undefined) {
    const filter = resourceFilter(group, resource.resource)
    const within = resource.namespaced && namespace ? namespace : ''
    const subject = within === '' ? filter : filter.replace(/>$/, `${encodeToken(within)}.>`)
    return { resource, namespace: within, name, subject }
  }
  const within = resource.namespaced ? namespace || 'default' : ''
  return {
    resource,
    namespace: within,
    name,
    subject: objectSubject({ group, resource: resource.resource, namespace: within, name }),
  }
}

/** `deployment.apps/web`, as kubectl's -o name says it. */
export function nameOf(kinds: SchemaRegistry, address: ObjectAddress): string {
  const groupResource = groupResourceOf(address.group, address.resource)
  const singular = kinds.storage(groupResource)?.singular || address.resource
  return `${groupResourceOf(address.group, singular)}/${address.name}`
}

/** Clocks of people may be ahead of the log's by so much. */
const clockSkewMs = 1_000

const secondsOf: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 }

/** The sequence that a person means: `123`, `now`, `10m` (ago), or an RFC 3339 time. */
export async function sequenceOf(source: HistorySource, text: string): Promise<number> {
  if (/^#?\d+$/.test(text)) return Number(text.replace('#', ''))
  if (text === 'now') return (await source.ends()).newest
  const ago = /^((?:\d+[smhd])+)$/.exec(text)?.[1]
  if (ago !== undefined) {
    let seconds = 0
    for (const [, amount, unit] of ago.matchAll(/(\d+)([smhd])/g)) seconds += Number(amount) * secondsOf[unit!]!
    return await source.sequenceAt(systemClock.nowMs() - seconds * 1_000)
  }
  const timeMs = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN
  if (Number.isNaN(timeMs)) {
    throw new Error(`${JSON.stringify(text)} is no moment: a sequence, a time (2026-01-31T12:00:00Z) or an age (10m)`)
  }
  // The newest there is now would be another answer later.
  if (timeMs > systemClock.nowMs() + clockSkewMs) throw new Error(`${text} is in the future`)
  return await source.sequenceAt(timeMs)
}
