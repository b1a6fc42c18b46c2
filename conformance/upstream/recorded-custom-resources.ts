// Custom resources beside upstream's: what its API server says of expressions and of values, on record, and what our
// libraries say of the same without a server. `npm run conformance:upstream -- --record custom-resources` asks anew.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseExactJson } from '@shiplog/api/exact-json'
import type { JSONSchemaProps } from '@shiplog/api/generated/types/apiextensions-v1'
import type { HttpClient } from '../src/http.ts'
import { rules, selfObject, selfSchema, values } from './expression-cases.ts'
import { type Judgement, judgementOf } from './judge.ts'
import { schemaCases, updateCases } from './value-cases.ts'

const path = join(import.meta.dirname, 'recorded-custom-resources.json')

export interface ValueAnswer extends Judgement {
  /** What is stored, where it is taken. */
  readonly stored?: unknown
}

export interface RecordedCustomResources {
  /** By expression: what it comes to, or why it is refused. */
  readonly values: Readonly<Record<string, readonly string[]>>
  /** By rule: nothing, or why it is refused. */
  readonly rules: Readonly<Record<string, readonly string[]>>
  readonly created: Readonly<Record<string, ValueAnswer>>
  readonly updated: Readonly<Record<string, ValueAnswer>>
}

export const readRecordedCustomResources = (): RecordedCustomResources =>
  parseExactJson(readFileSync(path, 'utf8')) as RecordedCustomResources

/** One answer a line, so that a change of one is a change of one line. */
export const writeRecordedCustomResources = (recorded: RecordedCustomResources): void => {
  const section = (answers: object): string =>
    `{\n${Object.entries(answers)
      .map(([name, answer]) => `${JSON.stringify(name)}: ${JSON.stringify(answer)}`)
      .join(',\n')}\n}`
  const sections = Object.entries(recorded).map(([name, answers]) => `${JSON.stringify(name)}: ${section(answers)}`)
  writeFileSync(path, `{\n${sections.join(',\n')}\n}\n`)
}

export const withRules = (...validations: object[]): JSONSchemaProps => ({
  ...selfSchema,
  'x-kubernetes-validations': validations as never,
})

/** Two rules that fail: one says what goes wrong when the expression runs, the other what it comes to. */
export const asking = (expression: string): JSONSchemaProps =>
  withRules(
    { rule: `[${expression}].size() == 0`, message: 'runs' },
    { rule: 'self.i == 0', messageExpression: `"is %s".format([${expression}])` },
  )

export const root = (properties: Readonly<Record<string, JSONSchemaProps>>): JSONSchemaProps => ({
  type: 'object',
  properties: properties as never,
})

const group = 'cases.example'

const definition = (kind: string, schema: JSONSchemaProps): object => {
  const plural = `${kind.toLowerCase()}s`
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      scope: 'Cluster',
      names: { plural, kind },
      versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: schema } }],
    },
  }
}

const definitionsPath = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
const pathOf = (kind: string): string => `/apis/${group}/v1/${kind.toLowerCase()}s`
/** Types without a name of their own have one with the time in it. */
const withoutTime = (text: string): string => text.replace(/selfType\d+/g, 'selfType')

const waitMs = 100
const waitsMax = 300
const pause = (): Promise<void> => new Promise((done) => setTimeout(done, waitMs))

const until = async (what: string, holds: () => Promise<boolean>): Promise<void> => {
  for (let wait = 0; wait < waitsMax; wait++) {
    if (await holds()) return
    await pause()
  }
  throw new Error(`upstream never came to: ${what}`)
}

const create = async (http: HttpClient, kind: string, schema: JSONSchemaProps): Promise<void> => {
  const answer = await http.send({ method: 'POST', path: definitionsPath, body: definition(kind, schema) })
  if (answer.code !== 201) throw new Error(`${kind}: ${answer.text}`)
  await until(`${kind} is served`, async () => (await http.send({ path: pathOf(kind) })).code === 200)
}

/** Why a schema is refused; nothing for one that is taken. */
const refusal = async (http: HttpClient, schema: JSONSchemaProps): Promise<readonly string[]> => {
  const { code, json } = await http.send({
    method: 'POST',
    path: `${definitionsPath}?dryRun=All`,
    body: definition('Asked', root({ x: schema })),
  })
  return judgementOf(code, json).sentences.map(withoutTime)
}

const resource = (kind: string, name: string, fields: object): object => ({
  apiVersion: `${group}/v1`,
  kind,
  metadata: { name },
  ...fields,
})

