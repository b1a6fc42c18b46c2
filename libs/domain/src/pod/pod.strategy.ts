// Pods: the richest rules of all kinds. Spec fixed at creation but for a few fields, status reported by nodes,
// deletion with grace.
import { forbiddenField } from '@shiplog/api/field-errors'
import type { Pod, PodSpec, PodStatus } from '@shiplog/api/generated/types/core-v1'
import type { JsonObject } from '@shiplog/api/kube-object'
import { timestampOf } from '@shiplog/api/apply/managed-fields'
import type { StatusCause } from '@shiplog/api/status'
import type { Decoded, Draft } from '@shiplog/api/decoded'
import type { DecisionContext, Strategy } from '../strategy.ts'
import { items, keep, section, semanticEqual } from '../fields.ts'
import { ipWarnings } from '../ip-addresses.ts'
import { copyAppArmorAnnotations } from './app-armor.ts'
import { setPodDefaults } from './pod-defaults.ts'
import type { LabelKeys } from './scheduling-validation.ts'
import { validatePodAnnotations, validateSeccompMatch } from './pod-annotation-validation.ts'
import { validatePodSpec } from './pod-spec-validation.ts'
import { validatePodStatusUpdate } from './pod-status-validation.ts'
import { validatePodUpdate } from './pod-update-validation.ts'
import { podWarnings } from './pod-warnings.ts'
import { qosClass } from './qos-class.ts'
import { prepareEphemeralContainers, validateEphemeralContainersUpdate } from '../subresources/ephemeral-containers.ts'
import { prepareResize, validateResize } from '../subresources/resize.ts'

/** Upstream writes a time that is not set as null. */
const gatedCondition = (nowMs: number): JsonObject => ({
  type: 'PodScheduled',
  status: 'False',
  reason: 'SchedulingGated',
  message: 'Scheduling is blocked due to non-empty scheduling gates',
  lastProbeTime: null,
  lastTransitionTime: timestampOf(nowMs),
})

/** A label key that stands for the pod's own value becomes an expression with that value. */
const mergeLabelKeys = (spec: Decoded<PodSpec>, labels: Readonly<Record<string, string>>): void => {
  const { podAffinity, podAntiAffinity } = spec.affinity ?? {}
  const terms = [podAffinity, podAntiAffinity].flatMap((affinity) => [
    ...items(affinity?.requiredDuringSchedulingIgnoredDuringExecution),
    ...items(affinity?.preferredDuringSchedulingIgnoredDuringExecution).map((one) => one.podAffinityTerm ?? {}),
  ])
  const holders: Decoded<LabelKeys>[] = [...terms, ...items(spec.topologySpreadConstraints)]
  for (const holder of holders) {
    const selector = holder.labelSelector
    if (!selector) continue
    for (const [list, operator] of [
      ['matchLabelKeys', 'In'],
      ['mismatchLabelKeys', 'NotIn'],
    ] as const)
      for (const key of items(holder[list]))
        if (labels[key] !== undefined)
          selector.matchExpressions = [...items(selector.matchExpressions), { key, operator, values: [labels[key]] }]
  }
}

const prepareForCreate = (draft: Draft<Pod>, { nowMs }: Pick<DecisionContext, 'nowMs'>): void => {
  copyAppArmorAnnotations(draft)
  const spec = section(draft, 'spec')
  mergeLabelKeys(spec, draft.metadata.labels ?? {})
  // Left behind by clients that copy a pod; the API server owns it from the start.
  const status: Decoded<PodStatus> = { phase: 'Pending', qosClass: qosClass(spec) }
  if (items(spec.schedulingGates).length > 0) status.conditions = [gatedCondition(nowMs)]
  draft.status = status
  const grace = spec.terminationGracePeriodSeconds
  if (typeof grace === 'number' && grace < 0) spec.terminationGracePeriodSeconds = 1
}

/** A node may report labels and annotations with the status; spec, owners and deletion stay. */
const prepareForStatusUpdate = (draft: Draft<Pod>, before: Draft<Pod>): void => {
  draft.spec = before.spec
  const { metadata } = draft
  if (before.metadata.ownerReferences) metadata.ownerReferences = before.metadata.ownerReferences
  else delete metadata.ownerReferences
  if (before.metadata.deletionTimestamp) metadata.deletionTimestamp = before.metadata.deletionTimestamp
  else delete metadata.deletionTimestamp
  const status = section(draft, 'status')
  const qos = before.status?.qosClass
  if (qos !== undefined && status.qosClass === undefined) status.qosClass = qos
}

/** podStrategy.CheckGracefulDelete: not bound or finished goes at once; negative counts as one second. */
export const podGracePeriodSeconds = (pod: Draft<Pod>, requested: number | undefined): number | undefined => {
  const phase = pod.status?.phase
  if (!pod.spec?.nodeName || phase === 'Failed' || phase === 'Succeeded') return undefined
  const seconds = requested ?? pod.spec.terminationGracePeriodSeconds ?? 0
  if (seconds < 0) return 1
  return seconds === 0 ? undefined : seconds
}

