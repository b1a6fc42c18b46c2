// Volumes of a pod: names, exactly one source each, and what each usual source needs.
import {
  duplicate,
  forbiddenField,
  invalidValue,
  notFoundField,
  notSupported,
  required,
} from '@shiplog/api/field-errors'
import type { JsonObject } from '@shiplog/api/kube-object'
import type { StatusCause } from '@shiplog/api/status'
import { items, requiredName, requiredText } from '../fields.ts'
import { dns1123Label, dns1123Subdomain, inclusiveRange } from '../names.ts'
import { validateClaimSpec } from '../persistent-volume-claim/claim-validation.ts'
import { validateDriverName } from '../storage-driver-name.ts'
import { nanosOf } from '../quantities.ts'

const pullPolicies = ['Always', 'IfNotPresent', 'Never']
const modeSentence = 'must be a number between 0 and 0777 (octal), both inclusive'
const modeMax = 0o777
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
const tokenExpirationSecondsMin = 600
const tokenExpirationSecondsMax = 2 ** 32

const validateMode = (mode: unknown, field: string): StatusCause[] =>
  typeof mode === 'number' && (mode < 0 || mode > modeMax) ? [invalidValue(field, mode, modeSentence)] : []

/** A path inside a volume: relative, and never upwards. */
export const validateLocalPath = (path: unknown, field: string): StatusCause[] => {
  const text = String(path ?? '')
  const causes: StatusCause[] = []
  if (text.startsWith('/')) causes.push(invalidValue(field, text, 'must be a relative path'))
  if (text.split('/').includes('..')) causes.push(invalidValue(field, text, "must not contain '..'"))
  return causes
}

const validateLocalNonReservedPath = (path: unknown, field: string): StatusCause[] => {
  const text = String(path ?? '')
  const causes = validateLocalPath(path, field)
  if (text.startsWith('..') && !text.startsWith('../') && text !== '..')
    causes.push(invalidValue(field, text, "must not start with '..'"))
  return causes
}

const validateKeyToPath = (list: unknown, field: string): StatusCause[] =>
  items(list).flatMap((item: JsonObject, index) => {
    const at = `${field}[${index}]`
    return [
      ...requiredText(item['key'], `${at}.key`),
      ...(item['path'] ? validateLocalNonReservedPath(item['path'], `${at}.path`) : [required(`${at}.path`)]),
      ...validateMode(item['mode'], `${at}.mode`),
    ]
  })

const volumeFieldPaths = [
  'metadata.annotations',
  'metadata.labels',
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
]

/** Upstream tells of the whole volume, whichever item is wrong. */
const cpuDivisors = ['1m', '1']
const byteDivisors = ['1', '1k', '1M', '1G', '1T', '1P', '1E', '1Ki', '1Mi', '1Gi', '1Ti', '1Pi', '1Ei']
const resourceFieldRefs = ['cpu', 'ephemeral-storage', 'memory']
const containerResources = [
  ...resourceFieldRefs.map((name) => `limits.${name}`),
  ...resourceFieldRefs.map((name) => `requests.${name}`),
]

/** A resource of a container, as a variable or a file shows it. */
export const validateResourceFieldRef = (reference: JsonObject, field: string, inVolume: boolean): StatusCause[] => {
  if (inVolume && !reference['containerName']) return [required(`${field}.containerName`)]
  const resource = reference['resource']
  if (!resource) return [required(`${field}.resource`)]
  if (!/^(requests|limits)\.hugepages-/.test(resource) && !containerResources.includes(resource))
    return [notSupported(`${field}.resource`, resource, containerResources)]
  const divisor = reference['divisor'] ?? '0'
  const kind = resource.includes('.cpu') ? 'cpu' : resource.includes('memory') ? 'memory' : 'local ephemeral storage'
  const fine = kind === 'cpu' ? cpuDivisors : byteDivisors
  return divisor === '0' || fine.includes(String(divisor))
    ? []
    : [
        invalidValue(
          `${field}.divisor`,
          resource,
          `only divisor's values ${fine.slice(0, -1).join(', ')}${fine.length > 2 ? ',' : ''} and ${fine.at(-1)} are supported with the ${kind} resource`,
        ),
      ]
}

