// From a pod's volumes to the files in them. A pure function of the spec and of what it refers to; what it cannot give it
// refuses in upstream's sentences.
import type { JsonObject } from '@shiplog/api/kube-object'
import { type PodVolume, RuntimeFailure, type VolumeFile } from '@shiplog/node/container-runtime'
import { fieldValue, type PodFacts, resourceValue } from './field-references.ts'
import { specOf } from './pod-work.ts'
import { keysOf, type Lookup, type Reference, type ReferenceKind, bytesAt, wordOf } from './references.ts'

const defaultFileMode = 0o644
/** Secrets are for their owner's eyes. */
const ownerBits = 0o700

const volumesOf = (pod: PodFacts['pod']): JsonObject[] => specOf(pod)['volumes'] ?? []

/** Every source of a volume that is made of files, with the kind it refers to. */
function sourcesOf(volume: JsonObject): JsonObject[] {
  if (volume['projected']) return volume['projected'].sources ?? []
  // A Secret's name has another field here than everywhere else.
  if (volume['secret']) return [{ secret: { ...volume['secret'], name: volume['secret'].secretName } }]
  if (volume['configMap']) return [{ configMap: volume['configMap'] }]
  if (volume['downwardAPI']) return [{ downwardAPI: volume['downwardAPI'] }]
  return []
}

export function referencesOfVolumes(pod: PodFacts['pod']): Reference[] {
  return volumesOf(pod)
    .flatMap(sourcesOf)
    .flatMap((source): Reference[] => [
      ...(source['configMap']?.name ? [{ kind: 'configmaps' as const, name: source['configMap'].name }] : []),
      ...(source['secret']?.name ? [{ kind: 'secrets' as const, name: source['secret'].name }] : []),
    ])
}

/** Throws RuntimeFailure with reason FailedMount. */
export function podVolumes(facts: PodFacts, lookup: Lookup): PodVolume[] {
  const owner = ownerOf(facts.pod)
  return volumesOf(facts.pod).map((volume) => {
    const name = volume['name'] as string
    if (volume['emptyDir']) return { kind: 'empty', name, ...owner }
    if (volume['hostPath'])
      return { kind: 'host', name, path: volume['hostPath'].path, type: volume['hostPath'].type ?? '' }
    try {
      const files = filesOf(facts, volume, lookup)
      const secret = sourcesOf(volume).some((source) => source['secret'] !== undefined)
      return { kind: 'files', name, files, secret, ...owner }
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      throw new RuntimeFailure('FailedMount', `MountVolume.SetUp failed for volume "${name}" : ${reason}`)
    }
  })
}

/** Whom the files belong to, when the pod runs as another user. */
function ownerOf(pod: PodFacts['pod']): { owner?: number } {
  const spec = specOf(pod)
  const user =
    spec['securityContext']?.runAsUser ??
    ((spec['containers'] ?? []) as JsonObject[]).map((container) => container['securityContext']?.runAsUser)[0]
  return user === undefined ? {} : { owner: user }
}

function filesOf(facts: PodFacts, volume: JsonObject, lookup: Lookup): VolumeFile[] {
  const sources = sourcesOf(volume)
  if (sources.length === 0 && !volume['projected']) {
    const kind = Object.keys(volume).find((field) => field !== 'name') ?? 'nothing'
    throw new Error(`volumes of type ${kind} do not exist on a node of processes`)
  }
  const files = new Map<string, VolumeFile>()
  const whole = volume['projected'] ?? {}
  for (const source of sources) {
    const more =
      source['configMap'] !== undefined
        ? objectFiles('configmaps', source['configMap'], whole, lookup)
        : source['secret'] !== undefined
          ? objectFiles('secrets', source['secret'], whole, lookup)
          : source['downwardAPI'] !== undefined
            ? downwardFiles(facts, source['downwardAPI'], whole)
            : []
    // There is no API for tokens of service accounts yet: the file stays away.
    if (more.length === 0 && source['clusterTrustBundle']) {
      throw new Error('volumes of type clusterTrustBundle do not exist on a node of processes')
    }
    for (const file of more) files.set(file.path, file)
  }
  return [...files.values()]
}

function objectFiles(kind: ReferenceKind, source: JsonObject, whole: JsonObject, lookup: Lookup): VolumeFile[] {
  const name = source['name'] ?? ''
  const object = lookup(kind, name)
  if (object === undefined) {
    if (source['optional'] === true) return []
    throw new Error(`${wordOf(kind)} "${name}" not found`)
  }
  const mask = kind === 'secrets' ? ownerBits : 0o777
  const modeOf = (item?: JsonObject): number =>
    Number(item?.['mode'] ?? source['defaultMode'] ?? whole['defaultMode'] ?? defaultFileMode) & mask
  const items = source['items'] as JsonObject[] | undefined
  if (items === undefined || items.length === 0) {
    return keysOf(object).map((key) => ({ path: key, content: bytesAt(kind, object, key)!, mode: modeOf() }))
  }
  return items.flatMap((item) => {
    const content = bytesAt(kind, object, item['key'])
    if (content !== undefined) return [{ path: item['path'] as string, content, mode: modeOf(item) }]
    if (source['optional'] === true) return []
    throw new Error(`references non-existent ${kind === 'secrets' ? 'secret' : 'config'} key: ${item['key']}`)
  })
}

function downwardFiles(facts: PodFacts, source: JsonObject, whole: JsonObject): VolumeFile[] {
  return ((source['items'] ?? []) as JsonObject[]).map((item) => {
    const value = item['fieldRef']
      ? fieldValue(facts, item['fieldRef'].fieldPath)
      : resourceValue(facts, item['resourceFieldRef'] ?? {}, {})
    if (value === undefined) throw new Error(`unable to extract the field of file ${item['path']}`)
    const mode = Number(item['mode'] ?? source['defaultMode'] ?? whole['defaultMode'] ?? defaultFileMode) & 0o777
    return { path: item['path'] as string, content: Buffer.from(value, 'utf8'), mode }
  })
}
