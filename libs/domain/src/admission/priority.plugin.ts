// Priority: turns the name of a PriorityClass into the number that the scheduler compares.
import type { KubeObject } from '@shiplog/api/kube-object'
import { ApiError, forbidden } from '@shiplog/api/status'
import type { AdmissionAttributes, AdmissionPlugin, AdmissionView } from '../admission.ts'
import { fill, section } from '../fields.ts'
import { systemPriorityClasses } from '../priority-class/system-priority-classes.ts'

const classes = 'priorityclasses.scheduling.k8s.io'
const defaultPolicy = 'PreemptLowerPriority'

/** The class for pods that name none: the lowest of those marked as default. */
const globalDefault = (view: AdmissionView): KubeObject | undefined => {
  let lowest: KubeObject | undefined
  for (const candidate of view.list(classes))
    if (candidate['globalDefault'] === true && (!lowest || candidate['value'] < lowest['value'])) lowest = candidate
  return lowest
}

const admitPod = (attributes: AdmissionAttributes, view: AdmissionView, pod: KubeObject): void => {
  const { group, resource } = attributes
  const refuse = (why: string): never => {
    throw new ApiError(forbidden({ group, resource }, pod.metadata.name, why))
  }
  const spec = section(pod, 'spec')
  const name: string = spec['priorityClassName'] ?? ''
  const found = name ? view.get(classes, '', name) : globalDefault(view)
  if (name && !found) refuse(`no PriorityClass with name ${name} was found`)
  const priority: number = found?.['value'] ?? 0
  const policy: string = found?.['preemptionPolicy'] ?? defaultPolicy
  if (found && !name) spec['priorityClassName'] = found.metadata.name
  const given = 'from the given PriorityClass name'
  if (typeof spec['priority'] === 'number' && spec['priority'] !== priority)
    refuse(
      `the integer value of priority (${spec['priority']}) must not be provided in pod spec; priority admission controller computed ${priority} ${given}`,
    )
  if (spec['preemptionPolicy'] && spec['preemptionPolicy'] !== policy)
    refuse(
      `the string value of PreemptionPolicy (${spec['preemptionPolicy']}) must not be provided in pod spec; priority admission controller computed ${policy} ${given}`,
    )
  spec['priority'] = priority
  spec['preemptionPolicy'] = policy
}

/** What was filled in at creation is taken along by who replaces a pod with the manifest that made it. */
const keepPriority = (pod: KubeObject, before: KubeObject): void => {
  const spec = section(pod, 'spec')
  for (const field of ['priority', 'preemptionPolicy'])
    if (before['spec']?.[field] !== undefined) fill(spec, field, before['spec'][field])
}

const admit = (attributes: AdmissionAttributes, view: AdmissionView): void => {
  const { group, resource, subresource, operation, object, before } = attributes
  if (group !== '' || resource !== 'pods' || subresource !== '' || !object) return
  if (operation === 'CREATE') admitPod(attributes, view, object)
  if (operation === 'UPDATE' && before) keepPriority(object, before)
}

/** Only one class may be the default for pods that name none. */
const validate = (attributes: AdmissionAttributes, view: AdmissionView): void => {
  const { group, resource, operation, name, object } = attributes
  if (group !== 'scheduling.k8s.io' || resource !== 'priorityclasses') return
  if (operation === 'DELETE' && systemPriorityClasses.some((one) => one.name === name))
    throw new ApiError(
      forbidden({ group, resource }, name, 'this is a system priority class and cannot be deleted'),
    )
  if ((operation !== 'CREATE' && operation !== 'UPDATE') || object?.['globalDefault'] !== true) return
  const other = globalDefault(view)
  if (other && other.metadata.name !== object.metadata.name)
    throw new ApiError(
      forbidden(
        { group, resource },
        object.metadata.name,
        `PriorityClass ${other.metadata.name} is already marked as default. Only one default can exist`,
      ),
    )
}

export const priority: AdmissionPlugin = { name: 'Priority', admit, validate }
