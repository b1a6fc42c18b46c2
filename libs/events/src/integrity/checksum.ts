// The checksum chain: every event carries SHA-256 over the checksum of its object's previous event, its subject, headers
// and payload. A flipped bit shows in the record itself; an event put in another's place shows in its successor's chain.
import { hash } from 'node:crypto'
import { header } from '../envelope.ts'
import { type Append, LogDamaged, type LogRecord } from '../event-log.ts'

/** Set by the committer after sealing, so not covered. */
const uncovered = new Set<string>([header.batch, header.checksum, header.chain])

/** Most records fit: every event is hashed when it is written and again when it is verified. */
const scratch = Buffer.allocUnsafeSlow(64 * 1024)

/** What a record says of itself beside its payload: subject and headers, in one canonical form. */
export function statedBy({ subject, headers }: Pick<LogRecord, 'subject' | 'headers'>): string {
  let text = `${subject}\n`
  for (const name of Object.keys(headers).sort()) {
    if (!uncovered.has(name)) text += `${name}:${headers[name]}\n`
  }
  return text
}

/** Checksum of what a record says, chained to its object's previous checksum ('' for the first). */
export function checksumOf(
  record: Pick<LogRecord, 'subject' | 'headers' | 'payload'>,
  previousChecksum: string,
): string {
  const text = `${previousChecksum}\n${statedBy(record)}\n`
  // In latin1 a character is a byte.
  const length = text.length + record.payload.length
  const bytes = length <= scratch.length ? scratch.subarray(0, length) : Buffer.allocUnsafe(length)
  bytes.write(text, 0, 'latin1')
  bytes.set(record.payload, text.length)
  return hash('sha256', bytes, 'base64url')
}

/** The append with its checksum, and the link to the object's previous event (undefined or '' for the first). */
export function sealRecord(append: Append, previousChecksum?: string): Append {
  const chain = previousChecksum ?? ''
  const checksum = checksumOf(append, chain)
  return {
    ...append,
    headers: {
      ...append.headers,
      ...(chain === '' ? {} : { [header.chain]: chain }),
      [header.checksum]: checksum,
    },
  }
}

/** What a record's checksum header says, '' when it has none. */
export const checksumHeader = (record: Pick<LogRecord, 'headers'>): string => record.headers[header.checksum] ?? ''

/** Throws LogDamaged, naming subject and sequence, when the record is not what was sealed. */
export function verifyRecord(record: LogRecord): void {
  const claimed = record.headers[header.checksum]
  if (claimed === undefined) {
    throw new LogDamaged(`${record.subject} at sequence ${record.sequence} is damaged: it carries no checksum`)
  }
  if (checksumOf(record, record.headers[header.chain] ?? '') !== claimed) {
    throw new LogDamaged(`${record.subject} at sequence ${record.sequence} is damaged: its checksum does not match`)
  }
}
