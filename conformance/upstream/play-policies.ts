// Plays the cases of policies with an API server. All policies are there before the first write: upstream's hear of them a
// moment later, so each is tried until it is known to be.
import type { JsonObject } from '@shiplog/api/kube-object'
import type { HttpAnswer, HttpClient } from '../src/http.ts'
import { type PolicyCase, policyCases, type Write, writtenPolicies } from './policy-cases.ts'

/** What a write was answered, without what differs from run to run. */
export interface Played {
  readonly code: number
  readonly reason?: string
  readonly message?: string
  readonly causes?: unknown
  readonly warnings?: readonly string[]
  readonly object?: unknown
}

const api = '/apis/admissionregistration.k8s.io/v1'
const json = { 'content-type': 'application/json' }

const namespaceOf = (index: number): string => `case-${index}`

const groups: Readonly<Record<string, string>> = {
  deployments: '/apis/apps/v1',
  'v2/horizontalpodautoscalers': '/apis/autoscaling/v2',
}

function pathOf(index: number, path: string): string {
  const resource = Object.keys(groups).find((known) => path.startsWith(known))
  const root = resource ? groups[resource]! : '/api/v1'
  return `${root}/namespaces/${namespaceOf(index)}/${path.replace(/^v2\//, '')}`
}

async function make(http: HttpClient, path: string, body: JsonObject): Promise<void> {
  const { code, text } = await http.send({ method: 'POST', path, headers: json, body: JSON.stringify(body) })
  if (code !== 201) throw new Error(`${path}: ${code} ${text}`)
}

/** What a policy that is refused is answered; undefined when it is taken. */
async function install(http: HttpClient, one: PolicyCase, index: number): Promise<Played | undefined> {
  const name = namespaceOf(index)
  const kind = one.kind === 'validating' ? 'validating' : 'mutating'
  const namespaceSelector = { matchLabels: { case: name } }
  const matchConstraints = { ...(one.spec['matchConstraints'] as JsonObject), namespaceSelector }
  const body = JSON.stringify({ metadata: { name }, spec: { ...one.spec, matchConstraints } })
  const made = await http.send({ method: 'POST', path: `${api}/${kind}admissionpolicies`, headers: json, body })
  if (made.code !== 201) return shown(made)
  const { matchResources, ...binding } = (one.binding ?? {}) as { matchResources?: JsonObject } & JsonObject
  const spec = {
    policyName: name,
    ...(kind === 'validating' ? { validationActions: ['Deny'] } : {}),
    ...binding,
    matchResources: { ...matchResources, namespaceSelector },
  }
  await make(http, `${api}/${kind}admissionpolicybindings`, { metadata: { name }, spec })
  return undefined
}

function shownObject(answer: any): unknown {
  if (answer === undefined || answer.kind === 'Status') return undefined
  const { labels, annotations, finalizers, ownerReferences } = answer.metadata
  return { metadata: { labels, annotations, finalizers, ownerReferences }, data: answer.data, spec: answer.spec }
}

const shown = ({ code, json: body, headers }: HttpAnswer): Played => {
  const warnings = [headers['warning'] ?? []].flat()
  const isMade = code < 300
  const object = isMade ? shownObject(body) : undefined
  return {
    code,
    ...(isMade ? {} : { reason: body?.reason, message: body?.message, causes: body?.details?.causes }),
    ...(warnings.length > 0 ? { warnings } : {}),
    ...(object ? { object } : {}),
  }
}

/** A name that the server makes up is no answer to compare. */
const plain = (played: Played): Played =>
  JSON.parse(JSON.stringify(played).replaceAll(/made-[a-z0-9]{5}/g, 'made-*')) as Played

const write = async (http: HttpClient, index: number, { method, path, body, contentType }: Write): Promise<Played> =>
  plain(
    shown(
      await http.send({
        method,
        path: pathOf(index, path),
        headers: { 'content-type': contentType ?? 'application/json' },
        ...(body ? { body: JSON.stringify(body) } : {}),
      }),
    ),
  )

/** The answers to all cases by their names; `settled` resolves when policies that were written a moment ago are heard of. */
export async function playPolicies(http: HttpClient, settled: () => Promise<void>): Promise<Record<string, readonly Played[]>> {
  const answers: Record<string, readonly Played[]> = {}
  for (const [index, one] of policyCases.entries()) {
    const name = namespaceOf(index)
    await make(http, '/api/v1/namespaces', { metadata: { name, labels: { case: name } } })
    for (const body of one.given ?? []) await make(http, pathOf(index, 'configmaps'), body)
    const refused = await install(http, one, index)
    if (refused) answers[one.name] = [refused]
  }
  await settled()
  for (const [index, one] of policyCases.entries()) {
    if (answers[one.name]) continue
    const played: Played[] = []
    for (const each of one.writes) played.push(await write(http, index, each))
    answers[one.name] = played
  }
  for (const [index, { resource, spec }] of writtenPolicies.entries()) {
    const body = JSON.stringify({ metadata: { name: `written-${index}` }, spec })
    const answer = await http.send({ method: 'POST', path: `${api}/${resource}?dryRun=All`, headers: json, body })
    answers[`write ${resource} ${JSON.stringify(spec)}`] = [{ ...plain(shown(answer)), object: undefined }]
  }
  return JSON.parse(JSON.stringify(answers)) as Record<string, readonly Played[]>
}
