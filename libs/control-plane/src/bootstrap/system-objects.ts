// What every cluster has from its first second, as upstream's API server makes it when it starts; libs/domain says what
// that is. Making them again does nothing. What was deleted comes back: where somebody keeps them, soon; else at the next start.
import type { ApiClient } from '@shiplog/api/api-client'
import type { IpRanges } from '@shiplog/api/ip-address'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import { type ApiServerPlace, bootstrapObjects } from '@shiplog/domain/bootstrap-objects'
import { type Upkeep, upkeepOf } from '@shiplog/domain/rbac/default-roles'
import type { Clock } from '@shiplog/runtime/clock'
import type { Logger } from '@shiplog/runtime/logger'

const resources: Readonly<Record<string, string>> = {
  Namespace: 'namespaces',
  PriorityClass: 'priorityclasses',
  Service: 'services',
  Endpoints: 'endpoints',
  EndpointSlice: 'endpointslices',
  ClusterRole: 'clusterroles',
  ClusterRoleBinding: 'clusterrolebindings',
  Role: 'roles',
  RoleBinding: 'rolebindings',
  FlowSchema: 'flowschemas',
  PriorityLevelConfiguration: 'prioritylevelconfigurations',
  APIService: 'apiservices',
  ServiceCIDR: 'servicecidrs',
  ConfigMap: 'configmaps',
}

const kubernetes = { namespace: 'default', name: 'kubernetes' } as const

const attemptsMax = 20
const pauseMs = 100
/** What was deleted is back after so long, as with upstream's controller of the Service kubernetes. */
export const keepSystemObjectsMs = 10_000

export interface SystemObjectsOptions {
  readonly client: ApiClient
  readonly clock: Clock
  readonly port: number
  /** Where the API server listens; loopback is the truth when it listens there alone. */
  readonly address: string
  /** Where addresses of Services come from; default 10.96.0.0/12. */
  readonly serviceRanges?: IpRanges | undefined
  /** Where the other gateways serve now, given where the Endpoints show API servers. */
  readonly others?: (shown: readonly ApiServerPlace[]) => readonly ApiServerPlace[]
}

const isHome = ({ kind }: JsonObject): boolean => kind === 'Namespace'
const published = new Set(['APIService', 'FlowSchema', 'PriorityLevelConfiguration', 'ServiceCIDR', 'ConfigMap'])
const isRbac = ({ kind }: JsonObject): boolean => /Role(Binding)?$/.test(kind as string)
const isDefault = ({ kind }: JsonObject): boolean => isRbac({ kind }) || published.has(kind as string)

/** Resolves when all of them are there, but for the published defaults, which nothing in this process waits for. */
export async function ensureSystemObjects(options: SystemObjectsOptions): Promise<void> {
  const wanted = wantedOf(options, await othersOf(options))
  await ensureAll(options, wanted.filter(isHome))
  const rest = wanted.filter((object) => !isHome(object) && !isDefault(object))
  await ensureAll(options, rest)
  if (options.others) await removeOtherSlices(options, rest)
}

async function othersOf({ client, others }: SystemObjectsOptions): Promise<readonly ApiServerPlace[]> {
  if (others === undefined) return []
  const found = await client.request({ verb: 'get', group: '', resource: 'endpoints', ...kubernetes })
  return others(found.ok ? placesOf(found.object) : [])
}

/** Slices of gateways that served elsewhere. */
async function removeOtherSlices({ client }: SystemObjectsOptions, wanted: readonly JsonObject[]): Promise<void> {
  const slices = { group: 'discovery.k8s.io', resource: 'endpointslices', namespace: kubernetes.namespace }
  const query = { labelSelector: `kubernetes.io/service-name=${kubernetes.name}` }
  const found = await client.request({ ...slices, verb: 'list', query })
  if (!found.ok) return
  for (const { metadata } of found.object['items'] as KubeObject[]) {
    if (wanted.some((object) => object['kind'] === 'EndpointSlice' && object['metadata'].name === metadata.name))
      continue
    const preconditions = { uid: metadata.uid!, resourceVersion: metadata.resourceVersion! }
    await client.request({ ...slices, verb: 'delete', name: metadata.name, body: { preconditions } })
  }
}

/**
 * What people and tools expect to find: first the default roles and bindings, by which components that run apart, and people
 * without system:masters, live; then what only shows how the API server is set up.
 */
export async function ensureDefaultRoles(options: SystemObjectsOptions): Promise<void> {
  const wanted = wantedOf(options, []).filter(isDefault)
  const shows = ({ kind }: JsonObject): boolean => published.has(kind as string)
  await ensureAll(
    options,
    wanted.filter((object) => !shows(object)),
  )
  await ensureAll(options, wanted.filter(shows))
}

export interface KeptSystemObjects extends AsyncDisposable {
  /** Looks at once: what they are to say may have changed. */
  look(): void
}

/**
 * Looks every 10 s whether they are all there, beginning in 10 s, and makes again what is not; nothing is written when
 * nothing is missing. Disposing ends it and resolves when nothing is under way any more.
 */
