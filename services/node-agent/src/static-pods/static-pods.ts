// Pods of a node's own: files of a directory say what runs, whether there is an API or not, and the API shows each by a mirror
// pod. A file that changes ends the pod and starts its successor; a mirror that somebody deletes comes back.
import { mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Pod } from '@shiplog/api/generated/types/core-v1'
import type { ObjectChange } from '@shiplog/feed/object-feed'
import { type Clock, rfc3339 } from '@shiplog/runtime/clock'
import type { Logger } from '@shiplog/runtime/logger'
import type { NodeConfig } from '../node-object.ts'
import { newPodEntry, type PodEntry, type PodTable } from '../pod-entry.ts'
import { newPodWork } from '../pod-work.ts'
import { manifestBytesMax, mirrorAnnotation, podOfManifest, seenAnnotation, sourceAnnotation } from './manifest.ts'

/** Files that change are seen within this time. */
const lookMs = 1_000
const manifestsMax = 250

export interface StaticPodsDeps {
  /** Of the manifests; made when it is not there. */
  readonly directory: string
  readonly node: NodeConfig
  readonly table: PodTable
  readonly clock: Clock
  readonly log: Logger
  /** Finds it again, or starts it. */
  readonly begin: (entry: PodEntry) => void
  readonly advance: (entry: PodEntry) => void
  readonly report: (entry: PodEntry) => void
  /** A mirror of a pod that is no more. */
  readonly deleteMirror: (mirror: Pod) => Promise<boolean>
}

export interface StaticPods extends Disposable {
  /** Reads the directory, and from then on whenever it changes. */
  start(): void
  /** A change of a mirror pod of this node. */
  onMirror(change: ObjectChange): void
  /** All mirrors have been seen: those that nothing stands behind are deleted from now on. */
  synced(): void
  /** A pod of these is gone: its successor may begin. */
  forgotten(entry: PodEntry): void
}

interface Manifest {
  /** Of the file when it was read. */
  readonly version: string
  readonly pod: Pod | undefined
}

interface State extends StaticPodsDeps {
  readonly files: Map<string, Manifest>
  /** Mirrors by uid that no pod of these has. */
  readonly orphans: Map<string, Pod>
  isSynced: boolean
  timer: Disposable | undefined
  ended: boolean
}

export const isMirror = (pod: Pod): boolean => pod.metadata.annotations?.[mirrorAnnotation] !== undefined

export function createStaticPods(deps: StaticPodsDeps): StaticPods {
  const state: State = { ...deps, files: new Map(), orphans: new Map(), isSynced: false, timer: undefined, ended: false }
  return {
    start() {
      mkdirSync(deps.directory, { recursive: true, mode: 0o700 })
      look(state)
      state.timer = deps.clock.every(lookMs, () => look(state))
    },
    onMirror: (change) => onMirror(state, change),
    synced() {
      state.isSynced = true
    },
    forgotten(entry) {
      if (entry.static?.mirror && !state.ended) state.orphans.set(entry.static.mirror.metadata.uid, entry.static.mirror)
      if (!state.ended) deps.clock.after(0, () => look(state))
    },
    [Symbol.dispose]() {
      state.ended = true
      state.timer?.[Symbol.dispose]()
    },
  }
}

/** Brings what runs to what the files say. Level-triggered. */
function look(state: State): void {
  if (state.ended) return
  const { table, clock } = state
  const wanted = wantedPods(state)
  for (const entry of [...table.ofNode(state.node.name)]) {
    if (entry.static === undefined || entry.pod.metadata.deletionTimestamp !== undefined) continue
    if (wanted.get(keyOf(entry.pod))?.metadata.uid !== entry.uid) end(state, entry)
  }
  for (const [key, pod] of wanted) {
    // Whatever has the name goes first: the pod of before, or one of the API's.
    if (table.get(key) !== undefined) continue
    const annotations = { ...pod.metadata.annotations, [seenAnnotation]: rfc3339(clock.nowMs()) }
    const seen = { ...pod, metadata: { ...pod.metadata, annotations } }
    const entry = newPodEntry(seen, state.node, 0, newPodWork(seen, clock.nowMs()), { mirror: orphanOf(state, key) })
    table.add(entry)
    state.begin(entry)
  }
  if (state.isSynced) for (const mirror of state.orphans.values()) void removeOrphan(state, mirror)
}

