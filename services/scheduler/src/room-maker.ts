// A pod that fits nowhere until victims go: it is nominated, and once the snapshot shows that, decisions go on while the
// victims are deleted.
import type { ApiClient } from '@shiplog/api/api-client'
import type { Clock } from '@shiplog/runtime/clock'
import type { Logger } from '@shiplog/runtime/logger'
import type { AttemptReports } from './attempt-reports.ts'
import type { ClusterView } from './cluster-view.ts'
import { clearNominations, evictVictims, nominate, type Preemptor } from './preemption.ts'

/** How long decisions wait for the feed to show a nomination that is stored. */
const nominationTimeoutMs = 5_000

export interface RoomMakerDeps {
  readonly client: ApiClient
  readonly clock: Clock
  readonly log: Logger
  readonly reports: AttemptReports
  readonly signal: AbortSignal
  readonly view: () => ClusterView
  readonly waitForSequence: (sequence: number, signal: AbortSignal) => Promise<void>
  readonly requestTurn: () => void
}

export class RoomMaker {
  readonly #deps: RoomMakerDeps
  #isNominating = false

  constructor(deps: RoomMakerDeps) {
    this.#deps = deps
  }

  /** A nomination is on its way to the log and back: what is decided next has to see it. */
  get isNominating(): boolean {
    return this.#isNominating
  }

  make(preemptor: Preemptor): void {
    const { signal, log } = this.#deps
    this.#isNominating = true
    this.#makeRoom(preemptor).catch((err: unknown) => {
      const { namespace, name } = preemptor.pod
      if (!signal.aborted) log.error({ err, pod: { namespace, name } }, 'preemption failed')
    })
  }

  async #makeRoom(preemptor: Preemptor): Promise<void> {
    const { reports, view, requestTurn } = this.#deps
    const deps = { ...this.#deps, schedulerName: preemptor.pod.schedulerName }
    const nominatedAt = await this.#nominate(preemptor)
    const isDone =
      nominatedAt !== undefined &&
      (await evictVictims(deps, preemptor, nominatedAt, (victim) => reports.preempted(victim, preemptor)))
    if (!isDone) view().queue.activate(preemptor.pod.uid)
    const here = view().snapshot.nominations.on(preemptor.preemption.node)
    const displaced = here.filter(({ priority }) => priority < preemptor.pod.priority)
    await clearNominations(deps, displaced)
    for (const { uid } of displaced) view().queue.activate(uid)
    requestTurn()
  }

  /** The sequence that shows the nomination, seen by now; undefined when it was refused. */
  async #nominate(preemptor: Preemptor): Promise<number | undefined> {
    const deps = { ...this.#deps, schedulerName: preemptor.pod.schedulerName }
    try {
      const nominatedAt = await nominate(deps, preemptor)
      if (nominatedAt !== undefined) await this.#waitUntilShown(nominatedAt)
      return nominatedAt
    } finally {
      this.#isNominating = false
      this.#deps.requestTurn()
    }
  }

  async #waitUntilShown(sequence: number): Promise<void> {
    const { clock, signal, waitForSequence } = this.#deps
    const limit = new AbortController()
    using _timer = clock.after(nominationTimeoutMs, () => limit.abort(new Error('the feed did not show it in time')))
    await waitForSequence(sequence, AbortSignal.any([limit.signal, signal]))
  }
}
