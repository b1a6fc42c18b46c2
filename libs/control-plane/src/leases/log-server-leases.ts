// The servers of the log have no credentials of their own, so the gateways tell of them: a component Lease for each that
// answers, held by its present life. Several gateways tell the same; whoever comes first has renewed it for all. While a
// single server is down nothing can be written at all; when it is back its pod counts the restart.
import type { ApiClient } from '@shiplog/api/api-client'
import type { Lease } from '@shiplog/api/generated/types/coordination-v1'
import { componentLease, componentLeaseName, leaseAddress, vitalAnnotations } from './component-lease.ts'
import type { Clock } from '@shiplog/runtime/clock'
import { replicaName } from '@shiplog/runtime/replica'
import type { HealthCheck } from '@shiplog/runtime/service'

export interface LogServer {
  readonly name: string
  /** Of its present life. */
  readonly id: string
  readonly version: string
  readonly host: string
}

const component = 'nats'
const leaseSeconds = 6
/** One look in vain may be a busy machine's. */
const unansweredMax = 2

/** Begins to renew the Leases of the servers that `probe` finds; once for each call, where nobody has since the last. */
export function createLogServerLeases(deps: {
  readonly client: ApiClient
  readonly clock: Clock
  readonly probe: () => Promise<readonly LogServer[]>
}): { renew(): Promise<void>; check(): HealthCheck } {
  const { client, clock, probe } = deps
  const renewing = new Set<string>()
  let unanswered = 0
  const seen = new Map<string, string>()

  async function renewOne(server: LogServer): Promise<void> {
    const replica = replicaName(server.name)
    const name = componentLeaseName(component, replica)
    const found = await client.request({ ...leaseAddress, verb: 'get', name })
    if (!found.ok && found.code !== 404) return
    const before = found.ok ? (found.object as Lease) : undefined
    const version = before?.metadata.resourceVersion ?? ''
    const isNew = before?.spec?.holderIdentity !== server.id
    const byAnother = seen.has(name) && seen.get(name) !== version
    seen.set(name, version)
    if (byAnother && !isNew) return
    const nowMs = clock.nowMs()
    const vitals = vitalAnnotations({
      startedAtMs: nowMs,
      failing: [],
      version: server.version,
      address: isIp(server.host) ? server.host : '',
    })
    // When it was started is not told: the first look at a life stands for it.
    const annotations = isNew ? vitals : {}
    const body = componentLease(
      before,
      { component, replica, holder: server.id, durationSeconds: leaseSeconds, annotations },
      nowMs,
    )
    const query = { fieldManager: 'kube-apiserver' }
    const written = before
      ? await client.request({ ...leaseAddress, verb: 'update', name, body, query })
      : await client.request({ ...leaseAddress, verb: 'create', body, query })
    if (written.ok) seen.set(name, written.object.metadata.resourceVersion!)
  }

  return {
    renew: async () => {
      const servers = await probe()
      unanswered = servers.length === 0 ? unanswered + 1 : 0
      for (const server of servers) {
        // A write may wait for the log longer than it takes to ask again.
        if (renewing.has(server.id)) continue
        renewing.add(server.id)
        renewOne(server)
          .catch(() => undefined)
          .finally(() => renewing.delete(server.id))
      }
    },
    check: () =>
      unanswered < unansweredMax
        ? { name: 'log-server', ok: true }
        : { name: 'log-server', ok: false, reason: 'no server of the log answers' },
  }
}

const isIp = (host: string): boolean => /^[\d.]+$|:/.test(host)
