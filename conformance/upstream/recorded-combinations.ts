// What upstream answered to every combination, on record: facts that the default test run compares our own answers with.
// `npm run conformance:upstream -- --record` writes them anew, and the whole answers beside the built binaries, to look at.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import type { HttpAnswer, HttpClient } from '../src/http.ts'
import { type Combination, combinations } from './combinations.ts'
import { comparedSentence, judgementOf } from './judge.ts'
import { type Answer, comparable, digestOf } from './judge-write.ts'
import { comparedNamespace, type ValidManifest } from './valid-manifests.ts'

const path = join(import.meta.dirname, 'recorded-combinations.json')
const wholePath = resolve(import.meta.dirname, '..', '..', '.cache', 'upstream', 'combinations.json')

/** An answer as it is kept: of the stored object its digest only. */
export interface RecordedAnswer {
  readonly code: number
  readonly sentences: readonly string[]
  readonly warnings: readonly string[]
  /** '' when nothing was stored. */
  readonly digest: string
}

/** Sentences stand once; a case is its code, its digest, and the numbers of fields, sentences and warnings. */
interface Recorded {
  readonly fields: readonly string[]
  readonly sentences: readonly string[]
  readonly cases: Readonly<Record<string, string>>
}

/** Names a case by all that was asked, so that an answer is never compared with that to another question. */
export const keyOf = ({ write, manifest, object }: Combination): string =>
  digestOf([write, manifest.path, manifest.object, object])

export const recordedForm = ({ code, sentences, warnings, stored }: Answer): RecordedAnswer => ({
  code,
  sentences,
  warnings,
  digest: stored === undefined ? '' : digestOf(stored),
})

/** An answer in the form in which two are compared. */
export const comparedForm = (answer: RecordedAnswer): RecordedAnswer => ({
  ...answer,
  sentences: [...new Set(answer.sentences.map(comparedSentence))].sort(),
})

export function readRecordedCombinations(): ReadonlyMap<string, RecordedAnswer> {
  const { fields, sentences, cases } = JSON.parse(readFileSync(path, 'utf8')) as Recorded
  return new Map(
    Object.entries(cases).map(([key, line]) => {
      const [code, digest, told, warned] = line.split(' ')
      const pairs = told ? told.split(',').map((pair) => pair.split(':').map(Number)) : []
      return [
        key,
        {
          code: Number(code),
          sentences: pairs.map(([field, sentence]) => `${fields[field!]}${sentences[sentence!]}`).sort(),
          warnings: warned ? warned.split(',').map((number) => sentences[Number(number)]!).sort() : [],
          digest: digest ?? '',
        },
      ]
    }),
  )
}

function numbering(): { readonly of: (text: string) => number; readonly all: () => string[] } {
  const numbers = new Map<string, number>()
  return {
    of: (text) => {
      if (!numbers.has(text)) numbers.set(text, numbers.size)
      return numbers.get(text)!
    },
    all: () => [...numbers.keys()],
  }
}

export function writeRecordedCombinations(answers: ReadonlyMap<string, Answer>): void {
  const [fields, sentences] = [numbering(), numbering()]
  const lines = [...answers]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, answer]) => {
      const { code, digest, sentences: told, warnings } = recordedForm(answer)
      const pairs = told.map((text) => {
        const found = /^([\w.[\]-]+?)(: .*)$/s.exec(text)
        const [at, sentence] = found ? [found[1]!, found[2]!] : ['', text]
        return `${fields.of(at)}:${sentences.of(sentence)}`
      })
      const parts = [code, digest, pairs.join(','), warnings.map((text) => sentences.of(text)).join(',')]
      return `${JSON.stringify(key)}:${JSON.stringify(parts.join(' ').trimEnd())}`
    })
  const list = (texts: readonly string[]): string => texts.map((text) => JSON.stringify(text)).join(',\n')
  writeFileSync(
    path,
    `{"fields": [\n${list(fields.all())}\n],\n"sentences": [\n${list(sentences.all())}\n],\n"cases": {\n${lines.join(',\n')}\n}}\n`,
  )
  mkdirSync(dirname(wholePath), { recursive: true })
  writeFileSync(wholePath, JSON.stringify(Object.fromEntries(answers)))
}

