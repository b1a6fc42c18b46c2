// Asks extenders over HTTP, one after the other as upstream: each filters what the ones before left, then all that score are asked
// about what is left. What they say is checked: they are somebody else's programs.
import { readFileSync } from 'node:fs'
import { Agent as HttpAgent, request as httpRequest } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import type { Node, Pod } from '@shiplog/api/generated/types/core-v1'
import type { Clock } from '@shiplog/runtime/clock'
import { type ExtenderConfiguration, type ExtenderOpinion, type ExtenderSecret, extenderScoreFactor } from '@shiplog/scheduling/framework/extenders'

/** Largest answer that is read: all nodes of a large cluster in full. */
const answerBytesMax = 64 * 1024 * 1024

export interface Extenders {
  /** Whether any of them has a say about the pod. */
  concern(pod: Pod): boolean
  /** Throws when one that cannot be done without gives no answer that makes sense. `nodes` have passed the filters. */
  ask(pod: Pod, nodes: readonly string[], nodeNamed: (name: string) => Node | undefined): Promise<ExtenderOpinion>
  close(): void
}

interface FilterAnswer {
  readonly Nodes?: { readonly items?: readonly Node[] } | null
  readonly NodeNames?: readonly string[] | null
  readonly FailedNodes?: Readonly<Record<string, string>> | null
  readonly FailedAndUnresolvableNodes?: Readonly<Record<string, string>> | null
  readonly Error?: string
}

type Scores = readonly { readonly Host: string; readonly Score: number }[]

export function createExtenders(configurations: readonly ExtenderConfiguration[], clock: Pick<Clock, 'after'>): Extenders {
  const all = configurations.map((one) => connect(one, clock))

  return {
    concern: (pod) => all.some(({ concerns }) => concerns(pod)),
    async ask(pod, nodes, nodeNamed) {
      const failed: Record<string, string> = {}
      const unresolvable: Record<string, string> = {}
      const scores: Record<string, number> = {}
      let left = nodes
      const asked = all.filter(({ concerns }) => concerns(pod))
      for (const { settings, send } of asked) {
        if (settings.filterVerb === '' || left.length === 0) continue
        try {
          const answer = await send(settings.filterVerb, argumentsOf(settings, pod, left, nodeNamed))
          left = filtered(settings, left, answer as FilterAnswer, { failed, unresolvable })
        } catch (error) {
          if (!settings.ignorable) throw error
        }
      }
      for (const { settings, send } of asked) {
        if (settings.prioritizeVerb === '' || left.length === 0) continue
        // As upstream: one that does not score has no say about this pod.
        const answer = await send(settings.prioritizeVerb, argumentsOf(settings, pod, left, nodeNamed)).catch(() => [])
        for (const [name, score] of scored(answer as Scores, new Set(left)))
          scores[name] = (scores[name] ?? 0) + score * settings.weight * extenderScoreFactor
      }
      return { failed, unresolvable, scores }
    },
    close() {
      for (const { agent } of all) agent.destroy()
    },
  }
}

/** Notes who was rejected, and gives who is left. */
function filtered(
  { urlPrefix, nodeCacheCapable }: ExtenderConfiguration,
  nodes: readonly string[],
  answer: FilterAnswer,
  opinion: { readonly failed: Record<string, string>; readonly unresolvable: Record<string, string> },
): readonly string[] {
  if (typeof answer !== 'object' || answer === null) throw new Error(`extender ${urlPrefix} answered with no object`)
  if (answer.Error) throw new Error(answer.Error)
  const names = nodeCacheCapable && answer.NodeNames ? answer.NodeNames : (answer.Nodes?.items ?? []).map(({ metadata }) => metadata.name)
  const given = new Set(nodes)
  const passed = new Set(names)
  for (const name of passed) {
    if (!given.has(name)) throw new Error(`extender "${urlPrefix}" claims a filtered node "${name}" which is not found in the input node list`)
  }
  for (const name of nodes) {
    if (passed.has(name)) continue
    const final = answer.FailedAndUnresolvableNodes?.[name]
    if (final === undefined) opinion.failed[name] = String(answer.FailedNodes?.[name] ?? '')
    else opinion.unresolvable[name] = String(final)
  }
  return nodes.filter((name) => passed.has(name))
}

