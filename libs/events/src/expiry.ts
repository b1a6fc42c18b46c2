// Records that expire (Event objects) leave a marker behind, so that every follower hears of the end: JetStream writes a
// delete marker of its own, the SQLite log writes this record; both come out of the port looking the same.
import { header } from './envelope.ts'
import type { LogRecord } from './event-log.ts'

/** How long a marker itself stays. Longer than any follower may lag and still be told. */
export const markerTtlSeconds = 120

/** The type of the marker's event. */
export const expiredType = 'EventExpired'

/** The headers of a marker; its payload is empty, so the last object is what the follower knew before. */
export const expiryMarkerHeaders: Readonly<Record<string, string>> = Object.freeze({
  [header.type]: expiredType,
  [header.schema]: '1',
  [header.actor]: 'system:shiplog',
  [header.requestId]: 'expiry',
  [header.previous]: '0',
  [header.deleted]: '1',
})

/** True for the marker that an expired record left: a deletion without a last object. */
export const isExpiryMarker = (record: LogRecord): boolean => record.headers[header.type] === expiredType