/** Told by the decoder and of the version of the API, not of the object. */
const notOfObjects = /^unknown field |^v1 Endpoints is deprecated/

/** The texts of `Warning: 299` headers. */
function warningsOf({ headers }: HttpAnswer): string[] {
  const given = headers['warning']
  const text = Array.isArray(given) ? given.join(', ') : (given ?? '')
  return [...text.matchAll(/299 - "((?:[^"\\]|\\.)*)"/g)].map(([, said]) => said!.replace(/\\(.)/g, '$1'))
    .filter((said) => !notOfObjects.test(said))
    .sort()
}

const atOnce = 8
const comparedCodes = new Set([200, 201, 400, 403, 422])

async function askOne(http: HttpClient, { write, manifest, object }: Combination): Promise<Answer | undefined> {
  const item = `${manifest.path}/${manifest.object.metadata.name}`
  const request =
    write === 'create'
      ? { method: 'POST', path: `${manifest.path}?dryRun=All`, body: object }
      : { method: 'PUT', path: `${item}${write === 'status' ? '/status' : ''}?dryRun=All`, body: object }
  const answer = await http.send(request).catch(() => undefined)
  // Some requests make upstream's handlers panic.
  if (!answer || !comparedCodes.has(answer.code)) return undefined
  const judgement = judgementOf(answer.code, answer.json)
  return answer.code < 300
    ? { ...judgement, warnings: warningsOf(answer), stored: comparable(answer.json) }
    : { ...judgement, warnings: [] }
}

async function askAll(
  http: HttpClient,
  asked: readonly Combination[],
  answers: Map<string, Answer>,
  change: (object: any) => any = (object) => object,
): Promise<void> {
  const queue = [...asked]
  const work = async (): Promise<void> => {
    for (let one = queue.pop(); one; one = queue.pop()) {
      const answer = await askOne(http, { ...one, object: change(one.object) })
      if (answer) answers.set(keyOf(one), answer)
    }
  }
  await Promise.all(Array.from({ length: atOnce }, work))
}

/** Creates what updates begin with, asks, and takes it away again: quotas and the like would meddle with the others. */
async function askAboutUpdates(
  http: HttpClient,
  manifest: ValidManifest,
  asked: readonly Combination[],
  answers: Map<string, Answer>,
): Promise<void> {
  const item = `${manifest.path}/${manifest.object.metadata.name}`
  const { code, json, text } = await http.send({ method: 'POST', path: manifest.path, body: manifest.object })
  if (code !== 201) throw new Error(`${manifest.name}: ${code} ${text}`)
  const { resourceVersion } = json.metadata
  await askAll(http, asked, answers, (object) => ({ ...object, metadata: { ...object.metadata, resourceVersion } }))
  await http.send({ method: 'DELETE', path: `${item}?gracePeriodSeconds=0` })
}

/** Asks upstream about every combination: all creates while nothing is there, then updates object by object. */
export async function askAboutCombinations(http: HttpClient): Promise<ReadonlyMap<string, Answer>> {
  for (const [where, name] of [
    ['namespaces', comparedNamespace],
    [`namespaces/${comparedNamespace}/serviceaccounts`, 'default'],
  ])
    await http.send({ method: 'POST', path: `/api/v1/${where}`, body: { metadata: { name } } })
  const all = combinations()
  const answers = new Map<string, Answer>()
  await askAll(
    http,
    all.filter(({ write }) => write === 'create'),
    answers,
  )
  const updates = Map.groupBy(
    all.filter(({ write }) => write !== 'create'),
    ({ manifest }) => manifest,
  )
  for (const [manifest, asked] of updates) await askAboutUpdates(http, manifest, asked, answers)
  return answers
}
