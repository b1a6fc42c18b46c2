// What each source of a volume must say, of a pod's volume or of a PersistentVolume.
import { forbiddenField, invalidValue, notSupported, required } from '@shiplog/api/field-errors'
import type { AzureDiskVolumeSource, LocalVolumeSource, Volume } from '@shiplog/api/generated/types/core-v1'
import type { StatusCause } from '@shiplog/api/status'
import type { Decoded } from '@shiplog/api/decoded'
import { items, requiredText } from '../fields.ts'
import { inclusiveRange } from '../names.ts'
import { validateClaimSpec } from '../persistent-volume-claim/claim-validation.ts'
import { nanosOf } from '../quantities.ts'
import { validateDriverName } from '../storage-driver-name.ts'
import { validateDownwardItems } from './downward-api-validation.ts'
import { validateProjected } from './projected-volume-validation.ts'
import { validateKeyToPath, validateLocalPath, validateMode } from './volume-path-validation.ts'

const pullPolicies = ['Always', 'IfNotPresent', 'Never']
const hostPathTypes = [
  '',
  'BlockDevice',
  'CharDevice',
  'Directory',
  'DirectoryOrCreate',
  'File',
  'FileOrCreate',
  'Socket',
]

const outside = (value: unknown, low: number, high: number, field: string): StatusCause[] =>
  typeof value === 'number' && (value < low || value > high)
    ? [invalidValue(field, value, inclusiveRange(low, high))]
    : []

const iqnForms = [
  /^iqn\.\d{4}-\d{2}\.([-a-z0-9.]+)(:[^,;*&$|\s]+)$/,
  /^eui\.[a-zA-Z0-9]{16}$/,
  /^naa\.[a-zA-Z0-9]{32}$/,
]

const validateIqn = (iqn: unknown, field: string): StatusCause[] => {
  if (!iqn) return [required(field)]
  const text = String(iqn)
  if (!/^(iqn|eui|naa)/.test(text))
    return [invalidValue(field, text, 'must be valid format starting with iqn, eui, or naa')]
  return iqnForms.some((form) => form.test(text)) ? [] : [invalidValue(field, text, 'must be valid format')]
}

/** Whether a field is inside a template of pods, not a pod. */
const isOfTemplate = (field: string): boolean => /(^|\.)template\./.test(field)

const azureCachingModes = ['None', 'ReadOnly', 'ReadWrite']
const azureDiskKinds = ['Dedicated', 'Managed', 'Shared']
const azureManagedUri =
  '/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}'
const azureBlobUri = 'https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd'

/** How a disk is cached and named depends on its kind. */
const validateAzureDisk = (
  { kind, cachingMode, diskURI = '' }: Decoded<AzureDiskVolumeSource>,
  field: string,
): StatusCause[] => {
  const causes: StatusCause[] = []
  if (typeof cachingMode === 'string' && !azureCachingModes.includes(cachingMode))
    causes.push(notSupported(`${field}.cachingMode`, cachingMode, azureCachingModes))
  if (typeof kind !== 'string') return causes
  if (!azureDiskKinds.includes(kind)) causes.push(notSupported(`${field}.kind`, kind, azureDiskKinds))
  const isManaged = kind === 'Managed'
  if (!String(diskURI).startsWith(isManaged ? '/subscriptions/' : 'https://'))
    causes.push(notSupported(`${field}.diskURI`, diskURI, [isManaged ? azureManagedUri : azureBlobUri]))
  return causes
}

/** The sources of pods' volumes, which PersistentVolumes share, and the one that only they have. */
export interface VolumeSources extends Omit<Volume, 'name'> {
  local?: LocalVolumeSource
}

type SourceRules = {
  readonly [Kind in keyof VolumeSources]: (
    source: Decoded<NonNullable<VolumeSources[Kind]>>,
    field: string,
  ) => StatusCause[]
}

