// Annotations of pods that mean something: profiles as they were said before there were fields, and a few more.
import { invalidValue } from '@shiplog/api/field-errors'
import { goQuote } from '@shiplog/api/decode/go-quote'
import type { JsonObject } from '@shiplog/api/kube-object'
import type { StatusCause } from '@shiplog/api/status'
import { entries, items } from '../fields.ts'
import { appArmorAnnotation } from './app-armor.ts'
import { validateLocalPath } from './volume-validation.ts'

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

const validateAppArmor = (key: string, profile: string, spec: JsonObject, field: string): StatusCause[] => {
  const name = key.slice(appArmorAnnotation.length)
  const containers = ['initContainers', 'containers', 'ephemeralContainers'].flatMap((list) => items(spec[list]))
  const at = `${field}[${key}]`
  const right = profile === '' || profile === 'runtime/default' || profile === 'unconfined'
  return [
    ...(containers.some((container) => container.name === name)
      ? []
      : [invalidValue(at, name, 'container not found')]),
    ...(right || profile.startsWith(localhost)
      ? []
      : [invalidValue(at, profile, `invalid AppArmor profile name: ${goQuote(profile)}`)]),
  ]
}

/** Upstream takes what Go's ParseInt takes, but no sign and no zeros in front. */
const isCost = (text: string): boolean =>
  /^(0|-?[1-9]\d*)$/.test(text) && Number(text) >= -int32Max && Number(text) < int32Max

export const validatePodAnnotations = (annotations: unknown, spec: JsonObject, field: string): StatusCause[] =>
  entries(annotations).flatMap(([key, value]) => {
    const text = String(value)
    if (key === mirror && !spec['nodeName'])
      return [invalidValue(`${field}[${key}]`, text, 'must set spec.nodeName if mirror pod annotation is set')]
    if (key === deletionCost && text !== '' && !isCost(text))
      return [invalidValue(`${field}[${key}]`, text, 'must be a 32bit integer')]
    // Upstream's two families of annotations are named in two ways.
    if (key === seccompPod || key.startsWith(seccompContainer)) return validateSeccomp(text, `${field}.${key}`)
    return key.startsWith(appArmorAnnotation) ? validateAppArmor(key, text, spec, field) : []
  })
