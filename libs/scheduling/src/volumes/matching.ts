// Which volume a claim may have: the smallest that is large enough, of its class, mode, access modes and labels, and, when a
// pod has been placed already, usable on its node. As upstream's FindMatchingVolume.
import type { PersistentVolume, PersistentVolumeClaim } from '@shiplog/api/generated/types/core-v1'
import type { StorageClass } from '@shiplog/api/generated/types/storage-v1'
import { compareQuantities, parseQuantity, type Quantity } from '@shiplog/api/quantity'
import { compileLabelSelector } from '@shiplog/api/selectors'
import { compileRequired, type SelectableNode } from '../plugins/node-selector.ts'

/** What there is of volumes and their classes, for whoever looks for one. */
export interface VolumeLookup {
  volumes(): Iterable<PersistentVolume>
  storageClasses(): Iterable<StorageClass>
  storageClass(name: string): StorageClass | undefined
}

const betaClassAnnotation = 'volume.beta.kubernetes.io/storage-class'
const defaultClassAnnotations = [
  'storageclass.kubernetes.io/is-default-class',
  'storageclass.beta.kubernetes.io/is-default-class',
]

export const classOf = ({ metadata, spec }: PersistentVolume | PersistentVolumeClaim): string =>
  metadata.annotations?.[betaClassAnnotation] ?? spec.storageClassName ?? ''

/** Whether a claim names a class, be it the empty one. */
export const namesClass = ({ metadata, spec }: PersistentVolumeClaim): boolean =>
  metadata.annotations?.[betaClassAnnotation] !== undefined || spec.storageClassName !== undefined

/** Whether the claim's class leaves it unbound until a pod that uses it is to be placed. */
export const waitsForConsumer = (lookup: VolumeLookup, claim: PersistentVolumeClaim): boolean =>
  lookup.storageClass(classOf(claim))?.volumeBindingMode === 'WaitForFirstConsumer'

/** The class of claims that name none: the youngest of those that are marked so. */
export function defaultClass(lookup: VolumeLookup): StorageClass | undefined {
  const isDefault = ({ metadata }: StorageClass): boolean =>
    defaultClassAnnotations.some((name) => metadata.annotations?.[name] === 'true')
  return [...lookup.storageClasses()].filter(isDefault).sort((a, b) => {
    const [one, other] = [a.metadata, b.metadata]
    if (one.creationTimestamp !== other.creationTimestamp)
      return one.creationTimestamp < other.creationTimestamp ? 1 : -1
    return one.name < other.name ? -1 : 1
  })[0]
}

const storageOf = ({ storage = '0' }: Readonly<Record<string, string>> = {}): Quantity => parseQuantity(storage)

export const capacityOf = (volume: PersistentVolume): Quantity => storageOf(volume.spec.capacity)

const isLargeEnough = (volume: PersistentVolume, claim: PersistentVolumeClaim): boolean =>
  compareQuantities(capacityOf(volume), storageOf(claim.spec.resources?.requests)) >= 0

export const sameMode = (volume: PersistentVolume, claim: PersistentVolumeClaim): boolean =>
  (volume.spec.volumeMode ?? 'Filesystem') === (claim.spec.volumeMode ?? 'Filesystem')

const sameAttributes = (volume: PersistentVolume, claim: PersistentVolumeClaim): boolean =>
  (volume.spec.volumeAttributesClassName ?? '') === (claim.spec.volumeAttributesClassName ?? '')

const hasAccessModes = (volume: PersistentVolume, claim: PersistentVolumeClaim): boolean =>
  (claim.spec.accessModes ?? []).every((mode) => volume.spec.accessModes?.includes(mode))

/** The volume is kept for the claim, or bound to it. */
export function isFor(volume: PersistentVolume, claim: PersistentVolumeClaim): boolean {
  const { claimRef } = volume.spec
  return (
    claimRef !== undefined &&
    claimRef.name === claim.metadata.name &&
    claimRef.namespace === claim.metadata.namespace &&
    (!claimRef.uid || claimRef.uid === claim.metadata.uid)
  )
}

/** Whether a volume can be used on a node. */
export const fitsNode = (volume: PersistentVolume, node: SelectableNode): boolean =>
  compileRequired(undefined, volume.spec.nodeAffinity?.required)?.matches(node) ?? true

/** Why a volume that a claim names is not for it. */
export function mismatch(volume: PersistentVolume, claim: PersistentVolumeClaim): string | undefined {
  if (volume.metadata.deletionTimestamp !== undefined)
    return `the volume is marked for deletion "${volume.metadata.name}"`
  if (!isLargeEnough(volume, claim)) return 'requested PV is too small'
  if (classOf(volume) !== classOf(claim)) return 'storageClassName does not match'
  if (!sameAttributes(volume, claim)) return 'volumeAttributesClassName does not match'
  if (!sameMode(volume, claim)) return 'incompatible volumeMode'
  return hasAccessModes(volume, claim) ? undefined : 'incompatible accessMode'
}

/** The best volume for a claim. `waits`: without a node it gets only one that is kept for it. */
export function matchingVolume(
  lookup: VolumeLookup,
  claim: PersistentVolumeClaim,
  { waits, node }: { readonly waits: boolean; readonly node: SelectableNode | undefined },
): PersistentVolume | undefined {
  const selector = claim.spec.selector ? compileLabelSelector(claim.spec.selector) : undefined
  const candidates = [...lookup.volumes()].filter(
    (volume) =>
      hasAccessModes(volume, claim) &&
      isLargeEnough(volume, claim) &&
      sameMode(volume, claim) &&
      sameAttributes(volume, claim) &&
      volume.metadata.deletionTimestamp === undefined &&
      (node === undefined || fitsNode(volume, node)),
  )
  const kept = candidates.find((volume) => isFor(volume, claim))
  if (kept || (waits && node === undefined)) return kept
  const free = candidates.filter(
    (volume) =>
      volume.spec.claimRef === undefined &&
      volume.status.phase === 'Available' &&
      classOf(volume) === classOf(claim) &&
      (selector?.matches(volume.metadata.labels) ?? true),
  )
  return free.sort(byModesThenSize)[0]
}

/** Few access modes first, then the smallest; the name decides, so that all runners choose the same one. */
function byModesThenSize(a: PersistentVolume, b: PersistentVolume): number {
  const modes = (a.spec.accessModes ?? []).length - (b.spec.accessModes ?? []).length
  if (modes !== 0) return modes
  return compareQuantities(capacityOf(a), capacityOf(b)) || (a.metadata.name < b.metadata.name ? -1 : 1)
}
