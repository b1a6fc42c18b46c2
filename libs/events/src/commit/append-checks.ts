// What may be appended at all: the bounds of a group and the form of a subject. Both adapters check it before they touch
// the log, so that a caller's mistake is a TypeError on both and never half a batch on one of them.
import type { Append } from '../event-log.ts'
import { subjectBytesMax } from '../subjects.ts'

/** Most members of one atomic group; a JetStream batch holds 1,000. */
export const groupMembersMax = 1000
/** Most bytes of one payload: with its headers it fits a server whose `max_payload` is 4 MB. */
export const payloadBytesMax = 4 * 1024 * 1024 - 64 * 1024
/** Most bytes of one group, headers aside. */
export const groupBytesMax = 64 * 1024 * 1024

/** Throws a TypeError unless the group may be appended. */
export function checkGroup(group: readonly Append[]): void {
  if (group.length === 0) throw new TypeError('An append needs at least one member')
  if (group.length > groupMembersMax) {
    throw new TypeError(`A group holds at most ${groupMembersMax} members, this one has ${group.length}`)
  }
  let bytes = 0
  for (const member of group) {
    checkSubject(member.subject)
    if (member.payload.length > payloadBytesMax) {
      throw new TypeError(
        `${member.subject}: a payload holds at most ${payloadBytesMax} bytes, not ${member.payload.length}`,
      )
    }
    bytes += member.payload.length
    for (const name in member.headers) checkHeader(name, member.headers[name]!)
  }
  if (bytes > groupBytesMax) throw new TypeError(`A group holds at most ${groupBytesMax} bytes, this one has ${bytes}`)
  if (group.length > 1 && new Set(group.map((member) => member.subject)).size !== group.length) {
    throw new TypeError('A group holds each subject once')
  }
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what must not stand in a subject
const forbidden = /[\u0000-\u0020*>\u007f-\uffff]/

/** Throws a TypeError unless the subject is one that names a place, without wildcards and empty tokens. */
function checkSubject(subject: string): void {
  if (
    subject === '' ||
    subject.length > subjectBytesMax ||
    forbidden.test(subject) ||
    subject.startsWith('.') ||
    subject.endsWith('.') ||
    subject.includes('..')
  ) {
    throw new TypeError(`Not a subject that can be appended to: ${JSON.stringify(subject.slice(0, 80))}`)
  }
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: as above, for header values
const unprintable = /[\u0000-\u001f\u007f-\uffff]/

/** Names that were found to be fine: there are some fifteen of them in all. */
const fineNames = new Set<string>()
const fineNamesMax = 1_000

/** Throws a TypeError when a header cannot be stored as it is. */
function checkHeader(name: string, value: string): void {
  if ((fineNames.has(name) || isHeaderName(name)) && !unprintable.test(value)) return
  throw new TypeError(`Header ${JSON.stringify(name)} holds characters that a header cannot hold`)
}

function isHeaderName(name: string): boolean {
  if (unprintable.test(name) || name.includes(':') || name === '' || name.startsWith('Nats-')) return false
  if (fineNames.size < fineNamesMax) fineNames.add(name)
  return true
}
