// What PersistentVolumeClaims take of a quota, as a whole and by StorageClass.
import type { PersistentVolumeClaim } from '@shiplog/api/generated/types/core-v1'
import { parseQuantity, type Quantity, quantityOf, quantityValue } from '@shiplog/api/quantity'
import type { Evaluator } from './evaluator.ts'
import { one, type ResourceList } from './resource-list.ts'
import { matchesValues } from './scopes.ts'

const objectCount = 'count/persistentvolumeclaims'
const claims = 'persistentvolumeclaims'
const storage = 'requests.storage'
const byClass = '.storageclass.storage.k8s.io/'
const classAnnotation = 'volume.beta.kubernetes.io/storage-class'

const classOf = ({ metadata, spec }: PersistentVolumeClaim): string =>
  metadata.annotations?.[classAnnotation] ?? spec.storageClassName ?? ''

/** Whole bytes; while a claim grows, what is allocated for it counts. */
function storageOf({ spec, status }: PersistentVolumeClaim): Quantity | undefined {
  const asked = spec.resources?.requests?.['storage']
  if (asked === undefined) return undefined
  const allocated = status?.allocatedResources?.['storage']
  const quantities = [asked, ...(allocated === undefined ? [] : [allocated])].map(parseQuantity)
  const largest = quantities.reduce((left, right) => (right.nano > left.nano ? right : left))
  return quantityOf(quantityValue(largest), largest.format)
}

/** The classes of attributes that it has, wants, or is on its way to. */
const attributesClassesOf = ({ spec, status }: PersistentVolumeClaim): readonly string[] => [
  ...new Set(
    [
      spec.volumeAttributesClassName,
      status?.currentVolumeAttributesClassName,
      status?.modifyVolumeStatus?.targetVolumeAttributesClassName,
    ].flatMap((name) => name || []),
  ),
]

function usage(claim: PersistentVolumeClaim): ResourceList {
  const list = new Map<string, Quantity>([
    [claims, one],
    [objectCount, one],
  ])
  const className = classOf(claim)
  const amount = storageOf(claim)
  if (className) list.set(`${className}${byClass}${claims}`, one)
  if (amount) list.set(storage, amount)
  if (amount && className) list.set(`${className}${byClass}${storage}`, amount)
  return list
}

export const claimEvaluator: Evaluator = {
  handles: ({ operation, subresource }) => subresource === '' && (operation === 'CREATE' || operation === 'UPDATE'),
  tracks: (name) =>
    name === objectCount || [claims, storage].some((own) => name === own || name.endsWith(`${byClass}${own}`)),
  matchesScope: (scope, object) =>
    scope.scopeName === 'VolumeAttributesClass' &&
    matchesValues(scope, attributesClassesOf(object as unknown as PersistentVolumeClaim)),
  usage: (object) => usage(object as unknown as PersistentVolumeClaim),
}
