// What upstream answered to every unusual request, on record, and the form in which two answers are compared.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { decodeYaml } from '@shiplog/api/decode/decode-yaml'
import { isDeepStrictEqual } from 'node:util'
import { comparedWarnings, type HttpAnswer, type HttpClient } from '../../src/http.ts'
import { comparedSentence } from '../judge.ts'
import { blank } from '../report.ts'
import { type Unusual, unusualRequests } from './requests.ts'

const path = join(import.meta.dirname, 'recorded.json')

/** What is compared of an answer. */
export interface Seen {
  readonly code: number
  readonly type: string
  readonly headers?: Readonly<Record<string, unknown>>
  readonly warnings?: string | null
  readonly body: unknown
}

const atOnce = 32
const textCharactersMax = 400
/** Longer ones (OpenAPI, discovery) are compared elsewhere. */
const bodyCharactersMax = 3_000

const ignored = new Set(['uid', 'resourceVersion', 'managedFields', 'creationTimestamp', 'selfLink'])

/** Objects without what every server draws for itself; a null says nothing. */
const withoutDrawn = (key: string, value: unknown): unknown => {
  if (value === null || ignored.has(key)) return undefined
  if (key === 'continue') return '<token>'
  // Upstream taints a new node until its controller has seen it.
  if (key === 'taints') return undefined
  // What a column means is told in words of our own, and where each listens is its own.
  if (typeof value === 'string' && /^g{58}[a-z0-9]{5}$/.test(value)) return 'ggg<drawn>'
  if (key === 'columnDefinitions' || key === 'serverAddress') return undefined
  if (key === 'jwks_uri') return undefined
  if (typeof value === 'string' && value.startsWith('X509SHA256=')) return 'X509SHA256=<digest>'
  // How old a row is.
  if (typeof value === 'string' && /^\d+[smhd](\d+[smhd])?$/.test(value)) return '<age>'
  // Of the builder of a program.
  if (['compiler', 'gitCommit', 'goVersion', 'gitVersion', 'buildDate', 'gitTreeState', 'platform'].includes(key)) return undefined
  return value !== null && typeof value === 'object' && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
    : value
}

/** The beginning of a text; of the events of a watch only what they are. */
const withoutVersions = (text: string): unknown =>
  text.startsWith('{"type":')
    ? text.trimEnd().split('\n').map((line) => {
        const { type, object } = JSON.parse(line)
        return `${type} ${object?.kind} ${object?.metadata?.name ?? object?.message ?? ''}`
      })
    : text.startsWith('<html>')
      ? 'a page'
      : blank(text.slice(0, textCharactersMax).trimEnd())

const isStatus = (json: any): boolean => json?.kind === 'Status' && json.apiVersion === 'v1'

function bodyOf({ json: parsed, text, headers }: HttpAnswer): unknown {
  const isYaml = String(headers['content-type']).startsWith('application/yaml')
  const json: any = isYaml ? decodeYaml(text).value : parsed
  if (json === undefined || json === null || typeof json !== 'object') return withoutVersions(text)
  const seen: any = JSON.parse(JSON.stringify(blank(json), withoutDrawn))
  // Our items of lists name their kind: the stored bytes are the served bytes.
  if (Array.isArray(seen.items)) for (const item of seen.items) for (const key of ['kind', 'apiVersion']) delete item?.[key]
  // Other groups than upstream's are served.
  if (Array.isArray(seen.paths)) return 'paths'
  if (!isStatus(json))
    return JSON.stringify(seen).length > bodyCharactersMax ? { kind: seen.kind, isLong: true } : seen
  // Where in its own source upstream registers kinds is nobody's business.
  return statusBody(seen)
}

