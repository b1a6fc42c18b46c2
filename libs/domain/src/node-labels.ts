// Labels of nodes that have had their day, wherever somebody still selects by them.
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
