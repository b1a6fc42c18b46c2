// Records as JSON lines: the form in which a record leaves the cluster. The payload stands last and as it was stored, so
// that a reader can take its very bytes back.
import type { LogRecord } from '../event-log.ts'
import type { Damage } from '../integrity/log-inspection.ts'

const lineEnd = Buffer.from('}\n')
const payloadKey = ',"payload":'

/** One line, newline included. A payload that is not a JSON object (guards) becomes a string. */
export function encodeRecordLine(record: LogRecord): Buffer {
  const { sequence, timeMs, subject, headers, payload, clear, unreadable } = record
  // As a string: no raw quote of it can be taken for the key of the payload.
  const opened = { ...(clear ? { clear: Buffer.from(clear).toString('utf8') } : {}), ...(unreadable ? { unreadable } : {}) }
  const head = JSON.stringify({ sequence, time: new Date(timeMs).toISOString(), subject, headers, ...opened })
  const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength)
  const isObject = bytes[0] === 0x7b && !bytes.includes(0x0a)
  return Buffer.concat([
    Buffer.from(`${head.slice(0, -1)}${payloadKey}`),
    isObject ? bytes : Buffer.from(JSON.stringify(bytes.toString('utf8'))),
    lineEnd,
  ])
}

/** The line between the present and what comes. */
export const stateEndLine = Buffer.from('{"state":"complete"}\n')

const damageStart = Buffer.from('{"damaged":')

/** The line that stands where a record is damaged or missing. */
export const encodeDamageLine = ({ sequence, subject, problem }: Damage): Buffer =>
  Buffer.from(`${JSON.stringify({ damaged: problem, sequence, ...(subject === undefined ? {} : { subject }) })}\n`)

/** What a line tells of: a record, or damage. */
export function decodeLine(line: Buffer): LogRecord | Damage {
  if (!line.subarray(0, damageStart.length).equals(damageStart)) return decodeRecordLine(line)
  const { damaged, sequence, subject } = JSON.parse(line.toString('utf8')) as {
    damaged: string
    sequence: number
    subject?: string
  }
  return { sequence, subject, problem: damaged }
}

/** The record of a line (without its newline). */
export function decodeRecordLine(line: Buffer): LogRecord {
  const at = endOfHead(line)
  const { sequence, time, subject, headers, clear, unreadable } = JSON.parse(`${line.toString('utf8', 0, at)}}`) as {
    sequence: number
    time: string
    subject: string
    headers: Record<string, string>
    clear?: string
    unreadable?: string
  }
  const raw = line.subarray(at + payloadKey.length, line.length - 1)
  const payload = raw[0] === 0x7b ? raw : Buffer.from(JSON.parse(raw.toString('utf8')) as string)
  const opened = { ...(clear === undefined ? {} : { clear: Buffer.from(clear) }), ...(unreadable ? { unreadable } : {}) }
  return { sequence, timeMs: Date.parse(time), subject, headers, payload, ...opened }
}

/** Subjects and header values hold no raw quotes, so the first `,"payload":` outside of them is ours. */
function endOfHead(line: Buffer): number {
  const at = line.indexOf(payloadKey)
  if (at < 0) throw new Error(`not a record: ${line.toString('utf8', 0, 80)}`)
  return at
}
