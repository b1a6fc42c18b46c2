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
import { byRule, items, requiredName, requiredText } from '../fields.ts'
import { configMapKey, dns1123Label, dns1123Subdomain } from '../names.ts'
import { nanosOf } from '../quantities.ts'

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
      ...(item['key'] ? byRule(configMapKey, item['key'], `${at}.key`) : []),
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

const validateDownwardItems = (list: unknown, field: string): StatusCause[] =>
  items(list).flatMap((item: JsonObject, index) => {
    const at = `${field}[${index}]`
    const causes: StatusCause[] = item['path']
      ? validateLocalNonReservedPath(item['path'], `${at}.path`)
      : [required(`${at}.path`)]
    const fieldRef = item['fieldRef']
    if (fieldRef) {
      const path = fieldRef.fieldPath
      if (!path) causes.push(required(`${at}.fieldRef.fieldPath`))
      else if (!volumeFieldPaths.includes(path) && !/^metadata\.(labels|annotations)\['.+'\]$/.test(path))
        causes.push(notSupported(`${at}.fieldRef.fieldPath`, path, volumeFieldPaths))
      if (item['resourceFieldRef'])
        causes.push(invalidValue(at, 'resource', 'fieldRef and resourceFieldRef can not be specified simultaneously'))
    } else if (!item['resourceFieldRef']) causes.push(required(at, 'one of fieldRef and resourceFieldRef is required'))
    causes.push(...validateMode(item['mode'], `${at}.mode`))
    return causes
  })

const validateProjected = (projected: JsonObject, field: string): StatusCause[] => {
  const causes = validateMode(projected['defaultMode'], `${field}.defaultMode`)
  items(projected['sources']).forEach((source: JsonObject, index) => {
    const at = `${field}.sources[${index}]`
    const kinds = Object.keys(source).filter((key) => source[key])
    if (kinds.length === 0) causes.push(required(at, 'must specify a projected volume source'))
    for (const kind of kinds.slice(1))
      causes.push(forbiddenField(`${at}.${kind}`, 'may not specify more than 1 volume type per source'))
    for (const kind of ['secret', 'configMap'] as const) {
      if (!source[kind]) continue
      causes.push(...requiredText(source[kind].name, `${at}.${kind}.name`))
      causes.push(...validateKeyToPath(source[kind].items, `${at}.${kind}.items`))
    }
    if (source['downwardAPI'])
      causes.push(...validateDownwardItems(source['downwardAPI'].items, `${at}.downwardAPI.items`))
    const token = source['serviceAccountToken']
    if (token) {
      const seconds = token.expirationSeconds
      const secondsField = `${at}.serviceAccountToken.expirationSeconds`
      if (typeof seconds === 'number' && seconds < tokenExpirationSecondsMin)
        causes.push(invalidValue(secondsField, seconds, 'may not specify a duration less than 10 minutes'))
      if (typeof seconds === 'number' && seconds > tokenExpirationSecondsMax)
        causes.push(invalidValue(secondsField, seconds, 'may not specify a duration larger than 2^32 seconds'))
      if (!token.path) causes.push(required(`${at}.serviceAccountToken.path`))
      else causes.push(...validateLocalNonReservedPath(token.path, `${at}.serviceAccountToken.path`))
    }
  })
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
    ...validateDownwardItems(source['items'], `${field}.items`),
  ],
  projected: validateProjected,
  persistentVolumeClaim: (source, field) => requiredText(source['claimName'], `${field}.claimName`),
  nfs: (source, field) => {
    const causes = [
      ...requiredText(source['server'], `${field}.server`),
      ...requiredText(source['path'], `${field}.path`),
    ]
    if (source['path'] && !String(source['path']).startsWith('/'))
      causes.push(invalidValue(`${field}.path`, source['path'], 'must be an absolute path'))
    return causes
  },
  csi: (source, field) => requiredText(source['driver'], `${field}.driver`),
  iscsi: (source, field) => [
    ...requiredText(source['targetPortal'], `${field}.targetPortal`),
    ...requiredText(source['iqn'], `${field}.iqn`),
  ],
  ephemeral: (source, field) => (source['volumeClaimTemplate'] ? [] : [required(`${field}.volumeClaimTemplate`)]),
  image: (source, field) => requiredText(source['reference'], `${field}.reference`, 'must not be empty'),
}

/** Which source of two is the one too many depends on upstream's order of looking at them. */
const sourceOrder = [
  ...['emptyDir', 'hostPath', 'gitRepo', 'gcePersistentDisk', 'awsElasticBlockStore', 'secret', 'nfs', 'iscsi'],
  ...['glusterfs', 'flocker', 'persistentVolumeClaim', 'rbd', 'cinder', 'cephfs', 'quobyte', 'downwardAPI', 'fc'],
  ...['flexVolume', 'configMap', 'azureFile', 'vsphereVolume', 'photonPersistentDisk', 'portworxVolume', 'azureDisk'],
  ...['storageos', 'projected', 'scaleIO', 'csi', 'ephemeral', 'image'],
]

/** All volumes of a pod's spec. */
export const validateVolumes = (volumes: unknown, field: string, podName: string | undefined): StatusCause[] => {
  const causes: StatusCause[] = []
  const names = new Set<string>()
  items(volumes).forEach((volume: JsonObject, index) => {
    const at = `${field}[${index}]`
    const sources = sourceOrder.filter((key) => volume[key])
    if (sources.length === 0) causes.push(required(at, 'must specify a volume type'))
    for (const source of sources.slice(1))
      causes.push(forbiddenField(`${at}.${source}`, 'may not specify more than 1 volume type'))
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
  })
  return causes
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
    else if (!volumeNames.has(mount['name'])) causes.push(notFoundField(`${at}.name`, mount['name']))
    if (!mount['mountPath']) causes.push(required(`${at}.mountPath`))
    if (paths.has(mount['mountPath']))
      causes.push(invalidValue(`${at}.mountPath`, mount['mountPath'], 'must be unique'))
    paths.add(mount['mountPath'])
    if (mount['subPath']) causes.push(...validateLocalPath(mount['subPath'], `${at}.subPath`))
    if (mount['subPathExpr']) {
      if (mount['subPath'])
        causes.push(
          invalidValue(`${at}.subPathExpr`, mount['subPathExpr'], 'subPathExpr and subPath are mutually exclusive'),
        )
      causes.push(...validateLocalPath(mount['subPathExpr'], `${at}.subPathExpr`))
    }
    const propagation = mount['mountPropagation']
    const propagations = ['Bidirectional', 'HostToContainer', 'None']
    if (propagation && !propagations.includes(propagation))
      causes.push(notSupported(`${at}.mountPropagation`, propagation, propagations))
    if (propagation === 'Bidirectional' && container['securityContext']?.privileged !== true)
      causes.push(
        forbiddenField(
          `${at}.mountPropagation`,
          'Bidirectional mount propagation is available only to privileged containers',
        ),
      )
  })
  return causes
}
