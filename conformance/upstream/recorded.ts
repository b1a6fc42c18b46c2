// What upstream said of every wrong value, on record: facts that the default test run compares our own judgement with,
// without upstream. `npm run conformance:upstream -- --record` writes them anew.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { HttpClient } from '../src/http.ts'
import { type Judgement, judgementOf } from './judge.ts'
import { comparedNamespace } from './valid-manifests.ts'
import { type WrongValue, wrongValues } from './wrong-values.ts'

const path = join(import.meta.dirname, 'recorded-refusals.json')

/** Sentences without their fields stand once; a case is its code, then the fields and the numbers of their sentences. */
interface Recorded {
  readonly sentences: readonly string[]
  readonly cases: Readonly<Record<string, readonly (number | string)[]>>
}

/** What upstream said, by the name of the case; cases that it does not answer alone (admission) are not on record. */
export function readRecorded(): ReadonlyMap<string, Judgement> {
  const { sentences, cases } = JSON.parse(readFileSync(path, 'utf8')) as Recorded
  return new Map(
    Object.entries(cases).map(([name, [code, ...causes]]) => {
      const told: string[] = []
      for (let i = 0; i < causes.length; i += 2) told.push(`${causes[i]}${sentences[causes[i + 1] as number]}`)
      return [name, { code: code as number, sentences: told.sort() }]
    }),
  )
}

const atOnce = 8

/** Asks upstream about every wrong value. Undefined where it gives no answer: some make its handlers panic. */
export async function askUpstream(http: HttpClient): Promise<ReadonlyMap<string, Judgement>> {
  for (const [where, name] of [
    ['namespaces', comparedNamespace],
    [`namespaces/${comparedNamespace}/serviceaccounts`, 'default'],
  ])
    await http.send({ method: 'POST', path: `/api/v1/${where}`, body: { metadata: { name } } })
  const answers = new Map<string, Judgement>()
  const queue: WrongValue[] = wrongValues().reverse()
  const work = async (): Promise<void> => {
    for (let one = queue.pop(); one; one = queue.pop()) {
      const request = { method: 'POST', path: `${one.manifest.path}?dryRun=All`, body: one.object }
      const answer = await http.send(request).catch(() => undefined)
      if (answer && (answer.code === 201 || answer.code === 400 || answer.code === 422))
        answers.set(one.name, judgementOf(answer.code, answer.json))
    }
  }
  await Promise.all(Array.from({ length: atOnce }, work))
  return answers
}

export function writeRecorded(answers: ReadonlyMap<string, Judgement>): void {
  const sentences = new Map<string, number>()
  const lines = [...answers]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, judgement]) => {
      const causes = judgement.sentences.flatMap((text) => {
        const field = /^([\w.[\]-]+?)(: .*)$/s.exec(text)
        const [at, sentence] = field ? [field[1]!, field[2]!] : ['', text]
        if (!sentences.has(sentence)) sentences.set(sentence, sentences.size)
        return [at, sentences.get(sentence)!]
      })
      return `${JSON.stringify(name)}: ${JSON.stringify([judgement.code, ...causes])}`
    })
  const told = [...sentences.keys()].map((sentence) => JSON.stringify(sentence))
  writeFileSync(path, `{"sentences": [\n${told.join(',\n')}\n],\n"cases": {\n${lines.join(',\n')}\n}}\n`)
}
