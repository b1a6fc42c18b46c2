// What an operation comes to, whichever door the request came through. The doors (HTTP, bus, in-process) translate an
// answer into bytes or objects; they decide nothing else.
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import type { Channel } from '@shiplog/events/bus/channel'
import type { FrameSink } from '../read/watch.ts'
import type { WriteOutcome } from '../request/gateway-request.ts'
import type { Connection } from '../streaming/connections.ts'
import type { ListMeta, Presenter } from '../representation/presenter.ts'
import type { Version } from '../store/version.ts'

interface Answered {
  readonly code: number
  /** The sequence that a write got (0 when nothing was appended), or that a read is as of. */
  readonly sequence: number
  readonly warnings: readonly string[]
}

/** A stored object, in its storage version. */
export interface ObjectAnswer extends Answered {
  readonly kind: 'object'
  readonly object: Version | KubeObject
  /** The same as stored bytes, where they are at hand. */
  readonly bytes?: Buffer
}

export interface ListAnswer extends Answered {
  readonly kind: 'list'
  readonly versions: readonly Version[]
  readonly meta: ListMeta
  /** Set when the list is what a collection held that is deleted now; components get this Status instead. */
  readonly deleted?: JsonObject
}

/** What is no stored object: a Status, a Scale, a review. */
export interface StatusAnswer extends Answered {
  readonly kind: 'status'
  readonly body: JsonObject
}

/** A watch that may begin. Holds room for its initial events until disposed of. */
export interface WatchAnswer extends Disposable {
  readonly kind: 'watch'
  readonly warnings: readonly string[]
  /** Serves until the watch ends; the answer's headers have been sent. */
  serve(presenter: Presenter, sink: FrameSink): Promise<void>
}

/** Bytes that come as long as there are any. */
export interface StreamAnswer {
  readonly kind: 'stream'
  /** Undefined when there is nothing to connect to (yet): an empty answer. Throws ApiError. */
  open(signal: AbortSignal): Promise<Channel | undefined>
}

/** A connection to what runs, in whatever protocol the client speaks. */
export interface ConnectionAnswer {
  readonly kind: 'connection'
  readonly connection: Connection
}

export type Answer = ObjectAnswer | ListAnswer | StatusAnswer | WatchAnswer | StreamAnswer | ConnectionAnswer

/** The answers of what neither waits nor streams: what the bus and callers of this process are given. */
export type ValueAnswer = ObjectAnswer | ListAnswer | StatusAnswer

export const isValueAnswer = (answer: Answer): answer is ValueAnswer =>
  answer.kind !== 'watch' && answer.kind !== 'stream' && answer.kind !== 'connection'

/** The answer to a write. */
export function answerOf({ code, sequence, warnings, object, bytes, answer }: WriteOutcome): ObjectAnswer | StatusAnswer {
  if (object === undefined) return { kind: 'status', code, sequence, warnings, body: answer! }
  return { kind: 'object', code, sequence, warnings, object, ...(bytes ? { bytes } : {}) }
}

export const statusAnswer = (
  code: number,
  body: object,
  sequence = 0,
  warnings: readonly string[] = [],
): StatusAnswer => ({ kind: 'status', code, body: body as JsonObject, sequence, warnings })
