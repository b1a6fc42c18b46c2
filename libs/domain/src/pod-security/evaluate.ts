// Which checks a level and version have, and what they find in a pod.
import type { Decoded } from '@shiplog/api/decoded'
import type { PodTemplateSpec } from '@shiplog/api/generated/types/core-v1'
import { type Check, type CheckPod, checkedPod, type Violation } from './check.ts'
import { hostNamespaces, hostPorts, hostProbesAndHostLifecycle, sysctls } from './host.checks.ts'
import type { LevelVersion } from './policy.ts'
import {
  allowPrivilegeEscalation,
  capabilitiesBaseline,
  capabilitiesRestricted,
  privileged,
  windowsHostProcess,
} from './privilege.checks.ts'
import {
  appArmorProfile,
  procMountBaseline,
  procMountRestricted,
  seccompBaseline,
  seccompRestricted,
  seLinuxOptions,
} from './profile.checks.ts'
import { runAsNonRoot, runAsUser } from './user.checks.ts'
import { hostPathVolumes, restrictedVolumes } from './volume.checks.ts'

/** In the order in which upstream tells of them: by id, baseline first. */
export const baselineChecks: readonly Check[] = [
  appArmorProfile,
  capabilitiesBaseline,
  hostNamespaces,
  hostPathVolumes,
  hostPorts,
  hostProbesAndHostLifecycle,
  privileged,
  procMountBaseline,
  seLinuxOptions,
  seccompBaseline,
  sysctls,
  windowsHostProcess,
]
export const restrictedChecks: readonly Check[] = [
  allowPrivilegeEscalation,
  capabilitiesRestricted,
  procMountRestricted,
  restrictedVolumes,
  runAsNonRoot,
  runAsUser,
  seccompRestricted,
]

/** The last version in which a check changed: later ones are like it. */
const newestVersion = Math.max(
  ...[...baselineChecks, ...restrictedChecks].flatMap(({ versions }) => versions.map(([since]) => since)),
)

const asOf = (checks: readonly Check[], version: number): readonly Check[] =>
  checks.filter(({ versions }) => versions[0]![0] <= version)

const inVersion = ({ versions }: Check, version: number): CheckPod =>
  versions.findLast(([since]) => since <= version)![1]

/** The checks that a level has as of a version, each in its form of then. */
function selectChecks(level: LevelVersion['level'], version: number): readonly CheckPod[] {
  if (level === 'privileged') return []
  const baseline = asOf(baselineChecks, version)
  const restricted = level === 'restricted' ? asOf(restrictedChecks, version) : []
  const overridden = new Set(restricted.map(({ overrides }) => overrides))
  return [...baseline.filter(({ id }) => !overridden.has(id)), ...restricted].map((check) => inVersion(check, version))
}

const selected = new Map<string, readonly CheckPod[]>()

function checksOf({ level, version }: LevelVersion): readonly CheckPod[] {
  const minor = Math.min(version, newestVersion)
  const key = `${level} ${minor}`
  let checks = selected.get(key)
  if (!checks) selected.set(key, (checks = selectChecks(level, minor)))
  return checks
}

/** What a pod violates of a level. */
export function evaluatePod(pod: Decoded<PodTemplateSpec>, level: LevelVersion): readonly Violation[] {
  const checks = checksOf(level)
  if (checks.length === 0) return []
  const checked = checkedPod(pod)
  return checks.flatMap((check) => check(checked) ?? [])
}

/** `host namespaces, hostPort`. */
export const reasonsText = (violations: readonly Violation[]): string =>
  violations.map(({ reason }) => reason).join(', ')

/** `host namespaces (hostPID=true), hostPort (container "a" uses hostPort 80)`. */
export const detailsText = (violations: readonly Violation[]): string =>
  violations.map(({ reason, detail }) => `${reason} (${detail})`).join(', ')
