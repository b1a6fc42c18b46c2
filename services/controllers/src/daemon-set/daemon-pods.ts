// The pods of a DaemonSet: made for one node each, which their affinity names, and tolerating what happens to nodes.
import type { DaemonSet } from '@shiplog/api/generated/types/apps-v1'
import type { Affinity, Node, Pod, PodSpec, Taint, Toleration } from '@shiplog/api/generated/types/core-v1'
import { cloneJson } from '@shiplog/api/clone-json'
import { compileRequired } from '@shiplog/scheduling/plugins/node-selector'
import { isTolerated } from '@shiplog/scheduling/plugins/tolerations'
import { revisionHashLabel } from '../shared/controller-revisions.ts'
import { podFromTemplate, type NewPod } from '../shared/pod-from-template.ts'

const generationAnnotation = 'deprecated.daemonset.template.generation'
const generationLabel = 'pod-template-generation'

const condition = (name: string, effect: 'NoExecute' | 'NoSchedule'): Toleration => ({
  key: `node.kubernetes.io/${name}`,
  operator: 'Exists',
  effect,
})

/** What every daemon pod tolerates beside what its template says. */
const daemonTolerations: readonly Toleration[] = [
  condition('not-ready', 'NoExecute'),
  condition('unreachable', 'NoExecute'),
  condition('disk-pressure', 'NoSchedule'),
  condition('memory-pressure', 'NoSchedule'),
  condition('pid-pressure', 'NoSchedule'),
  condition('unschedulable', 'NoSchedule'),
]
const networkUnavailable = condition('network-unavailable', 'NoSchedule')

const isSame = (a: Toleration, b: Toleration): boolean =>
  a.key === b.key && a.effect === b.effect && (a.operator ?? '') === b.operator && (a.value ?? '') === (b.value ?? '')

export function tolerationsOf(spec: PodSpec): Toleration[] {
  const tolerations = [...(spec.tolerations ?? [])]
  for (const added of [...daemonTolerations, ...(spec.hostNetwork ? [networkUnavailable] : [])]) {
    if (!tolerations.some((known) => isSame(known, added))) tolerations.push(added)
  }
  return tolerations
}

/** The affinity of a template with its required terms replaced by the one node. */
const affinityTo = (affinity: Affinity | undefined, node: string): Affinity => ({
  ...affinity,
  nodeAffinity: {
    ...affinity?.nodeAffinity,
    requiredDuringSchedulingIgnoredDuringExecution: {
      nodeSelectorTerms: [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: [node] }] }],
    },
  },
})

/** The number of the template in the API that DaemonSets had before revisions; pods still carry it. */
export function templateGenerationOf(set: DaemonSet): string | undefined {
  const text = set.metadata.annotations?.[generationAnnotation]
  return text !== undefined && /^[+-]?\d+$/.test(text) ? String(BigInt(text)) : undefined
}

export function newDaemonPod(set: DaemonSet, name: string, node: string, hash: string): NewPod {
  const pod = podFromTemplate(set, set.spec.template, name)
  const generation = templateGenerationOf(set)
  pod.metadata.labels = {
    ...pod.metadata.labels,
    ...(generation === undefined ? {} : { [generationLabel]: generation }),
    [revisionHashLabel]: hash,
  }
  pod.spec.tolerations = tolerationsOf(pod.spec)
  pod.spec.affinity = affinityTo(cloneJson(set.spec.template.spec.affinity), node)
  return pod
}

/** Whether the pod is of the present template. */
export function isUpdated(set: DaemonSet, pod: Pod, hash: string): boolean {
  const { labels } = pod.metadata
  if (labels?.[revisionHashLabel] === hash) return true
  const generation = templateGenerationOf(set)
  return generation !== undefined && labels?.[generationLabel] === generation
}

/** The node that a pod is on, or was made for. */
export function targetNodeOf(pod: Pod): string | undefined {
  if (pod.spec.nodeName) return pod.spec.nodeName
  const terms = pod.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? []
  const fields = terms.flatMap((term) => term.matchFields ?? [])
  const named = fields.find(({ key, operator }) => key === 'metadata.name' && operator === 'In')
  return named?.values?.length === 1 ? named.values[0] : undefined
}

export interface Placement {
  /** A pod is made for the node. */
  readonly runs: boolean
  /** A pod that is there may stay. */
  readonly stays: boolean
}

const nowhere: Placement = { runs: false, stays: false }

/** Judges nodes for a DaemonSet: its selector, its affinity, its nodeName, and the taints of the node. */
export function placementsOf(set: DaemonSet): (node: Node) => Placement {
  const { spec } = set.spec.template
  const required = compileRequired(
    spec.nodeSelector,
    spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution,
  )
  const tolerations = tolerationsOf(spec)
  return ({ metadata, spec: { taints = [] } }) => {
    if (spec.nodeName && spec.nodeName !== metadata.name) return nowhere
    if (required && !required.matches({ name: metadata.name, labels: metadata.labels ?? {} })) return nowhere
    const repels = (taint: Taint): boolean => !isTolerated(tolerations, taint)
    const stays = !taints.some((taint) => taint.effect === 'NoExecute' && repels(taint))
    return { runs: stays && !taints.some((taint) => taint.effect === 'NoSchedule' && repels(taint)), stays }
  }
}
