// How others' API servers learn who asks: headers that they believe of whoever shows the front proxy's certificate, and the
// ConfigMap in which they read whose certificate that is.
import type { ApiClient } from '@shiplog/api/api-client'
import type { ConfigMap } from '@shiplog/api/generated/types/core-v1'
import type { KubeObject } from '@shiplog/api/kube-object'
import type { User } from '@shiplog/domain/strategy'
import type { FrontProxy } from './aggregated-services.ts'

/** The name in the certificate of the front proxy. */
export const frontProxyName = 'front-proxy-client'

/** Headers that only the front proxy may set. */
export const isRemoteHeader = (name: string): boolean => name.toLowerCase().startsWith('x-remote-')

/** As client-go's transport writes them: one header for each group, keys of extra fields escaped. */
export function remoteHeaders(user: User): readonly (readonly [name: string, value: string])[] {
  const extra = Object.entries(user.extra ?? {})
  return [
    ['X-Remote-User', user.name],
    ...(user.uid ? [['X-Remote-Uid', user.uid] as const] : []),
    ...user.groups.map((group) => ['X-Remote-Group', group] as const),
    ...extra.flatMap(([key, values]) => values.map((value) => [`X-Remote-Extra-${escapedKey(key)}`, value] as const)),
  ]
}

/** What a header's name cannot hold, and the percent sign, are percent-encoded. */
const escapedKey = (key: string): string =>
  [...Buffer.from(key)]
    .map((byte) => {
      const character = String.fromCharCode(byte)
      return /[A-Za-z0-9!#$&'*+\-.^_`|~]/.test(character) ? character : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
    })
    .join('')

const where = { group: '', resource: 'configmaps', namespace: 'kube-system' }
const name = 'extension-apiserver-authentication'

/** Writes the ConfigMap unless it says all that already. */
export async function publishFrontProxy(client: ApiClient, clientCa: string, frontProxy: FrontProxy | undefined): Promise<void> {
  const data: Record<string, string> = {
    'client-ca-file': clientCa,
    ...(frontProxy
      ? {
          'requestheader-allowed-names': JSON.stringify([frontProxyName]),
          'requestheader-client-ca-file': frontProxy.ca,
          'requestheader-extra-headers-prefix': JSON.stringify(['X-Remote-Extra-']),
          'requestheader-group-headers': JSON.stringify(['X-Remote-Group']),
          'requestheader-uid-headers': JSON.stringify(['X-Remote-Uid']),
          'requestheader-username-headers': JSON.stringify(['X-Remote-User']),
        }
      : {}),
  }
  const found = await client.request({ verb: 'get', ...where, name })
  const body = { kind: 'ConfigMap', apiVersion: 'v1', metadata: { name, namespace: where.namespace }, data }
  if (!found.ok) {
    // Without the namespace there is nobody yet who would read it.
    if (found.code === 404) await client.request({ verb: 'create', ...where, body })
    return
  }
  const known = (found.object as unknown as ConfigMap).data ?? {}
  if (Object.entries(data).every(([key, value]) => known[key] === value)) return
  const next = { ...found.object, data: { ...known, ...data } } as unknown as KubeObject
  await client.request({ verb: 'update', ...where, name, body: next })
}
