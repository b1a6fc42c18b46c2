// Randomness as a port: unique ids and the suffixes of generated names.
import { randomInt, randomUUID } from 'node:crypto'

export interface Ids {
  /** A version 4 UUID, lower case. */
  uuid(): string
  /** An integer in [0, below). */
  integer(below: number): number
}

export const systemIds: Ids = { uuid: () => randomUUID(), integer: (below) => randomInt(below) }

/** The alphabet of generated names: no vowels and no digits that look like letters, so that no words appear (upstream's set). */
const alphabet = 'bcdfghjklmnpqrstvwxz2456789'

/** A suffix such as the one of a ReplicaSet's pod: `length` characters of the safe alphabet. */
export const nameSuffix = (ids: Ids, length = 5): string =>
  Array.from({ length }, () => alphabet[ids.integer(alphabet.length)]).join('')
