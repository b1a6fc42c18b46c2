// From a pod's volumes to the files in them. A pure function of the spec and of what it refers to; what it cannot give it
// refuses in upstream's sentences.
import type {
  ConfigMapProjection,
  DownwardAPIProjection,
  KeyToPath,
  Pod,
  Volume,
  VolumeProjection,
} from '@shiplog/api/generated/types/core-v1'
import { type PodVolume, RuntimeFailure, type VolumeFile } from '@shiplog/node/container-runtime'
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

/** Throws RuntimeFailure with reason FailedMount. */
export function podVolumes(facts: PodFacts, lookup: Lookup): PodVolume[] {
  const owner = ownerOf(facts.pod)
  return volumesOf(facts.pod).map((volume) => {
    const { name } = volume
    if (volume.emptyDir) return { kind: 'empty', name, ...owner }
    if (volume.hostPath)
      return { kind: 'host', name, path: volume.hostPath.path, type: volume.hostPath.type ?? '' }
    try {
      const files = filesOf(facts, volume, lookup)
      const secret = sourcesOf(volume).some((source) => source.secret !== undefined)
      return { kind: 'files', name, files, secret, ...owner }
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      throw new RuntimeFailure('FailedMount', `MountVolume.SetUp failed for volume "${name}" : ${reason}`)
    }
  })
}

/** Whom the files belong to, when the pod runs as another user. */
function ownerOf(pod: Pod): { owner?: number } {
  const { securityContext, containers } = pod.spec
  const user = securityContext?.runAsUser ?? containers[0]?.securityContext?.runAsUser
  return user === undefined ? {} : { owner: user }
}

function filesOf(facts: PodFacts, volume: Volume, lookup: Lookup): VolumeFile[] {
  const sources = sourcesOf(volume)
  if (sources.length === 0 && !volume.projected) {
    const kind = Object.keys(volume).find((field) => field !== 'name') ?? 'nothing'
    throw new Error(`volumes of type ${kind} do not exist on a node of processes`)
  }
  const files = new Map<string, VolumeFile>()
  for (const source of sources) {
    const more =
      source.configMap !== undefined
        ? objectFiles('configmaps', source.configMap, source.defaultMode, lookup)
        : source.secret !== undefined
          ? objectFiles('secrets', source.secret, source.defaultMode, lookup)
          : source.downwardAPI !== undefined
            ? downwardFiles(facts, source.downwardAPI, source.defaultMode)
            : []
    // There is no API for tokens of service accounts yet: the file stays away.
    if (more.length === 0 && source.clusterTrustBundle) {
      throw new Error('volumes of type clusterTrustBundle do not exist on a node of processes')
    }
    for (const file of more) files.set(file.path, file)
  }
  return [...files.values()]
}

function objectFiles(
  kind: ReferenceKind,
  source: ConfigMapProjection,
  mode: number | undefined,
  lookup: Lookup,
): VolumeFile[] {
  const name = source.name ?? ''
  const object = lookup(kind, name)
  if (object === undefined) {
    if (source.optional === true) return []
    throw new Error(`${wordOf(kind)} "${name}" not found`)
  }
  const mask = kind === 'secrets' ? ownerBits : 0o777
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
