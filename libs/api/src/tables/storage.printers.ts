// The tables of volumes, claims, classes and devices.
import type { JsonObject, KubeObject } from '../kube-object.ts'
import { age, ageColumn, column, nameColumn, printer, wide } from './columns.ts'

const modes: readonly (readonly [string, string])[] = [
  ['ReadWriteOnce', 'RWO'],
  ['ReadOnlyMany', 'ROX'],
  ['ReadWriteMany', 'RWX'],
  ['ReadWriteOncePod', 'RWOP'],
]

/** `RWO,ROX`: always in the same order, each once. */
const accessModes = (given: readonly string[] | undefined): string =>
  modes
    .filter(([mode]) => given?.includes(mode))
    .map(([, short]) => short)
    .join(',')

const classAnnotation = 'volume.beta.kubernetes.io/storage-class'

const storageClassOf = (object: KubeObject): string =>
  object.metadata.annotations?.[classAnnotation] ?? object['spec']?.storageClassName ?? ''

const phaseOf = (object: KubeObject): string =>
  object.metadata.deletionTimestamp ? 'Terminating' : (object['status']?.phase ?? '')

export const persistentVolumePrinter = printer(
  [
    nameColumn,
    column('Capacity', 'How much it holds.'),
    column('Access Modes', 'How it can be mounted.'),
    column('Reclaim Policy', 'What becomes of it after its claim is gone.'),
    column('Status', 'Whether it is bound.'),
    column('Claim', 'The claim that it is bound to.'),
    column('StorageClass', 'The class that it belongs to.'),
    column('VolumeAttributesClass', 'The class of its attributes.'),
    column('Reason', 'Why it stands as it does.'),
    ageColumn,
    wide('VolumeMode', 'Whether it is a file system or a raw device.'),
  ],
  (object, nowMs) => {
    const spec: JsonObject = object['spec'] ?? {}
    const claim: JsonObject | undefined = spec['claimRef']
    return [
      object.metadata.name,
      spec['capacity']?.storage ?? '0',
      accessModes(spec['accessModes']),
      spec['persistentVolumeReclaimPolicy'] ?? '',
      phaseOf(object),
      claim ? `${claim['namespace'] ?? ''}/${claim['name'] ?? ''}` : '',
      storageClassOf(object),
      spec['volumeAttributesClassName'] ?? '<unset>',
      object['status']?.reason ?? '',
      age(object, nowMs),
      spec['volumeMode'] ?? '<unset>',
    ]
  },
)

export const persistentVolumeClaimPrinter = printer(
  [
    nameColumn,
    column('Status', 'Whether it is bound.'),
    column('Volume', 'The volume that it is bound to.'),
    column('Capacity', 'How much the volume holds.'),
    column('Access Modes', 'How the volume can be mounted.'),
    column('StorageClass', 'The class that it asks for.'),
    column('VolumeAttributesClass', 'The class of attributes that it asks for.'),
    ageColumn,
    wide('VolumeMode', 'Whether it is a file system or a raw device.'),
  ],
  (object, nowMs) => {
    const spec: JsonObject = object['spec'] ?? {}
    const isBound = Boolean(spec['volumeName'])
    return [
      object.metadata.name,
      phaseOf(object),
      spec['volumeName'] ?? '',
      isBound ? (object['status']?.capacity?.storage ?? '0') : '',
      isBound ? accessModes(object['status']?.accessModes) : '',
      storageClassOf(object),
      spec['volumeAttributesClassName'] ?? '<unset>',
      age(object, nowMs),
      spec['volumeMode'] ?? '<unset>',
    ]
  },
)

const marked = (object: KubeObject, ...annotations: readonly string[]): string =>
  annotations.some((annotation) => object.metadata.annotations?.[annotation] === 'true')
    ? `${object.metadata.name} (default)`
    : object.metadata.name

