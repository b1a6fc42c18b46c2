// What Shiplog stores and does not act on, as data. A row of the table (features.ts) is the one place where such a gap is
// named: warnings of writes, the README's list and `shiplog features` all come from it, and the change that closes the
// gap deletes the row.

/**
 * A field whose values nothing acts on. Steps of `path` are names, `[]` (every element) and `{prefix}` (every key that
 * begins so): `volumes[].persistentVolumeClaim`, `metadata.labels{pod-security.kubernetes.io/audit}`.
 */
export interface IgnoredField {
  /** A resource (`services`), or `podSpec`: that of a pod and of every template that something here makes pods from. */
  readonly of: string
  readonly path: string
  /** The values that are ignored; all but absent, empty, zero and false ones when this is left out. */
  readonly is?: readonly unknown[]
}

interface Described {
  /** Unique; also how tests and later changes name the row. */
  readonly id: string
  /** A noun phrase for lists: `topology spread constraints`. */
  readonly docs: string
}

/** A resource that is stored and served, and nothing acts on. */
export interface StoredOnly extends Described {
  readonly state: 'stored only'
  readonly resource: string
  readonly sentence: string
}

/** Fields of a resource that otherwise works. */
export interface Ignored extends Described {
  readonly state: 'ignored'
  readonly fields: readonly IgnoredField[]
  readonly sentence: string
  /** Only told of pods that ask for a node of processes; on simulated nodes the field could change nothing that shows. */
  readonly onProcessNodes?: true
}

/** A subresource whose writes are kept and change nothing that runs. */
export interface IgnoredWrite extends Described {
  readonly state: 'ignored'
  readonly resource: string
  readonly subresource: string
  readonly sentence: string
}

/** What a request gets an error for: it needs no warning. */
export interface Refused extends Described {
  readonly state: 'refused'
  readonly sentence: string
}

/** What holds for everything on some kind of node. Said here once, and not with every pod. */
export interface Property extends Described {
  readonly state: 'by design'
  readonly sentence: string
}

export type Feature = StoredOnly | Ignored | IgnoredWrite | Refused | Property
