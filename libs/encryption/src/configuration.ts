// EncryptionConfiguration (apiserver.config.k8s.io/v1): which resources are encrypted, and with what; upstream's file, with
// upstream's rules. Of a list of providers the first one writes, all of them read.
import { decodeYaml } from '@shiplog/api/decode/decode-yaml'

export type ProviderConfiguration =
  | { readonly type: 'identity' }
  | { readonly type: 'aesgcm'; readonly keys: readonly NamedKey[] }
  | { readonly type: 'kms'; readonly name: string; readonly endpoint: string; readonly timeoutMs: number }

export interface NamedKey {
  readonly name: string
  readonly secret: Uint8Array
}

export interface ResourceConfiguration {
  /** `secrets`, `crontabs.stable.example.com`, `*.apps`, `*.` (the core group), `*.*`. */
  readonly resources: readonly string[]
  readonly providers: readonly ProviderConfiguration[]
}

export interface EncryptionConfiguration {
  readonly resources: readonly ResourceConfiguration[]
}

const apiVersion = 'apiserver.config.k8s.io/v1'
const keyLengths: readonly number[] = [16, 24, 32]
const timeoutMsDefault = 3_000
/** Of these the log holds the last version alone, for a while: there is no past to be sealed. */
const aging = ['events', 'events.events.k8s.io', 'leases.coordination.k8s.io']

/** Throws with the place in the file; what a key holds is never said. */
export function parseEncryptionConfiguration(text: string): EncryptionConfiguration {
  const file = objectOf(decoded(text), 'the file')
  if (file.kind !== 'EncryptionConfiguration' || file.apiVersion !== apiVersion) {
    throw fault('the file', `must be an EncryptionConfiguration of ${apiVersion}`)
  }
  const resources = listOf(file.resources, 'resources').map((entry, index) => resourcesOf(entry, `resources[${index}]`))
  if (resources.length === 0) throw fault('resources', 'Required value: at least one')
  return { resources }
}

function decoded(text: string): unknown {
  try {
    return decodeYaml(text).value
  } catch {
    // The parser's own message quotes the file.
    throw new Error('encryption configuration: the file is no YAML')
  }
}

function resourcesOf(value: unknown, at: string): ResourceConfiguration {
  const entry = objectOf(value, at)
  const resources = listOf(entry.resources, `${at}.resources`).map(String)
  if (resources.length === 0) throw fault(`${at}.resources`, 'Required value: at least one')
  for (const [index, resource] of resources.entries()) checkResource(resource, resources, `${at}.resources[${index}]`)
  const providers = listOf(entry.providers, `${at}.providers`).map((one, index) =>
    providerOf(one, `${at}.providers[${index}]`),
  )
  if (providers.length === 0) throw fault(`${at}.providers`, 'Required value: at least one')
  return { resources, providers }
}

function checkResource(resource: string, all: readonly string[], at: string): void {
  if (resource === '' || resource !== resource.toLowerCase()) throw invalid(at, resource, 'resource names are lower case')
  if (resource.includes('*') && resource !== '*.*' && !/^\*\.[^*]*$/.test(resource)) {
    throw invalid(at, resource, "use '*.<group>' to encrypt all the resources of a group, '*.' for the core group, '*.*' for all")
  }
  if (resource.endsWith('.apiserver.config.k8s.io') || aging.includes(resource)) {
    throw invalid(at, resource, 'it cannot be encrypted: the log keeps no past of it')
  }
  const masks = ['*.*', resource.includes('.') ? `*.${resource.slice(resource.indexOf('.') + 1)}` : '*.']
  const mask = masks.find((one) => one !== resource && all.includes(one))
  if (mask !== undefined) {
    throw invalid(at, resource, `using overlapping resources such as '${resource}' and '${mask}' in the same resource list is not allowed`)
  }
  if (all.filter((one) => one === resource).length > 1) throw invalid(at, resource, 'it is there twice')
}

function providerOf(value: unknown, at: string): ProviderConfiguration {
  const provider = objectOf(value, at)
  const types = Object.entries(provider).flatMap(([type, said]) => (said === undefined ? [] : [type]))
  const [type] = types as [keyof SaidProvider]
  if (types.length !== 1) throw fault(at, 'a provider is one of identity, aesgcm, kms')
  if (type === 'identity') return { type }
  if (type === 'aesgcm') return { type, keys: keysOf(provider.aesgcm, `${at}.aesgcm`) }
  if (type === 'kms') return kmsOf(provider.kms, `${at}.kms`)
  if (type === 'aescbc' || type === 'secretbox') {
    const why = type === 'aescbc' ? 'it does not say whether what it reads was changed' : 'it is no cipher of this runtime'
    throw fault(`${at}.${type}`, `${type} is not supported, because ${why}: use aesgcm, whose keys wrap one key an object here`)
  }
  throw fault(at, `there is no provider ${JSON.stringify(type)}`)
}

