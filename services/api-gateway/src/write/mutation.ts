// What a write of an existing object comes down to, whatever verb it came by.
import type { KubeObject } from '@shiplog/api/kube-object'
import type { Kind } from '@shiplog/domain/decider'
import type { WriteOutcome } from '../request/gateway-request.ts'

export interface Mutated {
  readonly draft: KubeObject
  /** The draft brings its managed fields (server-side apply). */
  readonly managed?: 'done'
}

/** Turns the object as it is now into the draft that should be. It may run several times, each time with a fresh object. */
export type Mutation = (before: KubeObject, kind: Kind) => Mutated

export interface ModifyOptions {
  /** HTTP code of success; default 200. */
  readonly code?: number
  /** What to do when there is no such object; by default it is a 404. */
  readonly onMissing?: () => Promise<WriteOutcome>
}
