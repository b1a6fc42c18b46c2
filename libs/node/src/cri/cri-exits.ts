// Tells that containers have ended: by the runtime's events, and by a look at all of them when the events broke off, now and
// then all the same, and every second where a runtime has no events.
import type { Clock } from '@shiplog/runtime/clock'
import type { Logger } from '@shiplog/runtime/logger'
import { type CriClient, isCriFault } from './cri-client.ts'
import type { ContainerStatusMessage } from './cri-messages.ts'

const relistMs = 10_000
const relistWithoutEventsMs = 1_000
const reopenMs = 500
/** gRPC's code of a method that there is not. */
const unimplemented = 12

export interface ExitWatchDeps {
  readonly client: CriClient
  readonly clock: Clock
  readonly log: Logger
  readonly onEnded: (status: ContainerStatusMessage) => void
  /** The runtime knows nothing of it any more. */
  readonly onLost: (id: string, podUid: string) => void
}

export interface ExitWatch {
  /** From now on the end of this container is told, once. */
  watch(id: string, podUid: string): void
  /** The pod is over: nothing more is told of it. */
  forget(podUid: string): void
  running(): Iterable<string>
  stop(): void
}

interface State {
  readonly watched: Map<string, string>
  readonly abort: AbortController
  hasEvents: boolean
}

export function createExitWatch(deps: ExitWatchDeps): ExitWatch {
  const state: State = { watched: new Map(), abort: new AbortController(), hasEvents: true }
  void followEvents(deps, state)
  void relist(deps, state)
  return {
    watch(id, podUid) {
      state.watched.set(id, podUid)
      // It may have ended before it was watched.
      void look(deps, state, id)
    },
    forget(podUid) {
      for (const [id, uid] of state.watched) if (uid === podUid) state.watched.delete(id)
    },
    running: () => state.watched.keys(),
    stop: () => state.abort.abort(),
  }
}

async function followEvents(deps: ExitWatchDeps, state: State): Promise<void> {
  const { client, clock, log } = deps
  const { signal } = state.abort
  while (!signal.aborted) {
    try {
      await client.events(({ containerId, containerEventType }) => {
        if (/STOPPED|DELETED/.test(containerEventType)) void look(deps, state, containerId)
      }, signal)
    } catch (err) {
      if (isCriFault(err) && err.code === unimplemented) {
        state.hasEvents = false
        return
      }
      log.debug({ err }, 'container events ended, reconnecting')
    }
    await clock.sleep(reopenMs, signal).catch(() => undefined)
    // What happened in between was told to nobody.
    if (!signal.aborted) await lookAtAll(deps, state)
  }
}

async function relist(deps: ExitWatchDeps, state: State): Promise<void> {
  const { signal } = state.abort
  while (!signal.aborted) {
    await deps.clock.sleep(state.hasEvents ? relistMs : relistWithoutEventsMs, signal).catch(() => undefined)
    if (!signal.aborted) await lookAtAll(deps, state)
  }
}

async function lookAtAll(deps: ExitWatchDeps, state: State): Promise<void> {
  if (state.watched.size === 0) return
  try {
    const before = [...state.watched.keys()]
    const found = new Map((await deps.client.listContainers()).map((container) => [container.id, container.state]))
    for (const id of before) {
      const now = found.get(id)
      if (now === undefined) lost(deps, state, id)
      else if (now === 'CONTAINER_EXITED') await look(deps, state, id)
    }
  } catch (err) {
    deps.log.debug({ err }, 'containers not listed')
  }
}

async function look(deps: ExitWatchDeps, { watched }: State, id: string): Promise<void> {
  if (!watched.has(id)) return
  try {
    const status = await deps.client.containerStatus(id)
    if (status.state !== 'CONTAINER_EXITED' || !watched.delete(id)) return
    deps.onEnded(status)
  } catch (err) {
    deps.log.debug({ err, containerID: id }, 'container status unknown')
  }
}

function lost({ onLost }: ExitWatchDeps, { watched }: State, id: string): void {
  const podUid = watched.get(id)
  if (podUid === undefined) return
  watched.delete(id)
  onLost(id, podUid)
}
