// A real cluster for scenarios: the gateway alone, with upstream's controllers or with ours beside it. Each scenario has a
// namespace of its own; what all of them hold is looked at in one go, several times a second.
import type { ApiRequest, ApiResult } from '@shiplog/api/api-client'
import type { KubeObject } from '@shiplog/api/kube-object'
import { builtInRegistry } from '@shiplog/api/schema/registry'
import type { Status } from '@shiplog/api/status'
import { wireTarget } from '@shiplog/api-client/request-path'
import { eventually, pause } from '../src/context.ts'
import type { HttpClient } from '../src/http.ts'
import type { Stage } from './play.ts'
import { compared, nodeManifest, nodeNames } from './scenario.ts'
import { deployment } from './scenarios/manifests.ts'

const lookMs = 400
/** Nothing has changed for so long: controllers rest. Their longest batch is a second. */
const restMs = 2_500
const restTimeoutMs = 90_000
const accountTimeoutMs = 60_000

const registry = builtInRegistry()

export interface LiveCluster {
  stage(namespace: string): Promise<Stage>
  /** Resolves when controllers have begun to work. */
  warmUp(): Promise<void>
  stop(): void
}

async function send(http: HttpClient, request: ApiRequest): Promise<ApiResult> {
  const target = wireTarget(request, registry)!
  const { code, json } = await http.send({
    ...target,
    headers: { 'content-type': request.patchType ?? 'application/json' },
    ...(request.body === undefined ? {} : { body: request.body }),
  })
  if (code < 300) return { ok: true, code, object: json as KubeObject, sequence: 0 }
  return { ok: false, code, status: json as Status }
}

const warmUpManifest = deployment('web', { replicas: 1 }).create

/** What all namespaces hold, by resource and namespace. */
type Look = ReadonlyMap<string, ReadonlyMap<string, readonly KubeObject[]>>

async function listAll(http: HttpClient, groupResource: string): Promise<ReadonlyMap<string, readonly KubeObject[]>> {
  const { group, version, resource } = registry.storage(groupResource)!
  const answer = await send(http, { verb: 'list', group, version, resource })
  if (!answer.ok) throw new Error(answer.status.message)
  const { items } = answer.object as unknown as { readonly items: readonly KubeObject[] }
  return Map.groupBy(items, ({ metadata }) => metadata.namespace ?? '')
}

export async function createLiveCluster(http: HttpClient): Promise<LiveCluster> {
  for (const name of nodeNames) {
    const made = await send(http, { verb: 'create', group: '', resource: 'nodes', body: nodeManifest(name) })
    if (!made.ok) throw new Error(made.status.message)
  }
  let look: Look = new Map()
  const versions = new Map<string, string>()
  const changedMs = new Map<string, number>()
  let isOver = false
  /** When the last look began. */
  let lookedMs = 0
  const lookOnce = async (): Promise<void> => {
    const beganMs = Date.now()
    const next = new Map<string, ReadonlyMap<string, readonly KubeObject[]>>()
    for (const groupResource of [...compared, 'events']) next.set(groupResource, await listAll(http, groupResource))
    look = next
    const namespaces = new Set([...next.values()].flatMap((byNamespace) => [...byNamespace.keys()]))
    for (const namespace of namespaces) {
      const held = compared.flatMap((groupResource) => next.get(groupResource)?.get(namespace) ?? [])
      const version = held.map(({ metadata }) => metadata.resourceVersion).join()
      if (versions.get(namespace) !== version) changedMs.set(namespace, Date.now())
      versions.set(namespace, version)
    }
    lookedMs = beganMs
  }
  const looking = (async () => {
    while (!isOver) {
      await lookOnce()
      await pause(lookMs)
    }
  })()
  let fault: unknown
  looking.catch((error: unknown) => {
    fault = error
  })

  const rest = async (namespace: string): Promise<void> => {
    const beganMs = Date.now()
    changedMs.set(namespace, beganMs)
    while (lookedMs - changedMs.get(namespace)! < restMs) {
      if (fault) throw fault
      if (Date.now() - beganMs > restTimeoutMs) throw new Error(`${namespace} does not come to rest`)
      await pause(lookMs)
    }
  }

  const stageOf = async (namespace: string): Promise<Stage> => {
    const body = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } }
    const made = await send(http, { verb: 'create', group: '', resource: 'namespaces', body })
    if (!made.ok) throw new Error(made.status.message)
    await hasAccount(http, namespace)
    return {
      namespace,
      request: (request) => send(http, request),
      list: async (groupResource) => look.get(groupResource)?.get(namespace) ?? [],
      events: async () => (look.get('events')?.get(namespace) ?? []).map(eventText),
      rest: () => rest(namespace),
      passSeconds: (seconds) => pause(seconds * 1_000),
      now: () => new Date(Date.now()).toISOString().replace(/\.\d+Z$/, 'Z'),
    }
  }

  return {
    stage: stageOf,
    async warmUp() {
      const { namespace } = await stageOf('warm-up')
      const made = await send(http, { verb: 'create', group: 'apps', resource: 'deployments', namespace, body: warmUpManifest })
      if (!made.ok) throw new Error(made.status.message)
      await eventually(async () => {
        if ((look.get('pods')?.get(namespace) ?? []).length === 0) throw new Error('controllers do not work')
      }, accountTimeoutMs)
    },
    stop() {
      isOver = true
    },
  }
}

/** Controllers work, and pods can be made. */
const hasAccount = (http: HttpClient, namespace: string): Promise<void> =>
  eventually(async () => {
    const account = { group: '', resource: 'serviceaccounts', namespace, name: 'default' }
    const found = await send(http, { verb: 'get', ...account })
    if (!found.ok) throw new Error(found.status.message)
  }, accountTimeoutMs)

function eventText(object: KubeObject): string {
  const { source, reportingComponent, reason, message } = object as unknown as Readonly<Record<string, string>> & {
    readonly source?: { readonly component?: string }
  }
  return `${source?.component ?? reportingComponent} ${reason} ${message}`
}
