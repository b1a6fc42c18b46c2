// Damage of the log as an Event object about kube-system, where `kubectl get events -A` shows it.
import type { ApiClient } from '@shiplog/api/api-client'
import { type Damage, sequencesText } from '@shiplog/events/integrity/log-inspection'
import { createEventRecorder } from '@shiplog/reconcile/events-recorder'
import type { Clock } from '@shiplog/runtime/clock'
import type { Logger } from '@shiplog/runtime/logger'

/** Records it; a cluster that cannot take the Event has said it in its log already. */
export async function recordDamageEvent(deps: {
  readonly client: ApiClient
  readonly clock: Clock
  readonly logger: Logger
  readonly damages: readonly Damage[]
}): Promise<void> {
  const { client, clock, logger, damages } = deps
  const namespace = await client.request({ verb: 'get', group: '', resource: 'namespaces', name: 'kube-system' })
  if (!namespace.ok) return
  const recorder = createEventRecorder({ client, clock, log: logger })
  recorder.record('shiplog-log', {
    object: namespace.object,
    type: 'Warning',
    reason: 'LogDamaged',
    message: `The past of the log is damaged at sequence ${sequencesText(damages)}; shiplog verify says more`,
  })
  await recorder.flush()
}