export const seenOf = (answer: HttpAnswer, { headers }: Pick<Unusual, 'headers'>): Seen => {
  // Upstream sometimes refuses without a class (its handlers return plain errors): then any refusal is right.
  if (answer.code === 500 && answer.json?.reason === undefined) return { code: 500, type: '', body: 'refused' }
  const type = String(answer.headers['content-type'] ?? '')
  const warnings = comparedWarnings(answer.headers['warning'])
  return {
    code: answer.code,
    type,
    ...(headers ? { headers: Object.fromEntries(headers.flatMap((name) => (answer.headers[name] === undefined ? [] : [[name, answer.headers[name]]]))) } : {}),
    ...(warnings ? { warnings } : {}),
    body: bodyOf(answer),
  }
}

/** Whether ours is what upstream's would be. */
export const isSame = (upstream: Seen | undefined, ours: Seen | undefined): boolean =>
  upstream?.body === 'refused' && upstream.code === 500
    ? ours !== undefined && ours.code >= 400 && ours.code < 500
    : isDeepStrictEqual(upstream && plain(upstream), ours && plain(ours))

/** As it comes back from the record. */
const plain = (seen: Seen): unknown => JSON.parse(JSON.stringify(seen))

/** A Status: how often upstream repeats a cause says nothing, and its message is made of them. */
function statusBody(seen: any): unknown {
  const { message = '', details = {}, ...rest } = seen
  const { causes, ...about } = details
  const told = [...new Set(((causes ?? []) as any[]).map(({ field, message: why, reason }) => `${field}: ${reason}: ${comparedTold(why ?? '')}`))].sort()
  return {
    ...rest,
    message: told.length > 0 ? '' : comparedTold(message),
    details: { ...about, kind: about.kind || undefined, name: about.name?.replace(/^G_[a-z0-9]{5}$/, 'G_<drawn>'), causes: told },
  }
}

const comparedTold = (text: string): string =>
  comparedSentence(text)
    // Where in its own source upstream registers kinds is nobody's business.
    .replace(/ in scheme "[^"]*"/, '')
    // No answers in protobuf are served yet, nor do watches need a type of their own.
    .replace(/, application\/vnd\.kubernetes\.protobuf(;[^,]*)?/g, '')
    .replace(/, application\/json;stream=watch/g, '')
    // Upstream tells of its store.
    .replace(/StorageError: invalid object, Code: 4, Key: [^,]*, ResourceVersion: 0, AdditionalErrorMsg: /, '')
    .replace(/in record \(\d+\)/, 'in record (<version>)')
    // After a prefix something is drawn.
    .replace(/"G_[a-z0-9]{5}"/, '"G_<drawn>"')
    // A patch that makes no object: upstream repeats the object, or the patch as a Go value.
    .replace(/^Invalid value: "(\{|map\[).*$/s, 'Invalid value: a patch')
    .replace(/^Invalid value: (json: cannot|converting|no kind).*$/s, 'Invalid value: a patch')

/** Undefined where no answer came: upstream closes some connections. */
export async function ask(http: HttpClient, one: Unusual): Promise<Seen | undefined> {
  try {
    return seenOf(await http.send(one.request), one)
  } catch {
    return undefined
  }
}

export async function askAll(http: HttpClient, asked: readonly Unusual[] = unusualRequests): Promise<ReadonlyMap<string, Seen>> {
  const answers = new Map<string, Seen>()
  const queue = asked.values()
  // None changes what another sees.
  const work = async (): Promise<void> => {
    for (const one of queue) {
      const seen = await ask(http, one)
      if (seen) answers.set(one.name, seen)
    }
  }
  await Promise.all(Array.from({ length: atOnce }, work))
  return answers
}

export const readRecord = (): ReadonlyMap<string, Seen> =>
  new Map(Object.entries(JSON.parse(readFileSync(path, 'utf8')) as Record<string, Seen>))

export function writeRecord(answers: ReadonlyMap<string, Seen>): void {
  const lines = [...answers].map(([name, seen]) => `${JSON.stringify(name)}:${JSON.stringify(seen)}`)
  writeFileSync(path, `{\n${lines.join(',\n')}\n}\n`)
}
