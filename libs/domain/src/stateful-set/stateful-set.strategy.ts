// StatefulSets: pods with names and volumes of their own.
import { forbiddenField, invalidValue, notSupported, required } from '@shiplog/api/field-errors'
import type { StatefulSet, StatefulSetSpec, StatefulSetUpdateStrategy } from '@shiplog/api/generated/types/apps-v1'
import type { JsonObject } from '@shiplog/api/kube-object'
import type { StatusCause } from '@shiplog/api/status'
import type { Decoded, Draft } from '@shiplog/api/decoded'
import { byRule, fill, fillStatus, fillText, items, keep, nonNegative, section, semanticEqual } from '../fields.ts'
import { dns1123Label } from '../names.ts'
import { validateClaimSpec } from '../persistent-volume-claim/claim-validation.ts'
import { claimSpecWarnings } from '../persistent-volume-claim/claim-warnings.ts'
import { setClaimSpecDefaults } from '../persistent-volume-claim/claim-defaults.ts'
import { setPodTemplateDefaults } from '../pod/pod-defaults.ts'
import { templateWarnings } from '../pod/pod-warnings.ts'
import { validateCollisionCount, validateReplicaStatus } from '../status-rules.ts'
import type { Strategy } from '../strategy.ts'
import { scaledEvent, validateAlwaysRestarts, validateSelectorAndTemplate } from '../workload/workload-rules.ts'

const defaultRevisionHistory = 10
const managementPolicies = ['OrderedReady', 'Parallel']
const retentionPolicies = ['Retain', 'Delete']
const mutableFields: readonly string[] = [
  'replicas',
  'ordinals',
  'template',
  'updateStrategy',
  'revisionHistoryLimit',
  'persistentVolumeClaimRetentionPolicy',
  'minReadySeconds',
]

const setDefaults = (draft: Draft<StatefulSet>): void => {
  fillStatus(draft.status, { replicas: 0, availableReplicas: 0 })
  const spec = section(draft, 'spec')
  fillText(spec, 'podManagementPolicy', 'OrderedReady')
  const update = section(spec, 'updateStrategy')
  if (!update.type) {
    update.type = 'RollingUpdate'
    if (!update.rollingUpdate) update.rollingUpdate = { partition: 0 }
  }
  if (update.type === 'RollingUpdate' && update.rollingUpdate) fill(update.rollingUpdate, 'partition', 0)
  // Behind a gate of upstream's that is off (MaxUnavailableStatefulSet), and dropped.
  delete update.rollingUpdate?.maxUnavailable
  const retention = section(spec, 'persistentVolumeClaimRetentionPolicy')
  fillText(retention, 'whenDeleted', 'Retain')
  fillText(retention, 'whenScaled', 'Retain')
  fill(spec, 'replicas', 1)
  fill(spec, 'revisionHistoryLimit', defaultRevisionHistory)
  if (spec.template) setPodTemplateDefaults(spec.template)
  for (const claim of items(spec.volumeClaimTemplates)) {
    claim.apiVersion ??= 'v1'
    claim.kind ??= 'PersistentVolumeClaim'
    setClaimSpecDefaults(section(claim, 'spec'))
    fill(section(claim, 'status'), 'phase', 'Pending')
  }
}

const validateUpdateStrategy = (update: Decoded<StatefulSetUpdateStrategy>): StatusCause[] => {
  const field = 'spec.updateStrategy'
  if (update.type === 'OnDelete')
    return update.rollingUpdate
      ? [
          invalidValue(
            `${field}.rollingUpdate`,
            update.rollingUpdate,
            "only allowed for updateStrategy 'RollingUpdate'",
          ),
        ]
      : []
  if (update.type !== 'RollingUpdate')
    return [
      invalidValue(
        field,
        {
          Type: update.type,
          RollingUpdate: update.rollingUpdate
            ? {
                Partition: update.rollingUpdate.partition ?? 0,
                MaxUnavailable: update.rollingUpdate.maxUnavailable ?? null,
              }
            : null,
        },
        "must be 'RollingUpdate' or 'OnDelete'",
      ),
    ]
  return nonNegative(update.rollingUpdate?.partition, `${field}.rollingUpdate.partition`)
}

