// What our own headers and paths are called, for both ends: the HTTP client and the gateway.

export const wireHeader = {
  /** The sequence of the event that made the caller act. */
  cause: 'shiplog-cause',
  /** The sequence that a decision saw. */
  basis: 'shiplog-basis',
  /** The decision, as JSON in ASCII. */
  decision: 'shiplog-decision',
  /** `1`: a create is refused when the name was used before. */
  onlyNew: 'shiplog-only-new',
  /** `<round> <matter> [<claim as JSON>]`: refused after another round of the matter (see ApiRequest.once). */
  once: 'shiplog-once',
  /** Other matters of the same round, with blanks between. */
  onceAlso: 'shiplog-once-also',
  /** In answers: the sequence that the write got, 0 when nothing was written. */
  sequence: 'shiplog-sequence',
} as const

/** Where a scheduler records attempts that failed. */
export const attemptsPath = '/shiplog/v1/attempts'
