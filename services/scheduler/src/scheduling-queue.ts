// The scheduling queue: which pod is next. Waiting pods are in one of four places, as in upstream's queue: *active*
// (ready, in order), *backoff* (failed a moment ago), *unschedulable* (fits nowhere until something happens) and *gated*
// (may not be scheduled yet). Time is an argument of the clock given; nothing here waits.
import type { Profile } from '@shiplog/scheduling/framework/configuration'
import type { ClusterEvent } from '@shiplog/scheduling/framework/framework'
import type { PodInfo, PodShape } from '@shiplog/scheduling/snapshot/pod-info'
import { Heap } from './heap.ts'
import type { Place, QueuedPod, SchedulingQueue, SchedulingQueueOptions } from './queued-pods.ts'

/** After so long without any helpful event an unschedulable pod is tried all the same. */
export const unschedulableFlushMs = 5 * 60_000

interface Item extends QueuedPod {
  pod: PodInfo
  priority: number
  place: Place
  attempts: number
  /** Breaks ties of the order by arrival. */
  readonly arrival: number
  /** Moves with every change of place: entries of heaps that carry an older one are stale. */
  stamp: number
  readyAtMs: number
  /** Whether it is in back-off because of an error: then it waits in any case. */
  failedByError: boolean
  failedAtMs: number
  group: Group | undefined
}

/** Unschedulable pods that are alike to the plugins that rejected them: one question answers for all. */
interface Group {
  readonly shape: PodShape
  readonly key: string
  readonly plugins: readonly string[]
  readonly items: Map<string, Item>
}

interface Entry {
  readonly item: Item
  readonly stamp: number
}