function keysOf(value: unknown, at: string): readonly NamedKey[] {
  const keys = listOf(objectOf(value, at).keys, `${at}.keys`).map((entry, index) => {
    const place = `${at}.keys[${index}]`
    const { name, secret } = objectOf(entry, place)
    if (typeof name !== 'string' || name === '') throw fault(`${place}.name`, 'Required value')
    if (typeof secret !== 'string' || secret === '') throw fault(`${place}.secret`, 'Required value')
    const bytes = Buffer.from(secret, 'base64')
    if (bytes.toString('base64').replaceAll('=', '') !== secret.trim().replaceAll('=', '')) {
      throw invalid(`${place}.secret`, 'REDACTED', 'secrets must be base64 encoded')
    }
    if (!keyLengths.includes(bytes.length)) {
      const expected = `[${keyLengths.join(' ')}]`
      throw invalid(`${place}.secret`, 'REDACTED', `secret is not of the expected length, got ${bytes.length}, expected one of ${expected}`)
    }
    return { name, secret: bytes }
  })
  if (keys.length === 0) throw fault(`${at}.keys`, 'Required value: at least one key')
  return keys
}

function kmsOf(value: unknown, at: string): ProviderConfiguration {
  const { apiVersion: version, name, endpoint, timeout, cachesize } = objectOf(value, at)
  if (version !== 'v2') throw invalid(`${at}.apiVersion`, version, 'only KMS v2 is supported')
  if (cachesize !== undefined) throw invalid(`${at}.cachesize`, cachesize, 'cachesize is not supported in v2')
  if (typeof name !== 'string' || name === '' || name.includes('/') || name.includes(':')) {
    throw invalid(`${at}.name`, name, 'a name is required, without / and :')
  }
  if (typeof endpoint !== 'string' || !/^unix:\/\/\/?@?\S+$/.test(endpoint)) {
    throw invalid(`${at}.endpoint`, endpoint, 'a unix socket is required: unix:///path/to/socket')
  }
  return { type: 'kms', name, endpoint, timeoutMs: durationMs(timeout, `${at}.timeout`) }
}

function durationMs(value: unknown, at: string): number {
  if (value === undefined) return timeoutMsDefault
  const [, count, unit] = /^(\d+(?:\.\d+)?)(ms|s|m)$/.exec(String(value)) ?? []
  const ms = Number(count) * (unit === 'ms' ? 1 : unit === 's' ? 1_000 : 60_000)
  if (!(ms > 0)) throw invalid(at, value, 'should be a positive value')
  return ms
}

const fault = (at: string, what: string): Error => new Error(`encryption configuration: ${at}: ${what}`)

const invalid = (at: string, value: unknown, why: string): Error =>
  fault(at, `Invalid value: ${JSON.stringify(value ?? '')}: ${why}`)

/** All that the objects of such a file may say, none of it checked yet. */
type Said = Partial<Record<'kind' | 'apiVersion' | 'resources' | 'providers' | 'name' | 'secret' | 'endpoint' | 'timeout' | 'cachesize', unknown>> &
  SaidProvider

type SaidProvider = Partial<Record<'identity' | 'aesgcm' | 'kms' | 'aescbc' | 'secretbox' | 'keys', unknown>>

function objectOf(value: unknown, at: string): Said {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value
  throw fault(at, 'an object is required')
}

function listOf(value: unknown, at: string): readonly unknown[] {
  if (Array.isArray(value)) return value
  throw fault(at, 'Required value: a list')
}

/** The entry that says what becomes of a resource; the first one that names it. */
export function configurationFor(
  { resources }: EncryptionConfiguration,
  groupResource: string,
): ResourceConfiguration | undefined {
  if (aging.includes(groupResource)) return undefined
  const dot = groupResource.indexOf('.')
  const names = new Set([groupResource, dot < 0 ? '*.' : `*.${groupResource.slice(dot + 1)}`, '*.*'])
  return resources.find((entry) => entry.resources.some((one) => names.has(one)))
}
