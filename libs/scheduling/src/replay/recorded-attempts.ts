// The state that each recorded attempt to schedule saw, rebuilt from the log alone: nodes and pods up to its basis, plus the
// pods that its run had decided before and the basis did not show yet (decision-record.ts of the scheduler says how those are
// told).
import type { Node, Pod } from '@shiplog/api/generated/types/core-v1'
import type { KubeObject } from '@shiplog/api/kube-object'
import { splitGroupResource } from '@shiplog/api/schema/schema'
import { resourceFilter } from '@shiplog/events/subjects'
import { contentOf, isDamaged, ownerOfDamage, type PastLog, type PastRecord } from '@shiplog/feed/history/past-records'
import { type DamagedRecord, isObjectRecord, type RecordCodec } from '@shiplog/feed/record-codec'
import { clusterResources } from '../snapshot/cluster-objects.ts'
import type { PodInfo } from '../snapshot/pod-info.ts'
import { Snapshot } from '../snapshot/snapshot.ts'
import { type Attempt, type AttemptInput, type AttemptLog, podFilter, type Refusal } from './attempt-log.ts'

const nodeFilter = 'evt.core.nodes.>'
const clusterFilters = clusterResources.map((groupResource) => {
  const { group, resource } = splitGroupResource(groupResource)
  return resourceFilter(group, resource)
})
/** The subjects of all that a decision may look at. */
export const worldFilters = [podFilter, nodeFilter, ...clusterFilters]
/** The resource of a record that one of these filters finds. */
const clusterResourceOf = (subject: string): string | undefined =>
  clusterResources.find((_resource, i) => subject.startsWith(clusterFilters[i]!.slice(0, -1)))

/** The state that an attempt saw. */
export interface AttemptState {
  readonly snapshot: Snapshot
  readonly pod: PodInfo
  readonly object: Pod
}

/** Why a state cannot be rebuilt. */
export interface Unknown {
  readonly unknown: string
}

interface Flight {
  readonly pod: PodInfo
  readonly node: string
  readonly number: number
}

/**
 * Goes through the attempts in their order and hands each over with the state that it saw. The state is only valid
 * until the visitor has answered. Goes on while it answers true.
 */
export async function walkAttempts(
  source: PastLog,
  log: AttemptLog,
  visit: (attempt: Attempt, state: AttemptState | Unknown) => boolean | Promise<boolean>,
): Promise<void> {
  const { attempts, refusals } = log
  const last = attempts.at(-1)
  if (last === undefined) return
  const world = createWorld(source.codec, refusals)
  let next = 0
  const isDue = (before: number): boolean => next < attempts.length && attempts[next]!.input.basis < before
  /** Whether to go on. */
  const visitDue = async (before: number): Promise<boolean> => {
    for (; isDue(before); next++) {
      const attempt = attempts[next]!
      const answer = visit(attempt, world.stateFor(attempt.input))
      if (!(typeof answer === 'boolean' ? answer : await answer)) return false
      world.decided(attempt)
    }
    return true
  }
  for await (const records of source.read({
    to: last.input.basis,
    subjects: worldFilters,
  })) {
    for (const one of records) {
      const sequence = isDamaged(one) ? one.sequence : one.record.sequence
      if (isDue(sequence) && !(await visitDue(sequence))) return
      world.apply(one)
    }
  }
  await visitDue(Number.POSITIVE_INFINITY)
}

