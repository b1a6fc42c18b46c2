// The kinds by which storage drivers make themselves known, and attachments of volumes to nodes.
import { duplicate, forbiddenField, invalidValue, notSupported, required, tooLong } from '@shiplog/api/field-errors'
import type {
  CSIDriver,
  CSIDriverSpec,
  CSINode,
  CSIStorageCapacity,
  VolumeAttachment,
  VolumeAttributesClass,
  VolumeError,
} from '@shiplog/api/generated/types/storage-v1'
import { validateLabelSelector } from '@shiplog/api/selectors'
import type { StatusCause } from '@shiplog/api/status'
import type { Decoded, Draft } from '@shiplog/api/decoded'
import { byRule, fill, fillStatus, immutable, items, nonNegative, section, semanticEqual } from '../fields.ts'
import { dns1123Subdomain, qualifiedName } from '../names.ts'
import { nodeSelectorWarnings } from '../node-labels.ts'
import { validateInlineVolume } from '../persistent-volume/persistent-volume-validation.ts'
import { nanosOf } from '../quantities.ts'
import { validateDriverName } from '../storage-driver-name.ts'
import type { Strategy } from '../strategy.ts'

const fsGroupPolicies = ['File', 'None', 'ReadWriteOnceWithFSType']
const lifecycleModes = ['Persistent', 'Ephemeral']
const tokenSecondsMin = 600
const tokenSecondsMax = 2 ** 32
const updatePeriodSecondsMin = 10

const validateDriver = (driver: Draft<CSIDriver>): StatusCause[] => {
  const causes = validateDriverName(driver.metadata.name, 'metadata.name').filter(
    // The name as such was checked as every name is.
    ({ reason }) => reason === 'FieldValueTooLong',
  )
  const spec = driver.spec ?? {}
  if (typeof spec.fsGroupPolicy === 'string' && !fsGroupPolicies.includes(spec.fsGroupPolicy))
    causes.push(notSupported('spec.fsGroupPolicy', spec.fsGroupPolicy, fsGroupPolicies))
  for (const mode of items(spec.volumeLifecycleModes))
    if (!lifecycleModes.includes(mode)) causes.push(notSupported('spec.volumeLifecycleModes', mode, lifecycleModes))
  const audiences = new Set<string>()
  items(spec.tokenRequests).forEach(({ audience = '', expirationSeconds }, index) => {
    const at = `spec.tokenRequests[${index}]`
    if (audiences.has(audience)) causes.push(duplicate(`${at}.audience`, audience))
    audiences.add(audience)
    if (typeof expirationSeconds !== 'number') return
    const field = `${at}.expirationSeconds`
    if (expirationSeconds < tokenSecondsMin)
      causes.push(invalidValue(field, expirationSeconds, 'may not specify a duration less than 10 minutes'))
    if (expirationSeconds > tokenSecondsMax)
      causes.push(invalidValue(field, expirationSeconds, 'may not specify a duration larger than 2^32 seconds'))
  })
  const inSecrets = spec.serviceAccountTokenInSecrets
  if (inSecrets !== undefined && items(spec.tokenRequests).length === 0)
    causes.push(
      invalidValue(
        'spec.serviceAccountTokenInSecrets',
        inSecrets,
        'serviceAccountTokenInSecrets is set but no tokenRequests are specified',
      ),
    )
  const period = spec.nodeAllocatableUpdatePeriodSeconds
  if (typeof period === 'number' && period < updatePeriodSecondsMin)
    causes.push(
      invalidValue('spec.nodeAllocatableUpdatePeriodSeconds', period, 'must be greater than or equal to 10 seconds'),
    )
  return causes
}

