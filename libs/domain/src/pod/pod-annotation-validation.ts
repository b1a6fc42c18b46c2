// Annotations of pods that mean something: profiles as they were said before there were fields, and a few more.
import { forbiddenField, invalidValue } from '@shiplog/api/field-errors'
import { goQuote } from '@shiplog/api/decode/go-quote'
import type { PodSpec, SeccompProfile } from '@shiplog/api/generated/types/core-v1'
import type { StatusCause } from '@shiplog/api/status'
import type { Decoded } from '@shiplog/api/decoded'
import { entries } from '../fields.ts'
import { appArmorAnnotation } from './app-armor.ts'
import { containersOf } from './containers.ts'
import { validateLocalPath } from './volume-path-validation.ts'

type Annotations = Readonly<Record<string, string>>

const mirror = 'kubernetes.io/config.mirror'
const deletionCost = 'controller.kubernetes.io/pod-deletion-cost'
const seccompPod = 'seccomp.security.alpha.kubernetes.io/pod'
const seccompContainer = 'container.seccomp.security.alpha.kubernetes.io/'
const knownProfiles = new Set(['runtime/default', 'docker/default', 'unconfined'])
const localhost = 'localhost/'
const int32Max = 2 ** 31

const validateSeccomp = (profile: string, field: string): StatusCause[] => {
  if (knownProfiles.has(profile)) return []
  if (profile.startsWith(localhost)) return validateLocalPath(profile.slice(localhost.length), field)
  return [invalidValue(field, profile, 'must be a valid seccomp profile')]
}

const validateAppArmor = (key: string, profile: string, spec: Decoded<PodSpec>, field: string): StatusCause[] => {
  const name = key.slice(appArmorAnnotation.length)
  const at = `${field}[${key}]`
  const right = profile === '' || profile === 'runtime/default' || profile === 'unconfined'
  return [
    ...(containersOf(spec, '').some(([container]) => container.name === name)
      ? []
      : [invalidValue(at, name, 'container not found')]),
    ...(right || profile.startsWith(localhost)
      ? []
      : [invalidValue(at, profile, `invalid AppArmor profile name: ${goQuote(profile)}`)]),
  ]
}

/** A profile said by annotation and by field must be the same one. */
const matchSeccomp = (said: unknown, profile: Decoded<SeccompProfile> | undefined, field: string): StatusCause[] => {
  if (said === undefined || !profile) return []
  const text = String(said)
  const differs = (key: string, what: string): StatusCause[] => [
    forbiddenField(`${field}.${key}`, `seccomp ${what} in annotation and field must match`),
  ]
  switch (profile.type) {
    case 'Unconfined':
      return text === 'unconfined' ? [] : differs('type', 'type')
    case 'RuntimeDefault':
      return text === 'runtime/default' || text === 'docker/default' ? [] : differs('type', 'type')
    case 'Localhost':
      if (!text.startsWith(localhost)) return differs('type', 'type')
      return text.slice(localhost.length) === profile.localhostProfile ? [] : differs('localhostProfile', 'profile')
    default:
      return []
  }
}

export const validateSeccompMatch = (
  annotations: Annotations | undefined,
  spec: Decoded<PodSpec>,
  field: string,
): StatusCause[] => {
  const said = new Map(entries(annotations))
  return [
    ...matchSeccomp(
      said.get(seccompPod),
      spec.securityContext?.seccompProfile,
      `${field}.securityContext.seccompProfile`,
    ),
    ...containersOf(spec, field).flatMap(([container, at]) =>
      matchSeccomp(
        said.get(`${seccompContainer}${container.name}`),
        container.securityContext?.seccompProfile,
        `${at}.securityContext.seccompProfile`,
      ),
    ),
  ]
}

/** Annotations that are settled when a pod is made. */
export const validatePodAnnotationUpdates = (next: Annotations, before: Annotations, field: string): StatusCause[] => {
  const fixed = (key: string): string | undefined =>
    key === mirror ? 'mirror pod annotation' : key.startsWith(appArmorAnnotation) ? 'AppArmor annotations' : undefined
  const told = (list: Annotations, isWrong: (key: string, value: string) => boolean, verb: string): StatusCause[] =>
    entries(list).flatMap(([key, value]) =>
      fixed(key) && isWrong(key, value) ? [forbiddenField(`${field}[${key}]`, `${verb} ${fixed(key)}`)] : [],
    )
  return [
    ...told(before, (key, value) => next[key] !== value, 'may not remove or update'),
    ...told(next, (key) => before[key] === undefined, 'may not add'),
  ]
}

/** Upstream takes what Go's ParseInt takes, but no sign and no zeros in front. */
const isCost = (text: string): boolean =>
  /^(0|-?[1-9]\d*)$/.test(text) && Number(text) >= -int32Max && Number(text) < int32Max

export const validatePodAnnotations = (
  annotations: Annotations | undefined,
  spec: Decoded<PodSpec>,
  field: string,
): StatusCause[] =>
  entries(annotations).flatMap(([key, value]) => {
    const text = String(value)
    if (key === mirror && !spec.nodeName)
      return [invalidValue(`${field}[${key}]`, text, 'must set spec.nodeName if mirror pod annotation is set')]
    if (key === deletionCost && text !== '' && !isCost(text))
      return [invalidValue(`${field}[${key}]`, text, 'must be a 32bit integer')]
    // Upstream's two families of annotations are named in two ways.
    if (key === seccompPod || key.startsWith(seccompContainer)) return validateSeccomp(text, `${field}.${key}`)
    return key.startsWith(appArmorAnnotation) ? validateAppArmor(key, text, spec, field) : []
  })
