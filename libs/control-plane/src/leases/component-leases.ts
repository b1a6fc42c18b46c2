// What the Leases of the components tell a gateway: who there is, who lives, and how they fare. It follows the stream of
// Leases alone, and judges by the renewals of this gateway's own (libs/control-plane/src/leases/lease-liveness.ts).
import type { Lease } from '@shiplog/api/generated/types/coordination-v1'
import type { ObjectFeed } from '@shiplog/feed/object-feed'
import { type ComponentReport, componentNamespace, readComponentLease } from './component-lease.ts'
import { createLeaseLiveness, type Liveness } from './lease-liveness.ts'
import type { Clock } from '@shiplog/runtime/clock'
import type { ComponentState } from '../pods/component-pods.ts'

export interface SeenComponent extends ComponentReport {
  readonly liveness: Liveness
  readonly resourceVersion: string
}

export interface ComponentLeases {
  /** Those that hold a Lease now, by name; undefined while the feed has not said so. */
  all(): readonly SeenComponent[] | undefined
  stop(): void
}

const leases = 'leases.coordination.k8s.io'
const feedRetryMs = 1_000

/** Begins to follow. `onChange` is called when a component came, went, was begun anew or fares otherwise than before. */
export function followComponentLeases(options: {
  readonly feed: ObjectFeed
  readonly clock: Clock
  /** The name of this gateway's own Lease. */
  readonly own: string
  readonly onChange: () => void
}): ComponentLeases {
  const { feed, clock, own, onChange } = options
  const ending = new AbortController()
  const { signal } = ending
  const liveness = createLeaseLiveness(own)
  const seen = new Map<string, { readonly report: ComponentReport; readonly version: string }>()
  let synced = false

  let told = ''

  const all = (): readonly SeenComponent[] =>
    [...seen]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, { report, version }]) => ({ ...report, liveness: liveness.of(name), resourceVersion: version }))

  async function follow(): Promise<void> {
    let first = true
    for await (const { changes, synced: complete } of feed.follow([leases], signal)) {
      const present = new Set<string>()
      let touched = first
      for (const { namespace, name, deleted, object } of changes) {
        if (namespace !== componentNamespace) continue
        touched = true
        const report = deleted ? undefined : readComponentLease(object as Lease)
        if (report === undefined) {
          if (seen.delete(name)) liveness.deleted(name)
          continue
        }
        present.add(name)
        const version = object.metadata.resourceVersion!
        if (first) liveness.found(name, version)
        else liveness.renewed(name, version)
        seen.set(name, { report, version })
      }
      // After a break of the feed its first batch is all there is.
      if (first) for (const name of [...seen.keys()]) if (!present.has(name)) seen.delete(name)
      if (!touched) continue
      first = false
      synced ||= complete
      const tells = all().map(({ leaseUid, holder, complaint, liveness: is }) => [leaseUid, holder, complaint, is])
      const text = JSON.stringify(tells)
      if (synced && text !== told) onChange()
      told = text
    }
  }

  void (async () => {
    while (!signal.aborted) {
      await follow().catch(() => undefined)
      await clock.sleep(feedRetryMs, signal).catch(() => undefined)
    }
  })()

  return {
    all: () => (synced ? all() : undefined),
    stop: () => ending.abort(),
  }
}

/** A replica that was not heard of for this long is gone for good: its Lease goes, and with it its pod. */
export const forgetAfterMs = 3_600_000

/** By its own clock's last word and ours, which need only agree to within an hour, and dead by the order of the log. */
export const isGoneForGood = ({ liveness, renewedAtMs }: SeenComponent, nowMs: number): boolean =>
  liveness === 'dead' && nowMs - renewedAtMs > forgetAfterMs

/** What the pod of a component is to show. */
export const stateOfComponent = (seen: SeenComponent): ComponentState => ({
  component: seen.component,
  podName: seen.leaseName,
  identity: seen.leaseUid,
  image: seen.version === '' ? `shiplog/${seen.component}` : `shiplog/${seen.component}:${seen.version}`,
  life: seen.holder,
  startedAtMs: seen.startedAtMs,
  ready: seen.liveness === 'unknown' ? undefined : seen.liveness === 'alive' && seen.complaint === '',
  ...(seen.liveness === 'dead'
    ? {
        unready: {
          reason: 'HeartbeatMissed',
          message: `${seen.leaseName} has not renewed its Lease since ${new Date(seen.renewedAtMs).toISOString()}`,
        },
      }
    : seen.complaint === ''
      ? {}
      : { unready: { reason: 'ContainersNotReady', message: seen.complaint } }),
  address: seen.serves?.address ?? (seen.address === '' ? '127.0.0.1' : seen.address),
  restarts: seen.restarts,
  ...(seen.lifeBefore ? { lifeBefore: seen.lifeBefore } : {}),
})
