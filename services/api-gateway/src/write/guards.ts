// The subjects of guards, and the record that takes or releases one.
import { encodeEnvelope } from '@shiplog/events/envelope'
import type { Append } from '@shiplog/events/event-log'
import { sealRecord } from '@shiplog/events/integrity/checksum'
import { encodeToken } from '@shiplog/events/subjects'
import type { SubjectState } from '../store/projection.ts'

/** `clusterip/10.96.0.10` → `guard.clusterip.10%2E96%2E0%2E10`. */
export const guardSubject = (key: string): string => `guard.${key.split('/').map(encodeToken).join('.')}`

/** The guard of a matter that several replicas decide (ApiRequest.once). */
export const onceKey = (matter: string): string => `once/${matter}`

/** Takes the guard for `holder`, or releases it when that is ''; expects it to be as `state` says. */
export function guardAppend(
  key: string,
  holder: string,
  state: SubjectState | undefined,
  by: { readonly actor: string; readonly requestId: string },
): Append {
  const previous = state?.sequence ?? 0
  const type = holder === '' ? 'GuardReleased' : 'GuardTaken'
  const headers = encodeEnvelope({ type, schema: 1, ...by, previous, deleted: false })
  const record = { subject: guardSubject(key), expected: previous, payload: Buffer.from(holder), headers }
  return sealRecord(record, state?.checksum ?? '')
}