/** Nodes, pods and open decisions, as the scheduler itself keeps them. */
export function createWorld(codec: RecordCodec, refusals: ReadonlyMap<string, readonly Refusal[]>) {
  /** Damage to a pod or node that no later version has made good, by subject. */
  const broken = new Map<string, DamagedRecord>()
  const snapshot = new Snapshot()
  /** Pods that have no node yet and may get one, by namespace and name. */
  const waiting = new Map<string, Pod>()
  /** Those that have no node, also when they are on their way out. */
  const unbound = new Map<string, Pod>()
  /** Open decisions of each run, by the pod's uid. */
  const flights = new Map<string, Map<string, Flight>>()
  /** How many refusals of a run have been taken up. */
  const refusalsSeen = new Map<string, number>()
  /** The run whose open decisions the snapshot counts. */
  let active = ''

  const flightsOf = (run: string): Map<string, Flight> => {
    let open = flights.get(run)
    if (open === undefined) {
      open = new Map()
      flights.set(run, open)
    }
    return open
  }

  function apply(one: PastRecord): void {
    if (isDamaged(one)) {
      if (one.subject !== undefined) broken.set(one.subject, one)
      return
    }
    if (!isObjectRecord(one)) return
    const { record } = one
    broken.delete(record.subject)
    const content = contentOf(codec, one) as KubeObject | undefined
    if (content === undefined) return
    const deleted = one.kind === 'deletion'
    const { name, namespace, uid } = content.metadata
    if (record.subject.startsWith('evt.core.nodes.')) {
      if (deleted) snapshot.removeNode(name)
      else snapshot.setNode(content as Node)
      return
    }
    const clusterResource = clusterResourceOf(record.subject)
    if (clusterResource !== undefined) {
      snapshot.objects.apply(clusterResource, content, deleted)
      return
    }
    const object = content as Pod
    const key = `${namespace}/${name}`
    if (deleted || object.spec?.nodeName) {
      waiting.delete(key)
      unbound.delete(key)
      for (const open of flights.values()) open.delete(uid)
      snapshot.nominations.delete(uid)
      if (deleted) snapshot.removePod(uid)
      else snapshot.setPod(object as Pod)
      return
    }
    unbound.set(key, object)
    const phase = object.status?.phase
    if (object.metadata?.deletionTimestamp !== undefined || phase === 'Succeeded' || phase === 'Failed') {
      waiting.delete(key)
      snapshot.nominations.delete(uid)
    } else {
      waiting.set(key, object)
      snapshot.nominations.set(snapshot.readPod(object as Pod))
    }
  }

  function activate(run: string): void {
    if (run === active) return
    for (const uid of flightsOf(active).keys()) snapshot.forget(uid)
    active = run
    for (const { pod, node } of flightsOf(run).values()) snapshot.assume(pod, node)
  }

  function open(run: string, flight: Flight): void {
    const { uid } = flight.pod
    if (snapshot.nodeOf(uid) !== undefined) return
    flightsOf(run).set(uid, flight)
    if (run === active) snapshot.assume(flight.pod, flight.node)
  }

  /** Brings the open decisions of a run to what they were just before a decision of its. */
  function bringUpTo({ run, number, assumed }: AttemptInput): void {
    activate(run)
    const ofRun = refusals.get(run) ?? []
    let seen = refusalsSeen.get(run) ?? 0
    for (; seen < ofRun.length && ofRun[seen]!.number < number; seen++) {
      const refusal = ofRun[seen]!
      const object = unbound.get(refusal.pod)
      if (object === undefined || refusal.forgottenBefore <= number) continue
      open(run, { pod: snapshot.readPod(object as Pod), node: refusal.node, number: refusal.number })
    }
    refusalsSeen.set(run, seen)
    const forgotten = new Set(
      ofRun.filter((refusal) => refusal.forgottenBefore <= number).map((refusal) => refusal.number),
    )
    const openFlights = flightsOf(run)
    for (const [uid, flight] of openFlights) {
      if (flight.number >= assumed.openFrom && !forgotten.has(flight.number)) continue
      openFlights.delete(uid)
      snapshot.forget(uid)
    }
  }

  function stateFor(input: AttemptInput): AttemptState | Unknown {
    const [damage] = broken.values()
    if (damage) return { unknown: `the record at sequence ${damage.sequence}, of ${ownerOfDamage(damage)}, is damaged` }
    bringUpTo(input)
    const object = waiting.get(input.pod)
    if (object === undefined) return { unknown: `at ${input.basis} the log shows no such pod that waits` }
    const { assumed } = input
    if (snapshot.assumedCount !== assumed.count || snapshot.assumedDigest !== assumed.digest) {
      return {
        unknown: `it assumed ${assumed.count} decisions that were not in the log yet, of which ${snapshot.assumedCount} were found: the others never reached the log`,
      }
    }
    return { snapshot, object, pod: snapshot.readPod(object as Pod) }
  }

  /** What was decided is assumed from now on, as it was then. */
  function decided({ input, recorded }: Attempt): void {
    const object = unbound.get(input.pod)
    if (recorded.node === undefined || object === undefined) return
    open(input.run, { pod: snapshot.readPod(object as Pod), node: recorded.node, number: input.number })
  }

  return { apply, stateFor, decided, snapshot, waiting, broken }
}
