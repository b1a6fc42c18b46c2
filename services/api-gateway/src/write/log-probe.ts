// Asks whether the log takes appends, by appending: to a guard that nothing else holds, compacted to one record.
import { encodeEnvelope } from '@shiplog/events/envelope'
import { sealRecord } from '@shiplog/events/integrity/checksum'
import type { Ids } from '@shiplog/runtime/ids'
import type { Stream } from '../store/streams.ts'

const probeSubject = 'guard.log-append-probe'

/** Throws when the append does not succeed. */
export async function probeLog(events: Pick<Stream, 'committer' | 'projection'>, ids: Ids): Promise<void> {
  const state = events.projection.guard(probeSubject)
  const sequence = state?.sequence ?? 0
  const headers = encodeEnvelope({
    type: 'LogProbed',
    schema: 1,
    actor: 'system:apiserver',
    requestId: ids.uuid(),
    previous: sequence,
    deleted: false,
  })
  const record = { subject: probeSubject, expected: sequence, payload: Buffer.alloc(0), headers }
  const result = await events.committer.commit([sealRecord(record, state?.checksum ?? '')])
  if (!result.ok) throw new Error('the probe was refused')
}
