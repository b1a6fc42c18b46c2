// The admission plugins that are on by default, in upstream's order. Each can be left out by its name.
import type { AdmissionPlugin } from '../admission.ts'
import { certificateSubjectRestriction } from './certificate-subject-restriction.plugin.ts'
import { defaultIngressClass, defaultStorageClass } from './default-classes.plugins.ts'
import { defaultTolerationSeconds } from './default-toleration-seconds.plugin.ts'
import { limitRanger } from './limit-ranger.plugin.ts'
import { namespaceLifecycle } from './namespace-lifecycle.plugin.ts'
import { nodeRestriction } from './node-restriction.plugin.ts'
import { persistentVolumeClaimResize } from './persistent-volume-claim-resize.plugin.ts'
import { createPodSecurity } from './pod-security.plugin.ts'
import { priority } from './priority.plugin.ts'
import { resourceQuota } from './resource-quota.plugin.ts'
import { runtimeClass } from './runtime-class.plugin.ts'
import { serviceAccount } from './service-account.plugin.ts'
import { storageObjectInUseProtection } from './storage-object-in-use-protection.plugin.ts'

/** A fresh list: filter it by `name` to switch plugins off. */
export const defaultAdmissionPlugins = (): AdmissionPlugin[] => [
  namespaceLifecycle,
  limitRanger,
  serviceAccount,
  nodeRestriction,
  createPodSecurity(),
  priority,
  defaultTolerationSeconds,
  defaultStorageClass,
  storageObjectInUseProtection,
  persistentVolumeClaimResize,
  runtimeClass,
  certificateSubjectRestriction,
  defaultIngressClass,
  resourceQuota,
]
