// The codec between objects and the bytes of the log. Stored bytes are the object's JSON in its storage version, keys in
// the order kind, apiVersion, metadata, …, without resourceVersion; served bytes are the stored bytes with the
// resourceVersion spliced in. Serving never parses: what was validated once is what every client gets.
import { parseObjectText } from './exact-json.ts'
import type { KubeObject } from './kube-object.ts'

const metadataStart = Buffer.from('"metadata":{')

/** The bytes that an event carries. `metadata.resourceVersion` is left out: it is the sequence that the log will give. */
export function storedBytes(object: KubeObject): Buffer {
  const { kind, apiVersion, metadata, ...rest } = object
  const { resourceVersion: _, ...stored } = metadata
  return ownBytes(JSON.stringify({ kind, apiVersion, metadata: stored, ...rest }))
}

/**
 * Text as bytes with memory of their own. What is kept must not lie in Node's pool: its slabs are 64 KB, shared with
 * whatever passes by, and one small buffer that stays keeps a whole slab (measured: 380 MB for 64 MB of versions).
 */
function ownBytes(text: string): Buffer {
  const bytes = Buffer.allocUnsafeSlow(Buffer.byteLength(text))
  bytes.write(text)
  return bytes
}

/** What stands in memory right before and behind served bytes. */
export interface Framing {
  readonly head: Uint8Array
  readonly tail: Uint8Array
}

const bare: Framing = { head: new Uint8Array(0), tail: new Uint8Array(0) }

/**
 * Stored bytes with `"resourceVersion":"<sequence>",` put first into metadata. With a framing the bytes are a view of the
 * middle of a buffer that begins with its head and ends with its tail.
 */
export function servedBytes(stored: Uint8Array, sequence: number, { head, tail }: Framing = bare): Buffer {
  const view = Buffer.from(stored.buffer, stored.byteOffset, stored.byteLength)
  // `kind` and `apiVersion` come first and hold no quotes, so the first match is the object's own metadata.
  const at = view.indexOf(metadataStart) + metadataStart.length
  if (at < metadataStart.length) throw new Error('stored object has no metadata')
  const version = `"resourceVersion":"${sequence}",`
  const length = view.length + version.length
  // Kept for as long as the version is: not in the pool, see ownBytes.
  const whole = Buffer.allocUnsafeSlow(head.length + length + tail.length)
  whole.set(head, 0)
  whole.set(tail, head.length + length)
  const served = head.length + tail.length === 0 ? whole : whole.subarray(head.length, head.length + length)
  view.copy(served, 0, 0, at)
  served.write(version, at, 'latin1')
  view.copy(served, at + version.length, at)
  return served
}

/** The object that served bytes stand for. */
export const parseObject = (bytes: Uint8Array): KubeObject =>
  parseObjectText(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'))

/** Reads a stored object of one schema version as the next: an event's meaning never changes, its reading may. */
export type Upcaster = (object: KubeObject) => KubeObject

/** What has become of a kind's stored form: `upcasters[1]` reads version 1 as version 2. See docs/adr for each dated entry. */
export interface KindVersions {
  /** The version that is written today. */
  readonly current: number
  readonly upcasters: Readonly<Record<number, Upcaster>>
}

/** The read-time upgrade: which schema version of each kind is today's, and how older ones are read. */
export interface SchemaVersions {
  /** Tells one set of versions from another: what was derived under another name must be derived anew. */
  readonly name: string
  /** The version that is written today. */
  current(groupResource: string): number
  /** Stored bytes as of today's version: the same bytes when nothing changed since they were written. */
  upgrade(groupResource: string, schema: number, stored: Uint8Array): Uint8Array
}

/** Kinds that are not named have one version, 1. */
export function createSchemaVersions(kinds: Readonly<Record<string, KindVersions>>): SchemaVersions {
  const current = (groupResource: string): number => kinds[groupResource]?.current ?? 1
  return {
    name: Object.entries(kinds)
      .map(([groupResource, kind]) => `${groupResource}=${kind.current}`)
      .sort()
      .join(','),
    current,
    upgrade(groupResource, schema, stored) {
      const to = current(groupResource)
      if (schema === to) return stored
      if (schema > to) {
        throw new Error(
          `${groupResource} was stored with schema version ${schema}; this build knows ${to}: upgrade Shiplog`,
        )
      }
      let object = parseObject(stored)
      for (let version = schema; version < to; version++) {
        const upcast = kinds[groupResource]?.upcasters[version]
        if (!upcast) throw new Error(`no upcaster for ${groupResource} from schema version ${version}`)
        object = upcast(object)
      }
      return storedBytes(object)
    },
  }
}

/** The kinds of this build: none has a second version yet. */
export const builtInSchemaVersions = createSchemaVersions({})
