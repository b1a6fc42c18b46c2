// The bad requests of the conformance suite, sent to upstream's API server and to ours: code, reason, sentence and causes
// of every refusal are compared.
import { badRequests, namespace, targets } from '../cases/bad-requests.ts'
import type { HttpClient } from '../src/http.ts'
import { blank, type Report } from './report.ts'

interface Told {
  readonly code: number
  readonly reason: unknown
  readonly message: unknown
  readonly causes: unknown
}

/** What a client sees of a refusal. How often upstream repeats one cause says nothing: each is kept once. */
async function told(http: HttpClient, request: Parameters<HttpClient['send']>[0]): Promise<Told> {
  const { code, json, text } = await http.send(request)
  const causes = (json?.details?.causes ?? []) as readonly unknown[]
  const once = new Map(causes.map((cause) => [JSON.stringify(cause), cause]))
  return {
    code,
    reason: json?.reason,
    message: blank(json?.message ?? text.slice(0, 300)),
    causes: blank([...once.values()]),
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

export async function compareBadRequests(upstream: HttpClient, ours: HttpClient, report: Report): Promise<void> {
  await Promise.all([prepare(upstream), prepare(ours)])
  for (const one of badRequests) {
    const name = `${one.verb} ${one.resource}: ${one.fault}`
    if (!report.wants(name)) continue
    const [expected, actual] = await Promise.all([told(upstream, one.request), told(ours, one.request)])
    report.compare(name, expected, actual)
  }
}