/** The spec with the volumes that its claims stand for, as pods will have them; their names are not the template's. */
const withClaims = (spec: Decoded<StatefulSetSpec>): Decoded<StatefulSetSpec> => {
  if (!spec.template) return spec
  const names = new Set<string | undefined>(items(spec.volumeClaimTemplates).map((claim) => claim.metadata?.name ?? ''))
  const volumes = [...names].map((name) => ({ name, persistentVolumeClaim: { claimName: name } }))
  const { hostname, subdomain, ...podSpec } = spec.template.spec ?? {}
  const own = items(podSpec.volumes).filter(({ name }) => !names.has(name))
  return { ...spec, template: { ...spec.template, spec: { ...podSpec, volumes: [...volumes, ...own] } } }
}

const validate = (set: Draft<StatefulSet>, before?: Draft<StatefulSet>): StatusCause[] => {
  const spec = set.spec ?? {}
  const causes: StatusCause[] = []
  const policy = spec.podManagementPolicy
  if (!policy) causes.push(required('spec.podManagementPolicy'))
  else if (!managementPolicies.includes(policy))
    causes.push(invalidValue('spec.podManagementPolicy', policy, "must be 'OrderedReady' or 'Parallel'"))
  causes.push(...validateUpdateStrategy(spec.updateStrategy ?? {}))
  for (const key of ['whenDeleted', 'whenScaled'] as const) {
    const value = spec.persistentVolumeClaimRetentionPolicy?.[key]
    if (value && !retentionPolicies.includes(value))
      causes.push(notSupported(`spec.persistentVolumeClaimRetentionPolicy.${key}`, value, retentionPolicies))
  }
  return [
    ...causes,
    ...nonNegative(spec.replicas, 'spec.replicas'),
    ...nonNegative(spec.minReadySeconds, 'spec.minReadySeconds'),
    ...nonNegative(spec.ordinals?.start, 'spec.ordinals.start'),
    // Fixed once made, and so not judged again.
    ...(before ? [] : items(spec.volumeClaimTemplates)).flatMap((claim, index) =>
      validateClaimSpec(claim.spec ?? {}, `spec.volumeClaimTemplates[${index}].spec`),
    ),
    ...(spec.serviceName && !before ? byRule(dns1123Label, spec.serviceName, 'spec.serviceName') : []),
    ...validateSelectorAndTemplate(withClaims(spec), 'statefulset'),
    ...validateAlwaysRestarts(spec, 'StatefulSet'),
  ]
}

const withoutMutable = (spec: Decoded<StatefulSetSpec> | undefined): JsonObject =>
  Object.fromEntries(Object.entries(spec ?? {}).filter(([key]) => !mutableFields.includes(key)))

const validateUpdate = (next: Draft<StatefulSet>, before: Draft<StatefulSet>): StatusCause[] =>
  semanticEqual(withoutMutable(next.spec), withoutMutable(before.spec))
    ? []
    : [
        forbiddenField(
          'spec',
          "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
        ),
      ]

/** What upstream writes although nobody set it, and nobody comes to own. */
const fillServiceName = (draft: Draft<StatefulSet>): void => fill(section(draft, 'spec'), 'serviceName', '')

export const statefulSetStrategy: Strategy<StatefulSet> = {
  validatesAll: true,
  warnings: (next, before) => [
    ...templateWarnings((set: Draft<StatefulSet>) => set.spec?.template, 'spec.template', false)(next, before),
    ...items(next.spec?.volumeClaimTemplates).flatMap((claim, index) =>
      // Upstream's two paths differ.
      claimSpecWarnings(claim.spec, `spec.volumeClaimTemplates[${index}]${before ? '.Spec' : ''}`),
    ),
    ...((next.spec?.revisionHistoryLimit ?? 0) < 0
      ? ['spec.revisionHistoryLimit: a negative value retains all historical revisions; a value >= 0 is recommended']
      : []),
  ],
  setDefaults,
  prepareForCreate: (draft) => {
    draft.status = { replicas: 0, availableReplicas: 0 }
    fillServiceName(draft)
  },
  prepareForUpdate: (draft, before) => {
    keep(draft, before, 'status')
    fillServiceName(draft)
  },
  validate,
  validateUpdate,
  validateStatusUpdate: (next, before) => [
    ...validateReplicaStatus(
      next.status ?? {},
      ['readyReplicas', 'currentReplicas', 'updatedReplicas', 'availableReplicas'],
      ['observedGeneration', 'collisionCount'],
      'cannot be greater than status.readyReplicas',
    ),
    ...validateCollisionCount(next, before),
  ],
  validateName: dns1123Label,
  eventType: scaledEvent('StatefulSet'),
}
