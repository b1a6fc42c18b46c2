// From a pod's volumes to the files in them. A pure function of the spec and of what it refers to; what it cannot give it
// refuses in upstream's sentences.
import type {
  ConfigMapProjection,
  DownwardAPIProjection,
  KeyToPath,
  Pod,
  ServiceAccountTokenProjection,
  Volume,
  VolumeProjection,
} from '@shiplog/api/generated/types/core-v1'
import { bytesOf } from '@shiplog/api/quantity'
import { type PodVolume, RuntimeFailure, type VolumeFile } from '@shiplog/node/container-runtime'
import type { TokenOf } from './service-account-tokens.ts'
import { fieldValue, type PodFacts, resourceValue } from './field-references.ts'
import { keysOf, type Lookup, type Reference, type ReferenceKind, bytesAt, wordOf } from './references.ts'

const defaultFileMode = 0o644
/** Secrets are for their owner's eyes. */
const ownerBits = 0o700

/** Where a volume is no projection, its only source has the default mode itself. */
type Source = VolumeProjection & { readonly defaultMode?: number | undefined }

const volumesOf = (pod: Pod): readonly Volume[] => pod.spec.volumes ?? []

/** Every source of a volume that is made of files, with the kind it refers to. */
function sourcesOf({ projected, secret, configMap, downwardAPI }: Volume): readonly Source[] {
  if (projected) return (projected.sources ?? []).map((source) => ({ ...source, defaultMode: projected.defaultMode }))
  // A Secret's name has another field here than everywhere else.
  if (secret) {
    const { secretName, defaultMode, ...rest } = secret
    return [{ secret: { ...rest, ...(secretName === undefined ? {} : { name: secretName }) }, defaultMode }]
  }
  if (configMap) return [{ configMap, defaultMode: configMap.defaultMode }]
  if (downwardAPI) return [{ downwardAPI, defaultMode: downwardAPI.defaultMode }]
  return []
}

export function referencesOfVolumes(pod: Pod): Reference[] {
  return volumesOf(pod)
    .flatMap(sourcesOf)
    .flatMap((source): Reference[] => [
      ...(source.configMap?.name ? [{ kind: 'configmaps' as const, name: source.configMap.name }] : []),
      ...(source.secret?.name ? [{ kind: 'secrets' as const, name: source.secret.name }] : []),
    ])
}

/** What volumes are like on a kind of node. */
export interface VolumeStyle {
  /** `process`, `container`: as messages call it. */
  readonly nodeKind: string
  /** Containers run as users of the machine: files belong to the user of the pod, and Secrets are for nobody else's eyes. */
  readonly ownedByUser: boolean
  /** Whether there are volumes of images. */
  readonly images: boolean
}

export const processVolumes: VolumeStyle = { nodeKind: 'processes', ownedByUser: true, images: false }
export const containerVolumes: VolumeStyle = { nodeKind: 'containers', ownedByUser: false, images: true }

/** Throws RuntimeFailure with reason FailedMount. */
export function podVolumes(
  facts: PodFacts,
  lookup: Lookup,
  tokenOf: TokenOf,
  style: VolumeStyle = processVolumes,
): PodVolume[] {
  const whose = style.ownedByUser ? ownerOf(facts.pod) : groupOf(facts.pod)
  return volumesOf(facts.pod).map((volume) => {
    const { name, emptyDir, hostPath, image } = volume
    if (emptyDir) {
      const { medium, sizeLimit } = emptyDir
      const limit = sizeLimit === undefined ? undefined : bytesOf(String(sizeLimit))
      return {
        ...{ kind: 'empty', name, ...whose },
        ...(medium === 'Memory' ? { inMemory: true } : {}),
        ...(limit === undefined || limit === 0 ? {} : { sizeLimitBytes: limit }),
      }
    }
    if (hostPath) return { kind: 'host', name, path: hostPath.path, type: hostPath.type ?? '' }
    if (image && style.images) {
      return { kind: 'image', name, reference: image.reference ?? '', pullPolicy: image.pullPolicy ?? '' }
    }
    try {
      const files = filesOf({ ...facts, lookup, tokenOf, style }, volume)
      const secret = style.ownedByUser && sourcesOf(volume).some((source) => source.secret !== undefined)
      return { kind: 'files', name, files, secret, ...whose }
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      throw new RuntimeFailure('FailedMount', `MountVolume.SetUp failed for volume "${name}" : ${reason}`)
    }
  })
}

/** Whom the files belong to, when the pod runs as another user. */
function ownerOf(pod: Pod): { owner?: number } {
  const { securityContext, containers } = pod.spec
  const user = securityContext?.runAsUser ?? containers?.[0]?.securityContext?.runAsUser
  return user === undefined ? {} : { owner: user }
}