const sourceRules: SourceRules = {
  emptyDir: (source, field) => {
    const limit = nanosOf(source.sizeLimit)
    return limit !== undefined && limit < 0n
      ? [forbiddenField(`${field}.sizeLimit`, 'SizeLimit field must be a valid resource quantity')]
      : []
  },
  hostPath: (source, field) => {
    const causes = requiredText(source.path, `${field}.path`)
    if (
      String(source.path ?? '')
        .split('/')
        .includes('..')
    )
      causes.push(invalidValue(`${field}.path`, source.path, "must not contain '..'"))
    if (typeof source.type === 'string' && !hostPathTypes.includes(source.type))
      causes.push(notSupported(`${field}.type`, source.type, hostPathTypes))
    return causes
  },
  secret: (source, field) => [
    ...requiredText(source.secretName, `${field}.secretName`),
    ...validateMode(source.defaultMode, `${field}.defaultMode`),
    ...validateKeyToPath(source.items, `${field}.items`),
  ],
  configMap: (source, field) => [
    ...requiredText(source.name, `${field}.name`),
    ...validateMode(source.defaultMode, `${field}.defaultMode`),
    ...validateKeyToPath(source.items, `${field}.items`),
  ],
  downwardAPI: (source, field) => [
    ...validateMode(source.defaultMode, `${field}.defaultMode`),
    ...validateDownwardItems(source.items, field),
  ],
  projected: validateProjected,
  persistentVolumeClaim: (source, field) => requiredText(source.claimName, `${field}.claimName`),
  nfs: (source, field) => {
    const causes = [...requiredText(source.server, `${field}.server`), ...requiredText(source.path, `${field}.path`)]
    if (!String(source.path ?? '').startsWith('/'))
      causes.push(invalidValue(`${field}.path`, source.path ?? '', 'must be an absolute path'))
    return causes
  },
  local: (source, field) => requiredText(source.path, `${field}.path`),
  csi: (source, field) => {
    const causes = validateDriverName(source.driver, `${field}.driver`)
    const secret = source.nodePublishSecretRef
    if (secret && !secret.name) causes.push(required(`${field}.nodePublishSecretRef.name`))
    return causes
  },
  iscsi: (source, field) => [
    ...requiredText(source.targetPortal, `${field}.targetPortal`),
    ...validateIqn(source.iqn, `${field}.iqn`),
    ...outside(source.lun ?? 0, 0, 255, `${field}.lun`),
    ...(source.initiatorName ? validateIqn(source.initiatorName, `${field}.initiatorname`) : []),
  ],
  gcePersistentDisk: (source, field) => [
    ...requiredText(source.pdName, `${field.replace(/gcePersistentDisk$/, 'persistentDisk')}.pdName`),
    ...outside(source.partition ?? 0, 0, 255, `${field.replace(/gcePersistentDisk$/, 'persistentDisk')}.partition`),
  ],
  awsElasticBlockStore: (source, field) => [
    ...requiredText(source.volumeID, `${field}.volumeID`),
    ...outside(source.partition ?? 0, 0, 255, `${field}.partition`),
  ],
  gitRepo: (source, field) => [
    ...requiredText(source.repository, `${field}.repository`),
    ...validateLocalPath(source.directory, `${field}.directory`),
  ],
  glusterfs: (source, field) => [
    ...requiredText(source.endpoints, `${field}.endpoints`),
    ...requiredText(source.path, `${field}.path`),
  ],
  flocker: (source, field) => {
    const { datasetName, datasetUUID } = source
    if (!datasetName && !datasetUUID) return [required(field, 'one of datasetName and datasetUUID is required')]
    if (datasetName && datasetUUID)
      return [invalidValue(field, 'resource', 'datasetName and datasetUUID can not be specified simultaneously')]
    return String(datasetName ?? '').includes('/')
      ? [invalidValue(`${field}.datasetName`, datasetName, "must not contain '/'")]
      : []
  },
  quobyte: (source, field) => [
    ...requiredText(
      source.registry,
      `${field}.registry`,
      'must be a host:port pair or multiple pairs separated by commas',
    ),
    ...requiredText(source.volume, `${field}.volume`),
  ],
  rbd: (source, field) => [
    ...(items(source.monitors).length === 0 ? [required(`${field}.monitors`)] : []),
    ...requiredText(source.image, `${field}.image`),
  ],
  cephfs: (source, field) => (items(source.monitors).length === 0 ? [required(`${field}.monitors`)] : []),
  cinder: (source, field) => requiredText(source.volumeID, `${field}.volumeID`),
  fc: (source, field) => {
    const [wwns, wwids] = [items(source.targetWWNs).length, items(source.wwids).length]
    if (wwns === 0 && wwids === 0)
      return [required(`${field}.targetWWNs`, 'must specify either targetWWNs or wwids, but not both')]
    if (wwns === 0) return []
    return [
      ...(wwids > 0
        ? [
            invalidValue(
              `${field}.targetWWNs`,
              source.targetWWNs,
              'targetWWNs and wwids can not be specified simultaneously',
            ),
          ]
        : []),
      ...(typeof source.lun === 'number'
        ? outside(source.lun, 0, 255, `${field}.lun`)
        : [required(`${field}.lun`, 'lun is required if targetWWNs is specified')]),
    ]
  },
  flexVolume: (source, field) => requiredText(source.driver, `${field}.driver`),
  azureFile: (source, field) => [
    ...requiredText(source.secretName, `${field}.secretName`),
    ...requiredText(source.shareName, `${field}.shareName`),
  ],
  azureDisk: (source, field) => [
    ...requiredText(source.diskName, `${field}.diskName`),
    ...requiredText(source.diskURI, `${field}.diskURI`),
    ...validateAzureDisk(source, field),
  ],
  vsphereVolume: (source, field) => requiredText(source.volumePath, `${field}.volumePath`),
  photonPersistentDisk: (source, field) => requiredText(source.pdID, `${field}.pdID`),
  portworxVolume: (source, field) => requiredText(source.volumeID, `${field}.volumeID`),
  storageos: (source, field) => requiredText(source.volumeName, `${field}.volumeName`),
  scaleIO: (source, field) => [
    ...requiredText(source.gateway, `${field}.gateway`),
    ...requiredText(source.system, `${field}.system`),
    ...requiredText(source.volumeName, `${field}.volumeName`),
  ],
  ephemeral: (source, field) =>
    source.volumeClaimTemplate
      ? validateClaimSpec(source.volumeClaimTemplate.spec ?? {}, `${field}.volumeClaimTemplate.spec`)
      : [required(`${field}.volumeClaimTemplate`)],
  image: (source, field) => [
    // A template may leave it to whoever makes a pod of it.
    ...(isOfTemplate(field) ? [] : requiredText(source.reference, `${field}.reference`)),
    ...(source.pullPolicy && !pullPolicies.includes(source.pullPolicy)
      ? [notSupported(`${field}.pullPolicy`, source.pullPolicy, pullPolicies)]
      : []),
  ],
}

/** Where upstream's errors call a source otherwise than its objects. */
export const shownSource: Readonly<Partial<Record<keyof VolumeSources, string>>> = {
  downwardAPI: 'downwarAPI',
  cephfs: 'cephFS',
}

/** What one source must say, of a pod's volume or of a PersistentVolume. */
export const validateVolumeSource = <Kind extends keyof VolumeSources>(
  kind: Kind,
  source: Decoded<NonNullable<VolumeSources[Kind]>>,
  field: string,
): StatusCause[] => sourceRules[kind]?.(source, field) ?? []
