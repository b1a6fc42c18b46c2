// The profiles of the kernel's security modules, and what of /proc is masked.
import { goQuote } from '@shiplog/api/decode/go-quote'
import type { Decoded } from '@shiplog/api/decoded'
import type { AppArmorProfile, SeccompProfile, SELinuxOptions } from '@shiplog/api/generated/types/core-v1'
import { appArmorAnnotation } from '../pod/app-armor.ts'
import {
  type Check,
  type CheckPod,
  containersText,
  distinct,
  namesOf,
  plural,
  quoteList,
  settersText,
  unlessUserNamespace,
  unlessWindows,
} from './check.ts'

/** The profile's type when it is given and is neither the runtime's own nor a file of the node. */
const forbiddenType = (profile: Decoded<AppArmorProfile> | Decoded<SeccompProfile> | undefined): string[] =>
  profile === undefined || profile.type === 'RuntimeDefault' || profile.type === 'Localhost' ? [] : [profile.type ?? '']

const isForbiddenAppArmor = (profile: string): boolean =>
  profile !== '' && profile !== 'runtime/default' && !profile.startsWith('localhost/')

const checkAppArmor: CheckPod = ({ annotations, context, containers }) => {
  const ofPod = forbiddenType(context.appArmorProfile)
  const bad = containers.filter(({ securityContext }) => forbiddenType(securityContext?.appArmorProfile).length > 0)
  const types = distinct([
    ...ofPod,
    ...bad.flatMap(({ securityContext }) => forbiddenType(securityContext?.appArmorProfile)),
  ])
  const annotated = Object.entries(annotations).flatMap(([key, value]) =>
    key.startsWith(appArmorAnnotation) && isForbiddenAppArmor(value) ? [`${key}=${goQuote(value)}`] : [],
  )
  const values = [...types, ...annotated.sort()]
  if (values.length === 0) return undefined
  const setters = [
    ...(types.length > 0 ? [settersText(ofPod.length > 0, bad)] : []),
    ...(annotated.length > 0 ? [plural('annotation', annotated.length)] : []),
  ]
  return {
    reason: plural('forbidden AppArmor profile', values.length),
    detail: `${setters.join(' and ')} must not set AppArmor profile type to ${quoteList(values)}`,
  }
}

export const appArmorProfile: Check = { id: 'appArmorProfile', versions: [[0, checkAppArmor]] }

const seccompAnnotation = 'seccomp.security.alpha.kubernetes.io/pod'
const seccompContainerAnnotation = 'container.seccomp.security.alpha.kubernetes.io/'

const isForbiddenSeccomp = (profile: string | undefined): boolean =>
  profile !== undefined &&
  profile !== 'runtime/default' &&
  profile !== 'docker/default' &&
  !profile.startsWith('localhost/')

/** Before 1.19 profiles were annotations. */
const checkSeccompAnnotations: CheckPod = ({ annotations, containers }) => {
  const keys = [seccompAnnotation, ...namesOf(containers).map((name) => `${seccompContainerAnnotation}${name}`)]
  const forbidden = distinct(
    keys.filter((key) => isForbiddenSeccomp(annotations[key])).map((key) => `${key}=${goQuote(annotations[key]!)}`),
  )
  return forbidden.length === 0
    ? undefined
    : {
        reason: 'seccompProfile',
        detail: `forbidden ${plural('annotation', forbidden.length)} ${forbidden.join(', ')}`,
      }
}

const checkSeccompTypes: CheckPod = ({ context, containers }) => {
  const ofPod = forbiddenType(context.seccompProfile)
  const bad = containers.filter(({ securityContext }) => forbiddenType(securityContext?.seccompProfile).length > 0)
  if (ofPod.length === 0 && bad.length === 0) return undefined
  const types = distinct([
    ...ofPod,
    ...bad.flatMap(({ securityContext }) => forbiddenType(securityContext?.seccompProfile)),
  ])
  const setters = settersText(ofPod.length > 0, bad)
  return {
    reason: 'seccompProfile',
    detail: `${setters} must not set securityContext.seccompProfile.type to ${quoteList(types)}`,
  }
}

export const seccompBaseline: Check = {
  id: 'seccompProfile_baseline',
  versions: [
    [0, checkSeccompAnnotations],
    [19, checkSeccompTypes],
  ],
}

const checkSeccompIsSet: CheckPod = (pod) => {
  const violation = checkSeccompTypes(pod)
  if (violation || pod.context.seccompProfile) return violation
  const silent = pod.containers.filter(({ securityContext }) => securityContext?.seccompProfile === undefined)
  return silent.length === 0
    ? undefined
    : {
        reason: 'seccompProfile',
        detail: `pod or ${containersText(namesOf(silent))} must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"`,
      }
}

export const seccompRestricted: Check = {
  id: 'seccompProfile_restricted',
  overrides: seccompBaseline.id,
  versions: [
    [19, checkSeccompIsSet],
    [25, unlessWindows(checkSeccompIsSet)],
  ],
}

const seLinuxTypes = ['', 'container_t', 'container_init_t', 'container_kvm_t']

const checkSeLinux =
  (allowed: ReadonlySet<string>): CheckPod =>
  ({ context, containers }) => {
    const isBad = (options: Decoded<SELinuxOptions> | undefined): boolean =>
      options !== undefined && (!allowed.has(options.type ?? '') || Boolean(options.user) || Boolean(options.role))
    const bad = containers.filter(({ securityContext }) => isBad(securityContext?.seLinuxOptions))
    const isPod = isBad(context.seLinuxOptions)
    if (!isPod && bad.length === 0) return undefined
    const found = [context, ...bad.map(({ securityContext }) => securityContext)].flatMap((one) =>
      one?.seLinuxOptions ? [one.seLinuxOptions] : [],
    )
    const types = distinct(found.map(({ type = '' }) => type).filter((type) => !allowed.has(type)))
    const data = [
      ...(types.length > 0 ? [`${plural('type', types.length)} ${quoteList(types)}`] : []),
      ...(found.some(({ user }) => user) ? ['user may not be set'] : []),
      ...(found.some(({ role }) => role) ? ['role may not be set'] : []),
    ]
    return {
      reason: 'seLinuxOptions',
      detail: `${settersText(isPod, bad)} set forbidden securityContext.seLinuxOptions: ${data.join('; ')}`,
    }
  }

export const seLinuxOptions: Check = {
  id: 'seLinuxOptions',
  versions: [
    [0, checkSeLinux(new Set(seLinuxTypes))],
    [31, checkSeLinux(new Set([...seLinuxTypes, 'container_engine_t']))],
  ],
}

const checkProcMount: CheckPod = ({ containers }) => {
  const bad = containers.filter(({ securityContext }) => (securityContext?.procMount ?? 'Default') !== 'Default')
  if (bad.length === 0) return undefined
  const types = distinct(bad.map(({ securityContext }) => String(securityContext?.procMount)))
  return {
    reason: 'procMount',
    detail: `${containersText(namesOf(bad))} must not set securityContext.procMount to ${quoteList(types)}`,
  }
}

export const procMountBaseline: Check = {
  id: 'procMount',
  versions: [
    [0, checkProcMount],
    [35, unlessUserNamespace(checkProcMount)],
  ],
}

/** Where baseline became laxer, this stays as it was. */
export const procMountRestricted: Check = {
  id: 'procMount_restricted',
  overrides: procMountBaseline.id,
  versions: [[35, checkProcMount]],
}
