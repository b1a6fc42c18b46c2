// Nodes: registered with their status, cordoned and tainted through spec.
import { goQuote } from '@shiplog/api/decode/go-quote'
import { duplicate, forbiddenField, invalidValue, notSupported, required } from '@shiplog/api/field-errors'
import type { Node, NodeSpec, NodeStatus, Taint } from '@shiplog/api/generated/types/core-v1'
import type { StatusCause } from '@shiplog/api/status'
import type { Decoded, Draft } from '@shiplog/api/decoded'
import type { Strategy } from '../strategy.ts'
import { byRule, entries, fill, items, keep, section, semanticEqual } from '../fields.ts'
import { labelValue, qualifiedName } from '../names.ts'
import { nanosOf } from '../quantities.ts'
import { cidrWarnings, validateLegacyCidr } from '../ip-addresses.ts'

const taintEffects = ['NoSchedule', 'PreferNoSchedule', 'NoExecute']

/** What upstream writes of a node although nobody set it. */
const nodeInfoFields = [
  'machineID',
  'systemUUID',
  'bootID',
  'kernelVersion',
  'osImage',
  'containerRuntimeVersion',
  'kubeletVersion',
  'kubeProxyVersion',
  'operatingSystem',
  'architecture',
] as const

const fillNodeStatus = (status: Decoded<NodeStatus>): void => {
  const info = section(status, 'nodeInfo')
  for (const name of nodeInfoFields) fill(info, name, '')
  fill(section(section(status, 'daemonEndpoints'), 'kubeletEndpoint'), 'Port', 0)
}

/** The one range and the list of ranges say the same; where they do not, the one counts. */
const mirrorRanges = (spec: Decoded<NodeSpec> | undefined): void => {
  if (!spec) return
  const [first] = items(spec.podCIDRs)
  if (spec.podCIDR && first !== spec.podCIDR) spec.podCIDRs = [spec.podCIDR]
  else if (first && !spec.podCIDR) spec.podCIDR = first
}

/** Allocatable is capacity until the node says otherwise. */
const setDefaults = (draft: Draft<Node>): void => {
  mirrorRanges(draft.spec)
  const status = draft.status
  for (const condition of items(status?.conditions))
    for (const key of ['type', 'status'] as const) fill(condition, key, '')
  for (const address of items(status?.addresses)) for (const key of ['type', 'address'] as const) fill(address, key, '')
  if (!status?.capacity) return
  const allocatable = section(status, 'allocatable')
  if (Object.keys(allocatable).length === 0)
    for (const [name, quantity] of entries(status.capacity)) allocatable[name] = quantity
}

const duplicateTaint = (field: string, { key = '', value = '', effect, timeAdded }: Decoded<Taint>): StatusCause => {
  const cause = duplicate(field, { Key: key, Value: value, Effect: effect ?? '', TimeAdded: timeAdded ?? null })
  return { ...cause, message: `${cause.message}: taints must be unique by key and effect pair` }
}

const validateRanges = (ranges: readonly string[]): StatusCause[] => {
  const causes = ranges.flatMap((range, index) => validateLegacyCidr(range, `spec.podCIDRs[${index}]`))
  const families = ranges.map((range) => range.includes(':'))
  if (causes.length === 0 && new Set(families).size < families.length)
    causes.push(invalidValue('spec.podCIDRs', ranges, 'may specify no more than one CIDR for each IP family'))
  return causes
}

const validateTaints = (taints: Decoded<Taint[]> | undefined): StatusCause[] => {
  const causes: StatusCause[] = []
  const seen = new Set<string>()
  items(taints).forEach((taint, index) => {
    // Upstream's errors place taints in the metadata.
    const at = `metadata.taints[${index}]`
    causes.push(...byRule(qualifiedName, taint.key ?? '', `${at}.key`))
    if (taint.value) {
      const wrong = labelValue(taint.value)
      if (wrong.length > 0) causes.push(...byRule(labelValue, taint.value, `${at}.value`))
    }
    if (!taint.effect) causes.push(required(`${at}.effect`))
    else if (!taintEffects.includes(taint.effect))
      causes.push(notSupported(`${at}.effect`, taint.effect ?? '', taintEffects))
    const identity = `${taint.key}:${taint.effect}`
    if (seen.has(identity)) causes.push(duplicateTaint(at, taint))
    seen.add(identity)
  })
  return causes
}

const integerResources = ['pods', 'services', 'replicationcontrollers', 'resourcequotas', 'secrets', 'configmaps']

const validateAmounts = (list: Readonly<Record<string, string>> | undefined, field: string): StatusCause[] =>
  entries(list).flatMap(([name, quantity]) => {
    const nanos = nanosOf(quantity)
    if (nanos === undefined) return []
    const isWhole = nanos % 1_000_000_000n === 0n
    const counted = integerResources.includes(name) || (name.includes('/') && !name.includes('kubernetes.io/'))
    return [
      ...(nanos < 0n ? [invalidValue(`${field}.${name}`, String(quantity), 'must be greater than or equal to 0')] : []),
      ...(counted && !isWhole ? [invalidValue(`${field}.${name}`, String(quantity), 'must be an integer')] : []),
    ]
  })

const featureForm = /^[A-Z][a-zA-Z0-9]*(\/[a-zA-Z0-9]+)*$/

const validateDeclaredFeatures = (features: readonly string[], field: string): StatusCause[] =>
  features.flatMap((feature, index) => {
    const earlier = index > 0 ? features[index - 1]! : ''
    const at = `${field}[${index}]`
    return [
      ...(featureForm.test(feature)
        ? []
        : [
            invalidValue(
              at,
              feature,
              `invalid feature name ${goQuote(feature)}: must start with an UpperCamelCase segment, with subsequent segments separated by '/' (e.g., MyFeature or MyFeature/mySubFeature), and contain only alphanumeric characters and slashes`,
            ),
          ]),
      ...(index > 0 && feature === earlier ? [duplicate(at, feature)] : []),
      ...(index > 0 && feature < earlier ? [invalidValue(at, feature, 'list must be sorted alphabetically')] : []),
    ]
  })

