// Nodes: registered with their status, cordoned and tainted through spec.
import { duplicate, forbiddenField, invalidValue, notSupported, required } from '@shiplog/api/field-errors'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import type { StatusCause } from '@shiplog/api/status'
import type { Strategy } from '../strategy.ts'
import { byRule, entries, fill, items, keep, section, semanticEqual } from '../fields.ts'
import { labelValue, qualifiedName } from '../names.ts'
import { cidrWarnings, validateLegacyCidr } from '../ip-addresses.ts'
import { isExtended } from '../pod/container-validation.ts'
import { nanosOf } from '../quantities.ts'
import { nanosPerUnit, objectCounts } from '../resource-quota/resource-quota.strategy.ts'

const taintEffects = ['NoSchedule', 'PreferNoSchedule', 'NoExecute']

/** What upstream writes of a node although nobody set it. */
const nodeInfoFields = [
  ...['machineID', 'systemUUID', 'bootID', 'kernelVersion', 'osImage', 'containerRuntimeVersion', 'kubeletVersion'],
  ...['kubeProxyVersion', 'operatingSystem', 'architecture'],
]

const fillNodeStatus = (status: JsonObject): void => {
  const info = section(status, 'nodeInfo')
  for (const name of nodeInfoFields) fill(info, name, '')
  fill(section(section(status, 'daemonEndpoints'), 'kubeletEndpoint'), 'Port', 0)
}

/** Allocatable is capacity until the node says otherwise. */
const setDefaults = (draft: JsonObject): void => {
  const status = draft['status']
  if (!status?.capacity) return
  const allocatable = section(status, 'allocatable')
  if (Object.keys(allocatable).length === 0)
    for (const [name, quantity] of entries(status.capacity)) allocatable[name] = quantity
}

const duplicateTaint = (
  field: string,
  { key = '', value = '', effect = '', timeAdded = null }: JsonObject,
): StatusCause => {
  const cause = duplicate(field, { Key: key, Value: value, Effect: effect, TimeAdded: timeAdded })
  return { ...cause, message: `${cause.message}: taints must be unique by key and effect pair` }
}

const validateRanges = (ranges: readonly unknown[]): StatusCause[] => {
  const causes = ranges.flatMap((range, index) =>
    validateLegacyCidr(range, `spec.podCIDRs[${index}]`),
  )
  const families = ranges.map((range) => String(range).includes(':'))
  if (causes.length === 0 && new Set(families).size < families.length)
    causes.push(invalidValue('spec.podCIDRs', ranges, 'may specify no more than one CIDR for each IP family'))
  return causes
}

const validateTaints = (taints: unknown): StatusCause[] => {
  const causes: StatusCause[] = []
  const seen = new Set<string>()
  items(taints).forEach((taint: JsonObject, index) => {
    // Upstream's errors place taints in the metadata.
    const at = `metadata.taints[${index}]`
    causes.push(...byRule(qualifiedName, taint['key'] ?? '', `${at}.key`))
    if (taint['value']) {
      const wrong = labelValue(taint['value'])
      if (wrong.length > 0) causes.push(...byRule(labelValue, taint['value'], `${at}.value`))
    }
    if (!taint['effect']) causes.push(required(`${at}.effect`))
    else if (!taintEffects.includes(taint['effect']))
      causes.push(notSupported(`${at}.effect`, taint['effect'] ?? '', taintEffects))
    const identity = `${taint['key']}:${taint['effect']}`
    if (seen.has(identity)) causes.push(duplicateTaint(at, taint))
    seen.add(identity)
  })
  return causes
}

/** Of objects that are counted there is no half. */
const isCounted = (name: string): boolean => objectCounts.includes(name) || isExtended(name)

/** What only updates are asked: a kubelet registers with whatever it has. */
const validateStatus = ({ status }: KubeObject): StatusCause[] => {
  const causes: StatusCause[] = []
  for (const list of ['capacity', 'allocatable'])
    for (const [name, quantity] of entries(status?.[list])) {
      const at = `status.${list}.${name}`
      const nanos = nanosOf(quantity)
      if (nanos === undefined) continue
      if (nanos < 0n) causes.push(invalidValue(at, String(quantity), 'must be greater than or equal to 0'))
      if (isCounted(name) && nanos % nanosPerUnit !== 0n)
        causes.push(invalidValue(at, String(quantity), 'must be an integer'))
    }
  const seen = new Set<string>()
  items(status?.addresses).forEach(({ type = '', address = '' }: JsonObject, index) => {
    const identity = JSON.stringify([type, address])
    if (seen.has(identity)) causes.push(duplicate(`status.addresses[${index}]`, { Type: type, Address: address }))
    seen.add(identity)
  })
  return causes
}

const validateUpdate = (next: KubeObject, before: KubeObject): StatusCause[] => {
  const causes = validateStatus(next)
  const now: JsonObject = next['spec'] ?? {}
  const was: JsonObject = before['spec'] ?? {}
  if (items(was['podCIDRs']).length > 0 && !semanticEqual(now['podCIDRs'], was['podCIDRs']))
    causes.push(forbiddenField('spec.podCIDRs', 'node updates may not change podCIDR except from "" to valid'))
  if (was['providerID'] && now['providerID'] !== was['providerID'])
    causes.push(forbiddenField('spec.providerID', 'node updates may not change providerID except from "" to valid'))
  return causes
}

const eventType = (next: KubeObject, before: KubeObject, subresource: string): string | undefined => {
  if (subresource === 'status') return 'NodeStatusReported'
  const now: JsonObject = next['spec'] ?? {}
  const was: JsonObject = before['spec'] ?? {}
  if (now['unschedulable'] === true && was['unschedulable'] !== true) return 'NodeCordoned'
  if (now['unschedulable'] !== true && was['unschedulable'] === true) return 'NodeUncordoned'
  return semanticEqual(now['taints'], was['taints']) ? undefined : 'NodeTaintsChanged'
}

const nodeWarnings = ({ spec }: KubeObject): string[] => [
  ...(spec?.configSource ? ['spec.configSource: the feature is removed'] : []),
  ...(spec?.externalID ? ['spec.externalID: this field is deprecated, and is unused by Kubernetes'] : []),
  ...items(spec?.podCIDRs).flatMap((range, index) => cidrWarnings(range, `spec.podCIDRs[${index}]`)),
]

export const nodeStrategy: Strategy = {
  hasGeneration: false,
  setDefaults,
  // A kubelet registers with its status, so a create keeps it.
  prepareForCreate: (draft) => {
    fillNodeStatus(section(draft, 'status'))
  },
  prepareForUpdate: (draft, before) => {
    const now = section(draft, 'spec')
    keep(draft, before, 'status')
    if (now['podCIDR'] && items(now['podCIDRs']).length === 0) now['podCIDRs'] = [now['podCIDR']]
  },
  /** Labels and annotations may come with the status. */
  prepareForStatusUpdate: (draft, before) => {
    keep(draft, before, 'spec')
    fillNodeStatus(section(draft, 'status'))
  },
  warnings: nodeWarnings,
  validatesAll: true,
  validate: (node) => {
    const { taints, podCIDR, podCIDRs } = node['spec'] ?? {}
    // The one range and the list of ranges say the same; the one counts.
    const ranges = podCIDR && items(podCIDRs)[0] !== podCIDR ? [podCIDR] : items(podCIDRs)
    return [...validateTaints(taints), ...validateRanges(ranges)]
  },
  validateUpdate,
  validateStatusUpdate: validateStatus,
  selectableFields: (node) => ({ 'spec.unschedulable': String(node['spec']?.unschedulable === true) }),
  eventType,
}
