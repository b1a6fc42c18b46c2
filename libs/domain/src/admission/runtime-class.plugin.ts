// RuntimeClass: a pod that names a class of runtimes gets what such a pod costs beside its containers, and where it can run.
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import { ApiError, forbidden } from '@shiplog/api/status'
import type { AdmissionAttributes, AdmissionPlugin, AdmissionView } from '../admission.ts'
import { items, section, semanticEqual } from '../fields.ts'

const isPodCreation = ({ group, resource, subresource, operation }: AdmissionAttributes): boolean =>
  group === '' && resource === 'pods' && subresource === '' && operation === 'CREATE'

const rejected = ({ group, resource }: AdmissionAttributes, pod: KubeObject, why: string): ApiError =>
  new ApiError(forbidden({ group, resource }, pod.metadata.name, `pod rejected: ${why}`))

const classOf = (attributes: AdmissionAttributes, pod: KubeObject, view: AdmissionView): KubeObject | undefined => {
  const name: string | undefined = pod['spec']?.runtimeClassName ?? undefined
  if (name === undefined) return undefined
  const found = view.get('runtimeclasses.node.k8s.io', '', name)
  if (!found) throw rejected(attributes, pod, `RuntimeClass ${JSON.stringify(name)} not found`)
  return found
}

/** Where its runtime is installed. */
const addScheduling = (attributes: AdmissionAttributes, pod: KubeObject, scheduling: JsonObject): void => {
  const spec = section(pod, 'spec')
  const selector: JsonObject = { ...spec['nodeSelector'] }
  for (const [key, value] of Object.entries(scheduling['nodeSelector'] ?? {})) {
    if (selector[key] !== undefined && selector[key] !== value)
      throw rejected(
        attributes,
        pod,
        `conflict: runtimeClass.scheduling.nodeSelector[${key}] = ${value}; pod.spec.nodeSelector[${key}] = ${selector[key]}`,
      )
    selector[key] = value
  }
  if (Object.keys(selector).length > 0) spec['nodeSelector'] = selector
  const tolerations = items(spec['tolerations'])
  const missing = items(scheduling['tolerations']).filter((one) => !tolerations.some((own) => semanticEqual(own, one)))
  if (missing.length > 0) spec['tolerations'] = [...tolerations, ...missing]
}

const admit = (attributes: AdmissionAttributes, view: AdmissionView): void => {
  const { object: pod } = attributes
  if (!pod || !isPodCreation(attributes)) return
  const found = classOf(attributes, pod, view)
  if (!found) return
  const spec = section(pod, 'spec')
  const fixed: JsonObject | undefined = found['overhead']?.podFixed ?? undefined
  if (fixed) {
    if (spec['overhead'] && !semanticEqual(spec['overhead'], fixed))
      throw rejected(attributes, pod, "Pod's Overhead doesn't match RuntimeClass's defined Overhead")
    spec['overhead'] = { ...fixed }
  }
  if (found['scheduling']) addScheduling(attributes, pod, found['scheduling'])
}

const validate = (attributes: AdmissionAttributes, view: AdmissionView): void => {
  const { object: pod } = attributes
  if (!pod || !isPodCreation(attributes)) return
  const fixed = classOf(attributes, pod, view)?.['overhead']?.podFixed
  const given: JsonObject = pod['spec']?.overhead ?? {}
  if (!fixed && Object.keys(given).length > 0)
    throw rejected(attributes, pod, 'Pod Overhead set without corresponding RuntimeClass defined Overhead')
  if (fixed && !semanticEqual(fixed, given))
    throw rejected(attributes, pod, "Pod's Overhead doesn't match RuntimeClass's defined Overhead")
}

export const runtimeClass: AdmissionPlugin = { name: 'RuntimeClass', admit, validate }
