// Failed attempts to schedule a pod, recorded for `explain` and `replay`: `dec.<scheduler>.<namespace>.<pod>`; and what the
// configurations are that decisions name, each in the place of a pod of a namespace that cannot be: `dec.<scheduler>._.<hash>`.
import type { User } from '@shiplog/domain/strategy'
import { encodeEnvelope } from '@shiplog/events/envelope'
import { sealRecord } from '@shiplog/events/integrity/checksum'
import { encodeToken } from '@shiplog/events/subjects'
import type { Ids } from '@shiplog/runtime/ids'
import type { Attempt } from '../access/components.ts'
import type { Stream } from '../store/streams.ts'

export interface SchedulingAttempts {
  /** Throws when the log refuses the record. */
  record(user: User, attempt: Attempt): Promise<void>
}

export const createSchedulingAttempts = (deps: {
  readonly events: Pick<Stream, 'committer'>
  readonly ids: Ids
}): SchedulingAttempts => ({
  async record(user, { scheduler, namespace, pod, record }) {
    const result = await deps.events.committer.commit([
      sealRecord({
        subject: `dec.${encodeToken(scheduler)}.${encodeToken(namespace)}.${encodeToken(pod)}`,
        expected: undefined,
        payload: Buffer.from(JSON.stringify(record)),
        headers: encodeEnvelope({
          type: 'profile' in record ? 'SchedulerConfigured' : 'SchedulingAttempted',
          schema: 1,
          actor: user.name,
          requestId: deps.ids.uuid(),
          previous: 0,
          deleted: false,
          ...(typeof record['basis'] === 'number' ? { basis: record['basis'] } : {}),
        }),
      }),
    ])
    if (!result.ok) throw new Error(`the attempt to schedule ${namespace}/${pod} could not be recorded`)
  },
})
