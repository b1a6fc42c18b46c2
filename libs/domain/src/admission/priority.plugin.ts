// Priority: turns the name of a PriorityClass into the number that the scheduler compares.
import type { PriorityClass } from '@shiplog/api/generated/types/scheduling-v1'
import type { Pod } from '@shiplog/api/generated/types/core-v1'
import { ApiError, forbidden } from '@shiplog/api/status'
import type { Draft } from '@shiplog/api/decoded'
import { type AdmissionAttributes, type AdmissionPlugin, type AdmissionView, lookUp, podOf } from '../admission.ts'
import { fill, section } from '../fields.ts'
import { systemPriorityClasses } from '../priority-class/system-priority-classes.ts'

const classes = 'priorityclasses.scheduling.k8s.io'
const defaultPolicy = 'PreemptLowerPriority'

/** The class for pods that name none: the lowest of those marked as default. */
const globalDefault = (view: AdmissionView): PriorityClass | undefined => {
  let lowest: PriorityClass | undefined
  for (const candidate of view.list(classes) as readonly PriorityClass[])
    if (candidate.globalDefault === true && (!lowest || (candidate.value ?? 0) < (lowest.value ?? 0)))
      lowest = candidate
  return lowest
}

const admitPod = (attributes: AdmissionAttributes, view: AdmissionView, pod: Draft<Pod>): void => {
  const { group, resource } = attributes
  const refuse = (why: string): never => {
    throw new ApiError(forbidden({ group, resource }, pod.metadata.name, why))
  }
  const spec = section(pod, 'spec')
  const name = spec.priorityClassName ?? ''
  const found = name ? lookUp(view, classes, '', name) : globalDefault(view)
  if (name && !found) refuse(`no PriorityClass with name ${name} was found`)
  const priority = found?.value ?? 0
  const policy = found?.preemptionPolicy ?? defaultPolicy
  if (found && !name) spec.priorityClassName = found.metadata.name
  const given = 'from the given PriorityClass name'
  if (typeof spec.priority === 'number' && spec.priority !== priority)
    refuse(
      `the integer value of priority (${spec.priority}) must not be provided in pod spec; priority admission controller computed ${priority} ${given}`,
    )
  if (spec.preemptionPolicy && spec.preemptionPolicy !== policy)
    refuse(
      `the string value of PreemptionPolicy (${spec.preemptionPolicy}) must not be provided in pod spec; priority admission controller computed ${policy} ${given}`,
    )
  spec.priority = priority
  spec.preemptionPolicy = policy
}

/** What was filled in at creation is taken along by who replaces a pod with the manifest that made it. */
const keepPriority = (pod: Draft<Pod>, before: Draft<Pod>): void => {
  const spec = section(pod, 'spec')
  const { priority, preemptionPolicy } = before.spec ?? {}
  if (priority !== undefined) fill(spec, 'priority', priority)
  if (preemptionPolicy !== undefined) fill(spec, 'preemptionPolicy', preemptionPolicy)
}

const admit = (attributes: AdmissionAttributes, view: AdmissionView): void => {
  const { operation, before } = attributes
  const pod = podOf(attributes)
  if (pod && operation === 'CREATE') admitPod(attributes, view, pod)
  if (pod && operation === 'UPDATE' && before) keepPriority(pod, before)
}

/** Only one class may be the default for pods that name none. */
const validate = (attributes: AdmissionAttributes, view: AdmissionView): void => {
  const { group, resource, operation, name } = attributes
  const object: Draft<PriorityClass> | undefined = attributes.object
  if (group !== 'scheduling.k8s.io' || resource !== 'priorityclasses') return
  if (operation === 'DELETE' && systemPriorityClasses.some((one) => one.name === name))
    throw new ApiError(forbidden({ group, resource }, name, 'this is a system priority class and cannot be deleted'))
  if ((operation !== 'CREATE' && operation !== 'UPDATE') || object?.globalDefault !== true) return
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