const keyOf = ({ metadata }: Pod): string => `${metadata.namespace}/${metadata.name}`

function orphanOf({ orphans }: State, key: string): Pod | undefined {
  const found = [...orphans.values()].find((mirror) => keyOf(mirror) === key)
  if (found !== undefined) orphans.delete(found.metadata.uid)
  return found
}

/** As if it were deleted: with its grace. */
function end({ clock, advance }: State, entry: PodEntry): void {
  const { spec, metadata } = entry.pod
  const deletionGracePeriodSeconds = spec.terminationGracePeriodSeconds ?? 30
  entry.pod = { ...entry.pod, metadata: { ...metadata, deletionTimestamp: rfc3339(clock.nowMs()), deletionGracePeriodSeconds } }
  advance(entry)
}

/** By namespace and name; of two files that say the same pod the first counts. */
function wantedPods(state: State): Map<string, Pod> {
  const names = filesOf(state)
  for (const name of state.files.keys()) if (!names.includes(name)) state.files.delete(name)
  const wanted = new Map<string, Pod>()
  for (const name of names) {
    const pod = readManifest(state, name)
    if (pod !== undefined && !wanted.has(keyOf(pod))) wanted.set(keyOf(pod), pod)
  }
  return wanted
}

function filesOf({ directory, files, log }: State): readonly string[] {
  try {
    const entries = readdirSync(directory, { withFileTypes: true })
    return entries.filter((entry) => !entry.name.startsWith('.') && !entry.isDirectory()).map(({ name }) => name).sort().slice(0, manifestsMax)
  } catch (err) {
    // Not to be read for now: what runs goes on.
    log.warn({ err, directory }, 'manifests of static pods cannot be read')
    return [...files.keys()]
  }
}

function readManifest({ directory, files, node, log }: State, name: string): Pod | undefined {
  const path = join(directory, name)
  const known = files.get(name)
  try {
    const { mtimeMs, size, ino } = statSync(path)
    const version = `${mtimeMs} ${size} ${ino}`
    if (known?.version === version) return known.pod
    // A file that is wrong ends nothing: it may be half written.
    files.set(name, { version, pod: known?.pod })
    if (size > manifestBytesMax) throw new Error(`more than ${manifestBytesMax} bytes`)
    const pod = podOfManifest({ bytes: readFileSync(path), path, nodeName: node.name })
    files.set(name, { version, pod })
    return pod
  } catch (err) {
    log.warn({ err, path }, 'manifest of a static pod cannot be used')
    return known?.pod
  }
}

function onMirror(state: State, { object, deleted, namespace, name, sequence }: ObjectChange): void {
  const { table, orphans, report } = state
  const mirror = object as Pod
  const entry = table.get(`${namespace}/${name}`)
  if (entry?.static === undefined) {
    const isOurs = mirror.metadata.annotations?.[sourceAnnotation] === 'file'
    if (deleted) orphans.delete(mirror.metadata.uid)
    else if (isOurs) orphans.set(mirror.metadata.uid, mirror)
    return
  }
  const own = entry.static
  if (sequence <= entry.sequence) return
  entry.sequence = sequence
  if (!deleted) own.mirror = mirror
  else if (own.mirror?.metadata.uid === mirror.metadata.uid) own.mirror = undefined
  report(entry)
}

async function removeOrphan({ orphans, deleteMirror, log }: State, mirror: Pod): Promise<void> {
  const { uid } = mirror.metadata
  orphans.delete(uid)
  const isGone = await deleteMirror(mirror).catch((err: unknown) => {
    log.debug({ err, pod: mirror.metadata.name }, 'mirror pod not deleted, retrying')
    return false
  })
  if (!isGone) orphans.set(uid, mirror)
}