export const storageClassPrinter = printer(
  [
    nameColumn,
    column('Provisioner', 'Who makes the volumes.'),
    column('ReclaimPolicy', 'What becomes of a volume after its claim is gone.'),
    column('VolumeBindingMode', 'When a claim gets its volume.'),
    column('AllowVolumeExpansion', 'Whether claims may grow.'),
    ageColumn,
  ],
  (object, nowMs) => [
    marked(object, 'storageclass.kubernetes.io/is-default-class', 'storageclass.beta.kubernetes.io/is-default-class'),
    object['provisioner'] ?? '',
    object['reclaimPolicy'] ?? 'Delete',
    object['volumeBindingMode'] ?? 'Immediate',
    object['allowVolumeExpansion'] ?? false,
    age(object, nowMs),
  ],
)

export const volumeAttributesClassPrinter = printer(
  [nameColumn, column('DriverName', 'The driver that knows the attributes.'), ageColumn],
  (object, nowMs) => [
    marked(object, 'volumeattributesclass.alpha.kubernetes.io/is-default-class'),
    object['driverName'] ?? '',
    age(object, nowMs),
  ],
)

export const volumeAttachmentPrinter = printer(
  [
    nameColumn,
    { ...column('Attacher', 'The driver that attaches the volume.'), format: 'name' },
    column('PV', 'The volume.'),
    column('Node', 'The node that it is attached to.'),
    column('Attached', 'Whether it is attached.', 'boolean'),
    ageColumn,
  ],
  (object, nowMs) => [
    object.metadata.name,
    object['spec']?.attacher ?? '',
    object['spec']?.source?.persistentVolumeName ?? '',
    object['spec']?.nodeName ?? '',
    object['status']?.attached ?? false,
    age(object, nowMs),
  ],
)

export const csiNodePrinter = printer(
  [nameColumn, column('Drivers', 'How many drivers the node has.', 'integer'), ageColumn],
  (object, nowMs) => [object.metadata.name, object['spec']?.drivers?.length ?? 0, age(object, nowMs)],
)

export const csiDriverPrinter = printer(
  [
    nameColumn,
    column('AttachRequired', 'Whether volumes are attached before they are mounted.', 'boolean'),
    column('PodInfoOnMount', 'Whether the driver is told about the pod.', 'boolean'),
    column('StorageCapacity', 'Whether the scheduler asks how much room there is.', 'boolean'),
    column('TokenRequests', 'The audiences of the tokens that the driver gets.'),
    column('RequiresRepublish', 'Whether the driver is called again and again.', 'boolean'),
    column('Modes', 'The kinds of volume that the driver makes.'),
    ageColumn,
  ],
  (object, nowMs) => {
    const spec: JsonObject = object['spec'] ?? {}
    return [
      object.metadata.name,
      spec['attachRequired'] ?? true,
      spec['podInfoOnMount'] ?? false,
      spec['storageCapacity'] ?? false,
      spec['tokenRequests']?.map((request: JsonObject) => request['audience']).join(',') ?? '<unset>',
      spec['requiresRepublish'] ?? false,
      (spec['volumeLifecycleModes'] ?? []).join(',') || '<none>',
      age(object, nowMs),
    ]
  },
)

/** Kinds of which only name and age are shown: device classes and templates of resource claims. */
export const nameAndAgePrinter = printer([nameColumn, ageColumn], (object, nowMs) => [
  object.metadata.name,
  age(object, nowMs),
])

export const resourceClaimPrinter = printer(
  [nameColumn, column('State', 'How the claim stands.'), ageColumn],
  (object, nowMs) => {
    const allocated = Boolean(object['status']?.allocation)
    const states = [
      object.metadata.deletionTimestamp ? 'deleted' : '',
      allocated ? 'allocated' : object.metadata.deletionTimestamp ? '' : 'pending',
      allocated && object['status']?.reservedFor?.length ? 'reserved' : '',
    ]
    return [object.metadata.name, states.filter(Boolean).join(','), age(object, nowMs)]
  },
)

export const resourceSlicePrinter = printer(
  [
    nameColumn,
    column('Node', 'The node that has the devices.'),
    column('Driver', 'The driver that serves the devices.'),
    column('Pool', 'The pool that the slice is a part of.'),
    ageColumn,
  ],
  (object, nowMs) => [
    object.metadata.name,
    object['spec']?.nodeName ?? '',
    object['spec']?.driver ?? '',
    object['spec']?.pool?.name ?? '',
    age(object, nowMs),
  ],
)
