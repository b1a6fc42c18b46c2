// A command and its answer as they travel over the bus, for both ends: a line of JSON that says what is asked (or what came
// of it), then the body as it is. So the gateway reads a body exactly as it reads one that came over HTTPS, and answers with
// the stored bytes.
import type { ApiRequest, ApiResult, PatchType, Verb } from '@shiplog/api/api-client'
import { parseObjectText } from '@shiplog/api/exact-json'
import type { KubeObject } from '@shiplog/api/kube-object'
import type { Status } from '@shiplog/api/status'

/** Longest first line. A decision of a scheduler is the longest thing in it. */
const lineBytesMax = 1024 * 1024
const newline = 10

const verbs: ReadonlySet<unknown> = new Set<Verb>([
  'get',
  'list',
  'create',
  'update',
  'patch',
  'delete',
  'deletecollection',
])
const patchTypes: ReadonlySet<unknown> = new Set<PatchType>([
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/strategic-merge-patch+json',
  'application/apply-patch+yaml',
])

/** A command without its body, and without what is asked on this side alone. */
export type CommandLine = Omit<ApiRequest, 'body' | 'isWanted'>

export interface ReceivedCommand {
  readonly line: CommandLine
  readonly body: Uint8Array | undefined
}

/** The bytes of a command. */
export function encodeCommand({ body, isWanted: _, ...line }: ApiRequest): Uint8Array {
  return Buffer.from(`${JSON.stringify(line)}\n${body === undefined ? '' : JSON.stringify(body)}`)
}

/** Reads a command that anybody may have made up: what it is, or a sentence about what is wrong with it. */
export function decodeCommand(bytes: Uint8Array): ReceivedCommand | string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  const end = buffer.subarray(0, lineBytesMax).indexOf(newline)
  if (end < 0) return 'the command has no first line'
  let line: unknown
  try {
    line = JSON.parse(buffer.subarray(0, end).toString('utf8'))
  } catch {
    return 'the first line of the command is not JSON'
  }
  if (!isRecord(line)) return 'the first line of the command is not an object'
  for (const [field, value] of Object.entries(line)) {
    const check = Object.hasOwn(fields, field) ? fields[field as keyof CommandLine] : undefined
    if (check === undefined) return `the command has an unknown field ${JSON.stringify(field.slice(0, 100))}`
    if (!check(value)) return `the field ${field} of the command has a value that it cannot have`
  }
  if (line['verb'] === undefined || line['group'] === undefined || line['resource'] === undefined) {
    return 'the command has no verb, group or resource'
  }
  const body = buffer.subarray(end + 1)
  return { line: line as unknown as CommandLine, body: body.length === 0 ? undefined : body }
}

const textMax = 4_096
const isText = (value: unknown): boolean => typeof value === 'string' && value.length <= textMax
const isSequence = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0
const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const fields: Readonly<Record<keyof CommandLine, (value: unknown) => boolean>> = {
  verb: (value) => verbs.has(value),
  group: isText,
  version: isText,
  resource: isText,
  subresource: isText,
  namespace: isText,
  name: isText,
  patchType: (value) => patchTypes.has(value),
  query: (value) => isRecord(value) && Object.values(value).every(isText),
  onlyNew: (value) => typeof value === 'boolean',
  once: (value) =>
    isRecord(value) && Object.keys(value).length === 2 && isText(value['matter']) && isText(value['round']),
  cause: isSequence,
  basis: isSequence,
  decision: (value) => typeof value === 'string',
}

/** What came of a command, its body as bytes. */
export interface CommandOutcome {
  readonly code: number
  /** 0 when nothing was written. */
  readonly sequence: number
  /** The object, the list, or the Status that refuses. */
  readonly body: Uint8Array
}

/** The bytes of an answer. */
export const encodeOutcome = ({ code, sequence, body }: CommandOutcome): Uint8Array =>
  Buffer.concat([Buffer.from(`${JSON.stringify({ code, sequence })}\n`), body])

/** Reads an answer; undefined for what no gateway answers. */
export function decodeOutcome(bytes: Uint8Array): ApiResult | undefined {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  try {
    const end = buffer.indexOf(newline)
    const { code, sequence } = JSON.parse(buffer.subarray(0, end).toString('utf8')) as Record<string, unknown>
    const object: unknown = parseObjectText(buffer.subarray(end + 1).toString('utf8'))
    if (!Number.isInteger(code) || !isSequence(sequence) || !isRecord(object)) return undefined
    if ((code as number) >= 300) return { ok: false, code: code as number, status: object as unknown as Status }
    return { ok: true, code: code as number, object: object as unknown as KubeObject, sequence: sequence as number }
  } catch {
    return undefined
  }
}
