// The extenders of a KubeSchedulerConfiguration, read and checked.
import type { ExtenderConfiguration, ExtenderSecret, ExtenderTls } from './extenders.ts'

export interface UpstreamExtender {
  readonly urlPrefix?: string
  readonly filterVerb?: string
  readonly preemptVerb?: string
  readonly prioritizeVerb?: string
  readonly weight?: number
  readonly bindVerb?: string
  readonly enableHTTPS?: boolean
  readonly tlsConfig?: UpstreamTls
  readonly httpTimeout?: string
  readonly nodeCacheCapable?: boolean
  readonly managedResources?: readonly { readonly name: string; readonly ignoredByScheduler?: boolean }[]
  readonly ignorable?: boolean
}

interface UpstreamTls {
  readonly insecure?: boolean
  readonly serverName?: string
  readonly certFile?: string
  readonly keyFile?: string
  readonly caFile?: string
  readonly certData?: string
  readonly keyData?: string
  readonly caData?: string
}

export interface ReadExtenders {
  readonly extenders: readonly ExtenderConfiguration[]
  /** What NodeResourcesFit does not look at. */
  readonly ignoredResources: readonly string[]
}

/** Upstream's default. */
const defaultTimeoutMs = 5_000
const timeoutMaxMs = 60_000

/** Throws with the place of what cannot be used. */
export function readExtenders(given: readonly UpstreamExtender[]): ReadExtenders {
  const names = new Set<string>()
  const ignoredResources: string[] = []
  const extenders = given.map((one, index) => {
    const place = `extenders[${index}]`
    for (const { name, ignoredByScheduler } of one.managedResources ?? []) {
      if (names.has(name)) throw new Error(`${place}.managedResources: ${name}: duplicate extender managed resource name`)
      names.add(name)
      if (ignoredByScheduler) ignoredResources.push(name)
    }
    return extenderOf(one, place)
  })
  return { extenders, ignoredResources }
}

function extenderOf(one: UpstreamExtender, place: string): ExtenderConfiguration {
  const { urlPrefix = '', filterVerb = '', prioritizeVerb = '', weight = 0 } = one
  for (const verb of ['bindVerb', 'preemptVerb'] as const)
    if (one[verb]) throw new Error(`${place}.${verb}: extenders that bind or preempt are not supported`)
  if (prioritizeVerb !== '' && !(weight > 0)) throw new Error(`${place}.weight: must have a positive weight applied to it`)
  const url = URL.canParse(urlPrefix) ? new URL(urlPrefix) : undefined
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') throw new Error(`${place}.urlPrefix: ${urlPrefix} is no http URL`)
  if (one.enableHTTPS && url.protocol === 'http:') throw new Error(`${place}.urlPrefix: enableHTTPS wants an https URL`)
  return {
    ...{ urlPrefix: urlPrefix.replace(/\/+$/, ''), filterVerb, prioritizeVerb, weight },
    managedResources: (one.managedResources ?? []).map(({ name }) => name),
    ignorable: one.ignorable ?? false,
    nodeCacheCapable: one.nodeCacheCapable ?? false,
    timeoutMs: timeoutOf(one.httpTimeout, `${place}.httpTimeout`),
    tls: url.protocol === 'https:' ? tlsOf(one.tlsConfig ?? {}) : undefined,
  }
}

const units: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000 }

/** Go's duration, as far as one would write it here: `5s`, `500ms`, `1m30s`. */
function timeoutOf(text: string | undefined, place: string): number {
  if (text === undefined || text === '0s' || text === '0') return defaultTimeoutMs
  if (!/^(\d+(\.\d+)?(ms|s|m))+$/.test(text)) throw new Error(`${place}: ${text} is no duration`)
  const parts = text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m)/g)
  const ms = parts.reduce((sum, [, amount, unit]) => sum + Number(amount) * units[unit!]!, 0)
  return Math.min(ms, timeoutMaxMs)
}

function tlsOf({ insecure = false, serverName, ...rest }: UpstreamTls): ExtenderTls {
  const secret = (data: string | undefined, file: string | undefined): ExtenderSecret | undefined => {
    if (data) return { pem: Buffer.from(data, 'base64').toString('utf8') }
    return file ? { file } : undefined
  }
  const ca = secret(rest.caData, rest.caFile)
  return {
    // As upstream: nobody who names no authority checks one.
    ...{ insecure: insecure || ca === undefined, serverName, ca },
    ...{ certificate: secret(rest.certData, rest.certFile), key: secret(rest.keyData, rest.keyFile) },
  }
}
