// Enforces NetworkPolicies on one or several nodes: it follows policies, pods and namespaces, and keeps a table of each node's
// packet filter as they want it. Traffic does not pass by here, and the rules hold on when this is gone; then new pods are
// known to nobody and stay closed, and nothing that was closed opens (docs/adr/0017-network-policies.md).
import type { ObjectFeed } from '@shiplog/feed/object-feed'
import type { PacketFilter } from '@shiplog/node/packet-filter/packet-filter'
import { createRuleKeeper, type RuleKeeper } from '@shiplog/node/packet-filter/rule-keeper'
import type { Clock } from '@shiplog/runtime/clock'
import type { Logger } from '@shiplog/runtime/logger'
import type { MetricsRegistry } from '@shiplog/runtime/metrics'
import type { HealthCheck, Service } from '@shiplog/runtime/service'
import { families, type PolicyNode, policyTable } from './base-rules.ts'
import { createNodeRules, type NodeRules } from './node-rules.ts'
import { createPolicyMetrics } from './policy-metrics.ts'
import { createPolicyView, policyResources } from './policy-view.ts'

export const networkPolicyName = 'network-policy'

/** How long a pod waits for its rules; then its sandbox fails, and is tried again later. */
export const admitTimeoutMs = 10_000
/** Rules that are not written for so long are a fault, as with the proxy. */
const unhealthyAfterMs = 60_000

export interface EnforcedNode extends PolicyNode {
  readonly filter: PacketFilter
}

export interface NetworkPolicyDeps {
  readonly feed: ObjectFeed
  readonly nodes: readonly EnforcedNode[]
  readonly clock: Clock
  readonly log: Logger
  readonly metrics: MetricsRegistry
}

/** A pod as its node knows it. */
export interface StartingPod {
  /** For a static pod, its own and not that of its mirror. */
  readonly uid: string
  readonly node: string
  /** `namespace/name`. */
  readonly key: string
}

export interface NetworkPolicies extends Service {
  /**
   * Resolves when a pod that just got its addresses has its rules, so that its containers may start. Rejects when that takes
   * longer than `admitTimeoutMs`.
   */
  admit(pod: StartingPod, addresses: readonly string[]): Promise<void>
}

interface Enforced {
  readonly node: EnforcedNode
  readonly keeper: RuleKeeper
  readonly rules: NodeRules
}

const tables = families.map((family) => ({ family, table: policyTable }))

export function createNetworkPolicies(deps: NetworkPolicyDeps): NetworkPolicies {
  const { feed, clock, log } = deps
  const metrics = createPolicyMetrics(deps.metrics)
  const ending = new AbortController()
  const view = createPolicyView()
  const synced = Promise.withResolvers<void>()
  let batch = Promise.withResolvers<void>()
  let following: Promise<void> | undefined
  const enforced = deps.nodes.map((node): Enforced => {
    const ofNode = log.child({ component: networkPolicyName, node: node.name })
    const keeper = createRuleKeeper({ filter: node.filter, tables, clock, log: ofNode, onSync: metrics.synced })
    return { node, keeper, rules: createNodeRules(node, view, keeper.desired) }
  })

  async function follow(): Promise<void> {
    let touched = new Set<string>()
    let isFirst = true
    for await (const { changes, synced: isComplete } of feed.follow(policyResources, ending.signal)) {
      for (const change of changes) {
        try {
          touched = touched.union(view.apply(change))
        } catch (err) {
          metrics.unreadable()
          log.error({ err, policy: { namespace: change.namespace, name: change.name } }, 'failed to read a NetworkPolicy')
        }
      }
      if (!isComplete) continue
      const due = touched
      touched = new Set()
      const writing = enforced.filter(({ rules }) => rules.update(due) || isFirst).map(({ keeper }) => keeper.changed())
      if (isFirst) void Promise.all(writing).then(() => synced.resolve())
      isFirst = false
      batch.resolve()
      batch = Promise.withResolvers()
    }
  }

  /** The uid that the API knows a pod by: that of a static pod's mirror, which has its name. */
  function knownUid({ uid, node, key }: StartingPod): string | undefined {
    if (view.pods.has(uid)) return uid
    for (const pod of view.podsOf(node)) if (pod.mirrorOf === uid && pod.key === key) return pod.uid
    return undefined
  }

  /** The agent knows of a pod by another way than we do, and may be faster. */
  async function admitPod(pod: StartingPod, addresses: readonly string[], signal: AbortSignal): Promise<void> {
    await synced.promise
    let uid = knownUid(pod)
    while (uid === undefined) {
      await batch.promise
      if (signal.aborted || ending.signal.aborted) return
      uid = knownUid(pod)
    }
    view.assign(uid, addresses)
    const touched = new Set([uid])
    const changed = enforced.filter(({ rules }) => rules.update(touched))
    const writing = new Map(changed.map((one) => [one.node.name, one.keeper.changed()]))
    await writing.get(pod.node)
  }

  return {
    name: networkPolicyName,
    async start() {
      following = follow().catch((err: unknown) => {
        if (ending.signal.aborted) return
        log.error({ err }, 'the enforcement of NetworkPolicies ended')
        synced.reject(err)
      })
      await synced.promise
    },
    async stop() {
      ending.abort()
      synced.resolve()
      batch.resolve()
      await Promise.all([following, ...enforced.map(({ keeper }) => keeper.stop())])
    },
    async admit(pod, addresses) {
      const startMs = clock.nowMs()
      const limit = new AbortController()
      try {
        const inTime = await Promise.race([
          admitPod(pod, addresses, limit.signal).then(() => !ending.signal.aborted),
          clock.sleep(admitTimeoutMs, limit.signal).then(() => false),
        ])
        metrics.admitted(clock.nowMs() - startMs, inTime)
        if (!inTime) throw new Error(`the rules of NetworkPolicies for the pod are not in place after ${admitTimeoutMs / 1_000} s`)
      } finally {
        limit.abort()
      }
    },
    health: () => enforced.map(({ node, keeper }) => healthOf(node.name, keeper, clock)),
  }
}

function healthOf(node: string, { state }: RuleKeeper, clock: Clock): HealthCheck {
  const name = `policies-of-${node}`
  const { waitingSinceMs, lastFault } = state
  const isLate = waitingSinceMs !== undefined && clock.nowMs() - waitingSinceMs > unhealthyAfterMs
  if (state.isInSync || (!isLate && state.lastSyncMs > 0)) return { name, ok: true }
  return { name, ok: false, reason: lastFault ?? 'the rules have not been written yet' }
}