export function keepSystemObjects(options: SystemObjectsOptions & { readonly logger: Logger }): KeptSystemObjects {
  const { clock, logger } = options
  const ending = new AbortController()
  const untilEnding: SystemObjectsOptions = {
    ...options,
    clock: { ...clock, sleep: (ms) => clock.sleep(ms, ending.signal) },
  }
  let failing = false
  const look = async (): Promise<void> => {
    try {
      await ensureSystemObjects(untilEnding)
      failing = false
    } catch (err) {
      if (ending.signal.aborted) return
      // One warning a spell: the same sentence every 10 s would tell nobody more.
      logger[failing ? 'debug' : 'warn']({ err }, 'the system objects could not be looked after; it is tried again')
      failing = true
    }
  }
  let asked = false
  let pause = new AbortController()
  const kept = (async () => {
    while (!ending.signal.aborted) {
      if (!asked) {
        pause = new AbortController()
        await clock.sleep(keepSystemObjectsMs, AbortSignal.any([ending.signal, pause.signal])).catch(() => undefined)
        if (ending.signal.aborted) return
      }
      asked = false
      await look()
    }
  })()
  return {
    look() {
      asked = true
      pause.abort()
    },
    async [Symbol.asyncDispose]() {
      ending.abort()
      await kept
    },
  }
}

const wantedOf = (
  { address, port, serviceRanges, clock }: SystemObjectsOptions,
  others: readonly ApiServerPlace[],
): JsonObject[] => bootstrapObjects({ apiServers: [{ address, port }, ...others], serviceRanges, nowMs: clock.nowMs() })

const ensureAll = async ({ client, clock }: SystemObjectsOptions, objects: readonly JsonObject[]): Promise<void> => {
  await Promise.all(objects.map((object) => ensure(client, clock, object)))
}

/** What Endpoints or an EndpointSlice show; nothing for other objects. */
function placesOf(object: JsonObject | KubeObject): ApiServerPlace[] {
  const subsets = (object['subsets'] ?? []) as JsonObject[]
  const slice = (object['endpoints'] ?? []) as JsonObject[]
  return [
    ...subsets.flatMap(({ addresses, ports }) =>
      ((addresses ?? []) as JsonObject[]).map(({ ip }) => ({ address: String(ip), port: Number(ports?.[0]?.port) })),
    ),
    ...slice.flatMap(({ addresses }) =>
      ((addresses ?? []) as string[]).map((address) => ({ address, port: Number(object['ports']?.[0]?.port) })),
    ),
  ]
}

const samePlaces = (left: JsonObject | KubeObject, right: JsonObject | KubeObject): boolean => {
  const [one, other] = [left, right].map((object) => placesOf(object).map(({ address, port }) => `${address}:${port}`))
  return one!.sort().join() === other!.sort().join()
}

/** What the API server itself says of an object; a create does not take it. */
const statusOf = (object: JsonObject) =>
  ({ patchType: 'application/merge-patch+json', body: { status: object['status'] } }) as const

/** What is to be done with a system object that is there. */
function upkeepFor(known: KubeObject, wanted: JsonObject): Upkeep {
  if (isRbac(wanted)) return upkeepOf(known, wanted)
  return samePlaces(known, wanted) ? undefined : { update: { ...wanted, metadata: known.metadata } as KubeObject }
}

async function ensure(client: ApiClient, clock: Clock, object: JsonObject): Promise<void> {
  const { name, namespace } = object['metadata'] as { name: string; namespace?: string }
  const apiVersion = object['apiVersion'] as string
  const resource = resources[object['kind'] as string]
  if (resource === undefined) throw new Error(`no resource is known for a system object of kind ${object['kind']}`)
  const group = apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : ''
  const address = { group, resource, ...(namespace === undefined ? {} : { namespace }) }
  for (let attempt = 1; ; attempt++) {
    // Looked for first: to make a Service again is refused for its address before it is refused for its name.
    const found = await client.request({ ...address, verb: 'get', name })
    const upkeep = found.ok ? upkeepFor(found.object, object) : undefined
    if (found.ok && !upkeep) return
    const query = { fieldManager: 'kube-apiserver' }
    if (upkeep && 'recreate' in upkeep) {
      const removed = await client.request({ ...address, verb: 'delete', name })
      if (removed.ok) continue
    }
    const result = upkeep && 'update' in upkeep
      ? await client.request({ ...address, verb: 'update', name, body: upkeep.update, query })
      : found.code === 404
        ? await client.request({ ...address, verb: 'create', body: object, query })
        : found
    if (result.ok && found.code === 404 && object['status'] !== undefined) {
      await client.request({ ...address, verb: 'patch', subresource: 'status', name, ...statusOf(object), query })
    }
    if (result.ok) return
    if (result.code === 409) continue
    // A refusal for good will not turn into something else; an unavailable log may.
    if (attempt === attemptsMax || (result.code < 500 && result.code !== 429)) {
      throw new Error(`${resource} "${name}" could not be made: ${result.status.message}`)
    }
    await clock.sleep(pauseMs)
  }
}
