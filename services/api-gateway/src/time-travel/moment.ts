// Which moment a path speaks of: `/at/123/api/v1/pods` and `/at/2026-11-23T17:00:00Z/api/v1/pods`. A moment is a sequence
// of EVENTS, never inside a batch, and the time that was then.
import { ApiError, badRequest, expired, timeout, versionTooLarge } from '@shiplog/api/status'
import { endOfBatch, oldestWholeSequence, recordUpTo, sequenceAtTime } from '@shiplog/events/history/history'
import type { Stream } from '../store/streams.ts'

export interface Moment {
  /** Everything up to here had happened. */
  readonly sequence: number
  /** What the clock said: ages are told against it. */
  readonly timeMs: number
}

/** Moments that are remembered; finding one by its time costs some twenty reads. */
const momentsMax = 1_000
/** Clocks of people may be ahead of ours by so much. */
const clockSkewMs = 1_000

const prefix = /^\/at\/([^/]+)(\/.*)?$/
const rfc3339 = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)$/

/** Splits the path; undefined when it is not of the past. Throws URIError on broken escapes. */
export function parsePastPath(path: string): { readonly moment: string; readonly path: string } | undefined {
  if (!path.startsWith('/at/')) return undefined
  const found = prefix.exec(path)
  return found ? { moment: decodeURIComponent(found[1]!), path: found[2] ?? '/' } : undefined
}

export interface Moments {
  /** Throws ApiError: 400 for what is no moment, 410 for what the log has forgotten, 504 for the future. */
  resolve(text: string): Promise<Moment>
}

export function createMoments(deps: { readonly events: Stream; readonly nowMs: () => number }): Moments {
  const { events, nowMs } = deps
  const { log, projection } = events
  const known = new Map<string, Moment>()

  const tooOld = (what: string, oldest: number): ApiError =>
    new ApiError(expired(`the log does not reach back to ${what}: the oldest sequence left is ${oldest}`))

  async function reach(sequence: number): Promise<void> {
    if (!(await projection.waitFor(sequence)))
      throw new ApiError(timeout('the projection did not catch up with the log in time'))
  }

  async function atSequence(sequence: number): Promise<Moment> {
    if (sequence > projection.applied) {
      const last = await log.lastSequence()
      if (sequence > last) {
        // Nobody is asked to try again: who asks for the past does not mean to wait for it.
        throw new ApiError(versionTooLarge(sequence, last, { retry: false }))
      }
    }
    const [oldest, record] = await Promise.all([oldestWholeSequence(log), recordUpTo(log, sequence)])
    if (sequence < oldest || !record) throw tooOld(`sequence ${sequence}`, oldest)
    const end = Math.max(sequence, endOfBatch(record))
    await reach(end)
    return { sequence: end, timeMs: record.timeMs }
  }

  async function atTime(text: string): Promise<Moment> {
    const timeMs = Date.parse(text)
    if (Number.isNaN(timeMs)) throw new ApiError(badRequest(`${JSON.stringify(text)} is not a time`))
    if (timeMs > nowMs() + clockSkewMs) {
      throw new ApiError(badRequest(`${text} is in the future: it is ${new Date(nowMs()).toISOString()}`))
    }
    const [oldest, last] = await Promise.all([oldestWholeSequence(log), log.lastSequence()])
    const sequence = await sequenceAtTime(log, timeMs, oldest, last)
    if (sequence < oldest) throw tooOld(text, oldest)
    const moment = await atSequence(sequence)
    return { sequence: moment.sequence, timeMs }
  }

  return {
    async resolve(text) {
      const present = known.get(text)
      // What was forgotten meanwhile must be refused.
      if (present && present.sequence >= (await oldestWholeSequence(log))) return present
      let moment: Moment
      if (/^\d{1,15}$/.test(text)) moment = await atSequence(Number(text))
      else if (rfc3339.test(text)) moment = await atTime(text)
      else
        throw new ApiError(
          badRequest(`${JSON.stringify(text)} is neither a sequence (123) nor an RFC 3339 time (2026-01-31T12:00:00Z)`),
        )
      known.delete(text)
      // The last second may still get records.
      if (moment.timeMs < nowMs() - clockSkewMs || /^\d+$/.test(text)) known.set(text, moment)
      if (known.size > momentsMax) known.delete(known.keys().next().value!)
      return moment
    },
  }
}
