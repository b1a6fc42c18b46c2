// Keeps the files of volumes up to date with the ConfigMaps, Secrets and pod fields that they show: soon after a change, and
// once a minute in case a change was missed.
import type { PodVolume } from '@shiplog/node/container-runtime'
import type { Clock } from '@shiplog/runtime/clock'
import type { Logger } from '@shiplog/runtime/logger'
import { referencesOfContainer } from './container-process.ts'
import { containerSpecsOf, namespaceOf, volumesIn } from './pod-facts.ts'
import type { HostedPod } from './pod-host.ts'
import { referencesOfVolumes } from './pod-volumes.ts'
import type { Reference, References } from './references.ts'

/** Interval of the comparison that needs no change to be seen. */
const refreshMs = 60_000

export interface VolumeRefresherDeps {
  readonly references: References
  readonly clock: Clock
  readonly log: Logger
  readonly pods: () => Iterable<HostedPod>
  readonly volumesOf: (pod: HostedPod) => Promise<readonly PodVolume[]>
  readonly update: (podUid: string, volumes: readonly PodVolume[]) => Promise<void>
  /** A ConfigMap or Secret that the pod refers to changed. */
  readonly onReference: (pod: HostedPod) => void
}

export interface VolumeRefresher {
  /** The pod object changed: what its files show of it may have. */
  podChanged(pod: HostedPod): void
  forget(podUid: string): void
  stop(): void
}

interface Refreshing {
  /** Pods whose volumes have to be compared. */
  readonly stale: Set<string>
  isRunning: boolean
  ended: boolean
}

export function createVolumeRefresher(deps: VolumeRefresherDeps): VolumeRefresher {
  const state: Refreshing = { stale: new Set(), isRunning: false, ended: false }
  const interval = deps.clock.every(refreshMs, () => {
    for (const pod of deps.pods()) if (hasFiles(pod)) state.stale.add(pod.uid)
    void refresh(deps, state)
  })
  const changes = deps.references.onChange?.((kind, namespace, name) => {
    for (const pod of deps.pods()) if (namespaceOf(pod) === namespace) onReference(deps, state, pod, { kind, name })
    void refresh(deps, state)
  })
  return {
    podChanged({ uid, pod }) {
      if (!volumesIn(pod).some(({ downwardAPI, projected }) => downwardAPI ?? projected)) return
      state.stale.add(uid)
      void refresh(deps, state)
    },
    forget: (podUid) => void state.stale.delete(podUid),
    stop() {
      state.ended = true
      interval[Symbol.dispose]()
      changes?.[Symbol.dispose]()
    },
  }
}

const hasFiles = ({ pod }: HostedPod): boolean =>
  volumesIn(pod).some(({ configMap, secret, projected, downwardAPI }) => configMap ?? secret ?? projected ?? downwardAPI)

function onReference(
  { onReference: tell }: VolumeRefresherDeps,
  { stale }: Refreshing,
  pod: HostedPod,
  changed: Reference,
): void {
  const concerns = ({ kind, name }: Reference): boolean => kind === changed.kind && name === changed.name
  const inVolumes = referencesOfVolumes(pod.pod).some(concerns)
  if (inVolumes) stale.add(pod.uid)
  if (inVolumes || containerSpecsOf(pod.pod).flatMap(referencesOfContainer).some(concerns)) tell(pod)
}

async function refresh(deps: VolumeRefresherDeps, state: Refreshing): Promise<void> {
  if (state.isRunning || state.ended) return
  state.isRunning = true
  try {
    while (state.stale.size > 0 && !state.ended) {
      const due = new Set(state.stale)
      state.stale.clear()
      for (const pod of [...deps.pods()]) if (due.has(pod.uid) && !state.ended) await refreshPod(deps, pod)
    }
  } finally {
    state.isRunning = false
  }
}

async function refreshPod({ volumesOf, update, log }: VolumeRefresherDeps, pod: HostedPod): Promise<void> {
  if (pod.work.sandbox !== 'ready') return
  try {
    const volumes = await volumesOf(pod)
    if (pod.work.sandbox === 'ready') await update(pod.uid, volumes)
  } catch (err) {
    // The files stay as they are until the next comparison.
    log.debug({ err, pod: pod.pod.metadata.name }, 'volumes not refreshed')
  }
}
