// Which of a cluster's three streams holds the objects of a resource. The subject decides (subjects.ts of libs/events):
// nothing else knows that Leases and Event objects stand apart.
import { resourceFilter } from '@shiplog/events/subjects'

/** The three streams of a cluster, by the names of ClusterLog. */
export type StreamName = 'events' | 'leases' | 'objectEvents'

export const streamNames: readonly StreamName[] = ['events', 'leases', 'objectEvents']

const known = new Map<string, StreamName>()
const knownMax = 10_000

/** The stream of a group-resource: `pods`, `leases.coordination.k8s.io`. */
export function streamOf(groupResource: string): StreamName {
  let stream = known.get(groupResource)
  if (stream === undefined) {
    const dot = groupResource.indexOf('.')
    const [resource, group] =
      dot < 0 ? [groupResource, ''] : [groupResource.slice(0, dot), groupResource.slice(dot + 1)]
    stream = streamOfSubject(resourceFilter(group, resource))
    if (known.size < knownMax) known.set(groupResource, stream)
  }
  return stream
}

/** The stream that a subject belongs to. */
export const streamOfSubject = (subject: string): StreamName =>
  subject.startsWith('lease.') ? 'leases' : subject.startsWith('oev.') ? 'objectEvents' : 'events'

/** True for resources of which the log keeps the last record of each object alone: they have no history. */
export const keepsOnlyLast = (groupResource: string): boolean => streamOf(groupResource) !== 'events'

/** The name under which a resource is stored: Event objects of both groups are the same objects. */
export const storedAs = (groupResource: string): string =>
  groupResource === 'events.events.k8s.io' ? 'events' : groupResource
