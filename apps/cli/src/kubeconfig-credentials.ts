// Whom a kubeconfig names: the server of its current context, and what it shows there.
import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { decodeYaml } from '@shiplog/api/decode/decode-yaml'

export interface Credentials {
  readonly server: string
  readonly ca?: Buffer
  readonly cert?: Buffer
  readonly key?: Buffer
  readonly token?: string
}

/** What is wrong with a kubeconfig is said without what is in it: it holds keys and tokens. */
function kubeconfigIn(path: string): any {
  const text = readFileSync(path, 'utf8')
  try {
    return decodeYaml(text).value
  } catch {
    throw new Error(`${path} is no YAML`)
  }
}

/** The current context of a kubeconfig: certificates and tokens, inline or in files. */
export function credentialsIn(path: string): Credentials {
  const config = kubeconfigIn(path)
  const named = (list: any[], name: string): any => list?.find((entry) => entry.name === name)
  const context = named(config.contexts, config['current-context'])?.context
  const cluster = named(config.clusters, context?.cluster)?.cluster
  if (!cluster?.server) throw new Error(`${path} names no server for its current context`)
  const user = named(config.users, context.user)?.user ?? {}
  const bytes = (holder: any, key: string): Buffer | undefined =>
    holder[`${key}-data`]
      ? Buffer.from(holder[`${key}-data`], 'base64')
      : holder[key]
        ? readFileSync(resolve(dirname(path), holder[key]))
        : undefined
  const ca = bytes(cluster, 'certificate-authority')
  const cert = bytes(user, 'client-certificate')
  const key = bytes(user, 'client-key')
  return {
    server: String(cluster.server).replace(/\/$/, ''),
    ...(ca ? { ca } : {}),
    ...(cert ? { cert } : {}),
    ...(key ? { key } : {}),
    ...(user.token ? { token: user.token } : {}),
  }
}
