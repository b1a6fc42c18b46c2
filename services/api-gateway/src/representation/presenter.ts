// How versions are shown to one client: in the version it asked for, as an object, a Table row or metadata only.
// When it asks for the storage version as JSON, nothing is parsed: the stored bytes are the served bytes.
import { parseObject } from '@shiplog/api/codec'
import type { KubeObject } from '@shiplog/api/kube-object'
import { apiVersionOf } from '@shiplog/api/schema/schema'
import type { Status } from '@shiplog/api/status'
import type { Printer } from '@shiplog/api/tables/printer'
import { rowOf, tableOf } from '@shiplog/api/tables/tables'
import type { ServedKind } from '@shiplog/domain/catalogue/served-kind'
import type { Representation } from './negotiation.ts'
import { Version, watchFrame, type WatchEventType } from '../store/version.ts'

export interface ListMeta {
  readonly resourceVersion: string
  readonly continue?: string
  readonly remainingItemCount?: number
}

/** A list as it is sent. */
export interface ListBody {
  /** Joined they are the answer. */
  readonly pieces: Iterable<Buffer>
  /** The length of the whole, where it is known before. */
  readonly bytes: number | undefined
  /** The same for forms other than JSON. */
  readonly parts?: () => ListParts
  /** The list made in turns of the event loop, where it must be whole before it is sent. */
  readonly prepared?: () => Promise<ListBody>
  /** About what it holds of memory then. */
  readonly heldBytes?: number
}

/** A list: its other fields, and the one that holds its entries. */
export interface ListParts {
  readonly fields: Readonly<Record<string, unknown>>
  readonly key: 'items' | 'rows'
  readonly entries: Iterable<unknown>
}

export interface Presenter {
  /** Equal for presenters that show the same. */
  readonly id: string
  /** One object; `bytes` are those it is stored as, where the caller has them. */
  object(object: KubeObject | Version, bytes?: Buffer): Buffer
  list(versions: readonly Version[], meta: ListMeta): ListBody
  /** The list as a value whose entries are made one at a time, for forms other than JSON. */
  parts(versions: readonly Version[], meta: ListMeta): ListParts
  frame(type: WatchEventType, version: Version, bytes?: Buffer): Buffer
  bookmark(sequence: number, annotations?: Record<string, string>): Buffer
  /** The frame of a watch that says why it ends. */
  error(status: Status): Buffer
  /** A list that is made whole before it is sent, in turns of the event loop. */
  prepared?(versions: readonly Version[], meta: ListMeta): Promise<ListBody>
}

/** A Table of objects that together are no larger is made at once. */
const wholeTableBytesMax = 256 * 1024

const comma = Buffer.from(',')
const listEnd = Buffer.from(']}')

/** What the objects of a list have together; lists of a table are asked for again and again. */
const bytesOfList = new WeakMap<readonly Version[], number>()

export function bytesOf(versions: readonly Version[]): number {
  let bytes = bytesOfList.get(versions)
  if (bytes === undefined) {
    bytes = 0
    for (const version of versions) bytes += version.bytes.length
    bytesOfList.set(versions, bytes)
  }
  return bytes
}

const isVersion = (object: KubeObject | Version): object is Version => object instanceof Version

/** An object, or a version of it, in the version that the request named. */
export function inRequestedVersion(kind: ServedKind, object: KubeObject | Version): KubeObject {
  if (!isVersion(object)) return kind.fromStorage(object)
  return kind.fromStorage(kind.upgraded(object.parse(), object.sequence))
}

