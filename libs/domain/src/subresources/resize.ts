// pods/resize: new requests and limits of containers that run; the quality-of-service class stays.
import { forbiddenField, invalidValue } from '@shiplog/api/field-errors'
import type { Container, Pod, ResourceRequirements } from '@shiplog/api/generated/types/core-v1'
import type { JsonObject } from '@shiplog/api/kube-object'
import type { StatusCause } from '@shiplog/api/status'
import type { Decoded, Draft } from '@shiplog/api/decoded'
import { entries, items, keep, semanticEqual } from '../fields.ts'
import { qosClass } from '../pod/qos-class.ts'

const resizable = ['cpu', 'memory']

type Containers = Decoded<Container[]> | null | undefined

const withResourcesOf = (before: Containers, draft: Containers): Decoded<Container>[] =>
  items(before).map((container, index) => {
    const wished = items(draft).find((other) => other.name === container.name) ?? items(draft)[index]
    return {
      ...container,
      ...(wished?.resources ? { resources: wished.resources } : {}),
      ...(wished?.resizePolicy ? { resizePolicy: wished.resizePolicy } : {}),
    }
  })

/** Keeps all of the pod but the resources of its containers. */
export const prepareResize = (draft: Draft<Pod>, before: Draft<Pod>): void => {
  const wished = draft.spec ?? {}
  const spec = {
    ...before.spec,
    containers: withResourcesOf(before.spec?.containers, wished.containers),
  }
  if (before.spec?.initContainers)
    spec.initContainers = withResourcesOf(before.spec.initContainers, wished.initContainers)
  draft.spec = spec
  keep(draft, before, 'status')
}

const otherResources = (resources: Decoded<ResourceRequirements> | undefined): JsonObject =>
  Object.fromEntries(
    (['requests', 'limits'] as const).map((key) => [
      key,
      Object.fromEntries(entries(resources?.[key]).filter(([name]) => !resizable.includes(name))),
    ]),
  )

/** Only processors and memory move, and not so far that the class changes. */
export const validateResize = (next: Draft<Pod>, before: Draft<Pod>): StatusCause[] => {
  const causes: StatusCause[] = []
  const old = items(before.spec?.containers)
  const onlyComputeMoved = items(next.spec?.containers).every((container, index) =>
    semanticEqual(otherResources(container.resources), otherResources(old[index]?.resources)),
  )
  if (!onlyComputeMoved) causes.push(forbiddenField('spec', 'only cpu and memory resources are mutable'))
  const was = qosClass(before.spec ?? {})
  const now = qosClass(next.spec ?? {})
  if (was !== now) causes.push(invalidValue('spec', now, 'Pod QOS Class may not change as a result of resizing'))
  return causes
}
