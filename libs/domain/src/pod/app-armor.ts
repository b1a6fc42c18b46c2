// AppArmor profiles were annotations once. What the annotation says becomes the field, where it can.
import type { AppArmorProfile, EphemeralContainer, Pod, PodTemplateSpec } from '@shiplog/api/generated/types/core-v1'
import type { Decoded, Draft } from '@shiplog/api/decoded'
import { section, semanticEqual } from '../fields.ts'
import { containersOf } from './containers.ts'

export const appArmorAnnotation = 'container.apparmor.security.beta.kubernetes.io/'
const localhostPrefix = 'localhost/'
const profileCharactersMax = 4_095

/** The field that an annotation means; undefined where it means none. */
export const appArmorField = (annotation: unknown): AppArmorProfile | undefined => {
  const text = String(annotation)
  if (text === 'unconfined') return { type: 'Unconfined' }
  if (text === 'runtime/default') return { type: 'RuntimeDefault' }
  const name = text.startsWith(localhostPrefix) ? text.slice(localhostPrefix.length) : ''
  return name.trim() !== '' && name.trim() === name && name.length <= profileCharactersMax
    ? { type: 'Localhost', localhostProfile: name }
    : undefined
}

const annotationOf = (pod: Decoded<PodTemplateSpec>, container: Decoded<EphemeralContainer>): string | undefined =>
  pod.metadata?.annotations?.[`${appArmorAnnotation}${container.name}`]

/** Copies annotations into fields; what the pod as a whole says already is not said again. */
export const copyAppArmorAnnotations = (pod: Draft<Pod>): void => {
  const spec = section(pod, 'spec')
  if (spec.os?.name === 'windows') return
  for (const [container] of containersOf(spec, 'spec')) {
    const annotation = annotationOf(pod, container)
    if (annotation === undefined || container.securityContext?.appArmorProfile) continue
    const profile = appArmorField(annotation)
    if (profile && !semanticEqual(profile, spec.securityContext?.appArmorProfile))
      section(container, 'securityContext').appArmorProfile = profile
  }
}

/** The containers of a prepared pod whose annotation is not simply what the whole pod says. */
export const appArmorAnnotationKeys = (pod: Decoded<PodTemplateSpec>): string[] => {
  const spec = pod.spec ?? {}
  if (spec.os?.name === 'windows') return []
  return containersOf(spec, 'spec').flatMap(([container]) => {
    const annotation = annotationOf(pod, container)
    if (annotation === undefined) return []
    const profile = appArmorField(annotation)
    const own = container.securityContext?.appArmorProfile
    if (profile ? own && !semanticEqual(own, profile) : own) return []
    return profile && !own ? [] : [`${appArmorAnnotation}${container.name}`]
  })
}

/** Of a template, whose annotations stay what they are. */
export const hasUnsaidAppArmor = (
  template: Decoded<PodTemplateSpec>,
  container: Decoded<EphemeralContainer>,
): boolean => {
  const annotation = annotationOf(template, container)
  if (annotation === undefined || container.securityContext?.appArmorProfile) return false
  const whole = template.spec?.securityContext?.appArmorProfile
  return !whole || !semanticEqual(whole, appArmorField(annotation))
}