export function createSchedulingQueue(options: SchedulingQueueOptions): SchedulingQueue {
  const { profiles, nowMs } = options
  const { podInitialBackoffSeconds, podMaxBackoffSeconds } = profiles.first.configuration
  const order = profiles.first.plugins.find((plugin) => plugin.queueSort)!.queueSort!
  const items = new Map<string, Item>()
  const groups = new Map<PodShape, Map<string, Group>>()
  const counts: Record<Place, number> = { active: 0, backoff: 0, unschedulable: 0, gated: 0, scheduling: 0 }
  let arrivals = 0

  const isStale = ({ item, stamp }: Entry): boolean => item.stamp !== stamp
  const active = new Heap<Entry>((a, b) => order(a.item, b.item) || a.item.arrival - b.item.arrival, isStale)
  const byReadiness = (a: Entry, b: Entry): number =>
    a.item.readyAtMs - b.item.readyAtMs || order(a.item, b.item) || a.item.arrival - b.item.arrival
  const backoff = new Heap<Entry>(byReadiness, isStale)
  const errorBackoff = new Heap<Entry>(byReadiness, isStale)

  function move(item: Item, place: Place, event: string): void {
    leaveGroup(item)
    counts[item.place]--
    counts[place]++
    item.place = place
    item.stamp++
    const entry = { item, stamp: item.stamp }
    if (place === 'active') active.push(entry)
    if (place === 'backoff') (item.failedByError ? errorBackoff : backoff).push(entry)
    if (place !== 'scheduling') options.onIncoming?.(place, event)
  }

  function leaveGroup(item: Item): void {
    const { group } = item
    if (group === undefined) return
    item.group = undefined
    group.items.delete(item.pod.uid)
    if (group.items.size > 0) return
    const ofShape = groups.get(group.shape)
    ofShape?.delete(group.key)
    if (ofShape?.size === 0) groups.delete(group.shape)
  }

  function joinGroup(item: Item, plugins: readonly string[]): void {
    const byLabels = plugins.some((name) => profileOf(item.pod).byName.get(name)?.wakesByLabels)
    const key = `${item.pod.schedulerName} ${plugins.join(' ')}${byLabels ? ` ${item.pod.labelKey}` : ''}`
    let ofShape = groups.get(item.pod.shape)
    if (ofShape === undefined) groups.set(item.pod.shape, (ofShape = new Map()))
    let group = ofShape.get(key)
    if (group === undefined) ofShape.set(key, (group = { shape: item.pod.shape, key, plugins, items: new Map() }))
    group.items.set(item.pod.uid, item)
    item.group = group
  }

  const profileOf = (pod: PodInfo): Profile => profiles.of(pod.schedulerName) ?? profiles.first

  const isGated = (pod: PodInfo): boolean =>
    profileOf(pod).plugins.some((plugin) => plugin.preEnqueue?.(pod) !== undefined) || options.heldBack?.(pod) !== undefined

  const ready = (item: Item, event: string): void => move(item, item.readyAtMs <= nowMs() ? 'active' : 'backoff', event)

  function startBackoff(item: Item, byError: boolean): void {
    const seconds = Math.min(podMaxBackoffSeconds, podInitialBackoffSeconds * 2 ** Math.max(0, item.attempts - 1))
    item.failedAtMs = nowMs()
    item.readyAtMs = item.failedAtMs + seconds * 1000
    item.failedByError = byError
  }

  /** Moves those whose back-off is over. */
  function ripen(): void {
    const now = nowMs()
    for (const heap of [backoff, errorBackoff]) {
      for (let entry = heap.peek(); entry && entry.item.readyAtMs <= now; entry = heap.peek()) {
        heap.pop()
        move(entry.item, 'active', 'BackoffComplete')
      }
    }
  }

  return {
    set(pod) {
      const item = items.get(pod.uid)
      if (item === undefined) {
        const place = isGated(pod) ? 'gated' : 'active'
        const fresh: Item = {
          pod,
          priority: pod.priority,
          enqueuedMs: nowMs(),
          arrival: arrivals++,
          place,
          attempts: 0,
          stamp: 0,
          readyAtMs: 0,
          failedByError: false,
          failedAtMs: 0,
          group: undefined,
        }
        items.set(pod.uid, fresh)
        counts[place]++
        move(fresh, place, 'PodAdd')
        return
      }
      const before = item.pod
      item.pod = pod
      const reordered = before.priority !== pod.priority
      item.priority = pod.priority
      if (item.place === 'scheduling') return
      if (isGated(pod)) {
        if (item.place !== 'gated') move(item, 'gated', 'PodUpdate')
      } else if (item.place === 'gated' || before.shape !== pod.shape || reordered) {
        ready(item, 'PodUpdate')
      }
    },

    delete(uid) {
      const item = items.get(uid)
      if (item === undefined) return
      leaveGroup(item)
      items.delete(uid)
      counts[item.place]--
      item.stamp++
    },

    get: (uid) => items.get(uid),

    pop() {
      ripen()
      // With nothing else to do there is no reason to let a pod wait for the end of its back-off, unless it was an error.
      const entry = active.pop() ?? backoff.pop()
      if (entry === undefined) return undefined
      const { item } = entry
      item.attempts++
      move(item, 'scheduling', 'Pop')
      return item
    },

    popTogether(uids) {
      const ready = [...uids].flatMap((uid) => {
        const item = items.get(uid)
        return item === undefined || item.place === 'scheduling' || isGated(item.pod) ? [] : item
      })
      for (const item of ready) {
        item.attempts++
        move(item, 'scheduling', 'Pop')
      }
      return ready.sort((a, b) => order(a, b) || a.arrival - b.arrival)
    },

    reconsider(uids) {
      for (const uid of uids) {
        const item = items.get(uid)
        if (item === undefined || item.place === 'scheduling') continue
        if (isGated(item.pod)) {
          if (item.place !== 'gated') move(item, 'gated', 'PodUpdate')
        } else if (item.place === 'gated' || item.place === 'unschedulable') ready(item, 'PodAdd')
      }
    },

    hold(uid) {
      const item = items.get(uid)
      if (item?.place === 'scheduling') move(item, 'gated', 'PodUpdate')
    },

    take(uid) {
      const item = items.get(uid)
      if (item !== undefined && item.place !== 'scheduling') move(item, 'scheduling', 'Take')
    },

    fail(uid, plugins) {
      const item = items.get(uid)
      if (item?.place !== 'scheduling') return
      startBackoff(item, false)
      const isHeldBack = isGated(item.pod)
      move(item, isHeldBack ? 'gated' : 'unschedulable', 'ScheduleAttemptFailure')
      if (!isHeldBack) joinGroup(item, plugins)
    },

    retry(uid) {
      const item = items.get(uid)
      if (item?.place !== 'scheduling') return
      startBackoff(item, true)
      move(item, isGated(item.pod) ? 'gated' : 'backoff', 'ScheduleAttemptFailure')
    },

    again(uid) {
      const item = items.get(uid)
      if (item?.place !== 'scheduling') return
      item.attempts--
      move(item, isGated(item.pod) ? 'gated' : 'active', 'BindingOvertaken')
    },

    activate(uid) {
      const item = items.get(uid)
      if (item?.place === 'unschedulable') ready(item, 'ForceActivate')
    },

    wake(event) {
      for (const ofShape of [...groups.values()]) {
        for (const group of [...ofShape.values()]) {
          const [sample] = group.items.values()
          if (sample === undefined || !mayHelp(profileOf(sample.pod), group.plugins, sample.pod, event)) continue
          for (const item of [...group.items.values()]) ready(item, event.type)
        }
      }
    },

    flush() {
      const now = nowMs()
      for (const ofShape of [...groups.values()]) {
        for (const group of [...ofShape.values()]) {
          for (const item of [...group.items.values()]) {
            if (now - item.failedAtMs >= unschedulableFlushMs) ready(item, 'UnschedulableTimeout')
          }
        }
      }
    },

    nextReadyMs() {
      const times = [backoff.peek(), errorBackoff.peek()].flatMap((entry) => (entry ? [entry.item.readyAtMs] : []))
      return times.length === 0 ? undefined : Math.min(...times)
    },

    depths: () => ({
      active: counts.active,
      backoff: counts.backoff,
      unschedulable: counts.unschedulable,
      gated: counts.gated,
    }),
  }
}

/** Any of the plugins that rejected the pod may be satisfied now. Without a node there was no plugin to ask. */
function mayHelp(profile: Profile, plugins: readonly string[], pod: PodInfo, event: ClusterEvent): boolean {
  if (plugins.length === 0) return event.type === 'NodeAdded'
  return plugins.some((name) => profile.byName.get(name)?.wakes?.(pod, event) ?? true)
}
