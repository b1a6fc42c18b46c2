// From the bytes of a query to the bytes of its answer, whichever way it came.
import { answerQuestion, type ZoneOptions } from './cluster-zone.ts'
import type { DnsView } from './dns-view.ts'
import type { Forwarder } from './forwarder.ts'
import {
  type Answer,
  messageBytesMax,
  type Query,
  question,
  readAnswer,
  readQuery,
  refusalOf,
  type ResponseCode,
  writeAnswer,
} from './message.ts'
import type { DnsRecord, ZoneAnswer } from './records.ts'

export type Way = 'udp' | 'tcp'

export interface AnswererOptions {
  readonly view: DnsView
  readonly zone: ZoneOptions
  readonly forwarder: Forwarder
  /** Until everything has been read a name that is not found may well be there. */
  readonly isReady: () => boolean
  readonly onAnswer?: (way: Way, type: string, code: string) => void
}

export interface Answerer {
  /** At once where the cluster knows; undefined for what gets no answer at all. */
  answer(bytes: Buffer, way: Way): Buffer | Promise<Buffer | undefined> | undefined
  /** What the cluster says has changed. */
  forget(): void
}

const rememberedMax = 5_000
/** Longer ones are rare, or somebody's who wants to fill the memory. */
const rememberedQueryMax = 512
const rememberedAnswerMax = 4_096
const aliasesMax = 8

export function createAnswerer(options: AnswererOptions): Answerer {
  const { view, zone, forwarder, isReady } = options
  /** Answers of the cluster, by all of a query but its id. */
  const remembered = new Map<string, { readonly bytes: Buffer; readonly type: string; readonly code: ResponseCode }>()
  const count = options.onAnswer ?? (() => undefined)

  const write = (query: Query, answer: Answer, way: Way): Buffer => {
    count(way, query.type, answer.code)
    return writeAnswer(query, answer, way === 'udp' ? query.payloadMax : messageBytesMax)
  }
  const refuse = (query: Query, code: ResponseCode, way: Way): Buffer => write(query, { code, isAuthoritative: false }, way)

  async function ofOthers(bytes: Buffer, query: Query, way: Way): Promise<Buffer> {
    const answer = await forwarder.ask(bytes, query.name, way)
    if (answer === undefined) return refuse(query, 'SERVFAIL', way)
    count(way, query.type, 'NOERROR')
    return answer
  }

  /** An alias with what it stands for, wherever that is. */
  async function ofAlias(query: Query, first: ZoneAnswer, way: Way): Promise<Buffer> {
    const answers: DnsRecord[] = [...first.answers]
    let alias = first.alias
    for (let turn = 0; alias !== undefined && turn < aliasesMax; turn++) {
      const own = answerQuestion(view, zone, alias, query.type)
      if (own !== undefined) {
        answers.push(...own.answers)
        alias = own.alias
        continue
      }
      const asked = await forwarder.ask(question(query.id, alias, query.type), alias, way)
      answers.push(...((asked && readAnswer(asked)?.answers) ?? []) as DnsRecord[])
      alias = undefined
    }
    return write(query, { code: 'NOERROR', isAuthoritative: true, answers }, way)
  }

  return {
    forget: () => remembered.clear(),
    answer(bytes, way) {
      const key = bytes.length > 2 && bytes.length <= rememberedQueryMax ? `${way}${bytes.toString('latin1', 2)}` : ''
      const known = remembered.get(key)
      if (known !== undefined) {
        const copy = Buffer.from(known.bytes)
        copy.writeUInt16BE(bytes.readUInt16BE(0), 0)
        count(way, known.type, known.code)
        return copy
      }
      const query = readQuery(bytes)
      if (query === undefined) return undefined
      if (typeof query === 'string') return refusalOf(bytes, query)
      const own = answerQuestion(view, zone, query.name, query.type)
      if (own === undefined) return query.isRecursionDesired ? ofOthers(bytes, query, way) : refuse(query, 'REFUSED', way)
      if (!isReady()) return refuse(query, 'SERVFAIL', way)
      if (own.alias !== undefined) return ofAlias(query, own, way)
      const answer = write(query, { ...own, isAuthoritative: true }, way)
      if (bytes.length <= rememberedQueryMax && answer.length <= rememberedAnswerMax) {
        if (remembered.size >= rememberedMax) remembered.clear()
        remembered.set(key, { bytes: answer, type: query.type, code: own.code })
      }
      return answer
    },
  }
}
