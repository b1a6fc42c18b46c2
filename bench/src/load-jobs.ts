// What the parts ask of a load generator, and what it answers. Generators are processes of their own: load-worker.ts.
import type { Credentials } from './credentials.ts'

interface JobBase {
  readonly credentials: Credentials
  readonly connections: number
}

/** Creates objects as fast as `connections` writers can, until time or count is over. */
export interface CreateJob extends JobBase {
  readonly kind: 'create'
  /** Of the collection. */
  readonly path: string
  /** With the marks of payloads.ts. */
  readonly body: string
  readonly prefix: string
  readonly milliseconds?: number
  readonly count?: number
  /** Paces all writers together to this many a second. */
  readonly perSecond?: number
}

/** Reads the paths in turn, until time or count is over. */
export interface GetJob extends JobBase {
  readonly kind: 'get'
  readonly paths: readonly string[]
  readonly milliseconds?: number
  readonly count?: number
}

/** Reads one path once on each connection, all at the same time. */
export interface ListJob extends JobBase {
  readonly kind: 'list'
  readonly path: string
}

/** Watches a collection on each connection until `expected` frames in all have come. */
export interface WatchJob extends JobBase {
  readonly kind: 'watch'
  readonly path: string
  readonly expected: number
  readonly timeoutMs: number
  /** For large objects, of which few are changed: frames that were cut off are no error. */
  readonly mayBeCut?: boolean
}

/** Watches pods until `expected` of them run, or have come at all (on a path that selects the bound ones, say). */
export interface RunningJob extends JobBase {
  readonly kind: 'running'
  /** Default Running. */
  readonly until?: 'Running' | 'seen'
  readonly path: string
  readonly expected: number
  readonly timeoutMs: number
}

/** Rounds of what test suites do; see churn.ts. */
export interface ChurnJob extends JobBase {
  readonly kind: 'churn'
  readonly prefix: string
  /** The number of the first round. */
  readonly from: number
  readonly milliseconds: number
}

/** Asks for one path on each connection and reads nothing of the answers but their heads. */
export interface StallJob extends JobBase {
  readonly kind: 'stall'
  readonly path: string
  /** From the word on; then the connections are closed. */
  readonly milliseconds: number
}

export type Job = CreateJob | GetJob | ListJob | WatchJob | RunningJob | ChurnJob | StallJob

export interface LoadResult {
  /** Answers (or frames, or running pods) that came. */
  readonly count: number
  readonly errors: number
  readonly firstError?: string
  readonly milliseconds: number
  /** Of each answer, frame or pod. */
  readonly latenciesMs: readonly number[]
  /** Lists: to the first byte of the body. */
  readonly firstByteMs?: readonly number[]
  readonly bytes: number
}

export type ToWorker = { readonly go: true }
export type FromWorker = { readonly ready: true } | { readonly result: LoadResult } | { readonly failed: string }