/** Paths that a field selector of pods knows, and that a volume cannot show. */
export const podFieldPaths: readonly string[] = [
  ...['spec.nodeName', 'spec.restartPolicy', 'spec.schedulerName', 'spec.serviceAccountName', 'spec.hostNetwork'],
  ...['status.phase', 'status.hostIP', 'status.hostIPs', 'status.podIP', 'status.podIPs', 'status.nominatedNodeName'],
]

const validateDownwardItems = (list: unknown, at: string): StatusCause[] =>
  items(list).flatMap((item: JsonObject) => {
    const causes: StatusCause[] = item['path']
      ? validateLocalNonReservedPath(item['path'], `${at}.path`)
      : [required(`${at}.path`)]
    const fieldRef = item['fieldRef']
    if (fieldRef) {
      const path = fieldRef.fieldPath
      if (!path) causes.push(required(`${at}.fieldRef.fieldPath`))
      else if (!volumeFieldPaths.includes(path) && !/^metadata\.(labels|annotations)\['.+'\]$/.test(path))
        causes.push(
          podFieldPaths.includes(path)
            ? notSupported(`${at}.fieldRef.fieldPath`, path, volumeFieldPaths)
            : invalidValue(
                `${at}.fieldRef.fieldPath`,
                path,
                `error converting fieldPath: field label not supported: ${path}`,
              ),
        )
      if (item['resourceFieldRef'])
        causes.push(invalidValue(at, 'resource', 'fieldRef and resourceFieldRef can not be specified simultaneously'))
    } else if (item['resourceFieldRef'])
      causes.push(...validateResourceFieldRef(item['resourceFieldRef'], `${at}.resourceFieldRef`, true))
    else causes.push(required(at, 'one of fieldRef and resourceFieldRef is required'))
    causes.push(...validateMode(item['mode'], `${at}.mode`))
    return causes
  })

