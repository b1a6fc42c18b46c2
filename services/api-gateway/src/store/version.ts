// One version of one object, as the gateway keeps it: served bytes, and a link to the version before while that is
// within the history window.
import { type Framing, parseObject } from '@shiplog/api/codec'
import type { KubeObject } from '@shiplog/api/kube-object'

const noBytes = Buffer.alloc(0)

export class Version {
  /** `namespace/name`, or `name` for cluster-scoped resources: sorts as etcd's keys do. */
  readonly key: string
  readonly namespace: string
  readonly name: string
  readonly sequence: number
  readonly timeMs: number
  readonly deleted: boolean
  /** The sequence of the version before, 0 for the first of a life. */
  readonly previousSequence: number
  readonly checksum: string
  /** The version before, until it leaves the window. A deletion is never a `previous`: lives do not touch. */
  previous: Version | undefined
  #bytes: Buffer | (() => Buffer)
  /** The watch frame that the bytes lie in. */
  readonly #framed: WatchEventType | undefined
  #labels: Readonly<Record<string, string>> | undefined
  #fields: Readonly<Record<string, string>> | undefined
  #extract: unknown

  constructor(fields: {
    key: string
    namespace: string
    name: string
    sequence: number
    timeMs: number
    deleted: boolean
    previousSequence: number
    checksum: string
    /** A function is called when somebody asks: a start need not make what nobody may ever read. */
    bytes: Buffer | (() => Buffer)
    previous: Version | undefined
    /** The bytes were made with the framing of this type. */
    framed?: WatchEventType
  }) {
    this.key = fields.key
    this.namespace = fields.namespace
    this.name = fields.name
    this.sequence = fields.sequence
    this.timeMs = fields.timeMs
    this.deleted = fields.deleted
    this.previousSequence = fields.previousSequence
    this.checksum = fields.checksum
    this.#bytes = fields.bytes
    this.previous = fields.previous
    this.#framed = fields.framed
  }

  /** What clients get; for a deletion the last object with the deletion's resourceVersion. */
  get bytes(): Buffer {
    if (typeof this.#bytes === 'function') this.#bytes = this.#bytes()
    return this.#bytes
  }

  /** A fresh parse: the caller may change it. */
  parse(): KubeObject {
    return parseObject(this.bytes)
  }

  labels(): Readonly<Record<string, string>> {
    if (!this.#labels) this.#index(undefined)
    return this.#labels!
  }

  /** The selectable fields of the object by `extract`, kept until another is asked for. */
  fields(extract: (object: KubeObject) => Readonly<Record<string, string>>): Readonly<Record<string, string>> {
    if (!this.#fields || this.#extract !== extract) this.#index(extract)
    return this.#fields!
  }

  #index(extract: ((object: KubeObject) => Readonly<Record<string, string>>) | undefined): void {
    const object = this.parse()
    this.#labels = object.metadata.labels ?? {}
    if (!extract) return
    this.#fields = extract(object)
    this.#extract = extract
  }

  /** `{"type":"ADDED","object":…}\n`: for the type that most watchers see, nothing but a view. */
  frame(type: WatchEventType): Buffer {
    if (type !== this.#framed) return watchFrame(type, this.bytes)
    const { buffer, byteOffset, length } = this.bytes
    const head = framings[type].head.length
    return Buffer.from(buffer, byteOffset - head, head + length + frameEnd.length)
  }
}

export type WatchEventType = 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR'

const frameEnd = Buffer.from('}\n')
const framingOf = (type: WatchEventType): Framing => ({
  head: Buffer.from(`{"type":"${type}","object":`),
  tail: frameEnd,
})

/** What makes an object's bytes a watch frame. */
export const framings: Readonly<Record<WatchEventType, Framing>> = {
  ADDED: framingOf('ADDED'),
  MODIFIED: framingOf('MODIFIED'),
  DELETED: framingOf('DELETED'),
  BOOKMARK: framingOf('BOOKMARK'),
  ERROR: framingOf('ERROR'),
}

export const watchFrame = (type: WatchEventType, object: Uint8Array): Buffer =>
  Buffer.concat([framings[type].head, object, frameEnd])

/** The bytes of a `previous` object as a watch must show it when it leaves a selector: with the new version's number. */
export function withResourceVersion(version: Version, sequence: number): Buffer {
  const object = version.parse()
  object.metadata.resourceVersion = String(sequence)
  return Buffer.from(JSON.stringify(object))
}

export { noBytes }