function* scored(answer: Scores, nodes: ReadonlySet<string>): Iterable<readonly [name: string, score: number]> {
  if (!Array.isArray(answer)) return
  for (const { Host: host, Score: score } of answer as Scores)
    if (nodes.has(host) && Number.isSafeInteger(score) && score !== 0) yield [host, score]
}

function argumentsOf(
  { nodeCacheCapable }: ExtenderConfiguration,
  pod: Pod,
  names: readonly string[],
  nodeNamed: (name: string) => Node | undefined,
): object {
  if (nodeCacheCapable) return { Pod: pod, Nodes: null, NodeNames: names }
  return { Pod: pod, Nodes: { metadata: {}, items: names.flatMap((name) => nodeNamed(name) ?? []) }, NodeNames: null }
}

function connect(settings: ExtenderConfiguration, clock: Pick<Clock, 'after'>) {
  const { urlPrefix, timeoutMs, tls, managedResources } = settings
  const agent = tls === undefined ? new HttpAgent({ keepAlive: true }) : new HttpsAgent({ keepAlive: true, ...tlsOptions(tls) })
  const managed = new Set(managedResources)
  const isWanted = ({ spec }: Pod): boolean =>
    [...(spec.containers ?? []), ...(spec.initContainers ?? [])].some(({ resources }) =>
      [resources?.requests, resources?.limits].some((amounts) => Object.keys(amounts ?? {}).some((name) => managed.has(name))),
    )
  const send = (verb: string, body: object): Promise<unknown> => {
    const url = `${urlPrefix}/${verb}`
    return post(tls === undefined ? httpRequest : httpsRequest, url, JSON.stringify(body), { agent, timeoutMs, clock })
  }
  return { settings, agent, send, concerns: (pod: Pod): boolean => managed.size === 0 || isWanted(pod) }
}

const pemOf = (secret: ExtenderSecret | undefined): string | undefined =>
  secret && ('pem' in secret ? secret.pem : readFileSync(secret.file, 'utf8'))

const tlsOptions = ({ insecure, serverName, ca, certificate, key }: NonNullable<ExtenderConfiguration['tls']>) => {
  const options = { ca: pemOf(ca), cert: pemOf(certificate), key: pemOf(key), servername: serverName }
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
  return { rejectUnauthorized: !insecure, ...given }
}

interface PostOptions {
  readonly agent: HttpAgent
  readonly timeoutMs: number
  readonly clock: Pick<Clock, 'after'>
}

/** The answer's JSON. Rejects after the timeout, however far the answer has come. */
async function post(request: typeof httpRequest, url: string, body: string, { agent, timeoutMs, clock }: PostOptions): Promise<unknown> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>()
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }
  const call = request(url, { method: 'POST', agent, headers }, (answer) => {
    const parts: Buffer[] = []
    let bytes = 0
    answer.on('data', (part: Buffer) => {
      bytes += part.length
      if (bytes > answerBytesMax) call.destroy(new Error(`the answer of ${url} is longer than ${answerBytesMax} bytes`))
      else parts.push(part)
    })
    answer.on('error', reject)
    answer.on('end', () => {
      if (answer.statusCode === 200) resolve(Buffer.concat(parts))
      else reject(new Error(`failed with extender at URL ${url}, code ${answer.statusCode}`))
    })
  })
  call.on('error', reject)
  call.end(body)
  using _deadline = clock.after(timeoutMs, () => call.destroy(new Error(`extender at URL ${url} did not answer in ${timeoutMs} ms`)))
  const text = (await promise).toString('utf8')
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new Error(`extender at URL ${url} answered with no JSON`, { cause })
  }
}
