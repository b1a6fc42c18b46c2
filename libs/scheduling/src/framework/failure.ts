// Why a pod fits nowhere: counted by plugin and reason, put in upstream's words, and with what the post-filters say to it.
import type { Cycle } from './cycle.ts'
import { judge, type RejectedNode } from './evaluate.ts'
import { fitError, noNodesAvailable } from './fit-error.ts'
import type { Preemption } from './post-filter.ts'

export interface Failure {
  /** Upstream's sentence, as the condition and the Event object carry it. */
  readonly message: string
  /** Names of the plugins that rejected nodes, sorted; empty when there was no node at all. */
  readonly plugins: readonly string[]
  /** How many nodes each plugin rejected, and for which reason. A node may count for several reasons of one plugin. */
  readonly rejections: readonly PluginRejection[]
  /** The pods whose deletion makes room. */
  readonly preemption?: Preemption
  /** Whether the pod is not nominated for a node any more. */
  readonly clearsNomination: boolean
}

export interface PluginRejection {
  readonly plugin: string
  readonly reason: string
  readonly nodes: number
}

export function explainFailure(cycle: Cycle, rejected: readonly RejectedNode[], seed: number): Failure {
  const { snapshot, refused } = cycle
  const nodes = snapshot.nodeCount
  if (nodes === 0) return { message: noNodesAvailable, plugins: [], rejections: [], clearsNomination: false }
  const absent = nodes - rejected.length
  const counts = new RejectionCounts()
  for (const { plugin, rejection } of rejected) for (const reason of rejection.reasons) counts.add(plugin, reason, 1)
  let preFilter: string | undefined
  let restricting: readonly string[] = []
  if (refused !== undefined && 'message' in refused) {
    preFilter = refused.message
    counts.add(refused.plugin, refused.message, nodes)
  } else if (refused !== undefined && absent > 0) {
    restricting = refused.restricting
    counts.add(restricting[0]!, `node(s) didn't satisfy plugin(s) [${restricting.join(' ')}]`, absent)
  }
  const { message, preemption, clearsNomination } = preFilter === undefined ? makeRoom(cycle, rejected, seed) : noRoom
  return {
    message: fitError({ nodes, preFilter, reasons: counts.byReason(), postFilter: message }),
    plugins: [...new Set([...counts.plugins(), ...restricting])].sort(),
    rejections: counts.list(),
    ...(preemption ? { preemption } : {}),
    clearsNomination,
  }
}

/** What is said, upstream, when a pre-filter ended the decision: DynamicResources looks for what its own would have left. */
const noRoom = { message: 'not found', preemption: undefined, clearsNomination: false }

/** DynamicResources speaks first upstream; the pods here have no claims. */
const claims = 'no new claims to deallocate'

function makeRoom(cycle: Cycle, rejected: readonly RejectedNode[], seed: number) {
  const { pod, snapshot, profile } = cycle
  for (const plugin of profile.plugins) {
    if (plugin.postFilter === undefined) continue
    const fits = (node: RejectedNode['node'], changes: Parameters<typeof judge>[2]) =>
      judge(cycle, node, changes)?.rejection
    const result = plugin.postFilter({ pod, snapshot, seed, rejected, fits })
    // Room for one pod of a gang helps nobody as long as the others have none.
    if (result.preemption !== undefined && snapshot.objects.gangSize(pod.group) !== undefined) break
    return { ...result, message: result.message === undefined ? undefined : `${claims}, ${result.message}` }
  }
  return { message: undefined, preemption: undefined, clearsNomination: false }
}

class RejectionCounts {
  readonly #counts = new Map<string, Map<string, number>>()

  add(plugin: string, reason: string, nodes: number): void {
    let reasons = this.#counts.get(plugin)
    if (reasons === undefined) this.#counts.set(plugin, (reasons = new Map()))
    reasons.set(reason, (reasons.get(reason) ?? 0) + nodes)
  }

  plugins(): Iterable<string> {
    return this.#counts.keys()
  }

  list(): readonly PluginRejection[] {
    return [...this.#counts.keys()].sort().flatMap((plugin) => {
      const reasons = this.#counts.get(plugin)!
      return [...reasons.keys()].sort().map((reason) => ({ plugin, reason, nodes: reasons.get(reason)! }))
    })
  }

  byReason(): ReadonlyMap<string, number> {
    const sums = new Map<string, number>()
    for (const { reason, nodes } of this.list()) sums.set(reason, (sums.get(reason) ?? 0) + nodes)
    return sums
  }
}
