// Pods about which extenders have a say. Nothing else is decided while they are asked, as upstream. What they said is only used as
// long as the nodes that pass the filters are among those that they were asked about; else they are asked again.
import type { Node, Pod } from '@shiplog/api/generated/types/core-v1'
import type { Logger } from '@shiplog/runtime/logger'
import type { Profile } from '@shiplog/scheduling/framework/configuration'
import type { ExtenderOpinion } from '@shiplog/scheduling/framework/extenders'
import { feasibleNodes } from '@shiplog/scheduling/framework/schedule'
import type { AttemptReports } from './attempt-reports.ts'
import type { ClusterView } from './cluster-view.ts'
import type { Extenders } from './extender-client.ts'
import type { QueuedPod } from './queued-pods.ts'

export interface ExtenderDecisionsDeps {
  readonly extenders: Extenders
  readonly view: () => ClusterView
  readonly reports: AttemptReports
  readonly log: Logger
  readonly signal: AbortSignal
  readonly requestTurn: () => void
  /** Decides by what was said, at once. */
  readonly decide: (queued: QueuedPod, opinion: ExtenderOpinion) => void
}

const asksMax = 3
const nothing: ExtenderOpinion = { failed: {}, unresolvable: {}, scores: {} }

export class ExtenderDecisions {
  readonly #deps: ExtenderDecisionsDeps
  #isAsking = false

  constructor(deps: ExtenderDecisionsDeps) {
    this.#deps = deps
  }

  get isAsking(): boolean {
    return this.#isAsking
  }

  concern(object: Pod): boolean {
    return this.#deps.extenders.concern(object)
  }

  attempt({ pod }: QueuedPod, profile: Profile): void {
    const { view, reports, log, signal, requestTurn } = this.#deps
    const { uid, namespace, name } = pod
    this.#isAsking = true
    this.#ask(uid, profile)
      .catch((err: unknown) => {
        if (signal.aborted) return
        log.warn({ err, pod: { namespace, name } }, 'extender failed')
        const object = view().waiting.get(uid)
        if (object !== undefined) reports.attemptFailed(pod, object, err instanceof Error ? err.message : String(err))
        view().queue.retry(uid)
      })
      .finally(() => {
        this.#isAsking = false
        requestTurn()
      })
  }

  async #ask(uid: string, profile: Profile): Promise<void> {
    const { extenders, view: viewOf, signal, decide } = this.#deps
    for (let asks = 0; asks < asksMax; asks++) {
      const before = this.#stillDecided(uid)
      if (before === undefined) return
      const nodes = feasibleNodes(before.queued.pod, viewOf().snapshot, profile)
      const nodeNamed = (name: string): Node | undefined => viewOf().nodeObjects.get(name)
      const opinion = nodes.length === 0 ? nothing : await extenders.ask(before.object, nodes, nodeNamed)
      const now = this.#stillDecided(uid)
      if (now === undefined || signal.aborted) return
      const asked = new Set(nodes)
      if (!feasibleNodes(now.queued.pod, viewOf().snapshot, profile).every((name) => asked.has(name))) continue
      decide(now.queued, opinion)
      return
    }
    viewOf().queue.retry(uid)
  }

  /** The pod as it is by now; undefined when it is gone, or another queue's since the feed was followed anew. */
  #stillDecided(uid: string): { readonly queued: QueuedPod; readonly object: Pod } | undefined {
    const { queue, waiting } = this.#deps.view()
    const queued = queue.get(uid)
    const object = waiting.get(uid)
    return queued?.place === 'scheduling' && object !== undefined ? { queued, object } : undefined
  }
}
