// Where in the dashboard one is, as the URL tells it: the page in the path; namespace, moment, filters in the query. So every
// view can be sent to somebody else, and the browser's back button works.
import { useSyncExternalStore } from 'react'

export interface Place {
  readonly path: readonly string[]
  readonly query: URLSearchParams
}

const base = '/dashboard'
/** These go along from page to page. */
const kept = ['ns', 'at', 'vs'] as const
const listeners = new Set<() => void>()
let current = read()

function read(): Place {
  const path = location.pathname.slice(base.length).split('/').filter(Boolean).map(decodeURIComponent)
  return { path, query: new URLSearchParams(location.search) }
}

const changed = (): void => {
  current = read()
  for (const listener of listeners) listener()
}
window.addEventListener('popstate', changed)

export const usePlace = (): Place =>
  useSyncExternalStore(
    (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    () => current,
  )

export type QueryPatch = Readonly<Record<string, string | undefined>>

export function hrefOf(path: readonly string[], patch: QueryPatch = {}): string {
  const query = new URLSearchParams()
  for (const name of kept) {
    const value = current.query.get(name)
    if (value) query.set(name, value)
  }
  return withPatch(path, query, patch)
}

function withPatch(path: readonly string[], query: URLSearchParams, patch: QueryPatch): string {
  for (const [name, value] of Object.entries(patch)) {
    if (value === undefined || value === '') query.delete(name)
    else query.set(name, value)
  }
  const text = query.toString()
  return `${base}/${path.map(encodeURIComponent).join('/')}${text ? `?${text}` : ''}`
}

export function go(href: string): void {
  history.pushState(null, '', href)
  changed()
}

/** Changes the query of the page that is shown. */
export function setQuery(patch: QueryPatch, how: 'push' | 'replace' = 'push'): void {
  const href = withPatch(current.path, new URLSearchParams(current.query), patch)
  if (how === 'push') history.pushState(null, '', href)
  else history.replaceState(null, '', href)
  changed()
}

export interface ObjectPlace {
  readonly group: string
  readonly version: string
  readonly resource: string
  readonly namespace: string
  readonly name: string
}

const groupToken = (group: string): string => (group === '' ? 'core' : group)
export const groupOfToken = (token: string): string => (token === 'core' ? '' : token)

export const listHref = (kind: { group: string; version: string; resource: string }, patch?: QueryPatch): string =>
  hrefOf(['list', groupToken(kind.group), kind.version, kind.resource], patch)

export const objectHref = (place: ObjectPlace, patch?: QueryPatch): string =>
  hrefOf(['object', groupToken(place.group), place.version, place.resource, place.namespace || '_', place.name], patch)