function groupOf({ spec }: Pod): { group?: number } {
  const group = spec.securityContext?.fsGroup
  return group === undefined ? {} : { group }
}

/** The one user as whom all containers run, when there is one. */
function onlyUserOf({ spec }: Pod): number | undefined {
  const all = [...(spec.containers ?? []), ...(spec.initContainers ?? [])]
  const users = new Set(all.map(({ securityContext }) => securityContext?.runAsUser ?? spec.securityContext?.runAsUser))
  return users.size === 1 ? [...users][0] : undefined
}

interface FileSources extends PodFacts {
  readonly lookup: Lookup
  readonly tokenOf: TokenOf
  readonly style: VolumeStyle
}

function filesOf(from: FileSources, volume: Volume): VolumeFile[] {
  const sources = sourcesOf(volume)
  if (sources.length === 0 && !volume.projected) {
    const kind = Object.keys(volume).find((field) => field !== 'name') ?? 'nothing'
    throw new Error(`volumes of type ${kind} do not exist on a node of ${from.style.nodeKind}`)
  }
  const files = new Map<string, VolumeFile>()
  for (const source of sources) {
    const more = sourceFiles(from, source)
    for (const file of more) files.set(file.path, file)
  }
  return [...files.values()]
}

function sourceFiles(from: FileSources, source: Source): VolumeFile[] {
  const { configMap, secret, downwardAPI, serviceAccountToken, clusterTrustBundle, defaultMode } = source
  if (configMap) return objectFiles('configmaps', configMap, defaultMode, from)
  if (secret) return objectFiles('secrets', secret, defaultMode, from)
  if (downwardAPI) return downwardFiles(from, downwardAPI, defaultMode)
  if (serviceAccountToken) return [tokenFile(from, serviceAccountToken, defaultMode)]
  if (clusterTrustBundle) {
    throw new Error(`volumes of type clusterTrustBundle do not exist on a node of ${from.style.nodeKind}`)
  }
  return []
}

/** As upstream: for the one user of the pod alone, or for its group, else for everybody in it. */
function tokenFile(
  { pod, tokenOf, style }: FileSources,
  source: ServiceAccountTokenProjection,
  defaultMode = defaultFileMode,
): VolumeFile {
  const content = Buffer.from(tokenOf(source), 'utf8')
  if (style.ownedByUser) return { path: source.path, content, mode: 0o600 }
  const owner = onlyUserOf(pod)
  const narrow = owner !== undefined || pod.spec.securityContext?.fsGroup !== undefined
  return {
    ...{ path: source.path, content, mode: narrow ? 0o600 : defaultMode & 0o777 },
    ...(owner === undefined ? {} : { owner }),
  }
}

function objectFiles(
  kind: ReferenceKind,
  source: ConfigMapProjection,
  mode: number | undefined,
  { lookup, style }: FileSources,
): VolumeFile[] {
  const name = source.name ?? ''
  const object = lookup(kind, name)
  if (object === undefined) {
    if (source.optional === true) return []
    throw new Error(`${wordOf(kind)} "${name}" not found`)
  }
  const mask = kind === 'secrets' && style.ownedByUser ? ownerBits : 0o777
  const modeOf = (item?: KeyToPath): number => (item?.mode ?? mode ?? defaultFileMode) & mask
  const { items } = source
  if (items === undefined || items.length === 0) {
    return keysOf(object).map((key) => ({ path: key, content: bytesAt(kind, object, key)!, mode: modeOf() }))
  }
  return items.flatMap((item) => {
    const content = bytesAt(kind, object, item.key)
    if (content !== undefined) return [{ path: item.path, content, mode: modeOf(item) }]
    if (source.optional === true) return []
    throw new Error(`references non-existent ${kind === 'secrets' ? 'secret' : 'config'} key: ${item.key}`)
  })
}

function downwardFiles(facts: PodFacts, source: DownwardAPIProjection, defaultMode: number | undefined): VolumeFile[] {
  return (source.items ?? []).map((item) => {
    const { fieldRef, resourceFieldRef } = item
    const value = fieldRef
      ? fieldValue(facts, fieldRef.fieldPath)
      : resourceFieldRef && resourceValue(facts, resourceFieldRef, undefined)
    if (value === undefined) throw new Error(`unable to extract the field of file ${item.path}`)
    const mode = (item.mode ?? defaultMode ?? defaultFileMode) & 0o777
    return { path: item.path, content: Buffer.from(value, 'utf8'), mode }
  })
}
