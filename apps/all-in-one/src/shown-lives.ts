// What a helper process went through, in the words in which kube-system shows its pod: a restart is another life, and
// between two lives it waits as a container does that a kubelet backs off from.
import type { ComponentState } from '@shiplog/control-plane/pods/component-pods'
import type { Lives } from '@shiplog/runtime/kept-process'
import type { HealthCheck } from '@shiplog/runtime/service'

/** One part of the control plane, as far as kube-system shows it. */
export interface Part {
  readonly health: readonly HealthCheck[]
  readonly startedAtMs: number
  /** About to come: nothing is written about it yet. */
  readonly coming?: boolean
  /** Of its helper process. */
  readonly lives?: Lives
}

export function ofLives(
  life: string,
  component: string,
  { running, restarts, startedAtMs, lastEnd, waitMs }: Lives,
): Partial<ComponentState> {
  const waiting = running
    ? undefined
    : {
        reason: 'CrashLoopBackOff',
        message: `back-off ${waitMs / 1_000}s restarting failed container=${component}${lastEnd ? `: ${lastEnd.how}` : ''}`,
      }
  return {
    life: restarts === 0 ? life : `${life}.${restarts}`,
    startedAtMs,
    ...(running ? {} : { ready: false }),
    ...(waiting ? { waiting } : {}),
    ...(restarts > 0 && lastEnd
      ? { lifeBefore: { endedAtMs: lastEnd.atMs, exitCode: lastEnd.exitCode, reason: 'Error' } }
      : {}),
  }
}
