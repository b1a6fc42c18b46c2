// Files of one volume that lie on or under one another: only one of them would be there.
import { goQuote } from '@shiplog/api/decode/go-quote'
import type { KeyToPath, Volume, VolumeProjection } from '@shiplog/api/generated/types/core-v1'
import type { Decoded } from '@shiplog/api/decoded'
import { items } from '../fields.ts'

interface VirtualPath {
  readonly path: string
  readonly source: string
}

const shown = ({ path, source }: VirtualPath): string => (source ? `${goQuote(path)} (${source})` : goQuote(path))

const overlap = (one: VirtualPath, other: VirtualPath): boolean =>
  one.path !== '' &&
  other.path !== '' &&
  (`${one.path}/`.startsWith(`${other.path}/`) || `${other.path}/`.startsWith(`${one.path}/`))

const overlaps = (paths: readonly VirtualPath[]): string[] => {
  if (paths.length < 2) return []
  const trimmed = paths.map(({ path, source }) => ({ path: path.replace(/\/+$/, ''), source }))
  return trimmed.flatMap((one, index) =>
    trimmed
      .slice(0, index)
      .filter((other) => overlap(one, other))
      .map((other) => `${shown(one)} with ${shown(other)}`),
  )
}

const pathsOf = (list: Decoded<Pick<KeyToPath, 'path'>[]> | undefined, source = ''): VirtualPath[] =>
  items(list).map(({ path = '' }) => ({ path, source }))

const projectedPaths = (source: Decoded<VolumeProjection>): VirtualPath[] => {
  const { configMap, secret, downwardAPI, serviceAccountToken: token, clusterTrustBundle: bundle } = source
  const certificate = source.podCertificate
  if (configMap?.items) return pathsOf(configMap.items, `ConfigMap ${goQuote(configMap.name ?? '')}`)
  if (secret?.items) return pathsOf(secret.items, `Secret ${goQuote(secret.name ?? '')}`)
  if (downwardAPI?.items) return pathsOf(downwardAPI.items, 'DownwardAPI')
  if (token) return [{ path: token.path ?? '', source: 'ServiceAccountToken' }]
  if (bundle)
    return [
      { path: bundle.path ?? '', source: `ClusterTrustBundle ${goQuote(bundle.name ?? bundle.signerName ?? '')}` },
    ]
  return [
    { path: certificate?.certificateChainPath, source: 'PodCertificate chain' },
    { path: certificate?.keyPath, source: 'PodCertificate key' },
    { path: certificate?.credentialBundlePath, source: 'PodCertificate credential bundle' },
  ].flatMap(({ path, source }) => (path ? [{ path, source }] : []))
}

/** Of all volumes of a pod. */
export const virtualPathWarnings = (volumes: Decoded<Volume[]> | undefined): string[] =>
  items(volumes).flatMap((volume) => {
    const name = goQuote(volume.name ?? '')
    const told = (what: string, of: string | undefined, found: readonly string[]): string[] =>
      found.map((sentence) => `volume ${name} (${of === undefined ? what : `${what} ${goQuote(of)}`}): overlapping paths: ${sentence}`)
    const { configMap, secret, downwardAPI, projected } = volume
    const sources = items(projected?.sources)
    const empty = sources.filter((source) => Object.values(source).every((value) => !value))
    return [
      ...told('ConfigMap', configMap?.name ?? '', overlaps(pathsOf(configMap?.items))),
      ...told('Secret', secret?.secretName ?? '', overlaps(pathsOf(secret?.items))),
      ...told('DownwardAPI', undefined, overlaps(pathsOf(downwardAPI?.items))),
      ...empty.map(() => `volume ${name} (Projected) has no sources provided`),
      ...told('Projected', undefined, overlaps(sources.flatMap(projectedPaths))),
    ]
  })
