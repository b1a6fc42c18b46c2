// Whose credentials fit an image: pull secrets as the kubelet's keyring reads and orders them. Pure.
import { createHash } from 'node:crypto'
import type { Secret } from '@shiplog/api/generated/types/core-v1'
import type { RegistryCredentials } from '@shiplog/node/cri/cri-client'
import { repositoryOf } from './image-names.ts'

export type PullSecret = Pick<Secret, 'data' | 'type'> & { readonly metadata?: Partial<Secret['metadata']> }

/** Which Secret credentials come from. */
export interface SecretSource {
  readonly uid: string
  readonly namespace: string
  readonly name: string
  /** Of the credentials themselves: the same ones in another Secret have the same. */
  readonly credentialHash: string
}

export interface Credentials extends RegistryCredentials {
  /** Absent for what every pod of the node may use. */
  readonly source?: SecretSource
}

interface DockerAuth {
  readonly username?: unknown
  readonly password?: unknown
  readonly auth?: unknown
}

export interface Entry {
  /** A registry's host, or a part of what it holds: `ghcr.io/team`. */
  readonly place: string
  readonly credentials: Credentials
}

/** Credentials for this image among pull secrets: the last in the alphabet of places first, which puts `a.io/b` before `a.io`. */
export const credentialsFor = (image: string, secrets: readonly PullSecret[]): Credentials[] =>
  credentialsAmong(image, secrets.flatMap(entriesOf))

/** Those that fit, in the keyring's order. */
export function credentialsAmong(image: string, entries: readonly Entry[]): Credentials[] {
  const wanted = repositoryOf(image)
  if (wanted === undefined) return []
  const places = [...new Set(entries.map(({ place }) => place))].sort().reverse()
  const of = (place: string): Credentials[] =>
    entries.filter((entry) => entry.place === place).map(({ credentials }) => credentials)
  const found = places.filter((place) => fits(place, wanted)).flatMap(of)
  return found.length === 0 && wanted.startsWith('docker.io/') ? of(defaultRegistry) : found
}

/** Docker's own name for the registry that is meant where none is named. */
const defaultRegistry = 'index.docker.io'

const configurationKeys = {
  'kubernetes.io/dockerconfigjson': '.dockerconfigjson',
  'kubernetes.io/dockercfg': '.dockercfg',
} as const

function entriesOf(secret: PullSecret): Entry[] {
  const type = secret.type as keyof typeof configurationKeys
  const parsed = type in configurationKeys ? parse(secret.data?.[configurationKeys[type]]) : {}
  const auths = type === 'kubernetes.io/dockerconfigjson' ? (parsed as { readonly auths?: unknown }).auths : parsed
  return Object.entries(isObject(auths) ? auths : {}).flatMap(([location, auth]) => {
    const place = placeOf(location)
    return place === undefined || !isObject(auth) ? [] : [{ place, credentials: credentialsOf(secret, auth) }]
  })
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null

/** A secret that nobody can read holds nothing. */
function parse(base64: string | undefined): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(Buffer.from(base64 ?? '', 'base64').toString('utf8'))
    return isObject(value) ? value : {}
  } catch {
    return {}
  }
}

/** Docker's forms of a registry's address: with a scheme, and with the version of its API. */
export function placeOf(location: string): string | undefined {
  const [, host, path = ''] = /^(?:https?:\/\/)?([^/]+)(\/.*)?$/.exec(location) ?? []
  const effective = /^\/v[12]\//.test(path) ? path.slice('/v1'.length) : path
  return host && (effective === '/' ? host : `${host}${effective}`)
}

function credentialsOf({ metadata }: PullSecret, { username, password, auth }: DockerAuth): Credentials {
  const text = (value: unknown): string => (typeof value === 'string' ? value : '')
  const [user = '', ...rest] = text(auth) === '' ? [] : Buffer.from(text(auth), 'base64').toString('utf8').split(':')
  const given = text(auth) === '' ? { username: text(username), password: text(password) } : { username: user, password: rest.join(':') }
  const credentialHash = createHash('sha256').update(JSON.stringify(given)).digest('hex')
  const { uid = '', namespace = '', name = '' } = metadata ?? {}
  return { ...given, source: { uid, namespace, name, credentialHash } }
}

/** Whether an image is one of a place, as `*.dkr.example` or `ghcr.io/team`. */
export function isOf(place: string, image: string): boolean {
  const wanted = repositoryOf(image)
  return wanted !== undefined && fits(place, wanted)
}

/** The same number of parts in the host's name, each a pattern, the same port, and the path's beginning. */
function fits(place: string, wanted: string): boolean {
  const glob = split(place)
  const target = split(wanted)
  return (
    glob.port === target.port &&
    glob.parts.length === target.parts.length &&
    target.path.startsWith(glob.path) &&
    glob.parts.every((part, index) => matches(part, target.parts[index]!))
  )
}

interface Place {
  readonly parts: readonly string[]
  readonly port: string
  readonly path: string
}

function split(place: string): Place {
  const slash = place.indexOf('/')
  const host = slash < 0 ? place : place.slice(0, slash)
  const [, name = host, port = ''] = /^(.*):(\d+)$/.exec(host) ?? []
  return { parts: name.split('.'), port, path: slash < 0 ? '' : place.slice(slash) }
}

/** `*` for any characters, `?` for one. In time that no pattern can make long. */
function matches(pattern: string, text: string): boolean {
  let at = 0
  let [star, resume] = [-1, 0]
  let index = 0
  while (index < text.length) {
    if (at < pattern.length && (pattern[at] === '?' || pattern[at] === text[index]) && pattern[at] !== '*') {
      at++
      index++
    } else if (pattern[at] === '*') {
      star = at++
      resume = index
    } else if (star >= 0) {
      at = star + 1
      index = ++resume
    } else return false
  }
  while (pattern[at] === '*') at++
  return at === pattern.length
}
