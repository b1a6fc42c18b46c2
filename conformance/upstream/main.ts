// `npm run conformance:upstream [-- FILTER…]`: sends the same requests to upstream's own API server and to ours, and
// prints where the answers differ. What differs on purpose is listed in differences.json with its reason; anything else
// makes the command fail.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { badRequests, namespace, targets } from '../cases/bad-requests.ts'
import type { HttpClient } from '../src/http.ts'
import { startBench } from '../src/suite.ts'
import { startUpstream } from './control-plane.ts'

/** By `<verb> <resource>: <fault>`, why our answer differs. */
const known = JSON.parse(readFileSync(join(import.meta.dirname, 'differences.json'), 'utf8')) as Record<string, string>

const filters = process.argv.slice(2)
const say = (line: string): void => void process.stdout.write(`${line}\n`)

interface Told {
  readonly code: number
  readonly reason: unknown
  readonly message: unknown
  readonly causes: unknown
}

/** What a client sees of a refusal; ids and times are blanked. */
async function told(http: HttpClient, request: Parameters<HttpClient['send']>[0]): Promise<Told> {
  const { code, json, text } = await http.send(request)
  const blank = (value: unknown): unknown =>
    JSON.parse(
      JSON.stringify(value ?? null)
        .replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, '<uid>')
        .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, '<time>'),
    )
  return {
    code,
    reason: json?.reason,
    message: blank(json?.message ?? text.slice(0, 300)),
    causes: blank(json?.details?.causes),
  }
}

async function prepare(http: HttpClient): Promise<void> {
  const create = async (path: string, body: unknown): Promise<void> => {
    const { code, text } = await http.send({ method: 'POST', path, body })
    if (code !== 201 && code !== 409) throw new Error(`${path}: ${code} ${text}`)
  }
  await create('/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } })
  const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default' } }
  await create(`/api/v1/namespaces/${namespace}/serviceaccounts`, account)
  for (const target of targets) await create(target.path, target.object)
}

const upstream = await startUpstream(say)
const running = await startBench('embedded')
let different = 0
let compared = 0
try {
  await Promise.all([prepare(upstream.http), prepare(running.http)])
  for (const one of badRequests) {
    const name = `${one.verb} ${one.resource}: ${one.fault}`
    if (filters.length > 0 && !filters.some((filter) => name.includes(filter))) continue
    compared++
    const [theirs, ours] = await Promise.all([told(upstream.http, one.request), told(running.http, one.request)])
    if (JSON.stringify(theirs) === JSON.stringify(ours)) {
      if (known[name] !== undefined) {
        different++
        say(`the same now, although differences.json names it: ${name}`)
      }
      continue
    }
    if (known[name] !== undefined) continue
    different++
    say(`── ${name}\n   upstream ${JSON.stringify(theirs)}\n   ours     ${JSON.stringify(ours)}`)
  }
  const accepted = Object.keys(known).length
  say(`${compared} requests compared, ${different} differ unexpectedly, ${accepted} on purpose`)
  process.exitCode = different === 0 ? 0 : 1
} finally {
  await running.close()
  await upstream.stop()
}
