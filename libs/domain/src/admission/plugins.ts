// The admission plugins that there are, in upstream's order. Those on by default can be left out by name, the others asked for.
import type { AdmissionPlugin } from '../admission.ts'
import { certificateSubjectRestriction } from './certificate-subject-restriction.plugin.ts'
import { defaultIngressClass, defaultStorageClass } from './default-classes.plugins.ts'
import { defaultTolerationSeconds } from './default-toleration-seconds.plugin.ts'
import { limitRanger } from './limit-ranger.plugin.ts'
import { namespaceLifecycle } from './namespace-lifecycle.plugin.ts'
import { nodeRestriction } from './node-restriction.plugin.ts'
import {
  alwaysPullImages,
  denyServiceExternalIps,
  extendedResourceToleration,
  limitPodHardAntiAffinityTopology,
  podNodeSelector,
} from './optional.plugins.ts'
import { persistentVolumeClaimResize } from './persistent-volume-claim-resize.plugin.ts'
import { createPodSecurity } from './pod-security.plugin.ts'
import { podTolerationRestriction } from './pod-toleration-restriction.plugin.ts'
import { priority } from './priority.plugin.ts'
import { resourceQuota } from './resource-quota.plugin.ts'
import { runtimeClass } from './runtime-class.plugin.ts'
import { serviceAccount } from './service-account.plugin.ts'
import { storageObjectInUseProtection } from './storage-object-in-use-protection.plugin.ts'
import { taintNodesByCondition } from './taint-nodes-by-condition.plugin.ts'

const optional: ReadonlySet<AdmissionPlugin> = new Set([
  limitPodHardAntiAffinityTopology,
  alwaysPullImages,
  podNodeSelector,
  podTolerationRestriction,
  extendedResourceToleration,
  denyServiceExternalIps,
])

/** Those that are off unless they are asked for. */
export const optionalAdmissionPlugins: readonly string[] = [...optional].map(({ name }) => name)

/** A fresh list of those that are on by default, and of the others that are named: filter it by `name` to switch plugins off. */
export const defaultAdmissionPlugins = (enabled: readonly string[] = []): AdmissionPlugin[] =>
  [
    namespaceLifecycle,
    limitPodHardAntiAffinityTopology,
    limitRanger,
    serviceAccount,
    nodeRestriction,
    taintNodesByCondition,
    alwaysPullImages,
    createPodSecurity(),
    podNodeSelector,
    priority,
    defaultTolerationSeconds,
    podTolerationRestriction,
    extendedResourceToleration,
    defaultStorageClass,
    storageObjectInUseProtection,
    persistentVolumeClaimResize,
    runtimeClass,
    certificateSubjectRestriction,
    defaultIngressClass,
    denyServiceExternalIps,
    resourceQuota,
  ].filter((plugin) => !optional.has(plugin) || enabled.includes(plugin.name))
