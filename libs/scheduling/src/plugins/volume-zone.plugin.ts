// VolumeZone: a volume that says by labels in which zones or regions it is can be used only there.
import type { PersistentVolume } from '@shiplog/api/generated/types/core-v1'
import type { Plugin, PreFilterResult, Rejection } from '../framework/framework.ts'
import type { NodeInfo } from '../snapshot/node-info.ts'
import type { PodInfo } from '../snapshot/pod-info.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'

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

/** Claims that are missing or unbound are VolumeBinding's matter. */
function preFilter(pod: PodInfo, { objects: { volumes } }: Snapshot): PreFilterResult | undefined {
  const zones = pod.claims.flatMap(({ name, isEphemeral }) => {
    const volumeName = isEphemeral ? undefined : volumes.claim(pod.namespace, name)?.spec.volumeName
    const volume = volumeName ? volumes.volume(volumeName) : undefined
    return volume ? zonesOf(volume) : []
  })
  if (zones.length === 0) return undefined
  return { filter: (node) => (isInZones(node, zones) ? undefined : rejection) }
}

/** A node without any such label is in a cluster of one zone. */
const isInZones = ({ labels }: NodeInfo, zones: readonly VolumeZones[]): boolean =>
  Object.keys(zoneLabels).every((label) => labels[label] === undefined) ||
  zones.every(({ label, values }) => values.includes(labels[label] ?? labels[zoneLabels[label]!] ?? ''))