const validateProjected = (projected: JsonObject, field: string): StatusCause[] => {
  const causes = validateMode(projected['defaultMode'], `${field}.defaultMode`)
  const paths = new Set<string>()
  items(projected['sources']).forEach((source: JsonObject, index) => {
    const at = `${field}.sources[${index}]`
    for (const [kind, of] of Object.entries({ secret: 'name', configMap: 'name', downwardAPI: undefined }))
      for (const { path = '' } of items(source[kind]?.items)) {
        if (path !== '' && paths.has(path))
          // Upstream shows the object, where there is one.
          causes.push(invalidValue(field, of ? (source[kind][of] ?? '') : path, 'conflicting duplicate paths'))
        paths.add(path)
      }
    const kinds = ['secret', 'configMap', 'downwardAPI', 'serviceAccountToken'].filter((key) => source[key])
    // Upstream tells of the source, not of the kind that is one too many.
    if (kinds.length > 1) causes.push(forbiddenField(at, 'may not specify more than 1 volume type per source'))
    for (const kind of ['secret', 'configMap'] as const) {
      if (!source[kind]) continue
      causes.push(...requiredText(source[kind].name, `${at}.${kind}.name`))
      causes.push(...validateKeyToPath(source[kind].items, `${at}.${kind}.items`))
    }
    if (source['downwardAPI']) causes.push(...validateDownwardItems(source['downwardAPI'].items, `${at}.downwardAPI`))
    const token = source['serviceAccountToken']
    if (token) {
      const seconds = token.expirationSeconds
      const secondsField = `${at}.serviceAccountToken.expirationSeconds`
      if (typeof seconds === 'number' && seconds < tokenExpirationSecondsMin)
        causes.push(invalidValue(secondsField, seconds, 'may not specify a duration less than 10 minutes'))
      if (typeof seconds === 'number' && seconds > tokenExpirationSecondsMax)
        causes.push(invalidValue(secondsField, seconds, 'may not specify a duration larger than 2^32 seconds'))
      if (!token.path) causes.push(required(`${field}.path`))
      else causes.push(...validateLocalNonReservedPath(token.path, `${field}.path`))
    }
  })
  return causes
}

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
const validateAzureDisk = ({ kind, cachingMode, diskURI = '' }: JsonObject, field: string): StatusCause[] => {
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

type SourceRule = (source: JsonObject, field: string) => StatusCause[]

const sourceRules: Readonly<Record<string, SourceRule>> = {
  emptyDir: (source, field) => {
    const limit = nanosOf(source['sizeLimit'])
    return limit !== undefined && limit < 0n
      ? [forbiddenField(`${field}.sizeLimit`, 'SizeLimit field must be a valid resource quantity')]
      : []
  },
  hostPath: (source, field) => {
    const causes = requiredText(source['path'], `${field}.path`)
    if (
      String(source['path'] ?? '')
        .split('/')
        .includes('..')
    )
      causes.push(invalidValue(`${field}.path`, source['path'], "must not contain '..'"))
    if (typeof source['type'] === 'string' && !hostPathTypes.includes(source['type']))
      causes.push(notSupported(`${field}.type`, source['type'], hostPathTypes))
    return causes
  },
  secret: (source, field) => [
    ...requiredText(source['secretName'], `${field}.secretName`),
    ...validateMode(source['defaultMode'], `${field}.defaultMode`),
    ...validateKeyToPath(source['items'], `${field}.items`),
  ],
  configMap: (source, field) => [
    ...requiredText(source['name'], `${field}.name`),
    ...validateMode(source['defaultMode'], `${field}.defaultMode`),
    ...validateKeyToPath(source['items'], `${field}.items`),
  ],
  downwardAPI: (source, field) => [
    ...validateMode(source['defaultMode'], `${field}.defaultMode`),
    ...validateDownwardItems(source['items'], field),
  ],
  projected: validateProjected,
  persistentVolumeClaim: (source, field) => requiredText(source['claimName'], `${field}.claimName`),
  nfs: (source, field) => {
    const causes = [
      ...requiredText(source['server'], `${field}.server`),
      ...requiredText(source['path'], `${field}.path`),
    ]
    if (!String(source['path'] ?? '').startsWith('/'))
      causes.push(invalidValue(`${field}.path`, source['path'] ?? '', 'must be an absolute path'))
    return causes
  },
  local: (source, field) => requiredText(source['path'], `${field}.path`),
  csi: (source, field) => {
    const causes = validateDriverName(source['driver'], `${field}.driver`)
    const secret = source['nodePublishSecretRef']
    if (secret && !secret.name) causes.push(required(`${field}.nodePublishSecretRef.name`))
    return causes
  },
  iscsi: (source, field) => [
    ...requiredText(source['targetPortal'], `${field}.targetPortal`),
    ...validateIqn(source['iqn'], `${field}.iqn`),
    ...outside(source['lun'] ?? 0, 0, 255, `${field}.lun`),
    ...(source['initiatorName'] ? validateIqn(source['initiatorName'], `${field}.initiatorname`) : []),
  ],
  gcePersistentDisk: (source, field) => [
    ...requiredText(source['pdName'], `${field.replace(/gcePersistentDisk$/, 'persistentDisk')}.pdName`),
    ...outside(source['partition'] ?? 0, 0, 255, `${field.replace(/gcePersistentDisk$/, 'persistentDisk')}.partition`),
  ],
  awsElasticBlockStore: (source, field) => [
    ...requiredText(source['volumeID'], `${field}.volumeID`),
    ...outside(source['partition'] ?? 0, 0, 255, `${field}.partition`),
  ],
  gitRepo: (source, field) => [
    ...requiredText(source['repository'], `${field}.repository`),
    ...validateLocalPath(source['directory'], `${field}.directory`),
  ],
  glusterfs: (source, field) => [
    ...requiredText(source['endpoints'], `${field}.endpoints`),
    ...requiredText(source['path'], `${field}.path`),
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
      source['registry'],
      `${field}.registry`,
      'must be a host:port pair or multiple pairs separated by commas',
    ),
    ...requiredText(source['volume'], `${field}.volume`),
  ],
  rbd: (source, field) => [
    ...(items(source['monitors']).length === 0 ? [required(`${field}.monitors`)] : []),
    ...requiredText(source['image'], `${field}.image`),
  ],
  cephfs: (source, field) => (items(source['monitors']).length === 0 ? [required(`${field}.monitors`)] : []),
  cinder: (source, field) => requiredText(source['volumeID'], `${field}.volumeID`),
  fc: (source, field) => {
    const [wwns, wwids] = [items(source['targetWWNs']).length, items(source['wwids']).length]
    if (wwns === 0 && wwids === 0)
      return [required(`${field}.targetWWNs`, 'must specify either targetWWNs or wwids, but not both')]
    if (wwns === 0) return []
    return [
      ...(wwids > 0
        ? [
            invalidValue(
              `${field}.targetWWNs`,
              source['targetWWNs'],
              'targetWWNs and wwids can not be specified simultaneously',
            ),
          ]
        : []),
      ...(typeof source['lun'] === 'number'
        ? outside(source['lun'], 0, 255, `${field}.lun`)
        : [required(`${field}.lun`, 'lun is required if targetWWNs is specified')]),
    ]
  },
  flexVolume: (source, field) => requiredText(source['driver'], `${field}.driver`),
  azureFile: (source, field) => [
    ...requiredText(source['secretName'], `${field}.secretName`),
    ...requiredText(source['shareName'], `${field}.shareName`),
  ],
  azureDisk: (source, field) => [
    ...requiredText(source['diskName'], `${field}.diskName`),
    ...requiredText(source['diskURI'], `${field}.diskURI`),
    ...validateAzureDisk(source, field),
  ],
  vsphereVolume: (source, field) => requiredText(source['volumePath'], `${field}.volumePath`),
  photonPersistentDisk: (source, field) => requiredText(source['pdID'], `${field}.pdID`),
  portworxVolume: (source, field) => requiredText(source['volumeID'], `${field}.volumeID`),
  storageos: (source, field) => requiredText(source['volumeName'], `${field}.volumeName`),
  scaleIO: (source, field) => [
    ...requiredText(source['gateway'], `${field}.gateway`),
    ...requiredText(source['system'], `${field}.system`),
    ...requiredText(source['volumeName'], `${field}.volumeName`),
  ],
  ephemeral: (source, field) =>
    source['volumeClaimTemplate']
      ? validateClaimSpec(source['volumeClaimTemplate'].spec ?? {}, `${field}.volumeClaimTemplate.spec`)
      : [required(`${field}.volumeClaimTemplate`)],
  image: (source, field) => [
    // A template may leave it to whoever makes a pod of it.
    ...(isOfTemplate(field) ? [] : requiredText(source['reference'], `${field}.reference`)),
    ...(source['pullPolicy'] && !pullPolicies.includes(source['pullPolicy'])
      ? [notSupported(`${field}.pullPolicy`, source['pullPolicy'], pullPolicies)]
      : []),
  ],
}