const validateCsiNode = (node: Draft<CSINode>): StatusCause[] => {
  const causes: StatusCause[] = []
  const names = new Set<string>()
  items(node.spec?.drivers).forEach((driver, index) => {
    const at = `spec.drivers[${index}]`
    const { name = '' } = driver
    causes.push(...validateDriverName(name, `${at}.name`))
    if (!driver.nodeID) causes.push(required(`${at}.nodeID`))
    const count = driver.allocatable?.count
    causes.push(...nonNegative(count, `${at}.allocatable.count`))
    if (names.has(name)) causes.push(duplicate(`${at}.name`, name))
    names.add(name)
    const keys = items(driver.topologyKeys)
    keys.forEach((key, position) => {
      // Upstream tells of the driver, not of the key.
      if (key === '') causes.push(required(at))
      if (keys.indexOf(key) < position) causes.push(duplicate(at, key))
      causes.push(...byRule(qualifiedName, key, at))
    })
  })
  return causes
}

const validateAttachment = (attachment: Draft<VolumeAttachment>): StatusCause[] => {
  const spec = attachment.spec ?? {}
  const causes = validateDriverName(spec.attacher, 'spec.attacher')
  causes.push(...byRule(dns1123Subdomain, spec.nodeName ?? '', 'spec.nodeName'))
  const { inlineVolumeSpec, persistentVolumeName } = spec.source ?? {}
  const named = persistentVolumeName !== undefined
  const exactlyOne = 'must specify exactly one of inlineVolumeSpec and persistentVolumeName'
  if (!named && !inlineVolumeSpec) causes.push(required('spec.source', exactlyOne))
  if (named && inlineVolumeSpec) causes.push(forbiddenField('spec.source', exactlyOne))
  else if (named) {
    const field = 'spec.source.persistentVolumeName'
    if (persistentVolumeName === '') causes.push(required(field, 'must specify non empty persistentVolumeName'))
    causes.push(...byRule(dns1123Subdomain, persistentVolumeName, field))
  } else if (inlineVolumeSpec) causes.push(...validateInlineVolume(inlineVolumeSpec, 'spec.source.inlineVolumeSpec'))
  return causes
}

const validateCapacityObject = (object: Draft<CSIStorageCapacity>): StatusCause[] => {
  const causes = validateLabelSelector(object.nodeTopology, 'nodeTopology')
  causes.push(...byRule(dns1123Subdomain, object.storageClassName ?? '', 'storageClassName'))
  const nanos = nanosOf(object.capacity)
  if (nanos !== undefined && nanos < 0n)
    causes.push(invalidValue('capacity', object.capacity, 'must be greater than or equal to 0'))
  return causes
}

/** What a node knows of the drivers on it. */
export const csiNodeStrategy: Strategy<CSINode> = {
  hasGeneration: false,
  returnsDeleted: true,
  allowUnconditionalUpdate: false,
  validatesAll: true,
  validate: validateCsiNode,
  validateUpdate: (next, before) =>
    items(before.spec?.drivers).flatMap((was) =>
      items(next.spec?.drivers)
        .filter(({ name }) => name === was.name)
        .flatMap((now) =>
          // How many volumes fit may change.
          immutable({ ...now, allocatable: undefined }, { ...was, allocatable: undefined }, 'spec.drivers'),
        ),
    ),
}

/** How much room there is where. */
export const csiStorageCapacityStrategy: Strategy<CSIStorageCapacity> = {
  hasGeneration: false,
  allowUnconditionalUpdate: false,
  validatesAll: true,
  validate: validateCapacityObject,
  validateUpdate: (next, before) => [
    ...immutable(next.nodeTopology, before.nodeTopology, 'nodeTopology'),
    ...immutable(next.storageClassName ?? '', before.storageClassName ?? '', 'storageClassName'),
  ],
  warnings: (next, before) => (before ? [] : nodeSelectorWarnings(next.nodeTopology, 'nodeTopology')),
}

/** Classes of what a volume can do. */
export const volumeAttributesClassStrategy: Strategy<VolumeAttributesClass> = {
  hasGeneration: false,
  returnsDeleted: true,
  validate: ({ driverName = '', parameters }) => [
    ...(driverName === '' ? [required('driverName')] : byRule(qualifiedName, driverName.toLowerCase(), 'driverName')),
    ...(Object.keys(parameters ?? {}).length === 0
      ? [required('parameters', 'must contain at least one key/value pair')]
      : []),
  ],
}

