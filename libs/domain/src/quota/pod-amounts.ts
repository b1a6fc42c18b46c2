// What a pod requests and what limits it, exactly: containers, init containers, sidecars, amounts of the pod as a whole and
// overhead, as k8s.io/component-helpers/resource sums them.
import type { Container, ContainerStatus, Pod } from '@shiplog/api/generated/types/core-v1'
import { add, max, readList, type ResourceList } from './resource-list.ts'

export type Side = 'requests' | 'limits'

/** The resources that a pod may have as a whole. */
const isPodLevel = (name: string): boolean => name === 'cpu' || name === 'memory' || name.startsWith('hugepages-')

const empty: ResourceList = new Map()

export function podAmounts(pod: Pod, side: Side): ResourceList {
  const { spec, status } = pod
  const amountsOf = containerAmounts(pod, side)
  let total = empty
  for (const container of spec.containers ?? []) total = add(total, amountsOf(container, status?.containerStatuses))
  // An init container runs beside the sidecars that were started before it: the pod needs the highest such moment.
  let sidecars = empty
  let highest = empty
  for (const container of spec.initContainers ?? []) {
    const own = amountsOf(container, status?.initContainerStatuses)
    if (container.restartPolicy === 'Always') {
      total = add(total, own)
      sidecars = add(sidecars, own)
      highest = max(highest, sidecars)
    } else highest = max(highest, add(own, sidecars))
  }
  total = max(total, highest)
  const whole = new Map([...readList(spec.resources?.[side])].filter(([name]) => isPodLevel(name)))
  return addOverhead(new Map([...total, ...whole]), readList(spec.overhead), side)
}

/** Overhead counts on top of what is requested, and of what is limited at all. */
const addOverhead = (total: ResourceList, overhead: ResourceList, side: Side): ResourceList =>
  add(total, side === 'requests' ? overhead : new Map([...overhead].filter(([name]) => total.has(name))))

/** While a container is being resized, the larger amount counts. */
function containerAmounts({ status: podStatus }: Pod, side: Side) {
  const isInfeasible = (podStatus?.conditions ?? []).some(
    ({ type, reason }) => type === 'PodResizePending' && reason === 'Infeasible',
  )
  return ({ name, resources }: Container, statuses: readonly ContainerStatus[] | undefined): ResourceList => {
    const asked = readList(resources?.[side])
    const status = statuses?.find((candidate) => candidate.name === name)
    if (!status?.resources) return asked
    const actual = readList(status.resources[side])
    const allocated = side === 'requests' ? readList(status.allocatedResources) : empty
    return max(max(isInfeasible ? empty : asked, actual), allocated)
  }
}
