// Volumes and claims for situations: in a zone, on some nodes, of a driver with limits, for one pod alone, and in ways that keep
// a pod waiting. Nothing here is bound by scheduling: the claims that can be used are bound from the beginning.
import type { ApiRequest } from '@shiplog/api/api-client'
import type { JsonObject } from '@shiplog/api/kube-object'
import type { Dice } from './dice.ts'
import { driver, hostKey, zoneKey } from './random-nodes.ts'
import { create } from './requests.ts'

export interface VolumeClaim {
  readonly namespace: string
  readonly name: string
}

const lateClass = 'late'
const kinds = ['zonal', 'local', 'csi', 'csi', 'csi', 'once', 'unbound', 'waiting', 'missing', 'volumeless'] as const
type Kind = (typeof kinds)[number]

export function volumeRequests(dice: Dice, nodes: readonly string[]) {
  const requests: ApiRequest[] = [
    create('storageclasses.storage.k8s.io', {
      apiVersion: 'storage.k8s.io/v1',
      kind: 'StorageClass',
      metadata: { name: lateClass },
      provisioner: 'kubernetes.io/no-provisioner',
      volumeBindingMode: 'WaitForFirstConsumer',
    }),
  ]
  const claims: VolumeClaim[] = []
  for (const [index, kind] of kinds.entries()) {
    const claim = { namespace: dice.once(4) ? 'east' : 'default', name: `${kind}-${index}` }
    claims.push(claim)
    const isBound = kind !== 'unbound' && kind !== 'waiting' && kind !== 'missing'
    const volumeName = `volume-${index}`
    if (isBound && kind !== 'volumeless') requests.push(create('persistentvolumes', volume(dice, kind, volumeName, claim, nodes)))
    if (kind !== 'missing') requests.push(create('persistentvolumeclaims', claimObject(kind, claim, isBound ? volumeName : undefined)))
  }
  return { requests, claims }
}

const accessModes = (kind: Kind) => [kind === 'once' ? 'ReadWriteOncePod' : 'ReadWriteMany']

function volume(dice: Dice, kind: Kind, name: string, claim: VolumeClaim, nodes: readonly string[]): JsonObject {
  const some = nodes.filter(() => dice.once(3))
  const expression = { key: hostKey, operator: 'In', values: [dice.pick(nodes), ...some] }
  const zones = dice.once(3) ? 'a__b' : dice.pick(['a', 'b', 'c'])
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name, ...(kind === 'zonal' ? { labels: { [zoneKey]: zones } } : {}) },
    spec: {
      capacity: { storage: '1Gi' },
      accessModes: accessModes(kind),
      storageClassName: 'manual',
      claimRef: { apiVersion: 'v1', kind: 'PersistentVolumeClaim', ...claim },
      ...(kind === 'csi' ? { csi: { driver, volumeHandle: name } } : { nfs: { server: 'files.test', path: `/${name}` } }),
      ...(kind === 'local' ? { nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions: [expression] }] } } } : {}),
    },
  }
}

const claimObject = (kind: Kind, { name, namespace }: VolumeClaim, volumeName: string | undefined): JsonObject => ({
  apiVersion: 'v1',
  kind: 'PersistentVolumeClaim',
  metadata: {
    name,
    namespace,
    ...(volumeName === undefined ? {} : { annotations: { 'pv.kubernetes.io/bind-completed': 'yes' } }),
  },
  spec: {
    accessModes: accessModes(kind),
    storageClassName: kind === 'waiting' ? lateClass : 'manual',
    resources: { requests: { storage: '1Gi' } },
    ...(volumeName === undefined ? {} : { volumeName }),
  },
})
