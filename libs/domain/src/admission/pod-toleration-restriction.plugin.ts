// PodTolerationRestriction, off by default as upstream: pods tolerate what their namespace gives them, and no more than it
// allows.
import type { Toleration } from '@shiplog/api/generated/types/core-v1'
import type { Decoded } from '@shiplog/api/decoded'
import { ApiError, forbidden } from '@shiplog/api/status'
import { type AdmissionAttributes, type AdmissionPlugin, type AdmissionView, lookUp, podOf } from '../admission.ts'
import { items, section, semanticEqual } from '../fields.ts'
import { qosClass } from '../pod/qos-class.ts'

const defaultsAnnotation = 'scheduler.alpha.kubernetes.io/defaultTolerations'
const allowedAnnotation = 'scheduler.alpha.kubernetes.io/tolerationsWhitelist'
const underMemoryPressure: Toleration = {
  ...{ key: 'node.kubernetes.io/memory-pressure', operator: 'Exists', effect: 'NoSchedule' },
}

type Given = Decoded<Toleration>

function tolerationsAt(attributes: AdmissionAttributes, view: AdmissionView, annotation: string): readonly Given[] {
  const { group, resource, name, namespace } = attributes
  const text = lookUp(view, 'namespaces', '', namespace)?.metadata.annotations?.[annotation]
  if (!text) return []
  try {
    return items(JSON.parse(text) as readonly Given[])
  } catch (error) {
    throw new ApiError(forbidden({ group, resource }, name, (error as Error).message))
  }
}

/** Whether whoever has `wide` also tolerates all that `narrow` does. */
export function isSuperset(wide: Given, narrow: Given): boolean {
  if (semanticEqual(wide, narrow)) return true
  if (narrow.key !== wide.key && (wide.key || wide.operator !== 'Exists')) return false
  if (narrow.effect !== wide.effect && wide.effect) return false
  const most = wide.effect === 'NoExecute' ? wide.tolerationSeconds : undefined
  if (typeof most === 'number' && !(typeof narrow.tolerationSeconds === 'number' && narrow.tolerationSeconds <= most))
    return false
  if (wide.operator === 'Exists') return true
  return (narrow.operator ?? 'Equal') === 'Equal' && (narrow.value ?? '') === (wide.value ?? '')
}

/** One list of two, without those that others make needless. */
export const mergeTolerations = (first: readonly Given[], second: readonly Given[]): Given[] => {
  const all = [...first, ...second]
  const merged: Given[] = []
  for (const [index, one] of all.entries()) {
    const isNeedless =
      merged.some((other) => isSuperset(other, one)) ||
      all.slice(index + 1).some((other) => !semanticEqual(one, other) && isSuperset(other, one))
    if (!isNeedless) merged.push(one)
  }
  return merged
}

export const podTolerationRestriction: AdmissionPlugin = {
  name: 'PodTolerationRestriction',
  admit: (attributes, view) => {
    const pod = podOf(attributes)
    if (!pod || (attributes.operation !== 'CREATE' && attributes.operation !== 'UPDATE')) return
    const spec = section(pod, 'spec')
    const more = [
      ...(attributes.operation === 'CREATE' ? tolerationsAt(attributes, view, defaultsAnnotation) : []),
      ...(qosClass(spec) === 'BestEffort' ? [] : [underMemoryPressure]),
    ]
    if (more.length > 0) spec.tolerations = mergeTolerations(items(spec.tolerations), more)
  },
  validate: (attributes, view) => {
    const tolerations = items(podOf(attributes)?.spec?.tolerations)
    const allowed = tolerations.length > 0 ? tolerationsAt(attributes, view, allowedAnnotation) : []
    if (allowed.length === 0 || tolerations.every((one) => allowed.some((other) => isSuperset(other, one)))) return
    const { group, resource, name } = attributes
    const why = 'pod tolerations (possibly merged with namespace default tolerations) conflict with its namespace whitelist'
    throw new ApiError(forbidden({ group, resource }, name, why))
  },
}
