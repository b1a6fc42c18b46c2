// Who lives, told from Leases alone and in the order of the log: a replica is dead when its Lease has not changed while its
// observer's own was renewed several times. Time is counted in the observer's own renewals, not by a clock: an observer
// that was paused, or a log that could not be written to for a while, makes nobody look dead. Pure.

/** A Lease counts as left after so many renewals of the observer's own; 6 to 8 s at one in two seconds. */
export const missedBeatsMax = 4

/** `unknown` until either is shown: a Lease that was found may be a dead one's, or about to be renewed. */
export type Liveness = 'alive' | 'dead' | 'unknown'

export interface LeaseLiveness {
  /** A Lease that was there when looking began, or began anew. `version` is its resourceVersion. */
  found(name: string, version: string): void
  /** A Lease was written while looking on. */
  renewed(name: string, version: string): void
  deleted(name: string): void
  of(name: string): Liveness
}

/** Judges by the renewals of the Lease `own`. */
export function createLeaseLiveness(own: string): LeaseLiveness {
  const seen = new Map<string, { readonly version: string; readonly changed: boolean; beats: number }>()
  const see = (name: string, version: string, otherwise: boolean): void => {
    const before = seen.get(name)
    if (before?.version === version) return
    seen.set(name, { version, changed: before !== undefined || otherwise, beats: 0 })
  }
  return {
    found: (name, version) => see(name, version, false),
    renewed(name, version) {
      if (name === own && seen.get(own)?.version !== version) for (const lease of seen.values()) lease.beats++
      see(name, version, true)
    },
    deleted: (name) => void seen.delete(name),
    of(name) {
      const lease = seen.get(name)
      if (lease === undefined) return 'unknown'
      if (lease.beats >= missedBeatsMax) return 'dead'
      return lease.changed ? 'alive' : 'unknown'
    },
  }
}
