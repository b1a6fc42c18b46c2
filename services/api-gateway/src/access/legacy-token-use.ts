// Which tokens in Secrets are still used: a label says the day of the last use, and a ConfigMap since when that is watched,
// so that the cleaner (services/controllers) can tell a token that nobody has used for a year.
import type { ApiClient } from '@shiplog/api/api-client'
import type { KubeObject } from '@shiplog/api/kube-object'
import type { User } from '@shiplog/domain/strategy'
import type { Clock } from '@shiplog/runtime/clock'
import type { Logger } from '@shiplog/runtime/logger'

export const lastUsedLabel = 'kubernetes.io/legacy-token-last-used'
const dayMs = 86_400_000
/** Secrets whose label is being written; others wait for the next use. */
const underWayMax = 64

const apiServer: User = { name: 'system:apiserver', groups: ['system:masters', 'system:authenticated'] }

export interface LegacyTokenUse {
  /** Notes that the token in a Secret was used: at most one write a day. */
  note(secret: KubeObject): void
}

const dayOf = (ms: number): string => new Date(ms).toISOString().slice(0, 10)

export function createLegacyTokenUse(deps: {
  readonly clientFor: (user: User) => ApiClient
  readonly clock: Clock
  readonly logger: Logger
}): LegacyTokenUse {
  const underWay = new Set<string>()
  return {
    note({ metadata: { namespace = '', name, uid, labels } }) {
      const today = dayOf(deps.clock.nowMs())
      const known = labels?.[lastUsedLabel]
      // A gateway whose clock is ahead may have written tomorrow.
      if (known === today || known === dayOf(deps.clock.nowMs() + dayMs)) return
      const key = `${namespace}/${name}`
      if (underWay.has(key) || underWay.size >= underWayMax) return
      underWay.add(key)
      const body = { metadata: { uid, labels: { [lastUsedLabel]: today } } }
      const target = { group: '', resource: 'secrets', namespace, name }
      deps
        .clientFor(apiServer)
        .request({ verb: 'patch', ...target, patchType: 'application/merge-patch+json', body })
        .catch((err: unknown) => deps.logger.warn({ err, namespace, name }, 'failed to note the use of a token'))
        .finally(() => underWay.delete(key))
    },
  }
}
