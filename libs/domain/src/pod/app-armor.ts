// AppArmor profiles were annotations once. What the annotation says becomes the field, where it can.
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import { items, section, semanticEqual } from '../fields.ts'

export const appArmorAnnotation = 'container.apparmor.security.beta.kubernetes.io/'
const localhostPrefix = 'localhost/'
const profileCharactersMax = 4_095

/** The field that an annotation means; undefined where it means none. */
export const appArmorField = (annotation: unknown): JsonObject | undefined => {
  const text = String(annotation)
  if (text === 'unconfined') return { type: 'Unconfined' }
  if (text === 'runtime/default') return { type: 'RuntimeDefault' }
  const name = text.startsWith(localhostPrefix) ? text.slice(localhostPrefix.length) : ''
  return name.trim() !== '' && name.trim() === name && name.length <= profileCharactersMax
    ? { type: 'Localhost', localhostProfile: name }
    : undefined
}

const containersOf = (spec: JsonObject): readonly JsonObject[] =>
  ['initContainers', 'containers', 'ephemeralContainers'].flatMap((list) => items(spec[list]))

const annotationOf = (pod: JsonObject, container: JsonObject): unknown =>
  pod['metadata']?.annotations?.[appArmorAnnotation + container['name']]

/** Copies annotations into fields; what the pod as a whole says already is not said again. */
export const copyAppArmorAnnotations = (pod: KubeObject): void => {
  const spec = section(pod, 'spec')
  if (spec['os']?.name === 'windows') return
  for (const container of containersOf(spec)) {
    const annotation = annotationOf(pod, container)
    if (annotation === undefined || container['securityContext']?.appArmorProfile) continue
    const profile = appArmorField(annotation)
    if (profile && !semanticEqual(profile, spec['securityContext']?.appArmorProfile))
      section(container, 'securityContext')['appArmorProfile'] = profile
  }
}

/** The containers of a prepared pod whose annotation is not simply what the whole pod says. */
export const appArmorAnnotationKeys = (pod: JsonObject): string[] => {
  const spec: JsonObject = pod['spec'] ?? {}
  if (spec['os']?.name === 'windows') return []
  return containersOf(spec).flatMap((container) => {
    const annotation = annotationOf(pod, container)
    if (annotation === undefined) return []
    const profile = appArmorField(annotation)
    const own = container['securityContext']?.appArmorProfile
    if (profile ? own && !semanticEqual(own, profile) : own) return []
    return profile && !own ? [] : [appArmorAnnotation + container['name']]
  })
}

/** Of a template, whose annotations stay what they are. */
export const hasUnsaidAppArmor = (template: JsonObject, container: JsonObject): boolean => {
  const annotation = annotationOf(template, container)
  if (annotation === undefined || container['securityContext']?.appArmorProfile) return false
  const whole = template['spec']?.securityContext?.appArmorProfile
  return !whole || !semanticEqual(whole, appArmorField(annotation))
}