/** What a node reports of itself. */
const validateNodeStatus = (status: Decoded<NodeStatus>): StatusCause[] => {
  const addresses = items(status.addresses).map(({ type = '', address = '' }) => ({ type, address }))
  return [
    ...validateAmounts(status.capacity, 'status.capacity'),
    ...validateAmounts(status.allocatable, 'status.allocatable'),
    ...validateDeclaredFeatures(items(status.declaredFeatures), 'status.declaredFeatures'),
    ...addresses.flatMap((one, index) =>
      addresses.slice(0, index).some((other) => semanticEqual(one, other))
        ? [duplicate(`status.addresses[${index}]`, { Type: one.type, Address: one.address })]
        : [],
    ),
  ]
}

/** v1.AvoidPods of upstream, as far as it is looked at. */
interface AvoidPods {
  readonly preferAvoidPods?: readonly {
    readonly podSignature?: { readonly podController?: { readonly controller?: boolean } }
  }[]
}

const avoidedPods = 'scheduler.alpha.kubernetes.io/preferAvoidPods'

/** An annotation of long ago that holds an object. */
const validateAvoidedPods = (annotations: Readonly<Record<string, string>> | undefined): StatusCause[] => {
  const text = annotations?.[avoidedPods] ?? ''
  if (text === '') return []
  let avoided: AvoidPods | null
  try {
    avoided = JSON.parse(text)
  } catch {
    const character = goQuote(text[0]!).replace(/^"|"$/g, "'")
    return [
      invalidValue(
        'metadata.annotations.AvoidPods',
        avoidedPods,
        `invalid character ${character} looking for beginning of value`,
      ),
    ]
  }
  return items(avoided?.preferAvoidPods).flatMap(({ podSignature }, index) => {
    const at = `metadata.annotations.${avoidedPods}[${index}].PodSignature`
    const controller = podSignature?.podController
    if (!controller) return [required(at)]
    return controller.controller === true
      ? []
      : [invalidValue(`${at}.PodController.Controller`, false, 'must point to a controller')]
  })
}

const validateUpdate = (next: Draft<Node>, before: Draft<Node>): StatusCause[] => {
  const causes: StatusCause[] = []
  const now = next.spec ?? {}
  const was = before.spec ?? {}
  if (items(was.podCIDRs).length > 0 && !semanticEqual(now.podCIDRs, was.podCIDRs))
    causes.push(forbiddenField('spec.podCIDRs', 'node updates may not change podCIDR except from "" to valid'))
  causes.push(...validateNodeStatus(next.status ?? {}), ...validateAvoidedPods(next.metadata.annotations))
  if ((now.externalID ?? '') !== (was.externalID ?? ''))
    causes.push(forbiddenField('spec.externalID', 'may not be updated'))
  if (was.providerID && now.providerID !== was.providerID)
    causes.push(forbiddenField('spec.providerID', 'node updates may not change providerID except from "" to valid'))
  return causes
}

const eventType = (next: Draft<Node>, before: Draft<Node>, subresource: string): string | undefined => {
  if (subresource === 'status') return 'NodeStatusReported'
  const now = next.spec ?? {}
  const was = before.spec ?? {}
  if (now.unschedulable === true && was.unschedulable !== true) return 'NodeCordoned'
  if (now.unschedulable !== true && was.unschedulable === true) return 'NodeUncordoned'
  return semanticEqual(now.taints, was.taints) ? undefined : 'NodeTaintsChanged'
}

const nodeWarnings = ({ spec }: Draft<Node>): string[] => [
  ...(spec?.configSource ? ['spec.configSource: the feature is removed'] : []),
  ...(spec?.externalID ? ['spec.externalID: this field is deprecated, and is unused by Kubernetes'] : []),
  ...items(spec?.podCIDRs).flatMap((range, index) => cidrWarnings(range, `spec.podCIDRs[${index}]`)),
]

export const nodeStrategy: Strategy<Node> = {
  hasGeneration: false,
  setDefaults,
  // A kubelet registers with its status, so a create keeps it.
  prepareForCreate: (draft) => {
    const status = section(draft, 'status')
    fillNodeStatus(status)
    // Configuration through the API server was given up.
    delete draft.spec?.configSource
    delete status.config
  },
  prepareForUpdate: (draft, before) => {
    const now = section(draft, 'spec')
    keep(draft, before, 'status')
    if (!before.spec?.configSource) delete now.configSource
  },
  /** Labels and annotations may come with the status. */
  prepareForStatusUpdate: (draft, before) => {
    keep(draft, before, 'spec')
    const status = section(draft, 'status')
    fillNodeStatus(status)
    if (!before.status?.config) delete status.config
  },
  validateStatusUpdate: (next, before) => validateUpdate(next, before),
  warnings: nodeWarnings,
  validatesAll: true,
  validate: (node, before) => {
    const { taints, podCIDRs } = node.spec ?? {}
    return [
      ...validateTaints(taints),
      ...validateRanges(items(podCIDRs)),
      ...(before ? [] : validateNodeStatus({ ...node.status, addresses: [] })),
      ...(before ? [] : validateAvoidedPods(node.metadata.annotations)),
    ]
  },
  validateUpdate,
  selectableFields: (node) => ({ 'spec.unschedulable': String(node.spec?.unschedulable === true) }),
  eventType,
}
