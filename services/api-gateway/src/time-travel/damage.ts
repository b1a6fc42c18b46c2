// What damage of the log means for an answer about the past. An object whose version of then is damaged is not shown: a
// get of it is an error that names the sequence, a list leaves it out and warns. Damage of which nobody knows whose it was
// is a warning with every answer that it may concern. Answers from memory are whole: what is in memory was checked when
// it was read, or has come since.
import { expired, internalError, type Status } from '@shiplog/api/status'
import type { LogRecord } from '@shiplog/events/event-log'
import { type Damage, sequencesText } from '@shiplog/events/integrity/log-inspection'
import { parseObjectSubject } from '@shiplog/events/subjects'
import type { Stream } from '../store/streams.ts'

/** How long an answer about the past waits for the inspection of the log; after that it says that it did not. */
const inspectionTimeoutMs = 3_000

/** Objects that one warning names. */
const namedMax = 20

/** What cannot be trusted of a state of the past. */
export interface Doubt {
  /** By subject: objects whose version of then is damaged. */
  readonly lost: ReadonlyMap<string, Damage>
  readonly warnings: readonly string[]
}

export const noDoubt: Doubt = { lost: new Map(), warnings: [] }

/** Checks a state as of a sequence, of the subjects that a filter matches. */
export async function doubtAt(stream: Stream, filter: string, sequence: number): Promise<Doubt> {
  const { inspection, log } = stream
  if (inspection === undefined) return noDoubt
  const warnings: string[] = []
  if (!(await inspection.finished(inspectionTimeoutMs))) warnings.push(notInspected(stream))
  const lost = new Map<string, Damage>()
  const unknown: Damage[] = []
  for (const damage of inspection.within(1, sequence, [filter])) {
    if (damage.subject === undefined) {
      unknown.push(damage)
      continue
    }
    // A later record of the same object, as of then, says all there is to say.
    const last = await log.lastUpTo(damage.subject, sequence)
    if (last === undefined || last.sequence <= damage.sequence) lost.set(damage.subject, damage)
  }
  if (lost.size > 0) {
    const names = [...lost.keys()].map(nameOfSubject).join(', ')
    warnings.push(
      `the log is damaged at sequence ${sequencesText([...lost.values()])}: this answer leaves out ${names}, whose state is not known`,
    )
  }
  if (unknown.length > 0) warnings.push(warningOfUnknown(unknown))
  return { lost, warnings }
}

/** Damage among the events of a range; the warnings tell of what may be among them. */
export async function damageBetween(
  stream: Stream,
  filter: string,
  from: number,
  to: number,
): Promise<{ readonly damages: readonly Damage[]; readonly warnings: readonly string[] }> {
  const { inspection } = stream
  if (inspection === undefined) return { damages: [], warnings: [] }
  const warnings = (await inspection.finished(inspectionTimeoutMs)) ? [] : [notInspected(stream)]
  const found = inspection.within(from, to, [filter])
  const unknown = found.filter(({ subject }) => subject === undefined)
  if (unknown.length > 0) warnings.push(warningOfUnknown(unknown))
  return { damages: found.filter(({ subject }) => subject !== undefined), warnings }
}

/** For whoever asks for what is damaged. */
export const damagedStatus = (damages: readonly Damage[]): Status =>
  internalError(
    `the log is damaged: ${damages.map(({ sequence, subject, problem }) => `sequence ${sequence}${subject ? `, of ${nameOfSubject(subject)}` : ''} (${problem})`).join('; ')}`,
  )

/** 410 for what an object held when its key is gone: that it was there, when and by whom is still told by the log. */
export const keyGoneStatus = ({ subject, sequence, unreadable }: LogRecord): Status =>
  expired(`what ${nameOfSubject(subject)} held at sequence ${sequence} cannot be told any more: ${unreadable}`)

/** For lists of the past. */
export const keyGoneWarning = (gone: readonly LogRecord[]): string =>
  `this answer leaves out ${gone.length} objects whose keys are gone, so that nobody can tell what they held: ${gone
    .slice(0, namedMax)
    .map(({ subject }) => nameOfSubject(subject))
    .join(', ')}${gone.length > namedMax ? ', …' : ''}`

const warningOfUnknown = (damages: readonly Damage[]): string =>
  `the log is damaged at sequence ${sequencesText(damages)}, and nothing tells of which object: this answer may not be whole`

const notInspected = ({ inspection }: Stream): string =>
  inspection!.state === 'failed'
    ? 'the log could not be inspected: whether its past is damaged is not known'
    : `the log has been inspected up to sequence ${inspection!.through} only: whether its past is damaged is not known yet`

/** `configmaps default/x`. */
function nameOfSubject(subject: string): string {
  const address = parseObjectSubject(subject)
  if (address === undefined) return subject
  const { group, resource, namespace, name } = address
  return `${resource}${group === '' ? '' : `.${group}`} ${namespace === '' ? name : `${namespace}/${name}`}`
}