const selectableFields = (pod: Draft<Pod>): Record<string, string> => ({
  'spec.nodeName': pod.spec?.nodeName ?? '',
  'spec.restartPolicy': pod.spec?.restartPolicy ?? '',
  'spec.schedulerName': pod.spec?.schedulerName ?? '',
  'spec.serviceAccountName': pod.spec?.serviceAccountName ?? '',
  'spec.hostNetwork': String(pod.spec?.hostNetwork === true),
  'status.phase': pod.status?.phase ?? '',
  'status.podIP': pod.status?.podIP ?? '',
  'status.nominatedNodeName': pod.status?.nominatedNodeName ?? '',
})

const eventType = (next: Draft<Pod>, before: Draft<Pod>, subresource: string): string | undefined => {
  if (next.metadata.deletionTimestamp && !before.metadata.deletionTimestamp) return 'PodDeletionRequested'
  if (next.spec?.nodeName && !before.spec?.nodeName) return 'PodBound'
  if (subresource === 'ephemeralcontainers') return 'PodDebugged'
  if (subresource === 'resize') return 'PodResized'
  const specSame = semanticEqual(next.spec, before.spec)
  if (!specSame && items(next.spec?.schedulingGates).length < items(before.spec?.schedulingGates).length)
    return 'PodSchedulingGateRemoved'
  if (specSame && !semanticEqual(next.status, before.status)) return 'PodStatusReported'
  return undefined
}

/** The one address and the list of addresses say the same; where they do not, the one counts. */
const mirrorAddresses = (status: Decoded<PodStatus> | undefined): void => {
  if (!status) return
  const [first] = items(status.podIPs)
  if (status.podIP && first?.ip !== status.podIP) status.podIPs = [{ ip: status.podIP }]
  else if (first?.ip && !status.podIP) status.podIP = first.ip
}

/** A token is of an account: a pod without one has none. */
const validateTokenVolumes = (spec: Decoded<PodSpec>): StatusCause[] =>
  spec.serviceAccountName
    ? []
    : items(spec.volumes).flatMap((volume, index) =>
        items(volume.projected?.sources).flatMap((source, position) =>
          source.serviceAccountToken
            ? [
                forbiddenField(
                  `spec.volumes[${index}].projected.sources[${position}].serviceAccountToken`,
                  'must not be specified when serviceAccountName is not set',
                ),
              ]
            : [],
        ),
      )

export const podStrategy: Strategy<Pod> = {
  returnsDeleted: true,
  warnings: (pod, before) => (before ? [] : podWarnings(pod, '')),
  statusWarnings: (pod) =>
    (['podIPs', 'hostIPs'] as const).flatMap((list) =>
      items(pod.status?.[list]).flatMap(({ ip }, index) => ipWarnings(ip, `status.${list}[${index}].ip`)),
    ),
  setDefaults: (draft) => {
    setPodDefaults(draft)
    mirrorAddresses(draft.status)
  },
  prepareForCreate,
  prepareForUpdate: (draft, before) => keep(draft, before, 'status'),
  prepareForStatusUpdate,
  prepareForSubresource: (draft, before, subresource) => {
    if (subresource === 'ephemeralcontainers') prepareEphemeralContainers(draft, before)
    if (subresource === 'resize') prepareResize(draft, before)
  },
  // Binding fills nodeName in without moving the generation, as upstream's binding registry does.
  changesGeneration: (next, before) =>
    next.spec?.nodeName === before.spec?.nodeName && !semanticEqual(next.spec, before.spec),
  validatesAll: true,
  validate: (pod) => [
    ...validatePodSpec(pod.spec ?? {}, 'spec', pod.metadata.name),
    ...validatePodAnnotations(pod.metadata.annotations, pod.spec ?? {}, 'metadata.annotations'),
    ...validateSeccompMatch(pod.metadata.annotations, pod.spec ?? {}, 'spec'),
    ...validateTokenVolumes(pod.spec ?? {}),
  ],
  validateCreate: (pod) => [
    ...(items(pod.spec?.ephemeralContainers).length > 0
      ? [forbiddenField('spec.ephemeralContainers', 'cannot be set on create')]
      : []),
    ...(pod.spec?.nodeName && items(pod.spec.schedulingGates).length > 0
      ? [forbiddenField('spec.nodeName', 'cannot be set until all schedulingGates have been cleared')]
      : []),
  ],
  validateUpdate: (next, before, subresource = '') => {
    if (subresource === '') return validatePodUpdate(next, before)
    if (subresource === 'ephemeralcontainers') return validateEphemeralContainersUpdate(next, before)
    return subresource === 'resize' ? validateResize(next, before) : []
  },
  validateStatusUpdate: validatePodStatusUpdate,
  selectableFields,
  gracePeriodSeconds: podGracePeriodSeconds,
  eventType,
}
