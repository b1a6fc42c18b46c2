// Deprecated node labels, and warnings for selectors that use them; labels that a node may set on itself.
import type { LabelSelector } from '@shiplog/api/generated/types/meta-v1'
import type { NodeSelectorTerm } from '@shiplog/api/generated/types/core-v1'
import type { Decoded } from '@shiplog/api/decoded'
import { items } from './fields.ts'
import { labelValue } from './names.ts'

const deprecated: ReadonlyMap<string, string> = new Map([
  ['beta.kubernetes.io/arch', 'deprecated since v1.14; use "kubernetes.io/arch" instead'],
  ['beta.kubernetes.io/os', 'deprecated since v1.14; use "kubernetes.io/os" instead'],
  ['failure-domain.beta.kubernetes.io/region', 'deprecated since v1.17; use "topology.kubernetes.io/region" instead'],
  ['failure-domain.beta.kubernetes.io/zone', 'deprecated since v1.17; use "topology.kubernetes.io/zone" instead'],
  ['beta.kubernetes.io/instance-type', 'deprecated since v1.17; use "node.kubernetes.io/instance-type" instead'],
  ['app.kubernetes.io/created-by', 'deprecated since v1.9'],
  ['scheduler.alpha.kubernetes.io/preferAvoidPods', 'deprecated since v1.22; use Taints and Tolerations instead'],
  ['node-role.kubernetes.io/master', 'use "node-role.kubernetes.io/control-plane" instead'],
])

/** What to say of a label of nodes, if anything. */
export const labelDeprecation = (key: string | undefined): string | undefined => deprecated.get(key ?? '')

/** Of a term that selects nodes; `withValues`: of values too that can match no label. */
export const nodeTermWarnings = (
  term: Decoded<Pick<LabelSelector | NodeSelectorTerm, 'matchExpressions'>> | undefined,
  field: string,
  withValues = false,
): string[] =>
  items(term?.matchExpressions).flatMap((expression, index) => {
    const at = `${field}.matchExpressions[${index}]`
    const { key = '', values } = expression
    const sentence = labelDeprecation(key)
    return [
      ...(sentence ? [`${at}.key: ${key} is ${sentence}`] : []),
      ...(withValues
        ? items(values).flatMap((value, position) =>
            labelValue(String(value)).map((wrong) => `${at}.values[${position}]: ${value} is invalid, ${wrong}`),
          )
        : []),
    ]
  })

/** Of a label selector that selects nodes. */
export const nodeSelectorWarnings = (selector: Decoded<LabelSelector> | undefined, field: string): string[] => [
  ...nodeTermWarnings(selector, field),
  ...Object.keys(selector?.matchLabels ?? {}).flatMap((label) => {
    const sentence = labelDeprecation(label)
    return sentence ? [`${field}.matchLabels.${label}: ${sentence}`] : []
  }),
]

/** Labels under Kubernetes' own domains that a node may say of itself. */
const ownLabels: ReadonlySet<string> = new Set([
  'kubernetes.io/hostname',
  'topology.kubernetes.io/zone',
  'topology.kubernetes.io/region',
  'failure-domain.beta.kubernetes.io/zone',
  'failure-domain.beta.kubernetes.io/region',
  'beta.kubernetes.io/instance-type',
  'node.kubernetes.io/instance-type',
  'kubernetes.io/os',
  'kubernetes.io/arch',
  'beta.kubernetes.io/os',
  'beta.kubernetes.io/arch',
])
const ownDomain = /(^|\.)(kubelet|node)\.kubernetes\.io$/
const kubernetesDomain = /(^|\.)(kubernetes|k8s)\.io$/
/** By these labels people keep workloads off nodes that they do not trust. */
const restrictionDomain = /(^|\.)node-restriction\.kubernetes\.io$/

function isForbidden(label: string): boolean {
  const slash = label.indexOf('/')
  const domain = slash < 0 ? '' : label.slice(0, slash)
  if (restrictionDomain.test(domain)) return true
  return kubernetesDomain.test(domain) && !ownLabels.has(label) && !ownDomain.test(domain)
}

type Labels = Readonly<Record<string, string>>

/** Labels that differ and that a node must not write itself, sorted: it could draw to itself what is not meant for it. */
export const forbiddenNodeLabels = (now: Labels, before: Labels): string[] =>
  [...new Set([...Object.keys(now), ...Object.keys(before)])]
    .filter((label) => now[label] !== before[label] && isForbidden(label))
    .sort()
