// How versions are shown to a client that wants Kubernetes' protobuf: the same objects as in JSON, encoded by the numbers of
// their fields. JSON stays the form that costs nothing: here every object is read and written again.
import { createProtobufEncoder, fieldHead } from '@shiplog/api/encode/protobuf'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import { builtInRegistry } from '@shiplog/api/schema/registry'
import { apiVersionOf } from '@shiplog/api/schema/schema'
import type { Status } from '@shiplog/api/status'
import type { ServedKind } from '@shiplog/domain/catalogue/served-kind'
import { sliceMs, type Turns } from '../read/slices.ts'
import { Version, type WatchEventType } from '../store/version.ts'
import type { Representation } from './negotiation.ts'
import { inRequestedVersion, type ListBody, type ListMeta, type Presenter } from './presenter.ts'

const listMeta = 'io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta'
const objectMeta = 'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta'
/** Of a list message. */
const [metaField, itemsField] = [1, 2]
const lengthBytes = 4

let shared: ReturnType<typeof createProtobufEncoder> | undefined
const encoder = (): ReturnType<typeof createProtobufEncoder> => (shared ??= createProtobufEncoder(builtInRegistry()))

/** What is no stored object: a Status, a Scale, a review; undefined where protobuf does not know it. */
export const inProtobuf = (value: object): Buffer | undefined => encoder().object(value as JsonObject)

export function createProtobufPresenter(
  kind: ServedKind,
  representation: Extract<Representation, { as: 'object' | 'metadata' }>,
  turns: Turns,
): Presenter & { prepared(versions: readonly Version[], meta: ListMeta): Promise<ListBody> } {
  const { resource } = kind
  const isMetadata = representation.as === 'metadata'
  const apiVersion = isMetadata ? `meta.k8s.io/${representation.version}` : apiVersionOf(resource.group, resource.version)
  const type = { apiVersion, kind: isMetadata ? 'PartialObjectMetadata' : resource.kind }
  const listType = { apiVersion, kind: isMetadata ? 'PartialObjectMetadataList' : resource.listKind }

  const metadataMessage = ({ metadata }: KubeObject): Buffer => {
    const bytes = encoder().message(metadata, objectMeta)
    return Buffer.concat([fieldHead(1, bytes.length), bytes])
  }
  const message = (object: KubeObject): Buffer =>
    isMetadata ? metadataMessage(object) : encoder().message(object, resource.definition)
  const shown = (object: KubeObject | Version): KubeObject => {
    const isBare = isMetadata && object instanceof Version
    return isBare ? object.parse() : inRequestedVersion(kind, object)
  }
  const enveloped = (object: KubeObject): Buffer => {
    const bytes = message(object)
    const { head, tail } = encoder().envelope(type, bytes.length)
    return Buffer.concat([head, bytes, tail])
  }
  const listOf = (items: readonly Buffer[], meta: ListMeta): ListBody => {
    const metadata = encoder().message({ ...meta }, listMeta)
    const heads = items.map((item) => fieldHead(itemsField, item.length))
    const metaHead = fieldHead(metaField, metadata.length)
    let bytes = metaHead.length + metadata.length
    for (const [index, item] of items.entries()) bytes += heads[index]!.length + item.length
    const { head, tail } = encoder().envelope(listType, bytes)
    const pieces = [head, metaHead, metadata, ...items.flatMap((item, index) => [heads[index]!, item]), tail]
    return { pieces, bytes: head.length + bytes + tail.length }
  }

  return {
    id: `protobuf/${representation.as}/${apiVersion}/${kind.revision}`,
    object: (object) => enveloped(shown(object)),
    list: (versions, meta) => listOf(versions.map((version) => message(shown(version))), meta),
    parts: () => {
      throw new Error('protobuf is no form of values')
    },
    async prepared(versions, meta) {
      const items: Buffer[] = []
      let endMs = turns.nowMs() + sliceMs
      for (const version of versions) {
        items.push(message(shown(version)))
        if (turns.nowMs() < endMs) continue
        await turns.turn()
        endMs = turns.nowMs() + sliceMs
      }
      return listOf(items, meta)
    },
    frame: (event, version, bytes) => {
      if (!bytes) return frameOf(event, enveloped(shown(version)))
      const before = JSON.parse(bytes.toString()) as KubeObject
      return frameOf(event, enveloped(isMetadata ? before : kind.fromStorage(kind.upgraded(before, version.previousSequence))))
    },
    bookmark: (sequence, annotations) =>
      frameOf(
        'BOOKMARK',
        enveloped({
          ...type,
          metadata: { resourceVersion: String(sequence), ...(annotations ? { annotations } : {}) },
        } as unknown as KubeObject),
      ),
    error: (status) => frameOf('ERROR', inProtobuf(status as Status)!),
  }
}

/** An event of a watch: its length in four bytes, and a WatchEvent {1 type, 2 object {1 raw}}. */
function frameOf(event: WatchEventType, object: Buffer): Buffer {
  const name = Buffer.from(event)
  const raw = [fieldHead(1, object.length), object]
  const rawBytes = raw[0]!.length + object.length
  const parts = [fieldHead(1, name.length), name, fieldHead(2, rawBytes), ...raw]
  const length = Buffer.allocUnsafe(lengthBytes)
  length.writeUInt32BE(parts.reduce((sum, part) => sum + part.length, 0))
  return Buffer.concat([length, ...parts])
}
