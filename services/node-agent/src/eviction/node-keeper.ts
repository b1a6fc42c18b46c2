// The eviction manager as an agent has it: one that knows its pods and their node, or nobody where nothing can run short.
import type { Pod } from '@shiplog/api/generated/types/core-v1'
import type { Clock } from '@shiplog/runtime/clock'
import type { Logger } from '@shiplog/runtime/logger'
import type { EventRecorder } from '../event-recorder.ts'
import type { NodeReserves } from '../hosts/pod-host.ts'
import type { PodRejection } from '../pod-admission.ts'
import type { PodEntry } from '../pod-entry.ts'
import { createEvictionManager, type EvictionManager } from './eviction-manager.ts'
import type { EvictionConfig } from './thresholds.ts'

export interface NodeKeeper extends Disposable {
  start(): void
  /** What the node is short of, by types of conditions. */
  pressures(): ReadonlySet<string>
  refusal(pod: Pod): PodRejection | undefined
  /** An Event object about the node. */
  tell(type: 'Normal' | 'Warning', reason: string, message: string): void
}

export interface NodeKeeperDeps {
  readonly config: EvictionConfig | undefined
  readonly reserves: NodeReserves | undefined
  readonly nodeName: string
  readonly pods: () => Iterable<PodEntry>
  readonly advance: (entry: PodEntry) => void
  readonly changed: () => void
  readonly events: EventRecorder
  readonly clock: Clock
  readonly log: Logger
}

/** Reasons of events about a condition that came, and that went. */
const reasons: Readonly<Record<string, readonly [came: string, went: string]>> = {
  MemoryPressure: ['NodeHasInsufficientMemory', 'NodeHasSufficientMemory'],
  DiskPressure: ['NodeHasDiskPressure', 'NodeHasNoDiskPressure'],
  PIDPressure: ['NodeHasInsufficientPID', 'NodeHasSufficientPID'],
}

const none: ReadonlySet<string> = new Set()

export function createNodeKeeper(deps: NodeKeeperDeps): NodeKeeper {
  const { config, reserves, nodeName, events, advance, clock, log } = deps
  let manager: EvictionManager | undefined
  let told: ReadonlySet<string> = none
  const tell: NodeKeeper['tell'] = (...event) => events.node(nodeName, ...event)
  const pressures = (): ReadonlySet<string> => manager?.pressures() ?? none
  const changed = (): void => {
    const now = pressures()
    for (const [condition, [came, went]] of Object.entries(reasons)) {
      if (now.has(condition) === told.has(condition)) continue
      const reason = now.has(condition) ? came : went
      tell('Normal', reason, `Node ${nodeName} status is now: ${reason}`)
    }
    told = new Set(now)
    deps.changed()
  }
  return {
    start() {
      if (config === undefined || reserves === undefined) return
      manager = createEvictionManager({
        ...{ config, reserves, pods: deps.pods, tell, changed, clock, log },
        evict(entry, eviction) {
          log.info({ pod: entry.pod.metadata.name, reason: eviction.message }, 'pod evicted')
          events.pod(entry.pod, nodeName, 'Warning', 'Evicted', eviction.message)
          entry.work.eviction = eviction
          advance(entry)
        },
      })
    },
    pressures,
    refusal: (pod) => manager?.refusal(pod),
    tell,
    [Symbol.dispose]: () => manager?.[Symbol.dispose](),
  }
}
