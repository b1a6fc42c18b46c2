// VolumeZone: a volume that says by labels in which zones or regions it is can be used only there.
import type { PersistentVolume } from '@shiplog/api/generated/types/core-v1'
import type { Plugin, PreFilterResult, Rejection } from '../framework/framework.ts'
import type { NodeInfo } from '../snapshot/node-info.ts'
import type { PodInfo } from '../snapshot/pod-info.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'
import { classOf, waitsForConsumer } from '../volumes/matching.ts'
import type { Volumes } from '../volumes/volumes.ts'

const rejection: Rejection = { reasons: ['node(s) had no available volume zone'], resolvable: false }

/** Label → the one that took its place. */
const zoneLabels: Readonly<Record<string, string>> = {
  'failure-domain.beta.kubernetes.io/zone': 'topology.kubernetes.io/zone',
  'failure-domain.beta.kubernetes.io/region': 'topology.kubernetes.io/region',
  'topology.kubernetes.io/zone': 'topology.kubernetes.io/zone',
  'topology.kubernetes.io/region': 'topology.kubernetes.io/region',
}

export const volumeZone: Plugin = {
  name: 'VolumeZone',
  preFilter,
  sign: (pod) => (pod.claims.length === 0 ? '' : undefined),
  wakes: (_pod, event) =>
    event.type === 'VolumesChanged' ||
    event.type === 'NodeAdded' ||
    (event.type === 'NodeUpdated' && event.difference.labels),
}

interface VolumeZones {
  readonly label: string
  readonly values: readonly string[]
}

/** `a__b` are two zones. */
const zonesOf = ({ metadata: { labels = {} } }: PersistentVolume): readonly VolumeZones[] =>
  Object.keys(zoneLabels).flatMap((label) => {
    const values = labels[label]?.split('__').map((value) => value.trim())
    return values === undefined || values.includes('') ? [] : [{ label, values }]
  })

function preFilter(pod: PodInfo, { objects: { volumes } }: Snapshot): PreFilterResult | undefined {
  const zones: VolumeZones[] = []
  for (const { name, isEphemeral } of pod.claims) {
    if (isEphemeral) continue
    const found = volumeOf(pod.namespace, name, volumes)
    if (typeof found === 'string') return { rejected: found }
    if (found !== undefined) zones.push(...zonesOf(found))
  }
  if (zones.length === 0) return undefined
  return { filter: (node) => (isInZones(node, zones) ? undefined : rejection) }
}

/** The claim's volume; undefined while it waits for its pod's node; or why there is none. Mostly VolumeBinding says so before. */
function volumeOf(namespace: string, name: string, volumes: Volumes): PersistentVolume | string | undefined {
  const claim = volumes.claim(namespace, name)
  if (claim === undefined) return `persistentvolumeclaim "${name}" not found`
  const { volumeName } = claim.spec
  if (volumeName) return volumes.volume(volumeName) ?? `persistentvolume "${volumeName}" not found`
  const className = classOf(claim)
  if (className === '') return 'PersistentVolumeClaim had no pv name and storageClass name'
  if (volumes.storageClass(className) === undefined) return `storageclass.storage.k8s.io "${className}" not found`
  return waitsForConsumer(volumes, claim) ? undefined : 'PersistentVolume had no name'
}

/** A node without any such label is in a cluster of one zone. */
const isInZones = ({ labels }: NodeInfo, zones: readonly VolumeZones[]): boolean =>
  Object.keys(zoneLabels).every((label) => labels[label] === undefined) ||
  zones.every(({ label, values }) => values.includes(labels[label] ?? labels[zoneLabels[label]!] ?? ''))
