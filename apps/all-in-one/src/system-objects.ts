// What every cluster has from its first second, as upstream's API server makes it when it starts; libs/domain says what
// that is. Making them again does nothing; what was deleted comes back at the next start.
import type { ApiClient } from '@shiplog/api/api-client'
import type { JsonObject } from '@shiplog/api/kube-object'
import { bootstrapObjects } from '@shiplog/domain/bootstrap-objects'
import type { Clock } from '@shiplog/runtime/clock'

const resources: Readonly<Record<string, string>> = {
  Namespace: 'namespaces',
  PriorityClass: 'priorityclasses',
  Service: 'services',
  Endpoints: 'endpoints',
  EndpointSlice: 'endpointslices',
}

const attemptsMax = 20
const pauseMs = 100

export interface SystemObjectsOptions {
  readonly client: ApiClient
  readonly clock: Clock
  readonly port: number
  /** Where other machines reach the API; undefined when it listens on loopback alone. */
  readonly address: string | undefined
}

/** Resolves when all of them are there. */
export async function ensureSystemObjects({ client, clock, port, address }: SystemObjectsOptions): Promise<void> {
  const all = bootstrapObjects({ apiServerAddress: address ?? '0.0.0.0', port })
  // An address that nobody can reach would be a lie; loopback is none that an endpoint may have.
  const wanted = address === undefined ? all.filter(({ kind }) => !/^Endpoint/.test(kind)) : all
  const isHome = ({ kind }: JsonObject): boolean => kind === 'Namespace'
  const ensureAll = (objects: JsonObject[]): Promise<unknown> =>
    Promise.all(objects.map((object) => ensure(client, clock, object)))
  await ensureAll(wanted.filter(isHome))
  await ensureAll(wanted.filter((object) => !isHome(object)))
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
    if (found.ok) return
    const result =
      found.code === 404
        ? await client.request({ ...address, verb: 'create', body: object, query: { fieldManager: 'kube-apiserver' } })
        : found
    if (result.ok || result.code === 409) return
    // A refusal for good will not turn into something else; an unavailable log may.
    if (attempt === attemptsMax || (result.code < 500 && result.code !== 429)) {
      throw new Error(`${resource} "${name}" could not be made: ${result.status.message}`)
    }
    await clock.sleep(pauseMs)
  }
}
