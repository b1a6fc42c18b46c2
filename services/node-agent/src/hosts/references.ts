// The References port: how the agent of real containers gets the ConfigMaps and Secrets that its pods refer to. It may read
// no others: the node authorizer sees to that, whichever way the port goes.
import type { ApiClient } from '@shiplog/api/api-client'
import type { ConfigMap, Secret } from '@shiplog/api/generated/types/core-v1'
import type { ObjectFeed } from '@shiplog/feed/object-feed'

export type ReferenceKind = 'configmaps' | 'secrets'

/** What holds values by keys. */
export type Referent = Pick<ConfigMap | Secret, 'data'> & Pick<ConfigMap, 'binaryData'>

export interface References {
  /** The object as it is now; undefined when there is none. Rejects when that cannot be told. */
  get(kind: ReferenceKind, namespace: string, name: string): Promise<Referent | undefined>
  /** Told when one of them may have changed; without it changes are looked for now and then. */
  onChange?(listener: (kind: ReferenceKind, namespace: string, name: string) => void): Disposable
}

/** Asks the API, as the node; the feed is only taken as a sign that something has changed. */
export const referencesFromApi = (client: ApiClient, feed: ObjectFeed): References => ({
  async get(kind, namespace, name) {
    const result = await client.request({ verb: 'get', group: '', resource: kind, namespace, name })
    if (result.ok) return result.object as Referent
    if (result.code === 404) return undefined
    throw new Error(result.status.message ?? `${kind} "${name}" cannot be read (${result.code})`)
  },
  onChange(listener) {
    const abort = new AbortController()
    void (async () => {
      let isSynced = false
      for await (const { changes, synced } of feed.follow(['configmaps', 'secrets'], abort.signal)) {
        if (isSynced)
          for (const { resource, namespace, name } of changes) listener(resource as ReferenceKind, namespace, name)
        isSynced ||= synced
      }
      // A feed that breaks costs time alone: everything is looked at now and then.
    })().catch(() => undefined)
    return { [Symbol.dispose]: () => abort.abort() }
  },
})

/** Those that were asked for, at hand: what is resolved from them is a pure function. */
export type Lookup = (kind: ReferenceKind, name: string) => Referent | undefined

export interface Reference {
  readonly kind: ReferenceKind
  readonly name: string
}

/** Gets each once, all at the same time. */
export async function lookUp(references: References, namespace: string, wanted: readonly Reference[]): Promise<Lookup> {
  const keyOf = (kind: ReferenceKind, name: string): string => `${kind}/${name}`
  const unique = new Map(wanted.filter(({ name }) => name !== '').map((one) => [keyOf(one.kind, one.name), one]))
  const found = new Map(
    await Promise.all(
      [...unique].map(async ([key, { kind, name }]) => [key, await references.get(kind, namespace, name)] as const),
    ),
  )
  return (kind, name) => found.get(keyOf(kind, name))
}

/** The bytes behind a key of a ConfigMap or Secret. */
export function bytesAt(kind: ReferenceKind, object: Referent, key: string): Uint8Array | undefined {
  const text = object.data?.[key]
  if (text !== undefined) return kind === 'secrets' ? Buffer.from(text, 'base64') : Buffer.from(text, 'utf8')
  const binary = object.binaryData?.[key]
  return binary === undefined ? undefined : Buffer.from(binary, 'base64')
}

export const keysOf = (object: Referent): string[] => [
  ...Object.keys(object.data ?? {}),
  ...Object.keys(object.binaryData ?? {}),
]

/** As upstream's messages call them. */
export const wordOf = (kind: ReferenceKind): string => (kind === 'secrets' ? 'secret' : 'configmap')
