// Asks upstream's API server the questions of the authorization matrix (services/api-gateway/src/testing), on the same
// roles, bindings, pods and nodes, and writes down what it allows; the default run then asks our authorizer the same.
//
//   node tools/run.mjs conformance/upstream/authorization.ts
import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  gatheredRoles,
  ownObjects,
  ownRoles,
  type PathQuestion,
  type Question,
  upstreamQuestions,
} from '@shiplog/api-gateway/testing/authorization-world'
import { builtInRegistry } from '@shiplog/api/schema/registry'
import type { KubeObject } from '@shiplog/api/kube-object'
import { systemClock } from '@shiplog/runtime/clock'
import type { HttpClient } from '../src/http.ts'
import { startUpstream } from './control-plane.ts'

const concurrency = 8
/** Its graph and its informers follow what was written. */
const settleMs = 3_000

const registry = builtInRegistry()
const json = { 'content-type': 'application/json' }

function collectionOf({ apiVersion, kind, metadata }: KubeObject): string {
  const [group, version] = apiVersion.includes('/') ? apiVersion.split('/') : ['', apiVersion]
  const { resource } = registry.byKind(group!, version!, kind)!
  const root = group === '' ? `/api/${version}` : `/apis/${group}/${version}`
  return `${root}${metadata.namespace ? `/namespaces/${metadata.namespace}` : ''}/${resource}`
}

async function make(http: HttpClient, object: KubeObject): Promise<void> {
  const path = collectionOf(object)
  const { code, text } = await http.send({ method: 'POST', path, headers: json, body: JSON.stringify(object) })
  if (code !== 201) throw new Error(`${path} ${object.metadata.name}: ${code} ${text}`)
}

async function isAllowed(http: HttpClient, question: Question | PathQuestion): Promise<boolean> {
  const { name, groups } = question.user
  const path = '/apis/authorization.k8s.io/v1/subjectaccessreviews'
  const spec = { user: name, groups, ...('path' in question ? { nonResourceAttributes: attributesOf(question) } : { resourceAttributes: attributesOf(question) }) }
  const { code, text } = await http.send({ method: 'POST', path, headers: json, body: JSON.stringify({ spec }) })
  if (code !== 201) throw new Error(`${code} ${text}`)
  return (JSON.parse(text) as { status: { allowed: boolean } }).status.allowed
}

function attributesOf(question: Question | PathQuestion): object {
  if ('path' in question) return { verb: question.verb, path: question.path }
  const { user: _, fieldSelector, ...rest } = question
  return { ...rest, ...(fieldSelector ? { fieldSelector: { rawSelector: fieldSelector } } : {}) }
}

const upstream = await startUpstream((line) => process.stderr.write(`${line}\n`))
try {
  const { http } = upstream
  for (const object of [...ownObjects(), ...ownRoles()]) await make(http, object)
  for (const role of gatheredRoles()) {
    const path = `${collectionOf(role)}/${role.metadata.name}`
    const body = JSON.stringify({ rules: role['rules'] })
    const headers = { 'content-type': 'application/merge-patch+json' }
    const { code, text } = await http.send({ method: 'PATCH', path, headers, body })
    if (code !== 200) throw new Error(`${path}: ${code} ${text}`)
  }
  await systemClock.sleep(settleMs)
  const asked = upstreamQuestions()
  const allowed: string[] = []
  for (let from = 0; from < asked.length; from += concurrency) {
    const some = asked.slice(from, from + concurrency)
    for (const each of await Promise.all(some.map((question) => isAllowed(http, question)))) allowed.push(each ? '1' : '0')
  }
  const record = {
    asked: createHash('sha256').update(JSON.stringify(asked)).digest('hex'),
    allowed: allowed.join(''),
  }
  const file = join(import.meta.dirname, '../../services/api-gateway/src/testing/authorization-answers.json')
  writeFileSync(file, `${JSON.stringify(record, null, 2)}\n`)
  process.stdout.write(`${asked.length} asked, ${allowed.filter((each) => each === '1').length} allowed\n`)
} finally {
  await upstream.stop()
}
