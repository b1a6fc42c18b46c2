// RuntimeClass: a pod that names a class of runtimes gets what such a pod costs beside its containers, and where it can run.
import type { RuntimeClass, Scheduling } from '@shiplog/api/generated/types/node-v1'
import type { Pod } from '@shiplog/api/generated/types/core-v1'
import { ApiError, forbidden } from '@shiplog/api/status'
import type { Draft } from '@shiplog/api/decoded'
import { type AdmissionAttributes, type AdmissionPlugin, type AdmissionView, createdPod, lookUp } from '../admission.ts'
import { items, section, semanticEqual } from '../fields.ts'

const rejected = ({ group, resource }: AdmissionAttributes, pod: Draft<Pod>, why: string): ApiError =>
  new ApiError(forbidden({ group, resource }, pod.metadata.name, `pod rejected: ${why}`))

const classOf = (attributes: AdmissionAttributes, pod: Draft<Pod>, view: AdmissionView): RuntimeClass | undefined => {
  const name = pod.spec?.runtimeClassName
  if (name === undefined) return undefined
  const found = lookUp(view, 'runtimeclasses.node.k8s.io', '', name)
  if (!found) throw rejected(attributes, pod, `RuntimeClass ${JSON.stringify(name)} not found`)
  return found
}

/** Where its runtime is installed. */
const addScheduling = (attributes: AdmissionAttributes, pod: Draft<Pod>, scheduling: Scheduling): void => {
  const spec = section(pod, 'spec')
  const selector: Record<string, string> = { ...spec.nodeSelector }
  for (const [key, value] of Object.entries(scheduling.nodeSelector ?? {})) {
    if (selector[key] !== undefined && selector[key] !== value)
      throw rejected(
        attributes,
        pod,
        `conflict: runtimeClass.scheduling.nodeSelector[${key}] = ${value}; pod.spec.nodeSelector[${key}] = ${selector[key]}`,
      )
    selector[key] = value
  }
  if (Object.keys(selector).length > 0) spec.nodeSelector = selector
  const tolerations = items(spec.tolerations)
  const missing = items(scheduling.tolerations).filter((one) => !tolerations.some((own) => semanticEqual(own, one)))
  if (missing.length > 0) spec.tolerations = [...tolerations, ...missing]
}

const admit = (attributes: AdmissionAttributes, view: AdmissionView): void => {
  const pod = createdPod(attributes)
  if (!pod) return
  const found = classOf(attributes, pod, view)
  if (!found) return
  const spec = section(pod, 'spec')
  const fixed = found.overhead?.podFixed
  if (fixed) {
    if (spec.overhead && !semanticEqual(spec.overhead, fixed))
      throw rejected(attributes, pod, "Pod's Overhead doesn't match RuntimeClass's defined Overhead")
    spec.overhead = { ...fixed }
  }
  if (found.scheduling) addScheduling(attributes, pod, found.scheduling)
}

const validate = (attributes: AdmissionAttributes, view: AdmissionView): void => {
  const pod = createdPod(attributes)
  if (!pod) return
  const fixed = classOf(attributes, pod, view)?.overhead?.podFixed
  const given = pod.spec?.overhead ?? {}
  if (!fixed && Object.keys(given).length > 0)
    throw rejected(attributes, pod, 'Pod Overhead set without corresponding RuntimeClass defined Overhead')
  if (fixed && !semanticEqual(fixed, given))
    throw rejected(attributes, pod, "Pod's Overhead doesn't match RuntimeClass's defined Overhead")
}

export const runtimeClass: AdmissionPlugin = { name: 'RuntimeClass', admit, validate }
