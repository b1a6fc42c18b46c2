// Security contexts: users, seccomp and AppArmor profiles, privileges.
import { invalidValue, notSupported, required } from '@shiplog/api/field-errors'
import type {
  AppArmorProfile,
  PodSecurityContext,
  SeccompProfile,
  SecurityContext,
} from '@shiplog/api/generated/types/core-v1'
import type { StatusCause } from '@shiplog/api/status'
import type { Decoded } from '@shiplog/api/decoded'
import { items } from '../fields.ts'
import { inclusiveRange } from '../names.ts'
import { validateLocalPath } from './volume-path-validation.ts'

const userIdMax = 2_147_483_647

const validateUserIds = (context: Decoded<PodSecurityContext>, field: string): StatusCause[] => {
  const causes: StatusCause[] = []
  for (const key of ['runAsUser', 'runAsGroup', 'fsGroup'] as const) {
    const id = context[key]
    if (typeof id === 'number' && (id < 0 || id > userIdMax))
      causes.push(invalidValue(`${field}.${key}`, id, inclusiveRange(0, userIdMax)))
  }
  return causes
}

const seccompTypes = ['Localhost', 'RuntimeDefault', 'Unconfined']

const validateSeccomp = (profile: Decoded<SeccompProfile> | undefined, field: string): StatusCause[] => {
  if (!profile) return []
  const type = profile.type
  const profilePath = profile.localhostProfile
  if (type === 'Localhost') {
    if (typeof profilePath !== 'string')
      return [required(`${field}.localhostProfile`, 'must be set when seccomp type is Localhost')]
    return validateLocalPath(profilePath, `${field}.localhostProfile`)
  }
  const causes: StatusCause[] = []
  if (profilePath !== undefined)
    causes.push(
      invalidValue(
        `${field}.localhostProfile`,
        { Type: type ?? '', LocalhostProfile: profilePath },
        'can only be set when seccomp type is Localhost',
      ),
    )
  if (!type) causes.push(required(`${field}.type`, 'type is required when seccompProfile is set'))
  else if (!seccompTypes.includes(type)) causes.push(notSupported(`${field}.type`, type, seccompTypes))
  return causes
}

const validateAppArmor = (profile: Decoded<AppArmorProfile> | undefined, field: string): StatusCause[] => {
  if (!profile) return []
  const { type, localhostProfile } = profile
  if (!type) return [required(`${field}.type`, 'type is required when appArmorProfile is set')]
  if (!seccompTypes.includes(type)) return [notSupported(`${field}.type`, type, seccompTypes)]
  if (type === 'Localhost')
    return localhostProfile
      ? []
      : [required(`${field}.localhostProfile`, 'must be set when AppArmor type is Localhost')]
  return typeof localhostProfile === 'string'
    ? [invalidValue(`${field}.localhostProfile`, localhostProfile, 'can only be set when AppArmor type is Localhost')]
    : []
}

/** What the security contexts of pods and containers share. */
export const validateSecurityCommon = (
  context: Decoded<SecurityContext | PodSecurityContext> | undefined,
  field: string,
): StatusCause[] =>
  context
    ? [
        ...validateUserIds(context, field),
        ...validateSeccomp(context.seccompProfile, `${field}.seccompProfile`),
        ...validateAppArmor(context.appArmorProfile, `${field}.appArmorProfile`),
      ]
    : []

/** The security context of one container. */
export const validateContainerSecurity = (
  context: Decoded<SecurityContext> | undefined,
  field: string,
): StatusCause[] => {
  if (!context) return []
  const causes = validateSecurityCommon(context, field)
  const procMounts = ['Default', 'Unmasked']
  if (context.procMount && !procMounts.includes(context.procMount))
    causes.push(notSupported(`${field}.procMount`, context.procMount, procMounts))
  if (context.allowPrivilegeEscalation === false) {
    if (context.privileged === true)
      causes.push(
        invalidValue(field, context, 'cannot set `allowPrivilegeEscalation` to false and `privileged` to true'),
      )
    if (items(context.capabilities?.add).includes('CAP_SYS_ADMIN'))
      causes.push(
        invalidValue(
          field,
          context,
          'cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN',
        ),
      )
  }
  return causes
}
