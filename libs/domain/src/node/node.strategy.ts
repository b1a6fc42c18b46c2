// Nodes: registered with their status, cordoned and tainted through spec.
import { duplicate, forbiddenField, notSupported } from '@shiplog/api/field-errors'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import type { StatusCause } from '@shiplog/api/status'
import type { Strategy } from '../strategy.ts'
import { byRule, entries, fill, items, keep, requiredName, section, semanticEqual } from '../fields.ts'
import { labelValue, qualifiedName } from '../names.ts'

const taintEffects = ['NoSchedule', 'PreferNoSchedule', 'NoExecute']

/** What upstream writes of a node although nobody set it. */
const nodeInfoFields = [
  ...['machineID', 'systemUUID', 'bootID', 'kernelVersion', 'osImage', 'containerRuntimeVersion', 'kubeletVersion'],
  ...['kubeProxyVersion', 'operatingSystem', 'architecture'],
]

/** Allocatable is capacity until the node says otherwise. */
const setDefaults = (draft: JsonObject): void => {
  const status = draft['status']
  if (!status?.capacity) return
  const allocatable = section(status, 'allocatable')
  if (Object.keys(allocatable).length === 0)
    for (const [name, quantity] of entries(status.capacity)) allocatable[name] = quantity
}

const validateTaints = (taints: unknown): StatusCause[] => {
  const causes: StatusCause[] = []
  const seen = new Set<string>()
  items(taints).forEach((taint: JsonObject, index) => {
    const at = `spec.taints[${index}]`
    causes.push(...requiredName(qualifiedName, taint['key'], `${at}.key`))
    if (taint['value']) {
      const wrong = labelValue(taint['value'])
      if (wrong.length > 0) causes.push(...byRule(labelValue, taint['value'], `${at}.value`))
    }
    if (!taintEffects.includes(taint['effect']))
      causes.push(notSupported(`${at}.effect`, taint['effect'] ?? '', taintEffects))
    const identity = `${taint['key']}:${taint['effect']}`
    if (seen.has(identity)) causes.push(duplicate(at, taint))
    seen.add(identity)
  })
  return causes
}

const validateUpdate = (next: KubeObject, before: KubeObject): StatusCause[] => {
  const causes: StatusCause[] = []
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

export const nodeStrategy: Strategy = {
  hasGeneration: false,
  setDefaults,
  // A kubelet registers with its status, so a create keeps it.
  prepareForCreate: (draft) => {
    const status = section(draft, 'status')
    const info = section(status, 'nodeInfo')
    for (const name of nodeInfoFields) fill(info, name, '')
    fill(section(section(status, 'daemonEndpoints'), 'kubeletEndpoint'), 'Port', 0)
  },
  prepareForUpdate: (draft, before) => {
    const now = section(draft, 'spec')
    keep(draft, before, 'status')
    if (now['podCIDR'] && items(now['podCIDRs']).length === 0) now['podCIDRs'] = [now['podCIDR']]
  },
  /** Labels and annotations may come with the status. */
  prepareForStatusUpdate: (draft, before) => {
    keep(draft, before, 'spec')
  },
  validate: (node) => validateTaints(node['spec']?.taints),
  validateUpdate,
  selectableFieldNames: ['spec.unschedulable'],
  selectableFields: (node) => ({ 'spec.unschedulable': String(node['spec']?.unschedulable === true) }),
  eventType,
}
