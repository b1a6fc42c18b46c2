// The admission plugins that are on by default, in upstream's order. Each can be left out by its name.
import type { AdmissionPlugin } from '../admission.ts'
import { certificateSubjectRestriction } from './certificate-subject-restriction.plugin.ts'
import { defaultTolerationSeconds } from './default-toleration-seconds.plugin.ts'
import { namespaceLifecycle } from './namespace-lifecycle.plugin.ts'
import { nodeRestriction } from './node-restriction.plugin.ts'
import { priority } from './priority.plugin.ts'
import { runtimeClass } from './runtime-class.plugin.ts'
import { serviceAccount } from './service-account.plugin.ts'
import { storageObjectInUseProtection } from './storage-object-in-use-protection.plugin.ts'

/** A fresh list: filter it by `name` to switch plugins off. */
export const defaultAdmissionPlugins = (): AdmissionPlugin[] => [
  namespaceLifecycle,
  serviceAccount,
  nodeRestriction,
  priority,
  defaultTolerationSeconds,
  storageObjectInUseProtection,
  runtimeClass,
  certificateSubjectRestriction,
]
