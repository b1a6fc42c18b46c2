// What a pod says of itself to its containers, as variables or as files.
import { invalidValue, notSupported, required } from '@shiplog/api/field-errors'
import type { DownwardAPIVolumeFile, ResourceFieldSelector } from '@shiplog/api/generated/types/core-v1'
import type { StatusCause } from '@shiplog/api/status'
import type { Decoded } from '@shiplog/api/decoded'
import { items } from '../fields.ts'
import { validateLocalNonReservedPath, validateMode } from './volume-path-validation.ts'

const volumeFieldPaths = [
  'metadata.annotations',
  'metadata.labels',
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
]

const cpuDivisors = ['1m', '1']
const byteDivisors = ['1', '1k', '1M', '1G', '1T', '1P', '1E', '1Ki', '1Mi', '1Gi', '1Ti', '1Pi', '1Ei']
const resourceFieldRefs = ['cpu', 'ephemeral-storage', 'memory']
const containerResources = [
  ...resourceFieldRefs.map((name) => `limits.${name}`),
  ...resourceFieldRefs.map((name) => `requests.${name}`),
]

/** A resource of a container, as a variable or a file shows it. */
export const validateResourceFieldRef = (
  reference: Decoded<ResourceFieldSelector>,
  field: string,
  inVolume: boolean,
): StatusCause[] => {
  if (inVolume && !reference.containerName) return [required(`${field}.containerName`)]
  const resource = reference.resource
  if (!resource) return [required(`${field}.resource`)]
  if (!/^(requests|limits)\.hugepages-/.test(resource) && !containerResources.includes(resource))
    return [notSupported(`${field}.resource`, resource, containerResources)]
  const divisor = reference.divisor ?? '0'
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

/** Upstream tells of the whole volume, whichever item is wrong. */
export const validateDownwardItems = (list: Decoded<DownwardAPIVolumeFile[]> | undefined, at: string): StatusCause[] =>
  items(list).flatMap((item) => {
    const causes: StatusCause[] = item.path
      ? validateLocalNonReservedPath(item.path, `${at}.path`)
      : [required(`${at}.path`)]
    const fieldRef = item.fieldRef
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
      if (item.resourceFieldRef)
        causes.push(invalidValue(at, 'resource', 'fieldRef and resourceFieldRef can not be specified simultaneously'))
    } else if (item.resourceFieldRef)
      causes.push(...validateResourceFieldRef(item.resourceFieldRef, `${at}.resourceFieldRef`, true))
    else causes.push(required(at, 'one of fieldRef and resourceFieldRef is required'))
    causes.push(...validateMode(item.mode, `${at}.mode`))
    return causes
  })