/** Which source of two is the one too many depends on upstream's order of looking at them. */
export const sourceOrder = [
  ...['emptyDir', 'hostPath', 'gitRepo', 'gcePersistentDisk', 'awsElasticBlockStore', 'secret', 'nfs', 'iscsi'],
  ...['glusterfs', 'flocker', 'persistentVolumeClaim', 'rbd', 'cinder', 'cephfs', 'quobyte', 'downwardAPI', 'fc'],
  ...['flexVolume', 'configMap', 'azureFile', 'vsphereVolume', 'photonPersistentDisk', 'portworxVolume', 'azureDisk'],
  ...['storageos', 'projected', 'scaleIO', 'local', 'csi', 'ephemeral', 'image'],
]

/** Where upstream's errors call a source otherwise than its objects. */
export const shownSource: Readonly<Record<string, string>> = { downwardAPI: 'downwarAPI', cephfs: 'cephFS' }

/** What one source must say, of a pod's volume or of a PersistentVolume. */
export const validateVolumeSource = (kind: string, source: JsonObject, field: string): StatusCause[] =>
  sourceRules[kind]?.(source, field) ?? []

/** All volumes of a pod's spec. */
export const validateVolumes = (
  volumes: unknown,
  field: string,
  podName: string | undefined,
  /** Gets the names of the volumes that are right. */
  usable: Set<string> = new Set(),
): StatusCause[] => {
  const all: StatusCause[] = []
  const names = new Set<string>()
  items(volumes).forEach((volume: JsonObject, index) => {
    const causes: StatusCause[] = []
    const at = `${field}[${index}]`
    const sources = sourceOrder.filter((key) => volume[key])
    if (sources.length === 0) causes.push(required(at, 'must specify a volume type'))
    for (const source of sources.slice(1))
      causes.push(forbiddenField(`${at}.${shownSource[source] ?? source}`, 'may not specify more than 1 volume type'))
    const first = sources[0]
    const rule = first === undefined ? undefined : sourceRules[first]
    if (first !== undefined && rule) causes.push(...rule(volume[first], `${at}.${first}`))
    if (first === 'ephemeral' && podName)
      for (const sentence of dns1123Subdomain(`${podName}-${volume['name']}`))
        causes.push(invalidValue(`${at}.name`, volume['name'], `PVC name "${podName}-${volume['name']}": ${sentence}`))
    const name = volume['name']
    const nameCauses = requiredName(dns1123Label, name, `${at}.name`)
    causes.push(...nameCauses)
    if (names.has(name)) causes.push(duplicate(`${at}.name`, name))
    else if (nameCauses.length === 0) names.add(name)
    if (causes.length === 0) usable.add(name)
    all.push(...causes)
  })
  return all
}

