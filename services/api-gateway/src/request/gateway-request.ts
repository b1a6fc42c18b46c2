// One request inside the gateway, whatever brought it: HTTP, or a component of the same process.
import type { Once } from '@shiplog/api/api-client'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import type { ResourceInfo } from '@shiplog/api/schema/schema'
import type { ServedKind } from '@shiplog/domain/catalogue/served-kind'
import type { User } from '@shiplog/domain/strategy'

/** What is done to a resource. `connect` opens a stream to what stands behind the object: a container's log. */
export type Verb = 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete' | 'deletecollection' | 'connect'

/** Largest request body, as upstream's. */
export const bodyBytesMax = 3 * 1024 * 1024

/** Why a component wrote what it wrote; recorded with the event. */
export interface Provenance {
  readonly cause?: number
  readonly basis?: number
  readonly decision?: string
  readonly traceparent?: string
}

/** A body: bytes off the wire, or an object of this process. */
export type Body =
  | { readonly bytes: Uint8Array; readonly contentType: string | undefined }
  | { readonly value: JsonObject | readonly JsonObject[]; readonly contentType: string | undefined }

export interface GatewayRequest {
  /** The resource in the version that the client named. */
  readonly resource: ResourceInfo
  /** What is known of it, from the catalogue as it was when the request came. */
  readonly kind: ServedKind
  readonly subresource: string
  readonly namespace: string
  readonly name: string
  readonly query: URLSearchParams
  readonly body: Body | undefined
  readonly user: User
  /** The field manager of a write that names none. */
  readonly defaultManager: string
  readonly requestId: string
  /** Adds to what the audit log says of the request; absent where nothing is audited. */
  readonly annotate?: (key: string, value: string) => void
  readonly provenance: Provenance
  /** Runs what may need a conversion by a webhook, for whoever can wait; absent where no webhook converts. */
  readonly converting?: <Result>(work: () => Result) => Promise<Result>
  /** Create only: refuse a name that an object had before (see ApiRequest.onlyNew). */
  readonly onlyNew?: boolean
  /** The consequence of a request about which webhooks and policies were asked: they are not asked again. */
  readonly admitted?: true
  /** Deletions and bindings: not after another round of the same matter (see ApiRequest.once). */
  readonly once?: Once
}

/** What a write came to. */
export interface WriteOutcome {
  readonly code: number
  /** The object in its storage version, resourceVersion filled in; undefined when the answer is a Status. */
  readonly object: KubeObject | undefined
  /** The same as served bytes, when it was appended. */
  readonly bytes?: Buffer
  /** An answer that is not the stored object: a Status. */
  readonly answer?: JsonObject
  /** The sequence that the write got; 0 when nothing was appended. */
  readonly sequence: number
  readonly warnings: readonly string[]
}
