// How versions are shown to one client: in the version it asked for, as an object, a Table row or metadata only.
// When it asks for the storage version as JSON, nothing is parsed: the stored bytes are the served bytes.
import type { KubeObject } from '@shiplog/api/kube-object'
import { apiVersionOf, groupResourceOf, type ResourceInfo } from '@shiplog/api/schema/schema'
import type { Printer } from '@shiplog/api/tables/printer'
import { printerFor, tableOf } from '@shiplog/api/tables/tables'
import { convert } from '@shiplog/domain/conversions'
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
}

export interface Presenter {
  /** Equal for presenters that show the same. */
  readonly id: string
  /** One object; `bytes` are those it is stored as, where the caller has them. */
  object(object: KubeObject | Version, bytes?: Buffer): Buffer
  list(versions: readonly Version[], meta: ListMeta): ListBody
  frame(type: WatchEventType, version: Version, bytes?: Buffer): Buffer
  bookmark(sequence: number, annotations?: Record<string, string>): Buffer
}

const comma = Buffer.from(',')
const listEnd = Buffer.from(']}')

/** What the objects of a list have together; lists of a table are asked for again and again. */
const bytesOfList = new WeakMap<readonly Version[], number>()

function bytesOf(versions: readonly Version[]): number {
  let bytes = bytesOfList.get(versions)
  if (bytes === undefined) {
    bytes = 0
    for (const version of versions) bytes += version.bytes.length
    bytesOfList.set(versions, bytes)
  }
  return bytes
}

/** Whether objects of this version are shown as they are stored. */
const isStorageVersion = ({ version, storageVersion, group, storageGroup }: ResourceInfo): boolean =>
  version === storageVersion && group === storageGroup

/** An object in the version that the request named. */
export const inRequestedVersion = (resource: ResourceInfo, object: KubeObject): KubeObject =>
  isStorageVersion(resource) ? object : convert(object, resource.group, resource.version)

const isVersion = (object: KubeObject | Version): object is Version => object instanceof Version

export const parsedOf = (object: KubeObject | Version): KubeObject => (isVersion(object) ? object.parse() : object)

export function createPresenter(
  resource: ResourceInfo,
  representation: Representation,
  options: { readonly nowMs: () => number; readonly includeObject: 'None' | 'Metadata' | 'Object' },
): Presenter {
  const inStorageVersion = isStorageVersion(resource)
  const present = (object: KubeObject): KubeObject => inRequestedVersion(resource, object)
  const parsed = (object: KubeObject | Version): KubeObject => present(parsedOf(object))
  const apiVersion = apiVersionOf(resource.group, resource.version)
  const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value))

  if (representation.as === 'table') {
    let found: Printer | undefined
    const printer = (): Printer => (found ??= printerFor(groupResourceOf(resource.group, resource.resource)))
    const table = (objects: readonly KubeObject[], listMetadata: object): Buffer =>
      json(
        tableOf(objects, printer(), {
          includeObject: options.includeObject,
          nowMs: options.nowMs(),
          listMetadata: listMetadata as Record<string, unknown>,
        }),
      )
    return {
      id: `table/${options.includeObject}/${apiVersion}`,
      object: (object) => {
        const one = parsed(object)
        return table([one], { resourceVersion: one.metadata.resourceVersion })
      },
      list: (versions, meta) => {
        const bytes = table(versions.map(parsed), meta)
        return { pieces: [bytes], bytes: bytes.length }
      },
      frame: (type, version, bytes) => {
        const object = bytes ? present(JSON.parse(bytes.toString()) as KubeObject) : parsed(version)
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

  const asMetadata = (object: KubeObject): object => ({
    kind: 'PartialObjectMetadata',
    apiVersion: 'meta.k8s.io/v1',
    metadata: object.metadata,
  })
  const metadataOnly = representation.as === 'metadata'
  const asIs = !metadataOnly && inStorageVersion
  const one = (version: Version): Buffer =>
    asIs ? version.bytes : json(metadataOnly ? asMetadata(version.parse()) : present(version.parse()))
  return {
    id: `${representation.as}/${apiVersion}`,
    object: (object, bytes) => {
      if (asIs && bytes) return bytes
      return isVersion(object) ? one(object) : json(metadataOnly ? asMetadata(object) : present(object))
    },
    list: (versions, meta) => {
      const kind = metadataOnly ? 'PartialObjectMetadataList' : resource.listKind
      const listVersion = metadataOnly ? 'meta.k8s.io/v1' : apiVersion
      const text = JSON.stringify({ kind, apiVersion: listVersion, metadata: meta })
      const head = Buffer.from(`${text.slice(0, -1)},"items":[`)
      const commas = Math.max(0, versions.length - 1)
      return {
        pieces: piecesOf(head, versions, one),
        bytes: asIs ? head.length + bytesOf(versions) + commas + listEnd.length : undefined,
      }
    },
    frame: (type, version, bytes) => {
      if (asIs) return bytes ? watchFrame(type, bytes) : version.frame(type)
      const object = bytes ? (JSON.parse(bytes.toString()) as KubeObject) : version.parse()
      return watchFrame(type, json(metadataOnly ? asMetadata(object) : present(object)))
    },
    bookmark: (sequence, annotations) =>
      watchFrame(
        'BOOKMARK',
        json({
          kind: metadataOnly ? 'PartialObjectMetadata' : resource.kind,
          apiVersion: metadataOnly ? 'meta.k8s.io/v1' : apiVersion,
          metadata: {
            resourceVersion: String(sequence),
            creationTimestamp: null,
            ...(annotations ? { annotations } : {}),
          },
        }),
      ),
  }
}

function* piecesOf(head: Buffer, versions: readonly Version[], one: (version: Version) => Buffer): Generator<Buffer> {
  yield head
  for (let i = 0; i < versions.length; i++) {
    if (i > 0) yield comma
    yield one(versions[i]!)
  }
  yield listEnd
}