const leavesTokensInAttributes = (spec: Decoded<CSIDriverSpec> | undefined): boolean =>
  items(spec?.tokenRequests).length > 0 && spec?.serviceAccountTokenInSecrets === undefined

/** A field of a feature that is off by default upstream. */
const dropDisabledDriverFields = (draft: Draft<CSIDriver>): void => {
  delete draft.spec?.preventPodSchedulingIfMissing
}

/** A generation is counted from the first change on: upstream writes none at creation. */
const countDriverGeneration = (draft: Draft<CSIDriver>, before: Draft<CSIDriver>): void => {
  if (semanticEqual(draft.spec, before.spec)) return
  draft.metadata.generation = (before.metadata.generation ?? 0) + 1
}

export const csiDriverStrategy: Strategy<CSIDriver> = {
  returnsDeleted: true,
  allowUnconditionalUpdate: false,
  warnings: ({ spec }, before) =>
    leavesTokensInAttributes(spec) && !leavesTokensInAttributes(before?.spec)
      ? [
          'spec.serviceAccountTokenInSecrets is unset; if supported by this CSI driver, set to true to prevent possible logging of tokens in volume attributes',
        ]
      : [],
  hasGeneration: false,
  validatesAll: true,
  validate: validateDriver,
  prepareForCreate: dropDisabledDriverFields,
  prepareForUpdate: (draft, before) => {
    dropDisabledDriverFields(draft)
    countDriverGeneration(draft, before)
  },
  setDefaults: (draft) => {
    const spec = section(draft, 'spec')
    for (const request of items(spec.tokenRequests)) fill(request, 'audience', '')
    fill(spec, 'attachRequired', true)
    fill(spec, 'podInfoOnMount', false)
    fill(spec, 'storageCapacity', false)
    fill(spec, 'fsGroupPolicy', 'ReadWriteOnceWithFSType')
    if (items(spec.volumeLifecycleModes).length === 0) spec.volumeLifecycleModes = ['Persistent']
    fill(spec, 'requiresRepublish', false)
    fill(spec, 'seLinuxMount', false)
  },
  validateUpdate: (next, before) => [
    // Upstream names this field by another name.
    ...immutable(next.spec?.attachRequired, before.spec?.attachRequired, 'spec.attachedRequired'),
    ...immutable(next.spec?.volumeLifecycleModes, before.spec?.volumeLifecycleModes, 'spec.volumeLifecycleModes'),
  ],
}

const errorMessageBytesMax = 1_024
const errorCodeMax = 2 ** 31 - 1

const validateVolumeError = (error: Decoded<VolumeError> | undefined, field: string): StatusCause[] => [
  ...((error?.message ?? '').length > errorMessageBytesMax ? [tooLong(`${field}.message`, errorMessageBytesMax)] : []),
  ...((error?.errorCode ?? 0) < 0
    ? [invalidValue(`${field}.errorCode`, error?.errorCode, `must be between 0 and ${errorCodeMax}, inclusive`)]
    : []),
]

export const volumeAttachmentStrategy: Strategy<VolumeAttachment> = {
  returnsDeleted: true,
  allowUnconditionalUpdate: false,
  hasGeneration: false,
  validatesAll: true,
  validate: validateAttachment,
  setDefaults: (draft) => fillStatus(draft.status, { attached: false }),
  prepareForCreate: (draft) => {
    draft.status = { attached: false }
  },
  validateUpdate: (next, before) => immutable(next.spec, before.spec, 'spec'),
  validateStatusUpdate: (next) =>
    (['attachError', 'detachError'] as const).flatMap((name) =>
      validateVolumeError(next.status?.[name], `status.${name}`),
    ),
}
