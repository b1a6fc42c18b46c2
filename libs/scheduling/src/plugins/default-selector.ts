// Which pods belong together when a pod does not say so itself: those of its Services and of what controls it.
import type { ReplicaSet, StatefulSet } from '@shiplog/api/generated/types/apps-v1'
import type { ReplicationController } from '@shiplog/api/generated/types/core-v1'
import { type CompiledSelector, compileLabelMap, compileLabelSelector, compileRequirements, nothingSelector } from '@shiplog/api/selectors'
import type { PodInfo } from '../snapshot/pod-info.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'

/** As upstream's DefaultSelector: all requirements together. It selects everything when nothing is known of the pod. */
export function defaultSelector({ namespace, labels, controller }: PodInfo, { objects }: Snapshot): CompiledSelector {
  let merged: Readonly<Record<string, string>> = {}
  for (const { spec } of objects.services(namespace)) {
    if (spec?.selector && compiled(spec.selector).matches(labels)) merged = { ...merged, ...spec.selector }
  }
  const owner = controller === '' ? undefined : objects.controller(namespace, controller)
  if (owner === undefined) return compileLabelMap(merged)
  if (controller.startsWith('ReplicationController/')) {
    return compileLabelMap({ ...merged, ...(owner as ReplicationController).spec?.selector })
  }
  const own = compileLabelSelector((owner as ReplicaSet | StatefulSet).spec?.selector)
  if (own.nothing) return nothingSelector
  return compileRequirements([...compileLabelMap(merged).requirements, ...own.requirements])
}

const known = new WeakMap<object, CompiledSelector>()

/** Objects are immutable: a Service's selector is compiled once. */
function compiled(selector: Readonly<Record<string, string>>): CompiledSelector {
  let found = known.get(selector)
  if (found === undefined) known.set(selector, (found = compileLabelMap(selector)))
  return found
}
