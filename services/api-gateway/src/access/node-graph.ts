// Which node has to do with what: its own object, the pods that are bound to it, and what those refer to, kept up to date
// change by change, so that no feed, no request of a node and no change needs a look at all pods. It costs nothing until the
// first node asks for something.
import { type FeedResource, feedKey } from '@shiplog/api-client/wire/feed'
import type { Pod } from '@shiplog/api/generated/types/core-v1'
import { type PodReference, referencesOf } from '@shiplog/domain/pod/pod-references'
import type { ChangeListener, StreamProjection } from '../store/projection.ts'
import type { Version } from '../store/version.ts'

/** Pods that are read in one turn of the first reading. */
const podsPerTurn = 500

/** What a feed shows of what pods refer to. */
const shownKinds = ['configmaps', 'secrets', 'persistentvolumeclaims'] as const

const referenceKey = ({ resource, name }: PodReference, namespace: string): string => `${resource}/${namespace}/${name}`

interface BoundPod {
  readonly node: string
  /** Keys of what it refers to, each once. */
  readonly references: ReadonlySet<string>
}

interface NodeState {
  readonly pods: Set<string>
  /** Key of what its pods refer to → how many of them do. */
  readonly references: Map<string, number>
}

export interface NodeGraph {
  /** Resolves when it is complete; begins to read with the first call. */
  ready(): Promise<void>
  readonly isReady: boolean
  isBound(node: string, namespace: string, pod: string): boolean
  /** Whether a pod of the node refers to it. */
  isReferred(node: string, resource: PodReference['resource'], namespace: string, name: string): boolean
  /** `<namespace>/<name>` of the claims that pods of the node refer to. */
  claimsOf(node: string): Iterable<string>
  /** Keys of all that the node may see now; an object that is referred to need not exist. */
  visible(node: string): readonly string[]
  isVisible(node: string, key: string): boolean
  /** The present version of what a key names. */
  current(key: string): Version | undefined
  /** Told of keys that may have changed for the node: the object, or whether it may be seen. */
  watch(node: string, onChanged: (key: string) => void): Disposable
}

export function createNodeGraph(projection: StreamProjection): NodeGraph {
  const pods = new Map<string, BoundPod>()
  const nodes = new Map<string, NodeState>()
  /** Key of an object → nodes whose pods refer to it. */
  const referrers = new Map<string, Set<string>>()
  const watchers = new Map<string, Set<(key: string) => void>>()
  let reading: Promise<void> | undefined
  let isReady = false

  function tell(node: string, key: string): void {
    for (const watcher of watchers.get(node) ?? []) watcher(key)
  }

  function stateOf(node: string): NodeState {
    let state = nodes.get(node)
    if (!state) {
      state = { pods: new Set(), references: new Map() }
      nodes.set(node, state)
    }
    return state
  }

  function refer(node: string, references: Iterable<string>): void {
    const state = stateOf(node)
    for (const reference of references) {
      const count = state.references.get(reference) ?? 0
      state.references.set(reference, count + 1)
      if (count > 0) continue
      const those = referrers.get(reference)
      if (those) those.add(node)
      else referrers.set(reference, new Set([node]))
      tell(node, reference)
    }
  }

  function unrefer(node: string, references: Iterable<string>): void {
    const state = stateOf(node)
    for (const reference of references) {
      const left = state.references.get(reference)! - 1
      if (left > 0) {
        state.references.set(reference, left)
        continue
      }
      state.references.delete(reference)
      const those = referrers.get(reference)!
      those.delete(node)
      if (those.size === 0) referrers.delete(reference)
      tell(node, reference)
    }
  }

  function onPod(version: Version): void {
    const key = feedKey('pods', version.namespace, version.name)
    const before = pods.get(key)
    const after = version.deleted ? undefined : boundPod(version)
    // The new first: what both refer to stays referred to.
    if (after) {
      pods.set(key, after)
      stateOf(after.node).pods.add(key)
      refer(after.node, after.references)
      tell(after.node, key)
    } else pods.delete(key)
    if (!before) return
    unrefer(before.node, before.references)
    if (before.node === after?.node) return
    const state = stateOf(before.node)
    state.pods.delete(key)
    if (state.pods.size === 0) nodes.delete(before.node)
    tell(before.node, key)
  }

  const table = (resource: FeedResource) => projection.table(resource)

  function listen(): void {
    const each =
      (onVersion: (version: Version) => void): ChangeListener =>
      (changes) =>
        changes.forEach(onVersion)
    table('pods').listeners.add(each(onPod))
    table('nodes').listeners.add(each(({ name }) => tell(name, feedKey('nodes', '', name))))
    for (const kind of shownKinds) {
      table(kind).listeners.add(
        each(({ namespace, name }) => {
          const key = feedKey(kind, namespace, name)
          for (const node of referrers.get(key) ?? []) tell(node, key)
        }),
      )
    }
  }

  /** What is there already, a few at a time; what changes meanwhile is told by the listeners. */
  async function read(): Promise<void> {
    listen()
    const all = table('pods').list('')
    for (let from = 0; from < all.length; from += podsPerTurn) {
      for (const version of all.slice(from, from + podsPerTurn)) {
        const key = feedKey('pods', version.namespace, version.name)
        if (!pods.has(key) && table('pods').current.get(version.key) === version) onPod(version)
      }
      await new Promise<void>((resolve) => {
        setImmediate(resolve)
      })
    }
    isReady = true
  }

  return {
    ready: () => (reading ??= read()),
    get isReady() {
      return isReady
    },
    isBound: (node, namespace, pod) => nodes.get(node)?.pods.has(feedKey('pods', namespace, pod)) ?? false,
    isReferred: (node, resource, namespace, name) =>
      nodes.get(node)?.references.has(referenceKey({ resource, name }, namespace)) ?? false,
    *claimsOf(node) {
      const prefix = 'persistentvolumeclaims/'
      for (const key of nodes.get(node)?.references.keys() ?? []) if (key.startsWith(prefix)) yield key.slice(prefix.length)
    },
    visible(node) {
      const state = nodes.get(node)
      return [feedKey('nodes', '', node), ...(state?.references.keys() ?? []), ...(state?.pods ?? [])]
    },
    isVisible(node, key) {
      const state = nodes.get(node)
      return (
        key === feedKey('nodes', '', node) || (state?.pods.has(key) ?? false) || (state?.references.has(key) ?? false)
      )
    },
    current(key) {
      const slash = key.indexOf('/')
      const resource = key.slice(0, slash)
      // The table's key of what has no namespace is its name.
      return projection.table(resource).current.get(key.slice(slash + (key[slash + 1] === '/' ? 2 : 1)))
    },
    watch(node, onChanged) {
      const there = watchers.get(node)
      if (there) there.add(onChanged)
      else watchers.set(node, new Set([onChanged]))
      return {
        [Symbol.dispose]: () => {
          const now = watchers.get(node)
          if (now?.delete(onChanged) && now.size === 0) watchers.delete(node)
        },
      }
    },
  }
}

/** Without these bytes a pod is bound to no node, and need not be parsed. */
const nodeNameField = Buffer.from('"nodeName":"')

/** Undefined for a pod that is bound to no node. */
function boundPod(version: Version): BoundPod | undefined {
  if (!version.bytes.includes(nodeNameField)) return undefined
  const pod = version.parse() as unknown as Pod
  const node = pod.spec?.nodeName
  if (typeof node !== 'string' || node === '') return undefined
  return { node, references: new Set(referencesOf(pod).map((each) => referenceKey(each, version.namespace))) }
}
