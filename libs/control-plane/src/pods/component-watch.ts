// What a gateway that runs apart does for all components: it tells that it lives itself, watches over the Leases of the
// others, shows them as pods, and lets go of those that are gone for good. Every gateway does so; none leads.
import type { ApiClient } from '@shiplog/api/api-client'
import type { ApiServerPlace } from '@shiplog/domain/bootstrap-objects'
import type { ClusterLog } from '@shiplog/events/event-log'
import { createObjectFeed } from '@shiplog/events/object-feed-from-log'
import { type ComponentVitals, componentLeaseName, leaseAddress } from '../leases/component-lease.ts'
import { startHeartbeat } from '../leases/heartbeat.ts'
import type { Clock } from '@shiplog/runtime/clock'
import type { Logger } from '@shiplog/runtime/logger'
import type { HealthCheck } from '@shiplog/runtime/service'
import { followComponentLeases, isGoneForGood, type SeenComponent, stateOfComponent } from '../leases/component-leases.ts'
import { componentNodeName, createComponentNode } from './component-node.ts'
import { createComponentPods } from './component-pods.ts'
import { createLogServerLeases, type LogServer } from '../leases/log-server-leases.ts'

/** The component of a gateway, as its Lease and pod name it. */
export const gatewayComponent = 'kube-apiserver'

const roundMs = 2_000

export interface ComponentWatchOptions {
  readonly log: ClusterLog
  readonly client: ApiClient
  readonly clock: Clock
  readonly logger: Logger
  /** What this gateway is called among the gateways. */
  readonly replica: string
  /** Unique to this life of it. */
  readonly holder: string
  readonly vitals: () => ComponentVitals
  /** The servers of the log that answer now. */
  readonly probeLogServers?: () => Promise<readonly LogServer[]>
}

export interface ComponentWatch {
  /** Where the gateways that live serve; of one of which that is not known what is shown stays. */
  places(shown: readonly ApiServerPlace[]): readonly ApiServerPlace[]
  health(): readonly HealthCheck[]
  stop(): Promise<void>
}

/** Begins to do all that. `onPlaces` is called when the places may have changed. */
export function watchComponents(options: ComponentWatchOptions, onPlaces: () => void): ComponentWatch {
  const { client, clock, logger, replica } = options
  const log = logger.child({ component: 'components' })
  const ending = new AbortController()
  const { signal } = ending
  const ownName = componentLeaseName(gatewayComponent, replica)
  const feed = createObjectFeed(options.log)
  const leases = followComponentLeases({
    feed,
    clock,
    own: ownName,
    onChange: () => {
      pods.look()
      onPlaces()
    },
  })
  const pods = createComponentPods({
    client,
    clock,
    log,
    nodeName: componentNodeName,
    states: () => leases.all()?.map(stateOfComponent),
  })
  const heartbeat = startHeartbeat({
    client,
    clock,
    log,
    component: gatewayComponent,
    replica,
    holder: options.holder,
    vitals: options.vitals,
  })
  const node = createComponentNode({ client, clock })
  const servers = options.probeLogServers && createLogServerLeases({ client, clock, probe: options.probeLogServers })

  async function forget({ leaseName, leaseUid, resourceVersion }: SeenComponent): Promise<void> {
    const preconditions = { uid: leaseUid, resourceVersion }
    const gone = await client.request({ ...leaseAddress, verb: 'delete', name: leaseName, body: { preconditions } })
    if (gone.ok) log.info({ component: leaseName }, 'a component that was not heard of for an hour is forgotten')
  }

  /** Each of these does its own part, whatever becomes of the others. */
  const parts: readonly (() => Promise<void>)[] = [
    () => node.keep(),
    async () => servers?.renew(),
    async () => {
      for (const seen of leases.all() ?? []) {
        if (isGoneForGood(seen, clock.nowMs())) await forget(seen)
      }
    },
  ]
  const rounds = Promise.all(
    parts.map(async (part) => {
      while (!signal.aborted) {
        await part().catch(() => undefined)
        await clock.sleep(roundMs, signal).catch(() => undefined)
      }
    }),
  )
  void pods.start()

  return {
    places: (shown) =>
      (leases.all() ?? []).flatMap(({ component, liveness, serves }) => {
        if (component !== gatewayComponent || serves === undefined || liveness === 'dead') return []
        const isShown = shown.some(({ address, port }) => address === serves.address && port === serves.port)
        return liveness === 'alive' || isShown ? [serves] : []
      }),
    health: () => (servers ? [servers.check()] : []),
    async stop() {
      ending.abort()
      leases.stop()
      feed.stop()
      await Promise.all([pods.stop(), rounds])
      await heartbeat.end()
    },
  }
}
