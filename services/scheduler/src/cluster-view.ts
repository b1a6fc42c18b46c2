// What one following of the feed has shown: the snapshot with its index of placements, the queue, and the pods that wait.
// A feed that has to be followed anew begins with a new view.
import type { Node, Pod } from '@shiplog/api/generated/types/core-v1'
import type { ObjectChange } from '@shiplog/feed/object-feed'
import type { Profiles } from '@shiplog/scheduling/framework/profiles'
import type { Decision } from '@shiplog/scheduling/framework/schedule'
import { createPlacementIndex, type PlacementIndex } from '@shiplog/scheduling/index/placement-index'
import { groupOf, type PodInfo } from '@shiplog/scheduling/snapshot/pod-info'
import { Snapshot } from '@shiplog/scheduling/snapshot/snapshot'
import { isVolumeResource } from '@shiplog/scheduling/volumes/volumes'
import { heldBackByGroup } from '@shiplog/scheduling/gang/gang'
import { podGroups } from '@shiplog/scheduling/snapshot/cluster-objects'
import { KnownTerms } from './known-terms.ts'
import { PodGroups } from './pod-groups.ts'
import { createSchedulingQueue } from './scheduling-queue.ts'

export interface ClusterViewOptions {
  readonly profiles: Profiles
  readonly nowMs: () => number
  /** Told of every entry into the queue, with upstream's labels. */
  readonly onIncoming: (queue: string, event: string) => void
}

export class ClusterView {
  readonly snapshot = new Snapshot()
  readonly queue
  /** All pods of this scheduler's names that wait for a node, also those of other replicas. */
  readonly waiting = new Map<string, Pod>()
  /** The message of the last failure that was reported, by pod. */
  readonly reported = new Map<string, string>()
  /** Pods whose node another replica filled meanwhile, with the sequence that the next decision has to have seen. */
  readonly overtaken = new Map<string, number>()
  readonly knownTerms = new KnownTerms()
  readonly groups = new PodGroups()
  /** For extenders that want to be shown whole nodes; empty when there are none. */
  readonly nodeObjects = new Map<string, Node>()
  sequence = 0
  synced = false
  readonly #profiles: Profiles
  readonly #keepsNodes: boolean
  /** By the name of the profile. */
  readonly #indexes: ReadonlyMap<string, PlacementIndex>

  constructor({ profiles, nowMs, onIncoming }: ClusterViewOptions) {
    this.#profiles = profiles
    this.#keepsNodes = profiles.first.configuration.extenders?.some(({ nodeCacheCapable }) => !nodeCacheCapable) ?? false
    this.#indexes = new Map(
      profiles.all.map((profile) => {
        const { schedulerName, seed } = profile.configuration
        return [schedulerName, createPlacementIndex(this.snapshot, profile, seed)]
      }),
    )
    const heldBack = (pod: PodInfo): string | undefined => this.heldBack(pod)
    this.queue = createSchedulingQueue({ profiles, nowMs, onIncoming, heldBack })
  }

  /** Why a pod may not be decided yet: its group is not there, or not enough of it. */
  heldBack(pod: PodInfo): string | undefined {
    return heldBackByGroup(pod, this.snapshot, this.groups.members(pod.group).size)
  }

  /** Decides about a pod of one of the profiles. */
  decide(pod: PodInfo): Decision {
    return this.#indexes.get(pod.schedulerName)!.schedule(pod)
  }

  applyNode({ deleted, object }: ObjectChange): void {
    if (deleted) {
      this.nodeObjects.delete(object.metadata.name)
      const node = this.snapshot.removeNode(object.metadata.name)
      if (node !== undefined) this.queue.wake({ type: 'NodeRemoved', node })
      return
    }
    if (this.#keepsNodes) this.nodeObjects.set(object.metadata.name, object as Node)
    const change = this.snapshot.setNode(object as Node)
    if (change.type === 'added') this.queue.wake({ type: 'NodeAdded', node: change.node })
    else if (change.type === 'updated') {
      this.queue.wake({ type: 'NodeUpdated', node: change.node, difference: change.difference })
    }
  }

  /** What decisions look at besides: pods that wait for a claim, a volume or a class are looked at again. */
  applyObject({ groupResource, object, deleted }: ObjectChange): void {
    this.snapshot.objects.apply(groupResource, object, deleted)
    if (groupResource === podGroups) {
      const { namespace, name } = object.metadata
      this.queue.reconsider(this.groups.members(`${namespace}/${name}`))
    }
    if (isVolumeResource(groupResource)) this.queue.wake({ type: 'VolumesChanged' })
  }

  /** A pod that is bound or deleted: it takes room on its node, or frees it. */
  applySettledPod(pod: Pod, deleted: boolean): void {
    const { uid } = pod.metadata
    this.leaveQueue(uid)
    if (deleted || hasEnded(pod)) this.groups.delete(uid)
    else this.groups.add(uid, groupOf(pod))
    this.snapshot.nominations.delete(uid)
    const { freed, added, relabelled } = deleted
      ? { freed: this.snapshot.removePod(uid) }
      : this.snapshot.setPod(pod)
    if (freed !== undefined) this.queue.wake({ type: 'PodFreed', pod: freed })
    if (added !== undefined) {
      this.knownTerms.note(added)
      this.queue.wake({ type: 'PodAdded', pod: added })
    }
    if (relabelled !== undefined) this.queue.wake({ type: 'PodRelabelled', ...relabelled })
  }

  /** A pod without a node. It enters the queue if this replica may decide it. */
  applyWaitingPod(object: Pod, mayDecide: (uid: string) => boolean): void {
    const { uid } = object.metadata
    if (isOver(object)) {
      this.groups.delete(uid)
      this.snapshot.nominations.delete(uid)
      this.leaveQueue(uid)
      return
    }
    const pod = this.snapshot.readPod(object)
    this.knownTerms.note(pod)
    this.snapshot.nominations.set(pod)
    const isNew = this.groups.add(uid, pod.group)
    if (this.#profiles.of(pod.schedulerName) !== undefined) {
      this.waiting.set(uid, object)
      if (mayDecide(uid)) this.queue.set(pod)
    }
    if (!isNew) return
    // With this one there are enough: the others need not wait for it any more.
    const members = this.groups.members(pod.group)
    if (members.size === this.snapshot.objects.gangSize(pod.group)) this.queue.reconsider(members)
  }

  /** Everything up to this sequence has been applied: pods that waited to see it are decided again. */
  advanceTo(sequence: number): void {
    this.sequence = sequence
    for (const [uid, awaited] of this.overtaken) {
      if (awaited > sequence) continue
      this.overtaken.delete(uid)
      this.queue.again(uid)
    }
  }

  leaveQueue(uid: string): void {
    this.waiting.delete(uid)
    this.giveAway(uid)
  }

  /** Another replica's: nothing more is done about it. */
  giveAway(uid: string): void {
    this.queue.delete(uid)
    this.reported.delete(uid)
    this.overtaken.delete(uid)
  }
}

const hasEnded = ({ status }: Pod): boolean => status.phase === 'Succeeded' || status.phase === 'Failed'

/** Whether a pod that has no node will not need one any more. */
const isOver = (pod: Pod): boolean => pod.metadata.deletionTimestamp !== undefined || hasEnded(pod)