const batchMax = 25

const askValues = async (http: HttpClient): Promise<Record<string, readonly string[]>> => {
  const answers: Record<string, readonly string[]> = {}
  const accepted: string[] = []
  for (const expression of values) {
    const refused = await refusal(http, asking(expression))
    if (refused.length > 0) answers[expression] = refused
    else accepted.push(expression)
  }
  for (let from = 0; from < accepted.length; from += batchMax) {
    const batch = accepted.slice(from, from + batchMax)
    const kind = `Batch${from}`
    const names = batch.map((_, index) => `e${String(index).padStart(2, '0')}`)
    await create(http, kind, root(Object.fromEntries(batch.map((one, index) => [names[index]!, asking(one)]))))
    const fields = Object.fromEntries(names.map((name) => [name, selfObject]))
    const { code, json } = await http.send({
      method: 'POST',
      path: `${pathOf(kind)}?dryRun=All`,
      body: resource(kind, 'a', fields),
    })
    const { sentences } = judgementOf(code, json)
    for (const [index, expression] of batch.entries())
      answers[expression] = sentences
        .filter((sentence) => sentence.startsWith(`${names[index]}: `))
        .map((sentence) => `x${sentence.slice(names[index]!.length)}`)
  }
  return answers
}

const askCreated = async (http: HttpClient): Promise<Record<string, ValueAnswer>> => {
  const answers: Record<string, ValueAnswer> = {}
  const schemas = Object.fromEntries(Object.entries(schemaCases).map(([name, { schema }]) => [name, schema]))
  await create(http, 'Valued', root(schemas))
  for (const [name, { values: given }] of Object.entries(schemaCases))
    for (const value of given) {
      const { code, json } = await http.send({
        method: 'POST',
        path: `${pathOf('Valued')}?dryRun=All`,
        body: resource('Valued', 'a', { [name]: value }),
      })
      answers[`${name} ${JSON.stringify(value)}`] = answerOf(code, json, name)
    }
  return answers
}

const answerOf = (code: number, json: any, name: string): ValueAnswer => {
  const judgement = judgementOf(code, json)
  return code < 400 && json[name] !== undefined ? { ...judgement, stored: json[name] } : judgement
}

const askUpdated = async (http: HttpClient): Promise<Record<string, ValueAnswer>> => {
  const names = Object.keys(updateCases)
  const loose = root(Object.fromEntries(names.map((name) => [name, { 'x-kubernetes-preserve-unknown-fields': true }])))
  await create(http, 'Changed', loose)
  for (const name of names) {
    const body = resource('Changed', name.toLowerCase(), { [name]: updateCases[name]!.before })
    const { code, text } = await http.send({ method: 'POST', path: pathOf('Changed'), body })
    if (code !== 201) throw new Error(`${name}: ${text}`)
  }
  const { json: live } = await http.send({ path: `${definitionsPath}/changeds.${group}` })
  live.spec.versions[0].schema.openAPIV3Schema = root(
    Object.fromEntries(names.map((name) => [name, updateCases[name]!.schema])),
  )
  const changed = await http.send({ method: 'PUT', path: `${definitionsPath}/changeds.${group}`, body: live })
  if (changed.code !== 200) throw new Error(changed.text)
  await until('the strict schema', async () => {
    const body = resource('Changed', 'probe', { text: 'long' })
    return (await http.send({ method: 'POST', path: `${pathOf('Changed')}?dryRun=All`, body })).code === 422
  })
  return askChanges(http, names)
}

const askChanges = async (http: HttpClient, names: readonly string[]): Promise<Record<string, ValueAnswer>> => {
  const answers: Record<string, ValueAnswer> = {}
  for (const name of names)
    for (const next of updateCases[name]!.next) {
      const at = `${pathOf('Changed')}/${name.toLowerCase()}`
      const { json } = await http.send({ path: at })
      const { code, json: told } = await http.send({ method: 'PUT', path: `${at}?dryRun=All`, body: { ...json, [name]: next } })
      answers[`${name} ${JSON.stringify(next)}`] = answerOf(code, told, name)
    }
  return answers
}

export async function askAboutCustomResources(http: HttpClient): Promise<RecordedCustomResources> {
  const asked: Record<string, readonly string[]> = {}
  for (const rule of rules) asked[rule] = await refusal(http, withRules({ rule }))
  return { values: await askValues(http), rules: asked, created: await askCreated(http), updated: await askUpdated(http) }
}
