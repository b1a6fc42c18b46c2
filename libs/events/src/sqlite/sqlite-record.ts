// A record as a row of the embedded log. Rows come as arrays, which cost a third less than objects.
import { LogDamaged, type LogRecord } from '../event-log.ts'

/** In the order of `recordColumns`. */
export type RecordRow = readonly [
  sequence: number,
  subject: string,
  timeMs: number,
  headers: string,
  payload: Uint8Array,
]

export const recordColumns = 'sequence, subject, time_ms, headers, payload'

/** Headers are decoded when somebody asks for them. */
export class SqliteRecord implements LogRecord {
  readonly sequence: number
  readonly subject: string
  readonly timeMs: number
  readonly payload: Uint8Array
  #text: string | undefined
  #headers: Readonly<Record<string, string>> | undefined

  constructor([sequence, subject, timeMs, headers, payload]: RecordRow) {
    this.sequence = sequence
    this.subject = subject
    this.timeMs = timeMs
    this.payload = payload
    this.#text = headers
  }

  get headers(): Readonly<Record<string, string>> {
    if (this.#headers === undefined) {
      try {
        this.#headers = JSON.parse(this.#text!) as Record<string, string>
      } catch (cause) {
        throw new LogDamaged(`The headers of ${this.subject} at sequence ${this.sequence} cannot be read`, { cause })
      }
      this.#text = undefined
    }
    return this.#headers
  }
}