/** Where containers mount volumes. */
export const validateVolumeMounts = (
  container: JsonObject,
  volumeNames: ReadonlySet<string>,
  field: string,
): StatusCause[] => {
  const causes: StatusCause[] = []
  const paths = new Set<string>()
  items(container['volumeMounts']).forEach((mount: JsonObject, index) => {
    const at = `${field}.volumeMounts[${index}]`
    if (!mount['name']) causes.push(required(`${at}.name`))
    if (!volumeNames.has(mount['name'])) causes.push(notFoundField(`${at}.name`, mount['name'] ?? ''))
    if (!mount['mountPath']) causes.push(required(`${at}.mountPath`))
    if (paths.has(mount['mountPath']))
      causes.push(invalidValue(`${at}.mountPath`, mount['mountPath'], 'must be unique'))
    paths.add(mount['mountPath'])
    // Upstream forgets the index here.
    const unindexed = `${field}.volumeMounts`
    if (mount['subPath']) causes.push(...validateLocalPath(mount['subPath'], `${unindexed}.subPath`))
    if (mount['subPathExpr']) {
      if (mount['subPath'])
        causes.push(
          invalidValue(`${at}.subPathExpr`, mount['subPathExpr'], 'subPathExpr and subPath are mutually exclusive'),
        )
      causes.push(...validateLocalPath(mount['subPathExpr'], `${unindexed}.subPathExpr`))
    }
    const propagation = mount['mountPropagation']
    const propagations = ['Bidirectional', 'HostToContainer', 'None']
    if (propagation && !propagations.includes(propagation))
      causes.push(notSupported(`${field}.volumeMounts.mountPropagation`, propagation, propagations))
    const recursive = mount['recursiveReadOnly']
    const recursives = ['Disabled', 'Enabled', 'IfPossible']
    if (recursive && !recursives.includes(recursive))
      causes.push(notSupported(`${field}.volumeMounts.recursiveReadOnly`, recursive, recursives))
    if (recursive === 'Enabled' || recursive === 'IfPossible') {
      const place = `${unindexed}.recursiveReadOnly`
      if (mount['readOnly'] !== true) causes.push(forbiddenField(place, 'may only be specified when readOnly is true'))
      if (propagation && propagation !== 'None')
        causes.push(forbiddenField(place, 'may only be specified when mountPropagation is None or not specified'))
    }
    if (propagation === 'Bidirectional' && container['securityContext']?.privileged !== true)
      causes.push(
        forbiddenField(
          `${unindexed}.mountPropagation`,
          'Bidirectional mount propagation is available only to privileged containers',
        ),
      )
  })
  return causes
}