export function createPresenter(
  kind: ServedKind,
  representation: Representation,
  options: { readonly nowMs: () => number; readonly includeObject: 'None' | 'Metadata' | 'Object' },
): Presenter {
  const { resource } = kind
  /** Of bytes that are not the version's own: the object before it, with its number. */
  const parsedBytes = (version: Version, bytes: Buffer): KubeObject =>
    kind.fromStorage(kind.upgraded(parseObject(bytes), version.previousSequence))
  const parsed = (object: KubeObject | Version): KubeObject => inRequestedVersion(kind, object)
  const apiVersion = apiVersionOf(resource.group, resource.version)
  const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value))

  if (representation.as === 'table') {
    let found: Printer | undefined
    const printer = (): Printer => (found ??= kind.printer)
    const table = (objects: readonly KubeObject[], listMetadata: object): Buffer =>
      json({
        ...tableOf(objects, printer(), {
          includeObject: options.includeObject,
          nowMs: options.nowMs(),
          listMetadata: listMetadata as Record<string, unknown>,
        }),
        apiVersion: `meta.k8s.io/${representation.version}`,
      })
    /** Its rows are made as they are asked for: each means to read an object. */
    const tableParts = (versions: readonly Version[], meta: ListMeta) => {
      const shown = { includeObject: options.includeObject, nowMs: options.nowMs(), listMetadata: { ...meta } }
      const { rows: _, ...fields } = tableOf([], printer(), shown)
      const row = (version: Version): unknown => rowOf(parsed(version), printer(), shown)
      return { fields: { ...fields, apiVersion: `meta.k8s.io/${representation.version}` }, entries: mapped(versions, row) }
    }
    return {
      id: `table/${representation.version}/${options.includeObject}/${apiVersion}/${kind.revision}`,
      object: (object) => {
        const one = parsed(object)
        return table([one], { resourceVersion: one.metadata.resourceVersion })
      },
      list: (versions, meta) => {
        if (bytesOf(versions) <= wholeTableBytesMax) {
          const bytes = table(versions.map(parsed), meta)
          return { pieces: [bytes], bytes: bytes.length }
        }
        const { fields, entries } = tableParts(versions, meta)
        const head = Buffer.from(`${JSON.stringify(fields).slice(0, -1)},"rows":[`)
        return { pieces: piecesOf(head, entries, json), bytes: undefined }
      },
      parts: (versions, meta) => ({ ...tableParts(versions, meta), key: 'rows' }),
      error: (status) => watchFrame('ERROR', json(status)),
      frame: (type, version, bytes) => {
        const object = bytes ? parsedBytes(version, bytes) : parsed(version)
        return watchFrame(type, table([object], { resourceVersion: object.metadata.resourceVersion }))
      },
      bookmark: (sequence, annotations) =>
        watchFrame(
          'BOOKMARK',
          json({
            ...tableOf([], printer(), {
              includeObject: 'None',
              nowMs: options.nowMs(),
              listMetadata: { resourceVersion: String(sequence) },
            }),
            rows: [
              {
                cells: [],
                object: {
                  kind: 'PartialObjectMetadata',
                  apiVersion: 'meta.k8s.io/v1',
                  metadata: {
                    resourceVersion: String(sequence),
                    creationTimestamp: null,
                    ...(annotations ? { annotations } : {}),
                  },
                },
              },
            ],
          }),
        ),
    }
  }

  const metadataVersion = `meta.k8s.io/${representation.as === 'metadata' ? representation.version : 'v1'}`
  const asMetadata = (object: KubeObject): object => ({
    kind: 'PartialObjectMetadata',
    apiVersion: metadataVersion,
    metadata: object.metadata,
  })
  const metadataOnly = representation.as === 'metadata'
  const isServedAsStored = (sequence: number): boolean => !metadataOnly && kind.servedAsStored(sequence)
  const isAsIs = ({ sequence }: Version): boolean => isServedAsStored(sequence)
  const one = (version: Version): Buffer => {
    if (isAsIs(version)) return version.bytes
    return json(metadataOnly ? asMetadata(version.parse()) : parsed(version))
  }
  return {
    id: `${representation.as}/${metadataVersion}/${apiVersion}/${kind.revision}`,
    object: (object, bytes) => {
      // What was written just now is as its kind wants it.
      if (bytes && isServedAsStored(Number.MAX_SAFE_INTEGER)) return bytes
      return isVersion(object) ? one(object) : json(metadataOnly ? asMetadata(object) : parsed(object))
    },
    error: (status) => watchFrame('ERROR', json(status)),
    parts: (versions, meta) => ({
      fields: {
        kind: metadataOnly ? 'PartialObjectMetadataList' : resource.listKind,
        apiVersion: metadataOnly ? metadataVersion : apiVersion,
        metadata: meta,
      },
      key: 'items',
      entries: mapped(versions, (version) => (metadataOnly ? asMetadata(version.parse()) : parsed(version))),
    }),
    list: (versions, meta) => {
      const kind = metadataOnly ? 'PartialObjectMetadataList' : resource.listKind
      const listVersion = metadataOnly ? metadataVersion : apiVersion
      const text = JSON.stringify({ kind, apiVersion: listVersion, metadata: meta })
      const head = Buffer.from(`${text.slice(0, -1)},"items":[`)
      const commas = Math.max(0, versions.length - 1)
      return {
        pieces: piecesOf(head, versions, one),
        bytes: versions.every(isAsIs) ? head.length + bytesOf(versions) + commas + listEnd.length : undefined,
      }
    },
    frame: (type, version, bytes) => {
      if (isServedAsStored(bytes ? version.previousSequence : version.sequence))
        return bytes ? watchFrame(type, bytes) : version.frame(type)
      const object = bytes ? parsedBytes(version, bytes) : parsed(version)
      return watchFrame(type, json(metadataOnly ? asMetadata(object) : object))
    },
    bookmark: (sequence, annotations) =>
      watchFrame(
        'BOOKMARK',
        json({
          kind: metadataOnly ? 'PartialObjectMetadata' : resource.kind,
          apiVersion: metadataOnly ? metadataVersion : apiVersion,
          metadata: {
            resourceVersion: String(sequence),
            creationTimestamp: null,
            ...(annotations ? { annotations } : {}),
          },
        }),
      ),
  }
}

function* piecesOf<Item>(head: Buffer, items: Iterable<Item>, one: (item: Item) => Buffer): Generator<Buffer> {
  yield head
  let isFirst = true
  for (const item of items) {
    if (!isFirst) yield comma
    isFirst = false
    yield one(item)
  }
  yield listEnd
}

function* mapped<Item, Result>(items: Iterable<Item>, one: (item: Item) => Result): Generator<Result> {
  for (const item of items) yield one(item)
}
